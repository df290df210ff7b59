// SPDX-License-Identifier: GPL-2.0
/* TCP and UDP over the loopback interface. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

#define TCP_CHUNK	32768
#define UDP_CHUNK	8192

static struct sockaddr_in here;

/* A socket bound to a free port of 127.0.0.1, whose address is in @here. */
static int bound(int type)
{
	int fd = check_ok(socket(AF_INET, type | SOCK_CLOEXEC, 0));
	socklen_t len = sizeof(here);

	here.sin_family = AF_INET;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here.sin_port = 0;
	check_ok(bind(fd, (struct sockaddr *)&here, len));
	check_ok(getsockname(fd, (struct sockaddr *)&here, &len));
	return fd;
}

static void join(int fd)
{
	check_ok(connect(fd, (struct sockaddr *)&here, sizeof(here)));
}

static void tcp_pair(int sp[2])
{
	int on = 1, listener = bound(SOCK_STREAM), i;

	check_ok(listen(listener, 1));
	sp[0] = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	join(sp[0]);
	sp[1] = check_ok(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	close(listener);
	for (i = 0; i < 2; i++)
		check_ok(setsockopt(sp[i], IPPROTO_TCP, TCP_NODELAY, &on,
				    sizeof(on)));
}

static void udp_pair(int sp[2])
{
	struct sockaddr_in first;

	sp[0] = bound(SOCK_DGRAM);
	first = here;
	sp[1] = bound(SOCK_DGRAM);
	join(sp[0]);
	here = first;
	join(sp[1]);
}

static void tcp_rtt_setup(void)
{
	int sp[2];

	tcp_pair(sp);
	echo_start(sp[0], sp[1]);
}

static void tcp_bulk_setup(void)
{
	int sp[2];

	tcp_pair(sp);
	bulk_start(sp[0], sp[1], TCP_CHUNK);
}

static void udp_rtt_setup(void)
{
	int sp[2];

	udp_pair(sp);
	echo_start(sp[0], sp[1]);
}

static void udp_bulk_setup(void)
{
	int sp[2];

	udp_pair(sp);
	bulk_start(sp[0], sp[1], UDP_CHUNK);
}

static int listener = -1;

static void connect_setup(void)
{
	listener = bound(SOCK_STREAM);
	check_ok(listen(listener, 4));
}

/* Closed by a reset, so that nothing stays in TIME_WAIT. */
static void connect_run(unsigned int ops)
{
	static const struct linger now = { .l_onoff = 1 };
	int a, b;

	while (ops--) {
		a = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		join(a);
		b = check_ok(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		check_ok(setsockopt(a, SOL_SOCKET, SO_LINGER, &now,
				    sizeof(now)));
		close(a);
		close(b);
	}
}

static void connect_cleanup(void)
{
	close(listener);
}

static void socket_run(unsigned int ops)
{
	while (ops--)
		close(check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
}

const struct row inet_rows[] = {
	{ "udp-socket", 4000, NULL, socket_run, NULL },
	{ "udp-rtt", 1000, udp_rtt_setup, echo_run, echo_stop },
	{ "udp-bulk-8K", 1000, udp_bulk_setup, bulk_run, bulk_stop },
	{ "tcp-connect", 1000, connect_setup, connect_run, connect_cleanup },
	{ "tcp-rtt", 1000, tcp_rtt_setup, echo_run, echo_stop },
	{ "tcp-bulk-32K", 500, tcp_bulk_setup, bulk_run, bulk_stop },
	{ },
};
