// SPDX-License-Identifier: GPL-2.0
/*
 * What things cost a VE in kernel memory: N of each are made after a first
 * one, and the growth of kmemsize and dcachesize is divided by N.
 *
 * On the release kernel ("make objsize") these are the figures that the tools
 * reckon with, see tools/vzctl/libvz/src/ubc/rules/sizes.rs.  On any kernel the
 * slab objects that are known to be made are counted: there are exactly N times
 * as many more, dcachesize is the sum of those it has, to the byte, and
 * kmemsize, which is charged by the page, fits what is known.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"
#include "lib/limits.h"

#define ID 8600
#define N 1000L
#define KB 1024L
#define PG (4 * KB)
/* What CPUs may keep, and tables that grow in steps. */
#define SLACK (128 * KB)
/* memcg remembers the owner of each object. */
#define OWNER 8L
#define SLABS 5
/* Where executed programs say that they are there. */
#define READY_FD 950

struct thing {
	const char *name;
	const char *counter;		/* grows by @units for each, or NULL */
	int units;
	long (*make)(long n);
	int spawn;			/* in a child of init, which stays */
	struct {
		const char *name;
		int n;
	} slab[SLABS];			/* objects that each consists of */
	long known, more;		/* other bytes of kmemsize: least, span */
};

enum { STATE, GO, ARRIVED };		/* of the shared memory */

static struct ve ve;
/* Names and places that were used before, in the process that makes them. */
static long serial;

static void stay(void)
{
	for (;;)
		pause();
}

/* A process that has been executed: this program, called so by execve(). */
__attribute__((constructor))
static void stay_if_asked(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "--stay"))
		return;
	if (write(READY_FD, "", 1) != 1)
		_exit(1);
	stay();
}

static void arrive(void)
{
	__atomic_add_fetch((long *)&ve_shared[ARRIVED], 1, __ATOMIC_SEQ_CST);
}

/* Until @n more than these have run. */
static void wait_arrived(long before, long n)
{
	while (ve_shared[ARRIVED] != before + n)
		usleep(1000);
}

static long make_processes(long n)
{
	long i, before = ve_shared[ARRIVED];

	for (i = 0; i < n; i++)
		if (!check_ok(fork())) {
			arrive();
			stay();
		}
	wait_arrived(before, n);
	return 0;
}

/* A static program reads /proc/self/exe when it starts: two names of its own. */
static long make_programs(long n)
{
	static char *const argv[] = { "objsize", "--stay", NULL };
	static int exe = -1, ready[2];
	char c;
	long i;

	if (exe < 0) {
		exe = check_ok(open("/proc/self/exe", O_PATH | O_CLOEXEC));
		check_ok(pipe2(ready, O_CLOEXEC));
		check_eq(dup2(ready[1], READY_FD), READY_FD);
	}
	for (i = 0; i < n; i++)
		if (!check_ok(fork())) {
			fexecve(exe, argv, argv + 2);
			_exit(1);
		}
	while (n--)
		check_eq(read(ready[0], &c, 1), 1);
	return 0;
}

static void *idle(void *unused)
{
	arrive();
	stay();
	return unused;
}

static long make_threads(long n)
{
	long i, before = ve_shared[ARRIVED];
	pthread_attr_t attr;
	pthread_t t;

	check_eq(pthread_attr_init(&attr), 0);
	check_eq(pthread_attr_setstacksize(&attr, 16 * KB), 0);
	for (i = 0; i < n; i++)
		check_eq(pthread_create(&t, &attr, idle, NULL), 0);
	wait_arrived(before, n);
	return 0;
}

static long make_files(long n)
{
	while (n--)
		check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));
	return 0;
}

static long make_pipes(long n)
{
	struct rlimit r;
	int p[2];

	check_ok(prlimit(0, RLIMIT_NOFILE, NULL, &r));
	r.rlim_cur = r.rlim_max;
	check_ok(prlimit(0, RLIMIT_NOFILE, &r, NULL));
	while (n--)
		check_ok(pipe2(p, O_CLOEXEC));
	return 0;
}

static void sockets(int family, int type, long n)
{
	while (n--)
		check_ok(socket(family, type | SOCK_CLOEXEC, 0));
}

static long make_tcp(long n)
{
	sockets(AF_INET, SOCK_STREAM, n);
	return 0;
}

