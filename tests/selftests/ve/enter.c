// SPDX-License-Identifier: GPL-2.0
/* ENTER2: a process of the host becomes one of the VE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7500
#define RACERS 16

static const char *const namespaces[] = { "cgroup", "ipc", "mnt", "net", "pid",
	"time", "user", "uts" };
#define NSS 8

static void ns_of(const char *proc, ino_t *ino)
{
	char path[64];
	struct stat st;
	int i;

	for (i = 0; i < NSS; i++) {
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", proc,
			 namespaces[i]);
		check_ok(stat(path, &st));
		ino[i] = st.st_ino;
	}
}

static long look(long unused)
{
	char text[4096];
	ino_t ino[NSS];
	int i;

	/* A child has a pid inside; ours is neither 1 nor the host's. */
	ve_shared[8] = getpid();
	ns_of("self", ino);
	for (i = 0; i < NSS; i++)
		ve_shared[i] = ino[i];
	check_eq(getuid(), 0);
	check_eq(geteuid(), 0);
	check_eq(getgid(), 0);
	check_eq(getgroups(0, NULL), 0);
	/* A sibling of the cgroup namespace's root: that one may be divided. */
	check(read_file("/proc/self/cgroup", text, sizeof(text)) > 0);
	check(!strcmp(strstr(text, "0::"), "0::/../enter\n"));
	check(getcwd(text, sizeof(text)));
	check(!strcmp(text, "/"));
	/* Nothing of the host's root is above. */
	check_err(access("/tmp/vztest", F_OK), ENOENT);
	check_err(access("/../tmp/vztest", F_OK), ENOENT);
	check_eq(prctl(PR_CAPBSET_READ, 16), 0);	/* SYS_MODULE */
	check_eq(prctl(PR_CAPBSET_READ, 21), 1);	/* SYS_ADMIN */
	return 0;
}

/* Children of the entered process are in all namespaces of init, as root. */
static void all_namespaces(void)
{
	ino_t ino[NSS];
	char pid[16];
	struct ve ve;
	int i, status;

	check_ok(setgroups(2, (gid_t[]){ 4, 20 }));
	ve_start(&ve, ID, NULL);
	status = check_ok(ve_enter(&ve, 0, look, 0));
	check(exited(status, 0));
	snprintf(pid, sizeof(pid), "%d", ve.init);
	ns_of(pid, ino);
	for (i = 0; i < NSS; i++)
		check_eq(ve.shared[i], ino[i]);
	check(ve.shared[8] > 1);
	ve_stop(&ve);
}

static long exit_7(long unused)
{
	return 7;
}

static long die_9(long unused)
{
	raise(SIGKILL);
	return 0;
}

/* The status of the child is what the entered parent sees. */
static void exit_status(void)
{
	struct ve ve;
	int status;

	ve_start(&ve, ID, NULL);
	check(exited(check_ok(ve_enter(&ve, 0, exit_7, 0)), 7));
	status = check_ok(ve_enter(&ve, 0, die_9, 0));
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ve_stop(&ve);
}

static void *thread_waits(void *gate)
{
	pthread_barrier_wait(gate);
	return NULL;
}

static long enter_again(long fd)
{
	int ret = vz_enter(VE_FD_KTAP + 5, 0);

	check(ret == -1 && (errno == EPERM || errno == EINVAL));
	return 0;
}

/* EINVAL with threads, and for who is in a VE; EBUSY before RUN. */
static void errors(void)
{
	struct ve_opts opts = { .no_run = 1 };
	pthread_barrier_t gate;
	pthread_t thread;
	struct ve ve;

	ve_start(&ve, ID, &opts);
	check_err(ve_enter(&ve, 0, exit_7, 0), EBUSY);
	ve_go(&ve);
	pthread_barrier_init(&gate, NULL, 2);
	check_eq(pthread_create(&thread, NULL, thread_waits, &gate), 0);
	check_err(vz_enter(ve.fd, 0), EINVAL);
	pthread_barrier_wait(&gate);
	pthread_join(thread, NULL);
	check_eq(dup2(ve.fd, VE_FD_KTAP + 5), VE_FD_KTAP + 5);
	check(exited(check_ok(ve_enter(&ve, 0, enter_again, 0)), 0));
	close(VE_FD_KTAP + 5);
	ve_stop(&ve);
}

/* At the barrier of numproc ENTER2 is ENOMEM and leaves the caller outside. */
static void numproc_barrier(void)
{
	struct ub_line before, after;
	char text[256];
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(ub_read(ID, "numproc", &before));
	check_ok(vz_ubc(ve.fd, 0, 5, before.held, before.held));
	check_err(ve_enter(&ve, 0, exit_7, 0), ENOMEM);
	check_ok(ub_read(ID, "numproc", &after));
	check_eq(after.held, before.held);
	check_eq(after.failcnt, before.failcnt + 1);
	if (!check_ok(fork())) {
		check_err(vz_enter(ve.fd, 0), ENOMEM);
		check(read_file("/proc/self/cgroup", text, sizeof(text)) > 0);
		check(!strstr(text, "/ve/"));
		_exit(7);
	}
	check_eq(wait((int *)text) > 0, 1);
	check(exited(*(int *)text, 7));
	check_ok(vz_ubc(ve.fd, 0, 5, before.held + 2, before.held + 2));
	check(exited(check_ok(ve_enter(&ve, 0, exit_7, 0)), 7));
	check_soon(ub_held(ID, "numproc") == before.held, 5000);
	ve_stop(&ve);
}

