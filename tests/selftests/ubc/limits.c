// SPDX-License-Identifier: GPL-2.0
/* Limits that change while others work, and the end of a UB. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8500

/* Makes and frees one of everything, for ever; refusals are expected. */
static long churn(long unused)
{
	for (;;) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), p[2];
		int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		void *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (!pid)
			_exit(0);
		if (!socketpair(AF_UNIX, SOCK_STREAM, 0, p)) {
			close(p[0]);
			close(p[1]);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
		if (m != MAP_FAILED)
			munmap(m, 65536);
		if (s >= 0)
			close(s);
		if (fd >= 0)
			close(fd);
		ve_shared[0]++;
	}
	return unused;
}

static const struct {
	const char *name;
	unsigned int res;
} churned[] = {
	{ "numproc", UB_NUMPROC }, { "numfile", UB_NUMFILE },
	{ "numtcpsock", UB_NUMTCPSOCK }, { "numothersock", UB_NUMOTHERSOCK },
	{ "privvmpages", UB_PRIVVMPAGES },
};
#define NCHURNED 5

static long end_children(long unused)
{
	int status;

	kill(-1, SIGKILL);
	while (waitpid(-1, &status, 0) > 0)
		;
	return 0;
}

static void want_idle(const unsigned long *base, unsigned int n)
{
	unsigned int r;

	for (r = 0; r < n; r++) {
		check_soon(ub_held(ID, churned[r].name) <= base[r], 10000);
		check_eq(ub_held(ID, churned[r].name), base[r]);
	}
}

/* Limits up and down under load: held comes back exactly to the start. */
static void up_and_down(void)
{
	unsigned long base[NCHURNED];
	long n = vz_scaled(5000), i;
	struct ve ve;
	unsigned int r;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, end_children, 0), 0);
	for (r = 0; r < NCHURNED; r++)
		base[r] = ub_held(ID, churned[r].name);
	for (i = 0; i < 4; i++)
		ve_spawn(&ve, churn, 0);
	check_soon(ve.shared[0] > 20, 20000);
	for (i = 0; i < n; i++)
		for (r = 0; r < NCHURNED; r++)
			check_ok(vz_ubc(ve.fd, 0, churned[r].res,
					i % 2 ? UB_MAX : base[r],
					i % 2 ? UB_MAX : base[r] + 1));
	for (r = 0; r < NCHURNED; r++)
		check_ok(vz_ubc(ve.fd, 0, churned[r].res, UB_MAX, UB_MAX));
	check(ub_failcnt(ID, "numfile") > 0);
	check_eq(ve_call(&ve, end_children, 0), 0);
	want_idle(base, NCHURNED);
	drive_stop(&ve);
}

/* After any load all counters of the VE are what they were when idle. */
static void back_to_idle(void)
{
	unsigned long base[NCHURNED];
	struct ve ve;
	unsigned int r;
	int i;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, end_children, 0), 0);
	for (r = 0; r < NCHURNED; r++)
		base[r] = ub_held(ID, churned[r].name);
	for (i = 0; i < 4; i++)
		ve_spawn(&ve, churn, 0);
	/* With all of them there is no room for all they want. */
	for (r = 0; r < 4; r++)
		check_ok(vz_ubc(ve.fd, 0, churned[r].res, base[r] + 5,
				base[r] + 5));
	check_soon(ve.shared[0] > 500, 60000);
	check_eq(ve_call(&ve, end_children, 0), 0);
	want_idle(base, NCHURNED);
	drive_stop(&ve);
}

/* Stop in the middle of a load: the UB drains and is gone. */
static void stop_under_load(void)
{
	long n = vz_scaled(100), i, k;
	struct ve ve;

	for (i = 0; i < n; i++) {
		ve_start(&ve, ID, NULL);
		for (k = 0; k < 4; k++)
			ve_spawn(&ve, churn, 0);
		check_soon(ve.shared[0] > 10, 20000);
		drive_stop(&ve);
	}
}

static long open_in_ve(long unused)
{
	return check_ok(open("/tmp/kept", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

/*
 * A file that the host took from a VE keeps the old UB as ID-GEN; a new VE of
 * that id has a fresh one, and the old one goes with the last charge.
 */
static void generation(void)
{
	struct vzctl_get get;
	struct ve ve;
	int fd, pidfd, kept;

	ve_start(&ve, ID, NULL);
	check_ok(vz_get(ve.fd, &get));
	fd = ve_call(&ve, open_in_ve, 0);
	pidfd = check_ok(syscall(SYS_pidfd_open, get.init_pid, 0));
	kept = check_ok(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	close(pidfd);
	ve_stop(&ve);
	check(access("/proc/bc/8500", F_OK));
	check_eq(ub_dirs(ID), 1);
	ve_start(&ve, ID, NULL);
	check_ok(access("/proc/bc/8500", F_OK));
	check_eq(ub_dirs(ID), 2);
	close(kept);
	check_soon(ub_dirs(ID) == 1, 10000);
	check_eq(ub_held(ID, "numproc"), 1);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(up_and_down, 600),
	VZ_CASE(back_to_idle),
	VZ_CASE_SLOW(stop_under_load, 600),
	VZ_CASE(generation),
};
VZ_MAIN(cases)
