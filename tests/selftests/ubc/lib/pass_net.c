// SPDX-License-Identifier: GPL-2.0
/* Floods of sockets that nobody reads from. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver.h"
#include "pass.h"

#define SOCKETS 256
#define TRIES 100
#define NOWAIT (MSG_DONTWAIT | MSG_NOSIGNAL)

static char data[65536];
static int fds[SOCKETS];
static int nfds;

/* Kept until close_all(). */
static int keep(int fd)
{
	if (fd >= 0 && nfds == SOCKETS) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		fds[nfds++] = fd;
	return fd;
}

static int add(int family, int type, int protocol)
{
	return keep(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

/* Connections are reset, so that nothing stays behind. */
static void close_all(void)
{
	struct linger reset = { 1, 0 };

	while (nfds) {
		nfds--;
		setsockopt(fds[nfds], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fds[nfds]);
	}
}

/* Sends on all sockets until nothing has gone out, and then some more. */
static void flood(long size)
{
	int tries = TRIES, i;

	while (tries--)
		for (i = 0; i < nfds; i++)
			send(fds[i], data, size, NOWAIT);
}

/* A bound socket of loopback and its address. */
static int inet(int type, struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = add(AF_INET, type, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && (bind(fd, (void *)a, len) || getsockname(fd, (void *)a, &len)))
		return -1;
	return fd;
}

void pass_tcp(void)
{
	struct sockaddr_in a;
	int l = inet(SOCK_STREAM, &a);

	if (l >= 0 && !listen(l, SOCKETS)) {
		for (;;) {
			int s = add(AF_INET, SOCK_STREAM, 0);

			if (s < 0)
				break;
			connect(s, (void *)&a, sizeof(a));
			keep(accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
		}
		flood(sizeof(data));
	}
	close_all();
}

void pass_udp(void)
{
	struct sockaddr_in a;
	int i, r = inet(SOCK_DGRAM, &a);

	if (r >= 0) {
		for (i = 0; i < SOCKETS; i++) {
			int s = add(AF_INET, SOCK_DGRAM, 0);

			if (s < 0)
				break;
			connect(s, (void *)&a, sizeof(a));
		}
		flood(1000);
		flood(60000);
	}
	close_all();
}

void pass_unix(void)
{
	int i, p[2];

	for (i = 0; i < SOCKETS; i++) {
		int type = i & 1 ? SOCK_STREAM : SOCK_DGRAM;

		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, p))
			break;
		keep(p[0]);
		keep(p[1]);
		/* Itself in flight with each datagram. */
		fd_send(p[0], p[0]);
	}
	flood(4096);
	flood(60000);
	close_all();
}

/* An answer that is never read. */
static void ask_for_links(int fd)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} req = {
		.h.nlmsg_len = sizeof(req),
		.h.nlmsg_type = RTM_GETLINK,
		.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.g.rtgen_family = AF_UNSPEC,
	};

	send(fd, &req, sizeof(req), NOWAIT);
}

void pass_netlink(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(a);
	int i, s;

	for (i = 0; i < SOCKETS; i++) {
		s = add(AF_NETLINK, SOCK_RAW, i & 3 ? NETLINK_USERSOCK : NETLINK_ROUTE);
		if (s < 0)
			break;
		if (!(i & 3)) {
			ask_for_links(s);
			continue;
		}
		/* Each one sends to itself. */
		a.nl_pid = 0;
		if (bind(s, (void *)&a, sizeof(a)) || getsockname(s, (void *)&a, &len))
			continue;
		connect(s, (void *)&a, sizeof(a));
	}
	flood(4096);
	flood(60000);
	close_all();
}
