// SPDX-License-Identifier: GPL-2.0
/* tcpsndbuf, tcprcvbuf: many connections within a VE. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8450
#define PORT 7791
#define KB 1024UL
#define PG (4 * KB)
#define CONNS 50
#define CHUNK 16384
/* The largest segment of loopback, as a buffer. */
#define SEGMENT (72 * KB)

static struct ve ve;

static void bounds(unsigned int res, unsigned long barrier, unsigned long limit)
{
	check_ok(vz_ubc(ve.fd, 0, res, barrier, limit));
}

static void set_option(int fd, int level, int name, int value)
{
	check_ok(setsockopt(fd, level, name, &value, sizeof(value)));
}

static int writer[CONNS], reader[CONNS];
static unsigned long sent[CONNS], received[CONNS];

/* Byte number @at of connection @i. */
static unsigned char pattern(int i, unsigned long at)
{
	return at * 31 + (at >> 8) * 7 + i;
}

static long connect_all(long sndbuf)
{
	struct sockaddr_in a = drive_local(PORT);
	int i, s = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	set_option(s, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(s, SOL_SOCKET, SO_RCVBUF, 32768);
	check_ok(bind(s, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(s, CONNS));
	for (i = 0; i < CONNS; i++) {
		writer[i] = check_ok(socket(AF_INET,
					    SOCK_STREAM | SOCK_CLOEXEC, 0));
		if (sndbuf)
			set_option(writer[i], SOL_SOCKET, SO_SNDBUF, sndbuf);
		set_option(writer[i], IPPROTO_TCP, TCP_NODELAY, 1);
		check_ok(connect(writer[i], (struct sockaddr *)&a, sizeof(a)));
		reader[i] = check_ok(accept4(s, NULL, NULL, SOCK_CLOEXEC));
	}
	close(s);
	return 0;
}

/* Sends at most @n bytes; what went out, 0 on EAGAIN, nothing else happens. */
static long push(int i, unsigned long n)
{
	unsigned char buf[CHUNK];
	unsigned long k;
	ssize_t ret;

	n = n < CHUNK ? n : CHUNK;
	for (k = 0; k < n; k++)
		buf[k] = pattern(i, sent[i] + k);
	ret = send(writer[i], buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (ret < 0) {
		check_eq(errno, EAGAIN);
		return 0;
	}
	sent[i] += ret;
	return ret;
}

/* Reads what there is and compares. */
static long pull(int i)
{
	unsigned char buf[CHUNK];
	long k, ret = recv(reader[i], buf, sizeof(buf), MSG_DONTWAIT);

	if (ret < 0) {
		check_eq(errno, EAGAIN);
		return 0;
	}
	for (k = 0; k < ret; k++)
		check_eq(buf[k], pattern(i, received[i] + k));
	received[i] += ret;
	return ret;
}

/* Writes until nothing more goes out for @ms. */
static long push_all(long ms)
{
	long long until = vz_now_ms() + ms;
	int i;

	while (vz_now_ms() < until) {
		long moved = 0;

		for (i = 0; i < CONNS; i++)
			moved += push(i, CHUNK);
		if (moved)
			until = vz_now_ms() + ms;
		else
			usleep(20000);
	}
	return 0;
}

/* Every writer has got through, and has data of its own to wait for. */
static long all_have_data(long unused)
{
	int i, n;

	for (i = 0; i < CONNS; i++) {
		check(sent[i] > 0);
		check_ok(ioctl(writer[i], SIOCOUTQ, &n));
		check(n > 0);
	}
	return 0;
}

static int epfd;

/* Edge-triggered; the first edge is now. */
static long watch(long unused)
{
	struct epoll_event ev[CONNS];
	int i;

	epfd = check_ok(epoll_create1(EPOLL_CLOEXEC));
	for (i = 0; i < CONNS; i++) {
		ev[0].events = EPOLLOUT | EPOLLET;
		ev[0].data.u32 = i;
		check_ok(epoll_ctl(epfd, EPOLL_CTL_ADD, writer[i], ev));
	}
	while (check_ok(epoll_wait(epfd, ev, CONNS, 0)))
		;
	return 0;
}

/* How many poll as writable. */
static long writable(long unused)
{
	struct pollfd p[CONNS];
	int i;

	for (i = 0; i < CONNS; i++) {
		p[i].fd = writer[i];
		p[i].events = POLLOUT;
	}
	return check_ok(poll(p, CONNS, 0));
}

/* Reads everything; how many writers have been told within a second. */
static long drain_all(long unused)
{
	long long until = vz_now_ms() + 60000;
	struct epoll_event ev[CONNS];
	char told[CONNS] = { 0 };
	int i, n, left, count = 0;

	do {
		left = 0;
		for (i = 0; i < CONNS; i++) {
			while (pull(i))
				;
			left += received[i] < sent[i];
		}
	} while (left && vz_poll_step(until));
	check_eq(left, 0);
	until = vz_now_ms() + 1000;
	do {
		n = check_ok(epoll_wait(epfd, ev, CONNS, 10));
		for (i = 0; i < n; i++)
			if ((ev[i].events & EPOLLOUT) &&
			    !told[ev[i].data.u32]++)
				count++;
	} while (count < CONNS && vz_now_ms() < until);
	return count;
}

static long close_all(long unused)
{
	int i;

	for (i = 0; i < CONNS; i++) {
		close(writer[i]);
		close(reader[i]);
	}
	return 0;
}

/*
 * Writers to stalled readers: no error but EAGAIN, every writer gets a buffer
 * also beyond the limit of others, poll agrees with send, and all are told
 * when there is room again.
 */
static void tcpsndbuf(void)
{
	/* Room for the first page of each writer, and for segments cut in two. */
	unsigned long barrier = 512 * KB, limit = barrier + 128 * PG;
	struct ub_line l;

	drive_start(&ve, ID, "tcpsndbuf");
	check_eq(ve_call(&ve, connect_all, 0), 0);
	check_eq(ub_held(ID, "tcpsndbuf"), 0);
	bounds(UB_TCPSNDBUF, barrier, limit);
	check_eq(ve_call(&ve, push_all, 1000), 0);
	l = ub_line(ID, "tcpsndbuf");
	vz_note("held %lu, at most %lu, failed %lu", l.held, l.maxheld,
		l.failcnt);
	check_eq(l.held % PG, 0);
	check(l.held > barrier / 2);
	check(l.maxheld <= limit);
	check(l.failcnt > 0);
	check_eq(ve_call(&ve, all_have_data, 0), 0);
	check_eq(ve_call(&ve, watch, 0), 0);
	check_eq(ve_call(&ve, writable, 0), 0);
	check_eq(ve_call(&ve, drain_all, 0), CONNS);
	/* Idle sockets hold nothing. */
	check_soon(ub_held(ID, "tcpsndbuf") == 0, 5000);
	check_eq(ve_call(&ve, writable, 0), CONNS);
	check_eq(ve_call(&ve, push_all, 500), 0);
	check_eq(ve_call(&ve, drain_all, 0), CONNS);
	check_eq(ve_call(&ve, close_all, 0), 0);
	check_soon(ub_held(ID, "tcpsndbuf") == 0, 10000);
	check_soon(ub_held(ID, "tcprcvbuf") == 0, 10000);
	drive_stop(&ve);
}

/* Sends up to @total on each connection and reads nothing, for 5 seconds. */
static long push_for_a_while(long total)
{
	long long until = vz_now_ms() + 5000;
	int i;

	while (vz_now_ms() < until) {
		for (i = 0; i < CONNS; i++)
			if (sent[i] < (unsigned long)total)
				push(i, total - sent[i]);
		usleep(20000);
	}
	return 0;
}

/* The first @n connections get @total bytes through. */
static long transfer(long n, unsigned long total, long ms)
{
	long long until = vz_now_ms() + ms;
	long i, left;

	do {
		left = 0;
		for (i = 0; i < n; i++) {
			if (sent[i] < total)
				push(i, total - sent[i]);
			while (pull(i))
				;
			left += received[i] < total;
		}
	} while (left && vz_now_ms() < until);
	return left;
}

static long transfer_all(long total)
{
	return transfer(CONNS, total, 60000);
}

static long transfer_one(long total)
{
	return transfer(1, total, 20000);
}

/*
 * Readers that do not read: memory is bounded, nothing is lost or damaged,
 * and the connections recover.
 */
static void tcprcvbuf(void)
{
	unsigned long barrier = 128 * KB, limit = 256 * KB;
	struct ub_line l;

	drive_start(&ve, ID, "tcprcvbuf");
	check_eq(ve_call(&ve, connect_all, 65536), 0);
	check_eq(ub_held(ID, "tcprcvbuf"), 0);
	bounds(UB_TCPRCVBUF, barrier, limit);
	check_eq(ve_call(&ve, push_for_a_while, 256 * KB), 0);
	l = ub_line(ID, "tcprcvbuf");
	vz_note("held %lu, at most %lu, failed %lu", l.held, l.maxheld,
		l.failcnt);
	check_eq(l.held % PG, 0);
	check(l.held >= barrier / 2);
	check(l.maxheld <= limit + CONNS * SEGMENT);
	check(l.failcnt > 0);
	check_eq(ve_call(&ve, transfer_all, 256 * KB), 0);
	check_soon(ub_held(ID, "tcprcvbuf") == 0, 5000);
	check_eq(ve_call(&ve, transfer_one, 2 * KB * KB), 0);
	check_eq(ve_call(&ve, close_all, 0), 0);
	check_soon(ub_held(ID, "tcprcvbuf") == 0, 10000);
	check_soon(ub_held(ID, "tcpsndbuf") == 0, 10000);
	drive_stop(&ve);
}

/* A VE that is stopped with full buffers gives everything back. */
static void tcp_stop(void)
{
	drive_start(&ve, ID, "tcpsndbuf");
	check_eq(ve_call(&ve, connect_all, 65536), 0);
	check_eq(ve_call(&ve, push_all, 500), 0);
	check(ub_held(ID, "tcpsndbuf") > 0);
	check(ub_held(ID, "tcprcvbuf") > 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(tcpsndbuf),
	VZ_CASE_SLOW(tcprcvbuf, 240),
	VZ_CASE(tcp_stop),
};
VZ_MAIN(cases)
