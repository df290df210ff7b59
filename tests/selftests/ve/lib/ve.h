/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Minimal VEs for tests.  Init is an agent in the test program itself: it runs
 * functions of the program on request, in pid 1 or in a child, and leaves when
 * the test does.
 */
#ifndef VZ_VE_H
#define VZ_VE_H

#include <linux/vzctl.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptor numbers that stay out of the way of tests. */
#define VE_FD_KTAP	900
#define VE_FD_AGENT	901

#define VE_CGROUP	"/sys/fs/cgroup/ve"
#define VE_SHARED	64

/* How VE is set up; all zero is the usual one. */
struct ve_opts {
	void (*reserved)(unsigned int id, int fd);	/* before CREATE2 */
	void (*setup)(void);	/* in the VE, root tree ready, before RUN */
	int (*init)(void);	/* instead of the agent, after RUN */
	int bare;		/* no own root tree, no mounts */
	int detached;		/* agent survives the test's end of the pipe */
	int no_run;		/* stop before RUN */
	uint64_t bset;		/* 0: VE_BSET */
	const char *root;	/* VE_ROOT: an existing directory */
};

/*
 * What root of a VE may do within it.  Missing: SYS_MODULE, SYS_RAWIO,
 * SYS_PACCT, SYS_TIME and everything from bit 32 on.
 */
#define VE_BSET		0xfdecffffULL

struct ve {
	unsigned int id;
	int fd;
	int agent;		/* our end of the agent's socket */
	pid_t init;		/* host pid */
	unsigned int base;	/* first host uid */
	volatile long *shared;	/* VE_SHARED longs, memory of the host */
};

/* Raw calls: -1 and errno. */
int vz_ctl(void);	/* a descriptor of /dev/vzctl, kept open */
int vz_reserve(unsigned int id);
int vz_open(unsigned int id);
int vz_create2(int fd, unsigned int id, uint64_t bset);
int vz_run(int fd);
int vz_kill(int fd, int sig);
int vz_enter(int fd, unsigned int flags);
int vz_get(int fd, struct vzctl_get *get);
int vz_ubc(int fd, unsigned int id, unsigned int res, uint64_t barrier,
	   uint64_t limit);
int vz_set(int fd, unsigned int key, const char *text, unsigned int len);
unsigned int vz_base(unsigned int id);
int ve_cgroup_fd(unsigned int id);
/* Is there a VE of this id?  True also while it is going down. */
int ve_exists(unsigned int id);
int ve_cgroup_exists(unsigned int id);

/* These end the test on failure. */
void ve_start(struct ve *ve, unsigned int id, const struct ve_opts *opts);
/* The second half of ve_start() after opts.no_run. */
void ve_go(struct ve *ve);
/* Kills and waits until the VE is dead; closes everything. */
void ve_stop(struct ve *ve);
void ve_close(struct ve *ve);
unsigned int ve_state(struct ve *ve);
unsigned int ve_nproc(struct ve *ve);
/* Waits at most @ms for POLLHUP; the last GET in @get if not NULL. */
void ve_wait_dead(struct ve *ve, int ms, struct vzctl_get *get);

/* fn(arg) in pid 1 of the VE: its result, errno too if that is negative. */
long ve_call(struct ve *ve, long (*fn)(long arg), long arg);
/* fn(arg) in a child of pid 1: the wait status. */
int ve_fork(struct ve *ve, long (*fn)(long arg), long arg);
/* The same without waiting: pid inside the VE. */
pid_t ve_spawn(struct ve *ve, long (*fn)(long arg), long arg);
/* ve_fork() that must exit with 0. */
void ve_must(struct ve *ve, long (*fn)(long arg), long arg);
/* As ve_fork(), through ENTER2; -1 and errno if that failed. */
int ve_enter(struct ve *ve, unsigned int flags, long (*fn)(long arg),
	     long arg);
/* The memory shared with the VE that calls the function. */
extern volatile long *ve_shared;

/* Kills every VE on the node, after they had @grace ms to go; how many. */
int ve_kill_all(int grace);

/* Small helpers. */
int read_file(const char *path, char *buf, int size);	/* length or -1 */
int write_file(const char *path, const char *text);	/* 0 or -1 */
int exited(int status, int code);
void make_dir(const char *path);
/* Directory for mounts and sockets of tests. */
const char *test_dir(void);

#endif
