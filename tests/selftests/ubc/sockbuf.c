// SPDX-License-Identifier: GPL-2.0
/* othersockbuf: UNIX and netlink sockets. */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8400
#define KB 1024UL
#define PG (4 * KB)

static struct ve ve;

static void bounds(unsigned int res, unsigned long barrier, unsigned long limit)
{
	check_ok(vz_ubc(ve.fd, 0, res, barrier, limit));
}

/* UNIX sockets */

static int epfd;
static int pair[2][2];

static long make_pairs(long type)
{
	int i;

	for (i = 0; i < 2; i++)
		check_ok(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair[i]));
	return 0;
}

static long close_pairs(long unused)
{
	int i;

	for (i = 0; i < 4; i++)
		close(pair[i / 2][i % 2]);
	return 0;
}

static long send_one(int i, long n, int flags)
{
	static char buf[256 * KB];

	return send(pair[i][0], buf, n, flags | MSG_NOSIGNAL);
}

static long send_first(long n)
{
	return send_one(0, n, MSG_DONTWAIT);
}

static long send_second(long n)
{
	return send_one(1, n, MSG_DONTWAIT);
}

/* A blocking send that gives up after 500 ms; how long it took. */
static long send_blocking(long n)
{
	struct timeval tv = { .tv_usec = 500000 };
	long long t = vz_now_ms();

	check_ok(setsockopt(pair[0][0], SOL_SOCKET, SO_SNDTIMEO, &tv,
			    sizeof(tv)));
	check_err(send_one(0, n, 0), EAGAIN);
	return vz_now_ms() - t;
}

/* Sends until EAGAIN. */
static long flood_first(long n)
{
	long ret, total = 0;

	while ((ret = send_first(n)) > 0)
		total += ret;
	check_eq(errno, EAGAIN);
	return total;
}

static long first_writable(long unused)
{
	struct pollfd p = { .fd = pair[0][0], .events = POLLOUT };

	return check_ok(poll(&p, 1, 0));
}

static long watch_first(long unused)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };

	epfd = check_ok(epoll_create1(EPOLL_CLOEXEC));
	check_ok(epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0][0], &ev));
	return check_ok(epoll_wait(epfd, &ev, 1, 0));
}

