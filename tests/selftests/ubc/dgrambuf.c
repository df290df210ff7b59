// SPDX-License-Identifier: GPL-2.0
/* dgramrcvbuf: receive queues of UDP and packet sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8450
#define PORT 7790
#define KB 1024UL
#define PG (4 * KB)

static struct ve ve;

static void bounds(unsigned long barrier, unsigned long limit)
{
	check_ok(vz_ubc(ve.fd, 0, UB_DGRAMRCVBUF, barrier, limit));
}

static int receiver, sender;

static long udp_open(long unused)
{
	struct sockaddr_in a = drive_local(PORT);

	receiver = check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	sender = check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	check_ok(bind(receiver, (struct sockaddr *)&a, sizeof(a)));
	return 0;
}

/* Sees all of loopback. */
static int packet_socket(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex("lo") };
	int s = check_ok(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));

	check_ok(bind(s, (struct sockaddr *)&a, sizeof(a)));
	return s;
}

static long packet_open(long unused)
{
	receiver = packet_socket();
	sender = check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	return 0;
}

static long udp_send(long n)
{
	struct sockaddr_in a = drive_local(PORT);
	char buf[1000] = { 0 };

	while (n--)
		check_ok(sendto(sender, buf, sizeof(buf), 0,
				(struct sockaddr *)&a, sizeof(a)));
	return 0;
}