/*
 * A pair: the entered process (host pid only) and its child (pid inside).
 * It goes when the other end of @gate is closed.
 */
static pid_t enter_and_wait(struct ve *ve, const int *gate)
{
	pid_t pid = check_ok(fork());
	char c;

	if (pid)
		return pid;
	if (gate) {
		close(gate[1]);
		check_eq(read(gate[0], &c, 1), 0);
	}
	if (vz_enter(ve->fd, 0))
		_exit(errno == EBUSY || errno == ESRCH ? 0 : 1);
	if (!fork()) {
		ve->shared[16] = getpid();
		for (;;)
			pause();
	}
	for (;;)
		pause();
}

/* Stop kills entered processes too, also those that only have a host pid. */
static void killed_at_stop(void)
{
	struct ve ve;
	int status;
	pid_t pid;

	ve_start(&ve, ID, NULL);
	pid = enter_and_wait(&ve, NULL);
	check_soon(ve.shared[16], 10000);
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 10000, NULL);
	check_eq(waitpid(pid, &status, WNOHANG), pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ve_close(&ve);
}

/* Root of the VE must not reach the host's memory through the entered one. */
static long attack(long pid)
{
	char path[64], text[64];
	int fd;

	check_err(ptrace(PTRACE_SEIZE, pid, NULL, NULL), EPERM);
	check_err(ptrace(PTRACE_ATTACH, pid, NULL, NULL), EPERM);
	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	check_eq(readlink(path, text, sizeof(text)), -1);
	check_eq(open(path, O_RDONLY), -1);
	snprintf(path, sizeof(path), "/proc/%ld/mem", pid);
	check_err(open(path, O_RDWR), EACCES);
	snprintf(path, sizeof(path), "/proc/%ld/environ", pid);
	check_err(open(path, O_RDONLY), EACCES);
	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	check_err(open(path, O_RDONLY | O_DIRECTORY), EACCES);
	fd = syscall(SYS_pidfd_open, pid, 0);
	check(fd >= 0);
	check_err(syscall(SYS_pidfd_getfd, fd, 0, 0), EPERM);
	return 0;
}

static void not_traceable(void)
{
	struct ve ve;
	pid_t pid;

	ve_start(&ve, ID, NULL);
	pid = enter_and_wait(&ve, NULL);
	check_soon(ve.shared[16], 10000);
	ve_must(&ve, attack, ve.shared[16]);
	ve_stop(&ve);
	check_eq(waitpid(pid, NULL, 0), pid);
}

/*
 * ENTER2 against stop: who got in is killed, who did not sees EBUSY or ESRCH,
 * and nobody is in the VE when it is DEAD.
 */
static void race_with_stop(void)
{
	long n = vz_scaled(10000), done, entered = 0;
	struct counts before;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	ve_stop(&ve);
	counts_take(&before);
	for (done = 0; done < n; done += RACERS) {
		pid_t pid[RACERS];
		int i, status, gate[2];

		ve_start(&ve, ID, NULL);
		check_ok(pipe(gate));
		for (i = 0; i < RACERS; i++)
			pid[i] = enter_and_wait(&ve, gate);
		close(gate[0]);
		close(gate[1]);
		/* Sometimes before the first, sometimes after the last. */
		usleep(done / RACERS % 16 * 1000);
		check_ok(vz_kill(ve.fd, SIGKILL));
		ve_wait_dead(&ve, 30000, NULL);
		for (i = 0; i < RACERS; i++) {
			check_eq(waitpid(pid[i], &status, 0), pid[i]);
			if (WIFSIGNALED(status)) {
				check_eq(WTERMSIG(status), SIGKILL);
				entered++;
			} else {
				check_eq(WEXITSTATUS(status), 0);
			}
		}
		ve_close(&ve);
	}
	vz_note("%ld races, %ld got in", done, entered);
	check(entered > 0 && entered < done);
	check_eq(counts_compare(&before, 64, 30000), 0);
}

static const struct vz_case cases[] = {
	VZ_CASE(all_namespaces),
	VZ_CASE(exit_status),
	VZ_CASE(errors),
	VZ_CASE(numproc_barrier),
	VZ_CASE(killed_at_stop),
	VZ_CASE(not_traceable),
	VZ_CASE_SLOW(race_with_stop, 3600),
};
VZ_MAIN(cases)
