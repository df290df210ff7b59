// SPDX-License-Identifier: GPL-2.0
/*
 * What a VE can make the kernel allocate is in kmemsize.  Each kind of object
 * is made in numbers; what kmemsize grows by is compared with their size, less
 * what as many eventfds cost.  Sizes are lower bounds that hold on every
 * configuration: debugging makes objects larger.  Objects that come with an
 * inode, or with pages, are counted in slabinfo instead.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"

#define ID 8930
#define KB 1024L
#define PG (4 * KB)
/* What CPUs may keep, and what comes and goes with any request. */
#define SLACK (128 * KB)
#define MANY 1000

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static struct ve ve;
static int fds[MANY];

static int event_file(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int epoll_file(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int uffd_file(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
}

static int perf_file(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1, .exclude_hv = 1 };

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

static int ring_file(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 1, &p);
}

static const struct kind {
	const char *name;
	int (*make)(void);
	long size;		/* bytes, at least, more than an eventfd */
	const char *caches[2];	/* or which of them has it */
} kinds[] = {
	{ "eventfd", event_file, 0, { NULL } },
	{ "epoll", epoll_file, 128, { NULL } },
	{ "perf event", perf_file, 768, { NULL } },
	{ "userfaultfd", uffd_file, 0, { "userfaultfd_ctx_cache" } },
	{ "io_uring", ring_file, 0, { "kmalloc-cg-2k", "kmalloc-cg-4k" } },
};

static long make_many(long i)
{
	struct rlimit all = { 4096, 4096 };
	int n;

	setrlimit(RLIMIT_NOFILE, &all);
	for (n = 0; n < MANY; n++)
		fds[n] = check_ok(kinds[i].make());
	return 0;
}

static long drop_many(long unused)
{
	int n;

	for (n = 0; n < MANY; n++)
		close(fds[n]);
	return 0;
}

/* Bytes that kmemsize grows by; they are given back. */
static long growth(long (*make)(long), long (*drop)(long), long arg)
{
	unsigned long base, held;

	base = ub_settled(ID, "kmemsize");
	check_eq(ve_call(&ve, make, arg), 0);
	held = ub_settled(ID, "kmemsize");
	check(held > base);
	check_eq(ve_call(&ve, drop, 0), 0);
	check_soon(ub_held(ID, "kmemsize") <= base + SLACK, 20000);
	return held - base;
}

static long objects(const struct kind *k)
{
	long n = bc_slab(ID, k->caches[0]);

	return k->caches[1] ? n + bc_slab(ID, k->caches[1]) : n;
}

/* As many objects as descriptors, and without these hardly any. */
static void counted(long i)
{
	const struct kind *k = &kinds[i];
	long base = objects(k), n;

	check_eq(ve_call(&ve, make_many, i), 0);
	n = objects(k) - base;
	vz_note("%s: %ld objects", k->name, n);
	check(n >= MANY);
	check_eq(ve_call(&ve, drop_many, 0), 0);
	check_soon(objects(k) < base + MANY / 10, 20000);
}

/* Objects behind descriptors. */
static void descriptors(void)
{
	long file, n;
	size_t i;

	ve_start(&ve, ID, NULL);
	/* The first time also grows the table of descriptors. */
	growth(make_many, drop_many, 0);
	file = growth(make_many, drop_many, 0);
	vz_note("eventfd: %ld", file / MANY);
	check(file >= MANY * 192 - SLACK);
	for (i = 1; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].caches[0]) {
			counted(i);
			continue;
		}
		n = growth(make_many, drop_many, i) - file;
		vz_note("%s: %ld", kinds[i].name, n / MANY);
		/* A part of it may fit into what was kept. */
		check(n >= MANY * kinds[i].size - SLACK / 2);
	}
	drive_stop(&ve);
}

#define BLOCKS 128
#define BLOCK (64 * KB)