/* Reads all the first pair has; was the writer told within a second? */
static long drain_first(long unused)
{
	static char buf[256 * KB];
	struct epoll_event ev;

	while (recv(pair[0][1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	check_eq(errno, EAGAIN);
	return check_ok(epoll_wait(epfd, &ev, 1, 1000));
}

/* The sender pays, up to the barrier; an idle one always gets a buffer. */
static void othersockbuf_stream(void)
{
	unsigned long barrier = 64 * KB;
	struct ub_line l;
	long ms;

	drive_start(&ve, ID, "othersockbuf");
	check_eq(ve_call(&ve, make_pairs, SOCK_STREAM), 0);
	bounds(UB_OTHERSOCKBUF, barrier, 2 * barrier);
	check(ve_call(&ve, flood_first, 4096) >= 4096);
	l = ub_line(ID, "othersockbuf");
	check_eq(l.held % PG, 0);
	check(l.held <= barrier);
	check(l.held + 3 * PG > barrier);
	check(l.maxheld <= barrier);
	check_eq(l.failcnt, 1);
	check_err(ve_call(&ve, send_first, 4096), EAGAIN);
	check_eq(ub_failcnt(ID, "othersockbuf"), 2);
	check_eq(ve_call(&ve, first_writable, 0), 0);
	/* A request that waits and is looked at again is still one. */
	ms = ve_call(&ve, send_blocking, 4096);
	check(ms >= 490);
	check(ms < 5000);
	check_eq(ub_failcnt(ID, "othersockbuf"), 3);

	check_eq(ve_call(&ve, send_second, 4096), 4096);
	check(ub_held(ID, "othersockbuf") > barrier);
	check(ub_held(ID, "othersockbuf") <= barrier + 2 * PG);
	check_eq(ub_failcnt(ID, "othersockbuf"), 3);
	check_err(ve_call(&ve, send_second, 4096), EAGAIN);
	check_eq(ub_failcnt(ID, "othersockbuf"), 4);

	check_eq(ve_call(&ve, watch_first, 0), 0);
	check_eq(ve_call(&ve, drain_first, 0), 1);
	check(ub_held(ID, "othersockbuf") <= 4 * PG);
	check_eq(ve_call(&ve, first_writable, 0), 1);
	check_eq(ve_call(&ve, send_first, 4096), 4096);
	check_eq(ve_call(&ve, close_pairs, 0), 0);
	check_soon(ub_held(ID, "othersockbuf") == 0, 10000);
	drive_stop(&ve);
}

/* A datagram above the limit fails at once; one that fits waits for room. */
static void othersockbuf_dgram(void)
{
	drive_start(&ve, ID, "othersockbuf");
	check_eq(ve_call(&ve, make_pairs, SOCK_DGRAM), 0);
	bounds(UB_OTHERSOCKBUF, 48 * KB, 64 * KB);
	check_err(ve_call(&ve, send_first, 100 * KB), ENOBUFS);
	check_eq(ub_failcnt(ID, "othersockbuf"), 1);
	check_eq(ub_held(ID, "othersockbuf"), 0);
	check_eq(ve_call(&ve, send_first, 32 * KB), 32 * KB);
	check(ub_held(ID, "othersockbuf") >= 32 * KB);
	check_err(ve_call(&ve, send_first, 32 * KB), EAGAIN);
	check_eq(ub_failcnt(ID, "othersockbuf"), 2);
	check_eq(ve_call(&ve, watch_first, 0), 0);
	check_eq(ve_call(&ve, drain_first, 0), 1);
	check_eq(ve_call(&ve, send_first, 32 * KB), 32 * KB);
	/* Raised while in use. */
	bounds(UB_OTHERSOCKBUF, 128 * KB, 128 * KB);
	check_eq(ve_call(&ve, send_first, 32 * KB), 32 * KB);
	check_eq(ub_failcnt(ID, "othersockbuf"), 2);
	check_eq(ve_call(&ve, close_pairs, 0), 0);
	check_soon(ub_held(ID, "othersockbuf") == 0, 10000);
	drive_stop(&ve);
}

/* Lists the interfaces; how many messages that took. */
static long dump_links(long unused)
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
	int s = check_ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
				NETLINK_ROUTE));
	long n = 0;

	check_eq(send(s, &req, sizeof(req), 0), sizeof(req));
	for (;;) {
		static char buf[32768];
		int len = check_ok(recv(s, buf, sizeof(buf), 0));
		struct nlmsghdr *h = (void *)buf;

		for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len), n++) {
			check(h->nlmsg_type != NLMSG_ERROR);
			if (h->nlmsg_type == NLMSG_DONE) {
				close(s);
				return n;
			}
		}
	}
}

/* Netlink gets through with no room at all. */
static void othersockbuf_netlink(void)
{
	drive_start(&ve, ID, "othersockbuf");
	bounds(UB_OTHERSOCKBUF, 0, 0);
	check(ve_call(&ve, dump_links, 0) >= 1);
	check_eq(ub_failcnt(ID, "othersockbuf"), 0);
	check(ub_line(ID, "othersockbuf").maxheld > 0);
	check_soon(ub_held(ID, "othersockbuf") == 0, 10000);
	drive_stop(&ve);
}

/* A VE that is stopped with full buffers gives everything back. */
static void stop_full(void)
{
	drive_start(&ve, ID, "othersockbuf");
	check_eq(ve_call(&ve, make_pairs, SOCK_STREAM), 0);
	check(ve_call(&ve, flood_first, 4096) > 0);
	check(ub_held(ID, "othersockbuf") > 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(othersockbuf_stream),
	VZ_CASE(othersockbuf_dgram),
	VZ_CASE(othersockbuf_netlink),
	VZ_CASE(stop_full),
};
VZ_MAIN(cases)
