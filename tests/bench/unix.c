// SPDX-License-Identifier: GPL-2.0
/* Sockets of AF_UNIX, and the loop that moves many bytes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

#define CHUNK	32768

static int out, in;
static size_t size;
static char *buffer;

void bulk_start(int to, int from, size_t bytes)
{
	out = to;
	in = from;
	size = bytes;
	buffer = calloc(2, size);
	check(buffer);
	check_ok(fcntl(out, F_SETFL, O_NONBLOCK));
	check_ok(fcntl(in, F_SETFL, O_NONBLOCK));
}

/* One process is both ends, so that no switch is counted. */
static void chunk(void)
{
	size_t sent = 0, got = 0;
	ssize_t n;

	while (got < size) {
		if (sent < size) {
			n = write(out, buffer + sent, size - sent);
			check(n > 0 || errno == EAGAIN);
			sent += n > 0 ? n : 0;
		}
		n = read(in, buffer + size + got, size - got);
		check(n > 0 || errno == EAGAIN);
		got += n > 0 ? n : 0;
	}
}

void bulk_run(unsigned int ops)
{
	while (ops--)
		chunk();
}

void bulk_stop(void)
{
	close(out);
	close(in);
	free(buffer);
}

static void pair(int sp[2])
{
	check_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp));
}

static void rtt_setup(void)
{
	int sp[2];

	pair(sp);
	echo_start(sp[0], sp[1]);
}

static void bulk_setup(void)
{
	int sp[2];

	pair(sp);
	bulk_start(sp[0], sp[1], CHUNK);
}

static int passed, way[2];

static void pass_setup(void)
{
	pair(way);
	passed = check_ok(open("passed", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

static void pass_run(unsigned int ops)
{
	char c = 'x', space[CMSG_SPACE(sizeof(int))];
	struct iovec vec = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1 };
	struct cmsghdr *head;
	int fd;

	while (ops--) {
		memset(space, 0, sizeof(space));
		msg.msg_control = space;
		msg.msg_controllen = sizeof(space);
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &passed, sizeof(int));
		check_eq(sendmsg(way[0], &msg, 0), 1);
		check_eq(recvmsg(way[1], &msg, 0), 1);
		head = CMSG_FIRSTHDR(&msg);
		check(head && head->cmsg_type == SCM_RIGHTS);
		memcpy(&fd, CMSG_DATA(head), sizeof(int));
		check_ok(close(fd));
	}
}

static void pass_cleanup(void)
{
	close(passed);
	close(way[0]);
	close(way[1]);
	check_ok(unlink("passed"));
}

const struct row unix_rows[] = {
	{ "unix-rtt", 2000, rtt_setup, echo_run, echo_stop },
	{ "unix-bulk-32K", 1000, bulk_setup, bulk_run, bulk_stop },
	{ "unix-pass-fd", 4000, pass_setup, pass_run, pass_cleanup },
	{ },
};