static long packet_ring(long unused)
{
	struct tpacket_req req = { .tp_block_size = BLOCK,
		.tp_block_nr = BLOCKS, .tp_frame_size = 2048,
		.tp_frame_nr = BLOCKS * BLOCK / 2048 };

	fds[0] = check_ok(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	return setsockopt(fds[0], SOL_PACKET, PACKET_RX_RING, &req,
			  sizeof(req));
}

static long close_one(long unused)
{
	return close(fds[0]);
}

/* The ring of a packet socket: all of it, and refused at the barrier. */
static void packet_rings(void)
{
	unsigned long base;
	long n;

	ve_start(&ve, ID, NULL);
	n = growth(packet_ring, close_one, 0);
	check(n >= BLOCKS * BLOCK - SLACK);
	check(n <= BLOCKS * BLOCK + SLACK);
	base = ub_settled(ID, "kmemsize");
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, base + BLOCKS * BLOCK / 2,
			UB_MAX));
	check_err(ve_call(&ve, packet_ring, 0), ENOMEM);
	check(ub_failcnt(ID, "kmemsize") > 0);
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, UB_MAX, UB_MAX));
	check_eq(ve_call(&ve, close_one, 0), 0);
	check_soon(ub_held(ID, "kmemsize") <= base + SLACK, 20000);
	drive_stop(&ve);
}

#define POLLERS 8
#define POLLED 4000L

/* A process that waits, then waits for one descriptor POLLED times. */
static long poller(long unused)
{
	static struct pollfd p[POLLED];
	struct rlimit all = { 4096, 4096 };
	int pipefd[2], i;

	setrlimit(RLIMIT_NOFILE, &all);
	check_ok(pipe2(pipefd, O_CLOEXEC));
	for (i = 0; i < POLLED; i++)
		p[i] = (struct pollfd){ .fd = pipefd[0], .events = POLLIN };
	__atomic_add_fetch(&ve_shared[0], 1, __ATOMIC_SEQ_CST);
	while (!ve_shared[1])
		usleep(10000);
	__atomic_add_fetch(&ve_shared[2], 1, __ATOMIC_SEQ_CST);
	poll(p, POLLED, -1);
	return 0;
}

/* The tables of poll(): 8 bytes and a queue entry for each descriptor. */
static void poll_tables(void)
{
	unsigned long base, held;
	int i;

	ve_start(&ve, ID, NULL);
	for (i = 0; i < POLLERS; i++)
		ve_spawn(&ve, poller, 0);
	check_soon(ve.shared[0] == POLLERS, 20000);
	base = ub_settled(ID, "kmemsize");
	ve.shared[1] = 1;
	check_soon(ve.shared[2] == POLLERS, 20000);
	held = ub_settled(ID, "kmemsize");
	vz_note("poll(): %ld a descriptor",
		(long)(held - base) / (POLLERS * POLLED));
	check(held >= base + POLLERS * POLLED * (8 + 56) - SLACK);
	drive_stop(&ve);
}

#define KEYRINGS 8
#define KEYS 9
#define PAYLOAD 2000

/* As a user of its own, whose quota is 200 keys and 20000 bytes. */
static long make_keys(long uid)
{
	char name[32], payload[PAYLOAD] = "";
	int i;

	check_ok(setresuid(uid, uid, uid));
	for (i = 0; i < KEYS; i++) {
		snprintf(name, sizeof(name), "escape:%d", i);
		/* -2: the keyring of the process. */
		check_ok(syscall(SYS_add_key, "user", name, payload, PAYLOAD,
				 -2));
	}
	__atomic_add_fetch(&ve_shared[0], 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

static long wait_first(long uid)
{
	__atomic_add_fetch(&ve_shared[2], 1, __ATOMIC_SEQ_CST);
	while (!ve_shared[1])
		usleep(10000);
	return make_keys(uid);
}

/* Keys: the quota is for each user, of which a VE has as many as it likes. */
static void keys(void)
{
	unsigned long base, held;
	int i;

	if (syscall(SYS_keyctl, 0, -2, 0) < 0 && errno == ENOSYS)
		vz_skip("kernel without CONFIG_KEYS");
	ve_start(&ve, ID, NULL);
	for (i = 0; i < KEYRINGS; i++)
		ve_spawn(&ve, wait_first, 1000 + i);
	check_soon(ve.shared[2] == KEYRINGS, 20000);
	base = ub_settled(ID, "kmemsize");
	ve.shared[1] = 1;
	check_soon(ve.shared[0] == KEYRINGS, 20000);
	held = ub_settled(ID, "kmemsize");
	vz_note("key: %ld", (long)(held - base) / (KEYRINGS * KEYS));
	/* The payload, which most of it is, and the keys themselves. */
	check(held >= base + KEYRINGS * KEYS * 2048 - SLACK / 4);
	check(bc_slab(ID, "key_jar") >= KEYRINGS * KEYS);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(descriptors),
	VZ_CASE(packet_rings),
	VZ_CASE(poll_tables),
	VZ_CASE(keys),
};
VZ_MAIN(cases)
