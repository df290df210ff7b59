// SPDX-License-Identifier: GPL-2.0
/* numfile and the socket counters: what counts, what does not, who pays. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "pass.h"

#define ID 8200
#define PORT 7777
#define ROOM 5
#define EXTRA 3

static int sp[2];

static long one_file(long unused)
{
	return check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static long dup_many(long fd)
{
	int i;

	for (i = 0; i < 50; i++)
		check_ok(dup(fd));
	return 0;
}

static long sleeper(long unused)
{
	for (;;)
		pause();
	return unused;
}

static long close_all(long fd)
{
	return close_range(fd, VE_FD_KTAP - 1, 0);
}

static long close_one(long fd)
{
	return close(fd);
}

/* dup() and fork() add no file, the last close gives it back. */
static void numfile_is_no_fd(void)
{
	unsigned long base;
	struct ve ve;
	long fd;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "numfile");
	fd = ve_call(&ve, one_file, 0);
	check_eq(ub_held(ID, "numfile"), base + 1);
	check_eq(ve_call(&ve, dup_many, fd), 0);
	check_eq(ub_held(ID, "numfile"), base + 1);
	ve_spawn(&ve, sleeper, 0);
	check_eq(ub_held(ID, "numfile"), base + 1);
	check_eq(ve_call(&ve, close_all, fd), 0);
	/* The child still has it. */
	check_eq(ub_held(ID, "numfile"), base + 1);
	drive_stop(&ve);
}

static long make_pair(long unused)
{
	return check_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sp));
}

static long fly(long n)
{
	while (n--) {
		int fd = check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));

		check_ok(fd_send(sp[0], fd));
		close(fd);
	}
	return 0;
}

static long land(long unused)
{
	close(sp[0]);
	close(sp[1]);
	return 0;
}

/* Files in flight stay charged to who opened them, also when he is gone. */
static void numfile_in_flight(void)
{
	unsigned long base;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, make_pair, 0), 0);
	base = ub_held(ID, "numfile");
	ve_must(&ve, fly, 8);
	check_eq(ub_held(ID, "numfile"), base + 8);
	check_eq(ve_call(&ve, land, 0), 0);
	check_soon(ub_held(ID, "numfile") == base - 2, 10000);
	drive_stop(&ve);
}

static long enter_open(long unused)
{
	one_file(0);
	ve_shared[0] = 1;
	return sleeper(0);
}

/* What an entered process opens is the VE's. */
static void numfile_entered(void)
{
	unsigned long base;
	struct ve ve;
	pid_t pid;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "numfile");
	pid = check_ok(fork());
	if (!pid) {
		ve_enter(&ve, 0, enter_open, 0);
		_exit(0);
	}
	check_soon(ve.shared[0], 5000);
	check_eq(ub_held(ID, "numfile"), base + 1);
	drive_stop(&ve);
	check_eq(waitpid(pid, NULL, 0), pid);
}

static int listener;

static long do_listen(long unused)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	listener = check_ok(socket(AF_INET,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   0));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check_ok(bind(listener, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(listener, 64));
	return 0;
}

static long do_accept(long unused)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Clients of the host in the VE's network: their sockets are the host's. */
static void clients(pid_t init, int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char path[64];
	int ns;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", init);
	ns = check_ok(open(path, O_RDONLY | O_CLOEXEC));
	check_ok(setns(ns, CLONE_NEWNET));
	while (n--) {
		int s = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
					SOCK_CLOEXEC, 0));
		struct linger l = { 1, 0 };

		setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		check(!connect(s, (struct sockaddr *)&a, sizeof(a)) ||
		      errno == EINPROGRESS);
	}
	for (;;)
		pause();
}

/*
 * Inbound connections: as many as there is room for reach accept(), the
 * others never do and are counted; all is given back at the end.
 */
static void numtcpsock_inbound(void)
{
	struct ub_line l;
	struct ve ve;
	long fd[ROOM + EXTRA];
	int got = 0;
	pid_t pid;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, do_listen, 0), 0);
	check_eq(ub_held(ID, "numtcpsock"), 1);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMTCPSOCK, 1 + ROOM, UB_MAX));
	pid = check_ok(fork());
	if (!pid)
		clients(ve.init, ROOM + EXTRA);
	check_soon(ub_failcnt(ID, "numtcpsock") >= EXTRA, 10000);
	check_soon(ub_held(ID, "numtcpsock") == 1 + ROOM, 10000);
	while ((fd[got] = ve_call(&ve, do_accept, 0)) >= 0)
		check(++got < ROOM + EXTRA);
	check_eq(errno, EAGAIN);
	check_eq(got, ROOM);
	l = ub_line(ID, "numtcpsock");
	check_eq(l.held, 1 + ROOM);
	check_eq(l.maxheld, 1 + ROOM);
	/* Clients gone (reset), accepted ones closed. */
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, NULL, 0), pid);
	while (got)
		check_eq(ve_call(&ve, close_one, fd[--got]), 0);
	check_soon(ub_held(ID, "numtcpsock") == 1, 10000);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(numfile_is_no_fd),
	VZ_CASE(numfile_in_flight),
	VZ_CASE(numfile_entered),
	VZ_CASE(numtcpsock_inbound),
};
VZ_MAIN(cases)
