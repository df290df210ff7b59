// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "recount.h"

#define N 20
#define THREADS 64

struct ub_line ub_line(unsigned int id, const char *name)
{
	struct ub_line line;

	if (ub_read(id, name, &line))
		vz_fail(__FILE__, __LINE__, "no %s of UB %u", name, id);
	return line;
}

void drive_recount(struct ve *ve)
{
	int frozen = !ioctl(ve->fd, VZCTL_FREEZE);

	/* Or it is on its way out by itself. */
	check(frozen || errno == EBUSY);
	check_eq(recount_check(ve->id), 0);
	if (frozen)
		check_ok(ioctl(ve->fd, VZCTL_THAW));
}

void drive_stop(struct ve *ve)
{
	unsigned int id = ve->id;

	if (recount_there())
		drive_recount(ve);
	ve_stop(ve);
	check_soon(!ub_dirs(id), 20000);
}

void drive_start(struct ve *ve, unsigned int id, const char *name)
{
	ve_start(ve, id, NULL);
	check_eq(ub_held(id, name), 0);
}

void ub_want(unsigned int id, const char *name, unsigned long held,
	     unsigned long failcnt)
{
	struct ub_line l;

	check_soon(ub_held(id, name) == held, 10000);
	l = ub_line(id, name);
	check_eq(l.held, held);
	check_eq(l.failcnt, failcnt);
}

unsigned long ub_settled(unsigned int id, const char *name)
{
	long long until = vz_now_ms() + 10000;
	unsigned long now = ub_held(id, name), last;

	do {
		last = now;
		usleep(200000);
		now = ub_held(id, name);
	} while (now != last && vz_poll_step(until));
	return now;
}

static int kept[512], nkept;

long keep_fd(int fd)
{
	int slot;

	if (fd < 0)
		return -1;
	slot = __atomic_fetch_add(&nkept, 1, __ATOMIC_SEQ_CST);
	check(slot < (int)ARRAY_SIZE(kept));
	kept[slot] = fd;
	return 0;
}

long close_kept(void)
{
	while (nkept)
		close(kept[--nkept]);
	return 0;
}

struct sockaddr_in drive_local(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return a;
}

static void want(unsigned int id, const struct unit *u, unsigned long held,
		 unsigned long maxheld, unsigned long failcnt)
{
	struct ub_line l;
	long long until = vz_now_ms() + 5000;

	/* Files and sockets are freed a moment after close() has returned. */
	do
		l = ub_line(id, u->name);
	while (l.held > held && vz_poll_step(until));
	check_eq(l.held, held);
	check_eq(l.maxheld, maxheld);
	check_eq(l.failcnt, failcnt);
}

static void make_ok(struct ve *ve, const struct unit *u, int n)
{
	while (n--)
		if (ve_call(ve, u->make, 1) < 0)
			vz_fail(__FILE__, __LINE__, "%s: %d to go, errno %d",
				u->name, n + 1, errno);
}

static void make_refused(struct ve *ve, const struct unit *u, int n)
{
	while (n--)
		check_err(ve_call(ve, u->make, 1), u->err);
}

/*
 * Makes and frees one unit: the first may pull in what init did not need
 * before.  Some are freed by RCU only, hence the wait.
 */
static void settle(struct ve *ve, const struct unit *u)
{
	unsigned long idle = ub_held(ve->id, u->name);
	long long until = vz_now_ms() + 2000;

	make_ok(ve, u, 1);
	check_eq(ve_call(ve, u->make, 0), 0);
	while (ub_held(ve->id, u->name) > idle && vz_poll_step(until))
		;
}

