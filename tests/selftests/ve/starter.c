// SPDX-License-Identifier: GPL-2.0
/* The starter is killed at every step: nothing of the VE stays. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7300

enum step { RESERVED, LIMITS, CREATED, LOCKED, RUNNING };

static int progress;	/* pipe to the test */

/* Tells the test which step is done and waits to be killed there. */
static void reached(enum step now, enum step want)
{
	char c = now;

	if (now != want)
		return;
	check_eq(write(progress, &c, 1), 1);
	for (;;)
		pause();
}

static void starter(enum step want)
{
	struct ve_opts opts = { .no_run = 1 };
	struct ve ve;
	int fd;

	if (want <= LIMITS) {
		fd = check_ok(vz_reserve(ID));
		reached(RESERVED, want);
		check_ok(vz_ubc(fd, 0, 5, 100, 100));
		reached(LIMITS, want);
	}
	ve_start(&ve, ID, &opts);
	reached(CREATED, want);
	check_ok(ioctl(ve.fd, VZCTL_LOCK));
	reached(LOCKED, want);
	check_ok(vz_run(ve.fd));
	reached(RUNNING, want);
}

/* Starts, kills the starter after @want, checks that all is gone. */
static void kill_at(enum step want)
{
	int p[2], status;
	pid_t pid;
	char c;

	check_ok(pipe(p));
	pid = check_ok(fork());
	if (!pid) {
		progress = p[1];
		starter(want);
		_exit(1);
	}
	close(p[1]);
	check_eq(read(p[0], &c, 1), 1);
	check_eq(c, want);
	check(ve_exists(ID));
	check_ok(kill(pid, SIGKILL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check_soon(!ve_exists(ID), 5000);
	check(!ve_cgroup_exists(ID));
	check_soon(!ub_dirs(ID), 5000);
	close(p[0]);
}

static void after_reserve(void)
{
	kill_at(RESERVED);
}

static void after_limits(void)
{
	kill_at(LIMITS);
}

static void after_create2(void)
{
	kill_at(CREATED);
}

static void after_lock(void)
{
	kill_at(LOCKED);
}

/* After RUN init still waits for "go": the closed pipe tells it to leave. */
static void after_run(void)
{
	kill_at(RUNNING);
}

/* The kill may come in the middle of a call as well. */
static void at_any_time(void)
{
	struct counts before;
	long n = vz_scaled(1000), i;

	counts_take(&before);
	srand(1);
	for (i = 0; i < n; i++) {
		pid_t pid = check_ok(fork());

		if (!pid) {
			struct ve_opts opts = { .no_run = 1 };
			struct ve ve;

			ve_start(&ve, ID, &opts);
			_exit(0);
		}
		usleep(rand() % 30000);
		kill(pid, SIGKILL);
		check_eq(waitpid(pid, NULL, 0), pid);
		check_soon(!ve_exists(ID), 10000);
		check(!ve_cgroup_exists(ID));
	}
	check_eq(counts_compare(&before, n / 2 + 64, 30000), 0);
}

/* A running VE does not need who started it. */
static void survives_starter(void)
{
	struct ve_opts opts = { .detached = 1 };
	struct vzctl_get get;
	struct ve ve = { .id = ID };
	pid_t pid = check_ok(fork());

	if (!pid) {
		ve_start(&ve, ID, &opts);
		_exit(0);
	}
	check_eq(waitpid(pid, NULL, 0), pid);
	ve.fd = check_ok(vz_open(ID));
	check_ok(vz_get(ve.fd, &get));
	check_eq(get.state, VZCTL_STATE_RUNNING);
	check_ok(kill(get.init_pid, 0));
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 10000, NULL);
	close(ve.fd);
}

static const struct vz_case cases[] = {
	VZ_CASE(after_reserve),
	VZ_CASE(after_limits),
	VZ_CASE(after_create2),
	VZ_CASE(after_lock),
	VZ_CASE(after_run),
	VZ_CASE_SLOW(at_any_time, 1200),
	VZ_CASE(survives_starter),
};
VZ_MAIN(cases)
