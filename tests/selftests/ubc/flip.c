// SPDX-License-Identifier: GPL-2.0
/* A bound that goes up and down every millisecond while many work below it. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/limits.h"
#include "lib/units.h"

#define ID 8900
#define LOADS 4
/* What each of them takes, and what there is for all. */
#define EACH 20
#define ROOM 50
#define PERIOD_MS vz_scaled(10000)

/* Shared with the loads. */
enum { READY, GO, STOP, WRONG, MADE, REFUSED };

static void count(int what, long n)
{
	__atomic_add_fetch((long *)&ve_shared[what], n, __ATOMIC_SEQ_CST);
}

/* Takes and gives back; a refusal has exactly one errno. */
static long load(long nr)
{
	const struct unit *u = all_units[nr];
	int i;

	/* What the first one takes besides is not under test. */
	if (u->make(1) < 0 || u->make(0))
		ve_shared[WRONG] = errno;
	count(READY, 1);
	while (!ve_shared[GO])
		usleep(1000);
	while (!ve_shared[STOP]) {
		long made = 0, refused = 0;

		for (i = 0; i < EACH; i++) {
			if (u->make(1) >= 0) {
				made++;
				continue;
			}
			if (errno != u->err)
				ve_shared[WRONG] = errno;
			refused++;
		}
		u->make(0);
		count(MADE, made);
		count(REFUSED, refused);
	}
	/* Its parent does not wait for it. */
	count(READY, -1);
	return 0;
}

static long reap(long unused)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

/* Only the bound that refuses: the other one may break a process. */
static void bound(struct ve *ve, const struct unit *u, unsigned long value)
{
	if (u->res == UB_NUMIPTENT)
		check_ok(vz_ubc(ve->fd, 0, u->res, UB_MAX, value));
	else
		check_ok(vz_ubc(ve->fd, 0, u->res, value, UB_MAX));
}

static void flip(struct ve *ve, int nr)
{
	const struct unit *u = all_units[nr];
	unsigned long low, high, flips = 0;
	struct ub_line l, before;
	long long until;
	int i;

	for (i = 0; i <= REFUSED; i++)
		ve->shared[i] = 0;
	for (i = 0; i < LOADS; i++)
		ve_spawn(ve, load, nr);
	check_soon(ve->shared[READY] == LOADS, 20000);
	/* What has been freed late is gone when two looks agree. */
	do {
		low = ub_held(ID, u->name);
		usleep(100000);
		before = ub_line(ID, u->name);
	} while (before.held != low);
	high = low + ROOM * u->cost;
	if (high < before.maxheld)
		high = before.maxheld;
	bound(ve, u, high);
	ve->shared[GO] = 1;
	until = vz_now_ms() + PERIOD_MS;
	while (vz_now_ms() < until) {
		usleep(1000);
		bound(ve, u, ++flips & 1 ? low : high);
	}
	ve->shared[STOP] = 1;
	check_soon(!ve->shared[READY], 20000);
	bound(ve, u, UB_MAX);
	check_eq(ve_call(ve, reap, 0), 0);
	l = ub_line(ID, u->name);
	vz_note("%s: %lu flips, %ld made, %ld refused", u->name, flips,
		ve->shared[MADE], ve->shared[REFUSED]);
	check_eq(ve->shared[WRONG], 0);
	check(ve->shared[MADE] > 0);
	check(ve->shared[REFUSED] > 0);
	check_eq(l.failcnt - before.failcnt, ve->shared[REFUSED]);
	check(l.maxheld <= high);
}

static void every_unit(void)
{
	struct idle base;
	struct ve ve;
	int nr;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, reap, 0), 0);
	limits_base(ID, &base);
	for (nr = 0; all_units[nr]; nr++) {
		flip(&ve, nr);
		limits_idle(ID, &base);
	}
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(every_unit, 600),
};
VZ_MAIN(cases)
