// SPDX-License-Identifier: GPL-2.0
/*
 * A request is refused if it does not fit, and only then, however many make
 * one at the same time.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/limits.h"
#include "lib/units.h"

#define ID 9000
#define PG 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define ROOM 100
/* Per-CPU stock is used below barriers that are at least this far away. */
#define FILES 1500
#define CHUNKS 2500

/* 64 threads at the barrier: exactly the free places are given out. */
static void threads_numproc(void)
{
	drive_threads(ID, &unit_numproc, ROOM);
}

static void threads_numtcpsock(void)
{
	drive_threads(ID, &unit_numtcpsock, ROOM);
}

static void threads_numothersock(void)
{
	drive_threads(ID, &unit_numothersock, ROOM);
}

static void threads_numflock(void)
{
	drive_threads(ID, &unit_numflock, ROOM);
}

static void threads_numsiginfo(void)
{
	drive_threads(ID, &unit_numsiginfo, ROOM);
}

static void threads_numpty(void)
{
	drive_threads(ID, &unit_numpty, ROOM);
}

static void threads_numfile(void)
{
	drive_threads(ID, &unit_numfile, ROOM);
}

/* The same, while part of what is free is in the stock of a CPU. */
static void threads_numfile_stock(void)
{
	drive_threads(ID, &unit_numfile, FILES);
}

static void threads_privvmpages_stock(void)
{
	drive_threads(ID, &unit_privvmpages, CHUNKS);
}

/* Large requests that never fit, beside small ones that always do. */
#define SMALL 6		/* processes, each with a share of the room */
#define LARGE 2
#define CHUNK 16	/* pages of a small request */
#define PERIOD_MS vz_scaled(20000)

enum { READY, GO, STOP_LARGE, STOPPED, STOP, WRONG, PASSES, REFUSED, SHARE, PAGES };

static void count(int what, long n)
{
	__atomic_add_fetch((long *)&ve_shared[what], n, __ATOMIC_SEQ_CST);
}

static void wait_to_go(void)
{
	count(READY, 1);
	while (!ve_shared[GO])
		usleep(1000);
}

/* Maps and unmaps its whole share. */
static long small(long unused)
{
	static char *p[8192];

	wait_to_go();
	while (!ve_shared[STOP]) {
		long n = ve_shared[SHARE] / CHUNK, i;

		for (i = 0; i < n; i++) {
			p[i] = mmap(NULL, CHUNK * PG, RW, PRIVATE, -1, 0);
			if (p[i] == MAP_FAILED) {
				count(WRONG, 1);
				p[i] = NULL;
			}
		}
		for (i = 0; i < n; i++)
			if (p[i] && munmap(p[i], CHUNK * PG))
				count(WRONG, 1);
		count(PASSES, 1);
	}
	return 0;
}

/* One page more than the whole room. */
static long large(long unused)
{
	wait_to_go();
	while (!ve_shared[STOP_LARGE]) {
		if (mmap(NULL, ve_shared[PAGES] * PG, RW, PRIVATE, -1, 0) != MAP_FAILED ||
		    errno != ENOMEM)
			count(WRONG, 1);
		count(REFUSED, 1);
	}
	count(STOPPED, 1);
	/* Whoever ends makes room for the others, large ones too. */
	while (!ve_shared[STOP])
		usleep(1000);
	return 0;
}

static long reap(long unused)
{
	int status, bad = 0;

	while (waitpid(-1, &status, 0) > 0)
		bad |= status;
	return bad;
}

/* @share: pages that each small one has. */
static void small_and_large(long share)
{
	struct ub_line base, l;
	unsigned long full;
	struct idle idle;
	struct ve ve;
	int i;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, reap, 0), 0);
	limits_base(ID, &idle);
	ve.shared[SHARE] = share;
	ve.shared[PAGES] = SMALL * share + 1;
	for (i = 0; i < SMALL + LARGE; i++)
		ve_spawn(&ve, i < SMALL ? small : large, 0);
	check_soon(ve.shared[READY] == SMALL + LARGE, 20000);
	base = ub_line(ID, "privvmpages");
	full = base.held + SMALL * share;
	check_ok(vz_ubc(ve.fd, 0, UB_PRIVVMPAGES, full, UB_MAX));
	ve.shared[GO] = 1;
	usleep(PERIOD_MS * 1000);
	check_soon(ve.shared[PASSES] >= SMALL, 20000);
	/* Nobody ends before the last large request. */
	ve.shared[STOP_LARGE] = 1;
	check_soon(ve.shared[STOPPED] == LARGE, 20000);
	ve.shared[STOP] = 1;
	check_eq(ve_call(&ve, reap, 0), 0);
	l = ub_line(ID, "privvmpages");
	vz_note("%ld large refused, %ld passes", ve.shared[REFUSED], ve.shared[PASSES]);
	check_eq(ve.shared[WRONG], 0);
	check(ve.shared[REFUSED] > 0);
	check_eq(l.failcnt, ve.shared[REFUSED]);
	check(l.maxheld <= (full > base.maxheld ? full : base.maxheld));
	limits_idle(ID, &idle);
	drive_stop(&ve);
}

static void large_and_small(void)
{
	small_and_large(10 * CHUNK);
}

static void large_and_small_stock(void)
{
	small_and_large(400 * CHUNK);
}

static const struct vz_case cases[] = {
	VZ_CASE(threads_numproc),
	VZ_CASE(threads_numfile),
	VZ_CASE(threads_numtcpsock),
	VZ_CASE(threads_numothersock),
	VZ_CASE(threads_numflock),
	VZ_CASE(threads_numsiginfo),
	VZ_CASE(threads_numpty),
	VZ_CASE(threads_numfile_stock),
	VZ_CASE(threads_privvmpages_stock),
	VZ_CASE(large_and_small),
	VZ_CASE(large_and_small_stock),
};
VZ_MAIN(cases)