static long make_udp(long n)
{
	sockets(AF_INET, SOCK_DGRAM, n);
	return 0;
}

static long make_unix(long n)
{
	sockets(AF_UNIX, SOCK_STREAM, n);
	return 0;
}

/* Neighbours of different protection do not merge. */
static long make_areas(long n)
{
	while (n--)
		check(mmap(NULL, PG, n & 1 ? PROT_READ : PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	return 0;
}

/* One page in each 2 MiB: each needs a page table. */
static long make_tables(long n)
{
	long size = n << 21;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED);
	check_ok(madvise(p, size, MADV_NOHUGEPAGE));
	while (n--)
		*(volatile char *)(p + (n << 21)) = 1;
	return 0;
}

static long make_locks(long n)
{
	int fd = check_ok(open("/tmp/locked", O_CREAT | O_RDWR | O_CLOEXEC,
			       0600));
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };

	while (n--) {
		fl.l_start = 2 * serial++;
		check_ok(fcntl(fd, F_SETLK, &fl));
	}
	return 0;
}

static long make_signals(long n)
{
	union sigval v = { .sival_int = 0 };
	struct rlimit r = { 2 * N, 2 * N };
	sigset_t set;

	check_ok(prlimit(0, RLIMIT_SIGPENDING, &r, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	check_ok(sigprocmask(SIG_BLOCK, &set, NULL));
	while (n--)
		check_ok(sigqueue(getpid(), SIGRTMIN, v));
	return 0;
}

/* tmpfs keeps names and inodes of its files. */
static long make_tmpfs_files(long n)
{
	char path[32];

	while (n--) {
		snprintf(path, sizeof(path), "/tmp/file-%05ld", serial++);
		check_ok(close(check_ok(open(path, O_CREAT | O_CLOEXEC,
					     0600))));
	}
	return 0;
}

static long make_links(long n)
{
	char path[32];

	check_ok(close(check_ok(open("/tmp/one", O_CREAT | O_CLOEXEC, 0600))));
	while (n--) {
		snprintf(path, sizeof(path), "/tmp/link-%05ld", serial++);
		check_ok(link("/tmp/one", path));
	}
	return 0;
}

static const struct thing things[] = {
	/* Stack, and at least five tables of the address space. */
	{ "process", "numproc", 1, make_processes, 1,
	  { { "task_struct", 1 }, { "mm_struct", 1 }, { "sighand_cache", 1 } },
	  9 * PG, 128 * KB },
	{ "program", "numproc", 1, make_programs, 1,
	  { { "task_struct", 1 }, { "mm_struct", 1 }, { "sighand_cache", 1 },
	    { "dentry", 2 }, { "proc_inode_cache", 2 } },
	  9 * PG, 128 * KB },
	/* Stack; its areas depend on the library. */
	{ "thread", "numproc", 1, make_threads, 1,
	  { { "task_struct", 1 } }, 4 * PG, 32 * KB },
	{ "file", "numfile", 1, make_files, 0, { { "filp", 1 } }, 0, 32 },
	{ "pipe", "numfile", 2, make_pipes, 0,
	  { { "filp", 2 }, { "dentry", 1 }, { "inode_cache", 1 } }, 0, 2 * KB },
	{ "tcp-socket", "numtcpsock", 1, make_tcp, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 },
	    { "TCP", 1 } }, 0, 256 },
	/* Caches that may be one with others have no name of their own. */
	{ "udp-socket", "numothersock", 1, make_udp, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 } },
	  KB, KB },
	{ "unix-socket", "numothersock", 1, make_unix, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 } },
	  0, 3 * KB },
	{ "area", NULL, 0, make_areas, 1, { { "vm_area_struct", 1 } }, 0, 256 },
	{ "page-table", NULL, 0, make_tables, 1, { }, PG, 256 },
	{ "lock", "numflock", 1, make_locks, 1, { }, 200 + OWNER, 512 },
	{ "signal", "numsiginfo", 1, make_signals, 1, { }, 88 + OWNER, 256 },
	{ "tmpfs-file", NULL, 0, make_tmpfs_files, 0,
	  { { "dentry", 1 }, { "shmem_inode_cache", 1 } }, 0, 512 },
	{ "tmpfs-link", NULL, 0, make_links, 0, { { "dentry", 1 } }, 0, 512 },
};

