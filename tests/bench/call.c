// SPDX-License-Identifier: GPL-2.0
/* Calls that touch nothing but the caller. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

/* A number no kernel knows: in and out again. */
#define NO_CALL	4000

static void null_run(unsigned int ops)
{
	while (ops--)
		syscall(NO_CALL);
}

static void getppid_run(unsigned int ops)
{
	while (ops--)
		syscall(SYS_getppid);
}

static sigset_t queued;

static void sigqueue_setup(void)
{
	sigemptyset(&queued);
	sigaddset(&queued, SIGRTMIN);
	check_ok(sigprocmask(SIG_BLOCK, &queued, NULL));
}

static void sigqueue_run(unsigned int ops)
{
	static const struct timespec now;
	union sigval value = { .sival_int = 1 };
	pid_t self = getpid();

	while (ops--) {
		check_ok(sigqueue(self, SIGRTMIN, value));
		check_eq(sigtimedwait(&queued, NULL, &now), SIGRTMIN);
	}
}

const struct row call_rows[] = {
	{ "null", 100000, NULL, null_run, NULL },
	{ "getppid", 100000, NULL, getppid_run, NULL },
	{ "sigqueue", 10000, sigqueue_setup, sigqueue_run, NULL },
	{ },
};