/* How many packets there were to read. */
static long receive_all(long unused)
{
	char buf[2000];
	long n = 0;

	while (recv(receiver, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		n++;
	check_eq(errno, EAGAIN);
	return n;
}

static long packet_drops(long unused)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	check_ok(getsockopt(receiver, SOL_PACKET, PACKET_STATISTICS, &st,
			    &len));
	return st.tp_drops;
}

static long close_both(long unused)
{
	close(receiver);
	return close(sender);
}

#define FLOOD 200

/* More than fits: what is held then. */
static struct ub_line flood(long (*sockets)(long), unsigned long barrier)
{
	struct ub_line l;

	drive_start(&ve, ID, "dgramrcvbuf");
	check_eq(ve_call(&ve, sockets, 0), 0);
	bounds(barrier, 2 * barrier);
	check_eq(ve_call(&ve, udp_send, FLOOD), 0);
	usleep(200000);
	l = ub_line(ID, "dgramrcvbuf");
	check(l.failcnt > 0);
	return l;
}

/* What does not fit below the barrier is dropped, and counted one by one. */
static void dgramrcvbuf_udp(void)
{
	unsigned long barrier = 64 * KB;
	struct ub_line l;
	long n;

	l = flood(udp_open, barrier);
	check_eq(l.held, barrier);
	check_eq(l.maxheld, barrier);
	n = ve_call(&ve, receive_all, 0);
	check(n > 0);
	check_eq(l.failcnt, FLOOD - n);
	/* There is room again. */
	check_eq(ve_call(&ve, udp_send, 5), 0);
	usleep(200000);
	check_eq(ve_call(&ve, receive_all, 0), 5);
	check_eq(ub_failcnt(ID, "dgramrcvbuf"), FLOOD - n);
	check_eq(ve_call(&ve, close_both, 0), 0);
	check_soon(ub_held(ID, "dgramrcvbuf") == 0, 10000);
	check_soon(ub_held(ID, "othersockbuf") == 0, 10000);
	drive_stop(&ve);
}

/* The same for a protocol that does not account its memory. */
static void dgramrcvbuf_packet(void)
{
	unsigned long barrier = 64 * KB;
	struct ub_line l;

	l = flood(packet_open, barrier);
	check_eq(l.held % PG, 0);
	check(l.held + 2 * PG > barrier);
	check(l.maxheld <= barrier);
	check_eq(ve_call(&ve, packet_drops, 0), l.failcnt);
	check(ve_call(&ve, receive_all, 0) > 0);
	check(ub_held(ID, "dgramrcvbuf") <= 2 * PG);
	check_eq(ve_call(&ve, close_both, 0), 0);
	check_soon(ub_held(ID, "dgramrcvbuf") == 0, 10000);
	drive_stop(&ve);
}

/*
 * Two CPUs deliver the same frames to the same sockets at the same time.  One
 * is more than half a page: often two need another page, and neither alone does.
 */

#define ROUNDS 300
#define BURST 4		/* frames of each CPU until they are read */
#define SOCKETS 32

static int receivers[SOCKETS];

static long run_on(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static long open_sockets(long unused)
{
	int i, on = 1;

	sender = check_ok(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	for (i = 0; i < SOCKETS; i++) {
		receivers[i] = packet_socket();
		check_ok(setsockopt(receivers[i], SOL_PACKET,
				    PACKET_IGNORE_OUTGOING, &on, sizeof(on)));
	}
	return run_on(0);
}

/* Of no protocol that is there. */
static void send_frame(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex("lo") };
	char frame[1000] = { 0 };

	frame[12] = 0x88;
	frame[13] = 0xb5;
	check_eq(sendto(sender, frame, sizeof(frame), 0,
			(struct sockaddr *)&a, sizeof(a)), sizeof(frame));
}

/* Frames in the shared memory: asked for, sent by the other CPU. */
enum { ASKED = 2, SENT };

static long send_when_asked(long unused)
{
	long n = 0;

	check_ok(run_on(1));
	for (;;) {
		while (ve_shared[ASKED] == n)
			;
		send_frame();
		ve_shared[SENT] = ++n;
	}
}

/* The other one is ahead a little, each time more. */
static long send_both(long n)
{
	volatile int wait = n * 37 % 1000;

	ve_shared[ASKED] = n;
	while (wait--)
		;
	send_frame();
	while (ve_shared[SENT] != n)
		;
	return 0;
}

/* Pages that the queues of a socket need. */
static long pages_queued(long i)
{
	__u32 mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	check_ok(getsockopt(receivers[i], SOL_SOCKET, SO_MEMINFO, mem, &len));
	return (mem[SK_MEMINFO_RMEM_ALLOC] + PG - 1) / PG;
}

static long all_queued(long unused)
{
	long sum = 0;
	int i;

	for (i = 0; i < SOCKETS; i++)
		sum += pages_queued(i);
	return sum;
}

static long read_queues(long unused)
{
	int i;

	for (i = 0; i < SOCKETS; i++) {
		receiver = receivers[i];
		check_eq(receive_all(0), 2 * BURST);
	}
	return 0;
}

static void dgramrcvbuf_two_cpus(void)
{
	long n = 0, need;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		vz_skip("one CPU");
	drive_start(&ve, ID, "dgramrcvbuf");
	check_eq(ve_call(&ve, open_sockets, 0), 0);
	/* More than is needed, and so little that sockets keep no page. */
	bounds(SOCKETS * 6 * PG, SOCKETS * 6 * PG);
	ve_spawn(&ve, send_when_asked, 0);
	while (n < ROUNDS * BURST) {
		for (i = 0; i < BURST; i++)
			check_eq(ve_call(&ve, send_both, ++n), 0);
		need = ve_call(&ve, all_queued, 0);
		check_eq(need, SOCKETS * 5);
		check_eq(ub_held(ID, "dgramrcvbuf"), need * PG);
		check_eq(ve_call(&ve, read_queues, 0), 0);
	}
	check_eq(ub_failcnt(ID, "dgramrcvbuf"), 0);
	drive_stop(&ve);
}

/* Time stamps of what was sent come back in the queue of errors. */
static long send_stamped(long unused)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	sender = check_ok(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	check_ok(setsockopt(sender, SOL_SOCKET, SO_TIMESTAMPING, &flags,
			    sizeof(flags)));
	receivers[0] = sender;
	send_frame();
	return 0;
}

static long again(long unused)
{
	send_frame();
	return 0;
}

static void dgramrcvbuf_errors(void)
{
	long need;

	drive_start(&ve, ID, "dgramrcvbuf");
	bounds(0, 0);
	check_eq(ve_call(&ve, send_stamped, 0), 0);
	check_eq(ve_call(&ve, pages_queued, 0), 0);
	check_eq(ub_held(ID, "dgramrcvbuf"), 0);
	check_eq(ub_failcnt(ID, "dgramrcvbuf"), 1);
	bounds(64 * KB, 64 * KB);
	check_eq(ve_call(&ve, again, 0), 0);
	need = ve_call(&ve, pages_queued, 0);
	check(need > 0);
	check_eq(ub_held(ID, "dgramrcvbuf"), need * PG);
	check_eq(ub_failcnt(ID, "dgramrcvbuf"), 1);
	drive_stop(&ve);
}

/* A VE that is stopped with a full queue gives everything back. */
static void stop_full(void)
{
	drive_start(&ve, ID, "dgramrcvbuf");
	check_eq(ve_call(&ve, udp_open, 0), 0);
	check_eq(ve_call(&ve, udp_send, FLOOD), 0);
	check(ub_held(ID, "dgramrcvbuf") > 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(dgramrcvbuf_udp),
	VZ_CASE(dgramrcvbuf_packet),
	VZ_CASE_SLOW(dgramrcvbuf_two_cpus, 240),
	VZ_CASE(dgramrcvbuf_errors),
	VZ_CASE(stop_full),
};
VZ_MAIN(cases)