/* Bytes of one object of a slab cache. */
static long slab_size(const char *name)
{
	static char text[128 * 1024];
	char want[64], *line;
	long size;

	check(read_file("/proc/slabinfo", text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "\n%s ", name);
	line = strstr(text, want);
	if (!line)
		vz_fail(__FILE__, __LINE__, "no slab cache %s", name);
	check_eq(sscanf(line + strlen(want), "%*u %*u %ld", &size), 1);
	return size;
}

/* Is it in dcachesize?  Inodes of tmpfs cannot be reclaimed, and are not. */
static int is_dcache(const char *name)
{
	return !strcmp(name, "dentry") ||
	       (strstr(name, "inode_cache") && strcmp(name, "shmem_inode_cache"));
}

static const struct thing *thing;

/* Makes things in a child of init, and keeps them. */
static long make_and_stay(long n)
{
	thing->make(1);
	ve_shared[STATE] = 1;
	while (!ve_shared[GO])
		usleep(1000);
	thing->make(n);
	ve_shared[STATE] = 2;
	stay();
	return 0;
}

/* One, which needs what all have in common. */
static void make_first(void)
{
	if (!thing->spawn) {
		check_eq(ve_call(&ve, thing->make, 1), 0);
		return;
	}
	ve_spawn(&ve, make_and_stay, N);
	check_soon(ve.shared[STATE] == 1, 20000);
}

static void make_all(void)
{
	if (!thing->spawn) {
		check_eq(ve_call(&ve, thing->make, N), 0);
		return;
	}
	ve.shared[GO] = 1;
	check_soon(ve.shared[STATE] == 2, 180000);
}

struct held {
	long counter, kmem, dcache, slab[SLABS];
};

static struct held hold(void)
{
	struct held h = { 0 };
	int i;

	if (thing->counter)
		h.counter = ub_settled(ID, thing->counter);
	h.dcache = ub_settled(ID, "dcachesize");
	h.kmem = ub_settled(ID, "kmemsize");
	for (i = 0; i < SLABS && thing->slab[i].name; i++)
		h.slab[i] = bc_slab(ID, thing->slab[i].name);
	return h;
}

static void measure(const struct thing *t)
{
	long kmem, dcache, least = t->known, names = 0;
	struct held before, after;
	int i;

	thing = t;
	ve_start(&ve, ID, NULL);
	make_first();
	before = hold();
	make_all();
	after = hold();
	kmem = after.kmem - before.kmem;
	dcache = after.dcache - before.dcache;
	for (i = 0; i < SLABS && t->slab[i].name; i++) {
		long size = t->slab[i].n * (slab_size(t->slab[i].name) + OWNER);

		least += size;
		if (is_dcache(t->slab[i].name))
			names += size;
	}
	vz_note("objsize: %-12s %6ld bytes, of them %5ld dcachesize, %5ld known",
		t->name, (kmem + N / 2) / N, (dcache + N / 2) / N, least);
	check_eq(after.counter, before.counter + N * t->units);
	for (i = 0; i < SLABS && t->slab[i].name; i++)
		if (after.slab[i] != before.slab[i] + N * t->slab[i].n)
			vz_fail(__FILE__, __LINE__, "%s: %ld, then %ld",
				t->slab[i].name, before.slab[i], after.slab[i]);
	check_eq(dcache, N * names);
	check(kmem >= N * least - SLACK);
	check(kmem <= N * (least + t->more) + SLACK);
	limits_unhurt(ID);
	drive_stop(&ve);
}

static void processes(void)
{
	measure(&things[0]);
	measure(&things[1]);
	measure(&things[2]);
}

static void objects(void)
{
	size_t i;

	for (i = 3; i < ARRAY_SIZE(things); i++)
		measure(&things[i]);
}

/* Names of a disk file system cannot be made here: their sizes are shown. */
static void caches(void)
{
	static const char *const name[] = {
		"dentry", "inode_cache", "ext4_inode_cache",
		"shmem_inode_cache", "proc_inode_cache", "task_struct",
		"mm_struct", "vm_area_struct", "filp",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		vz_note("objsize: cache %-18s %5ld bytes", name[i],
			slab_size(name[i]) + OWNER);
	check(slab_size("dentry") < slab_size("ext4_inode_cache"));
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(processes, 400),
	VZ_CASE_SLOW(objects, 400),
	VZ_CASE(caches),
};
VZ_MAIN(cases)