void drive_hard(unsigned int id, const struct unit *u)
{
	struct ub_line base, l;
	unsigned long full;
	struct ve ve;

	ve_start(&ve, id, NULL);
	settle(&ve, u);
	base = ub_line(id, u->name);
	check_eq(base.failcnt, 0);
	check_eq(base.barrier, UB_MAX);
	check_eq(base.limit, UB_MAX);
	full = base.held + N * u->cost;

	/* The barrier can be reached exactly; the limit plays no part. */
	check_ok(vz_ubc(ve.fd, 0, u->res, full, base.held + 2 * N * u->cost));
	make_ok(&ve, u, N);
	want(id, u, full, full, 0);
	make_refused(&ve, u, 3);
	want(id, u, full, full, 3);

	/* Raised while full, by the other descriptor. */
	check_ok(vz_ubc(vz_ctl(), id, u->res, full + u->cost, UB_MAX));
	make_ok(&ve, u, 1);
	make_refused(&ve, u, 1);
	full += u->cost;
	want(id, u, full, full, 4);

	/* Lowered below held: nothing is taken back, new ones are refused. */
	check_ok(vz_ubc(ve.fd, 0, u->res, base.held, base.held));
	want(id, u, full, full, 4);
	make_refused(&ve, u, 1);
	l = ub_line(id, u->name);
	check_eq(l.barrier, base.held);
	check_eq(l.limit, base.held);
	want(id, u, full, full, 5);

	/* Freed: back to the start, history stays. */
	check_eq(ve_call(&ve, u->make, 0), 0);
	want(id, u, base.held, full, 5);
	make_refused(&ve, u, 1);
	want(id, u, base.held, full, 6);
	check_ok(vz_ubc(ve.fd, 0, u->res, UB_MAX, UB_MAX));

	/* Stopped while holding some. */
	make_ok(&ve, u, N);
	drive_stop(&ve);

	/* A new VE of this id has a new UB. */
	ve_start(&ve, id, NULL);
	l = ub_line(id, u->name);
	check_eq(l.failcnt, 0);
	check_eq(l.barrier, UB_MAX);
	check(l.maxheld < full);
	drive_stop(&ve);
}

void drive_neighbour(unsigned int id, const struct unit *u)
{
	struct ub_line base, before, after;
	struct ve a, b;

	ve_start(&a, id, NULL);
	ve_start(&b, id + 1, NULL);
	base = ub_line(id, u->name);
	before = ub_line(id + 1, u->name);
	check_ok(vz_ubc(a.fd, 0, u->res, base.held, base.held));
	make_refused(&a, u, 1);
	after = ub_line(id + 1, u->name);
	check(!memcmp(&before, &after, sizeof(before)));
	make_ok(&b, u, N);
	check_eq(ub_line(id + 1, u->name).failcnt, 0);
	check_eq(ub_line(id, u->name).failcnt, 1);
	drive_stop(&b);
	drive_stop(&a);
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static const struct unit *unit;
static pthread_barrier_t gate;
static int tries, made, wrong;

static void *maker(void *unused)
{
	int i;

	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	for (i = 0; i < tries; i++) {
		if (unit->make(1) >= 0)
			__atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
		else if (errno != unit->err)
			__atomic_store_n(&wrong, errno, __ATOMIC_SEQ_CST);
	}
	pthread_barrier_wait(&gate);
	/* A thread that ends would give back its own place. */
	sleep_for_ever();
	return NULL;
}

/* Between the two gates the test reads what the idle threads hold. */
static long run_threads(long unused)
{
	pthread_t t[THREADS];
	int i;

	pthread_barrier_init(&gate, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		check_eq(pthread_create(&t[i], NULL, maker, NULL), 0);
	pthread_barrier_wait(&gate);
	ve_shared[0] = 1;
	while (!ve_shared[1])
		usleep(1000);
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	ve_shared[2] = made;
	ve_shared[3] = wrong;
	ve_shared[0] = 2;
	sleep_for_ever();
	return 0;
}

void (*drive_beside)(int on);

void drive_threads(unsigned int id, const struct unit *u, int room)
{
	struct ub_line base, l;
	struct ve ve;

	unit = u;
	tries = 2 * room / THREADS + 1;
	ve_start(&ve, id, NULL);
	ve_spawn(&ve, run_threads, 0);
	check_soon(ve.shared[0] == 1, 20000);
	base = ub_line(id, u->name);
	check_ok(vz_ubc(ve.fd, 0, u->res, base.held + room * u->cost, UB_MAX));
	if (drive_beside)
		drive_beside(1);
	ve.shared[1] = 1;
	check_soon(ve.shared[0] == 2, 60000);
	if (drive_beside)
		drive_beside(0);
	check_eq(ve.shared[3], 0);
	check_eq(ve.shared[2], room);
	l = ub_line(id, u->name);
	check_eq(l.held, base.held + room * u->cost);
	check_eq(l.maxheld, base.held + room * u->cost);
	check_eq(l.failcnt, base.failcnt + THREADS * tries - room);
	drive_stop(&ve);
}
