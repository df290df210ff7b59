// SPDX-License-Identifier: GPL-2.0
/* Huge pages, bpf(), and sockets that the kernel makes for a user's one. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8920
#define PORT 7794
#define HUGE (2L << 20)
#define POOL "/proc/sys/vm/nr_hugepages"
#define KB 1024L
#define MB (KB * KB)

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct ve ve;

static void *map_huge(void)
{
	return mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
}

static long no_huge(long unused)
{
	check(map_huge() == MAP_FAILED && errno == EPERM);
	check_err(memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC), EPERM);
	check_err(shmget(IPC_PRIVATE, HUGE, IPC_CREAT | SHM_HUGETLB | 0600),
		  EPERM);
	return 0;
}

/* The pool of huge pages is the node's: EPERM, also when it is not empty. */
static void huge_pages(void)
{
	char old[32], *p;
	int n = read_file(POOL, old, sizeof(old));

	if (n < 0)
		vz_skip("kernel without CONFIG_HUGETLBFS");
	check_ok(write_file(POOL, "2"));
	p = map_huge();
	check(p != MAP_FAILED);
	*(volatile char *)p = 1;
	check_ok(munmap(p, HUGE));
	ve_start(&ve, ID, NULL);
	ve_must(&ve, no_huge, 0);
	drive_stop(&ve);
	check_ok(write_file(POOL, old));
}

static long no_bpf(long unused)
{
	/* A map of one element, and a program: "r0 = 0; exit". */
	static struct { int w[2]; } code[2] = { { { 0xb7, 0 } }, { { 0x95, 0 } } };
	int map[16] = { 2, 4, 8, 1 };
	struct {
		unsigned int type, count;
		unsigned long insns, license;
		unsigned long rest[12];
	} prog = { 1, 2, (unsigned long)code, (unsigned long)"GPL", { 0 } };

	check_err(syscall(SYS_bpf, 0, map, sizeof(map)), EPERM);
	check_err(syscall(SYS_bpf, 5, &prog, sizeof(prog)), EPERM);
	return 0;
}

/* bpf() is for who has CAP_BPF on the node. */
static void bpf_objects(void)
{
	int map[16] = { 2, 4, 8, 1 };

	/* The same map is all right there. */
	close(check_ok(syscall(SYS_bpf, 0, map, sizeof(map))));
	ve_start(&ve, ID, NULL);
	ve_must(&ve, no_bpf, 0);
	drive_stop(&ve);
}

static int mptcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
}

static void need_mptcp(void)
{
	int s = mptcp_socket();

	if (s < 0)
		vz_skip("kernel without CONFIG_MPTCP");
	close(s);
}

/* A socket and its first subflow, which bind() makes. */
static long mptcp_bound(long on)
{
	struct sockaddr_in a = drive_local(0);
	int s, err;

	if (!on)
		return close_kept();
	s = mptcp_socket();
	if (s < 0)
		return -1;
	if (!bind(s, (struct sockaddr *)&a, sizeof(a)))
		return keep_fd(s);
	err = errno;
	close(s);
	errno = err;
	return -1;
}

static const struct unit unit_mptcp = {
	"numtcpsock", UB_NUMTCPSOCK, mptcp_bound, ENOBUFS, 2 };

/* A bound MPTCP socket is two TCP sockets. */
static void mptcp_bounds(void)
{
	need_mptcp();
	drive_hard(ID, &unit_mptcp);
}

/* There is room for the socket and not for its subflow. */
static void mptcp_subflow(void)
{
	need_mptcp();
	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMTCPSOCK, 1, 1));
	check_err(ve_call(&ve, mptcp_bound, 1), ENOBUFS);
	ub_want(ID, "numtcpsock", 0, 1);
	check_eq(ub_line(ID, "numtcpsock").maxheld, 1);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMTCPSOCK, 2, 2));
	check_eq(ve_call(&ve, mptcp_bound, 1), 0);
	ub_want(ID, "numtcpsock", 2, 1);
	check_eq(ve_call(&ve, mptcp_bound, 0), 0);
	ub_want(ID, "numtcpsock", 0, 1);
	drive_stop(&ve);
}

static int listener, client, server;

