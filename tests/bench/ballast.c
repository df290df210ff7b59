// SPDX-License-Identifier: GPL-2.0
/*
 * A process that holds some objects of the kinds that rows make and free, and
 * some more for each repetition.  Whether a row's objects are at the border of
 * a slab would otherwise be a matter of luck, the same in every repetition.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "measure.h"

/* Skbs per step, a number that does not divide those in a slab. */
#define MESSAGES	3

static int orders[2], done[2];
static pid_t holder;

static void hold_more(const int way[2])
{
	static const union sigval none;
	int i;

	for (i = 0; i < MESSAGES; i++)
		check_eq(write(way[0], "x", 1), 1);
	check_ok(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	check_ok(sigqueue(getpid(), SIGRTMIN, none));
}

static void hold(void)
{
	sigset_t all;
	int way[2];
	char c;

	sigfillset(&all);
	check_ok(sigprocmask(SIG_BLOCK, &all, NULL));
	check_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, way));
	while (read(orders[0], &c, 1) == 1) {
		hold_more(way);
		check_eq(write(done[1], &c, 1), 1);
	}
	_exit(0);
}

void ballast_start(void)
{
	check_ok(pipe2(orders, O_CLOEXEC));
	check_ok(pipe2(done, O_CLOEXEC));
	holder = check_ok(fork());
	if (!holder)
		hold();
	close(orders[0]);
	close(done[1]);
}

void ballast_more(void)
{
	char c = 'x';

	check_eq(write(orders[1], &c, 1), 1);
	check_eq(read(done[0], &c, 1), 1);
}

void ballast_stop(void)
{
	check_ok(kill(holder, SIGKILL));
	check_eq(waitpid(holder, NULL, 0), holder);
	close(orders[1]);
	close(done[0]);
}