static long mptcp_connect(long unused)
{
	struct sockaddr_in a = drive_local(PORT);
	int one = 1;

	listener = check_ok(mptcp_socket());
	check_ok(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one,
			    sizeof(one)));
	check_ok(bind(listener, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(listener, 1));
	client = check_ok(mptcp_socket());
	check_ok(connect(client, (struct sockaddr *)&a, sizeof(a)));
	server = check_ok(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	return 0;
}

/* Until nothing more fits: how much. */
static long mptcp_fill(long unused)
{
	static char buf[16 * 1024];
	struct pollfd p = { .fd = client, .events = POLLOUT };
	long n, sum = 0;

	do {
		while ((n = send(client, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			sum += n;
		check_eq(errno, EAGAIN);
	} while (poll(&p, 1, 500));
	return sum;
}

static long mptcp_close(long unused)
{
	close(client);
	close(server);
	close(listener);
	return 0;
}

/* A connection is four sockets and its listener two; what it queues is in tcp*buf. */
static void mptcp_connection(void)
{
	unsigned long snd, rcv;
	long sum;

	need_mptcp();
	ve_start(&ve, ID, NULL);
	check_eq(ub_held(ID, "tcpsndbuf") + ub_held(ID, "tcprcvbuf"), 0);
	check_eq(ve_call(&ve, mptcp_connect, 0), 0);
	ub_want(ID, "numtcpsock", 6, 0);
	check_eq(ub_held(ID, "numothersock"), 0);
	sum = ve_call(&ve, mptcp_fill, 0);
	check(sum > 64 * KB);
	snd = ub_settled(ID, "tcpsndbuf");
	rcv = ub_settled(ID, "tcprcvbuf");
	vz_note("%ld bytes queued: tcpsndbuf %lu tcprcvbuf %lu", sum, snd, rcv);
	check(snd + rcv >= (unsigned long)sum);
	drive_recount(&ve);
	check_eq(ve_call(&ve, mptcp_close, 0), 0);
	ub_want(ID, "numtcpsock", 0, 0);
	ub_want(ID, "tcpsndbuf", 0, 0);
	ub_want(ID, "tcprcvbuf", 0, 0);
	drive_stop(&ve);
}

#define STREAM (64 * MB)

/* Through the connection, read as fast as it is written. */
static long mptcp_stream(long bytes)
{
	static char buf[64 * 1024];
	long long until = vz_now_ms() + 60000;
	long sent = 0, got = 0, in, out;

	while (got < bytes) {
		out = bytes - sent;
		if (out > (long)sizeof(buf))
			out = sizeof(buf);
		if (out)
			out = send(client, buf, out, MSG_DONTWAIT);
		check(out >= 0 || errno == EAGAIN);
		in = recv(server, buf, sizeof(buf), MSG_DONTWAIT);
		check(in > 0 || (in < 0 && errno == EAGAIN));
		if (out > 0)
			sent += out;
		if (in > 0)
			got += in;
		check(vz_now_ms() < until);
		if (out <= 0 && in <= 0)
			usleep(1000);
	}
	return got;
}

/* What a subflow has received is given back by the connection: all of it. */
static void mptcp_long_lived(void)
{
	need_mptcp();
	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_TCPRCVBUF, 4 * MB, 8 * MB));
	check_eq(ve_call(&ve, mptcp_connect, 0), 0);
	check_eq(ve_call(&ve, mptcp_stream, STREAM), STREAM);
	check_soon(ub_held(ID, "tcprcvbuf") < MB, 10000);
	drive_recount(&ve);
	check_eq(ve_call(&ve, mptcp_close, 0), 0);
	check_soon(!ub_held(ID, "numtcpsock"), 20000);
	check_soon(!ub_held(ID, "tcprcvbuf"), 20000);
	check_soon(!ub_held(ID, "tcpsndbuf"), 20000);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(huge_pages),
	VZ_CASE(bpf_objects),
	VZ_CASE(mptcp_bounds),
	VZ_CASE(mptcp_subflow),
	VZ_CASE(mptcp_connection),
	VZ_CASE_SLOW(mptcp_long_lived, 180),
};
VZ_MAIN(cases)
