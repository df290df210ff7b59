// SPDX-License-Identifier: GPL-2.0
/* Events of the netlink group: what they say, and how many there are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "genl.h"
#include "ktap.h"

#define ID 8900

static struct genl events;
static struct genl_ub ub;
static struct ve ve;
static uint64_t gen;

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void start(void)
{
	struct genl g;

	check_ok(genl_open(&events));
	ve_start(&ve, ID, NULL);
	check_ok(genl_open(&g));
	check_ok(genl_get(&g, ID));
	gen = g.ub[0].gen;
	genl_close(&g);
	check_ok(genl_listen(&events));
}

/* The next event is this one, and alone. */
static struct genl_row want(int kind, unsigned int res)
{
	check(genl_event(&events, ID, &ub, 5000));
	check_eq(ub.gen, gen);
	check_eq(ub.kind, kind);
	check(ub.row[res].there);
	check_eq(ub.dropped, 0);
	return ub.row[res];
}

static void quiet(void)
{
	check(!genl_event(&events, ID, &ub, 300));
}

/* Sets a limit that leads to @level, and takes the events of that. */
static void limit(unsigned int res, uint64_t barrier, uint64_t max, int level)
{
	struct genl_row r;

	check_ok(vz_ubc(ve.fd, 0, res, barrier, max));
	if (level)
		check_eq(want(UBC_EVENT_PRESSURE, res).pressure, level);
	r = want(UBC_EVENT_LIMIT, res);
	check_eq(r.barrier, barrier);
	check_eq(r.limit, max);
	check_eq(r.pressure, level);
	quiet();
}

static void kinds(void)
{
	unsigned long held;
	struct genl_row r;
	int i;

	start();
	quiet();
	held = ub_held(ID, "numfile");
	limit(UB_NUMFILE, 100, 101, 0);

	/* Pressure: one event at each of the three levels. */
	for (i = held; i < 100; i++) {
		check(ve_call(&ve, open_null, 0) >= 0);
		if (i + 1 == 75 || i + 1 == 90 || i + 1 == 98) {
			r = want(UBC_EVENT_PRESSURE, UB_NUMFILE);
			check_eq(r.pressure, i + 1);
			check_eq(r.held, i + 1);
			check_eq(r.failcnt, 0);
		}
	}
	quiet();

	/* A refusal. */
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	r = want(UBC_EVENT_FAIL, UB_NUMFILE);
	check_eq(r.held, 100);
	check_eq(r.maxheld, 100);
	check_eq(r.barrier, 100);
	check_eq(r.limit, 101);
	check_eq(r.failcnt, 1);
	check_eq(r.pressure, 98);
	quiet();

	/* Other beancounters and other resources are told apart. */
	check_ok(vz_ubc(vz_ctl(), 0, UB_NUMFLOCK, UB_MAX, UB_MAX));
	check(genl_event(&events, 0, &ub, 5000));
	check_eq(ub.kind, UBC_EVENT_LIMIT);
	check_eq(ub.gen, 0);
	limit(UB_NUMPTY, 3, 4, 0);
	drive_stop(&ve);
	genl_close(&events);
}

/* Memory until somebody is killed. */
static long hog(long unused)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		memset(p, 1, 1 << 20);
	}
}

static void oom(void)
{
	int ooms = 0, fails = 0, status;
	struct ub_line l;

	start();
	l = ub_line(ID, "physpages");
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0, l.held + 4096));
	check_ok(vz_ubc(ve.fd, 0, UB_SWAPPAGES, 0, 0));
	status = ve_fork(&ve, hog, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (genl_event(&events, ID, &ub, 2000)) {
		if (ub.kind == UBC_EVENT_OOM) {
			check_eq(ub.row[UB_OOMGUARPAGES].failcnt, 1);
			ooms++;
		}
		if (ub.kind == UBC_EVENT_FAIL && ub.row[UB_PHYSPAGES].there)
			fails++;
	}
	check_eq(ooms, 1);
	check(fails >= 1);
	drive_stop(&ve);
	genl_close(&events);
}

/*
 * Ten messages come at once, the next when a second has passed since the
 * first, with the number of those that had none.
 */
static void ten_per_second(void)
{
	long long begin, first;
	struct genl_row r;
	int i;

	start();
	check(ve_call(&ve, open_null, 0) >= 0);
	limit(UB_NUMFILE, 1, 1, 98);
	/* Those of the limit are old. */
	usleep(1200000);
	begin = vz_now_ms();
	for (i = 1; i <= 10; i++) {
		check_err(ve_call(&ve, open_null, 0), ENFILE);
		r = want(UBC_EVENT_FAIL, UB_NUMFILE);
		check_eq(r.failcnt, i);
	}
	first = vz_now_ms();
	check(first - begin < 1000);
	for (i = 11; i <= 15; i++)
		check_err(ve_call(&ve, open_null, 0), ENFILE);
	/* Each resource has its own ten. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPTY, 3, 4));
	check_eq(want(UBC_EVENT_LIMIT, UB_NUMPTY).limit, 4);
	check(genl_event(&events, ID, &ub, 5000));
	check(vz_now_ms() - begin >= 1000);
	check_eq(ub.kind, UBC_EVENT_FAIL);
	check_eq(ub.row[UB_NUMFILE].failcnt, 15);
	check_eq(ub.dropped, 4);
	quiet();
	drive_stop(&ve);
	genl_close(&events);
}

/* Refusals for some seconds, as many as there can be. */
static long flood(long seconds)
{
	long long until = vz_now_ms() + seconds * 1000;
	long n = 0;

	while (vz_now_ms() < until) {
		check_err(open_null(0), ENFILE);
		n++;
	}
	return n;
}

static void flooded(void)
{
	long long begin, ms;
	unsigned long told = 0, messages = 0, total;

	start();
	check(ve_call(&ve, open_null, 0) >= 0);
	limit(UB_NUMFILE, 1, 1, 98);
	usleep(1200000);
	begin = vz_now_ms();
	total = ve_call(&ve, flood, 3);
	check(total > 100);
	do {
		check(genl_event(&events, ID, &ub, 5000));
		check_eq(ub.kind, UBC_EVENT_FAIL);
		messages++;
		told += 1 + ub.dropped;
	} while (ub.row[UB_NUMFILE].failcnt < total || told < total);
	ms = vz_now_ms() - begin;
	/* Every one was told or counted, and none twice. */
	check_eq(told, total);
	check_eq(ub.row[UB_NUMFILE].failcnt, total);
	check(messages >= 21);
	check(messages <= 10UL * ((ms + 999) / 1000));
	quiet();
	drive_stop(&ve);
	genl_close(&events);
}

static long flood_for_ever(long unused)
{
	for (;;)
		check_err(open_null(0), ENFILE);
	return unused;
}

/* UBs that go while they have much to tell. */
static void end_with_events(void)
{
	long n = vz_scaled(100);

	check_ok(genl_open(&events));
	check_ok(genl_listen(&events));
	while (n--) {
		int seen;

		ve_start(&ve, ID, NULL);
		check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 0, 0));
		ve_spawn(&ve, flood_for_ever, 0);
		check_soon(ub_failcnt(ID, "numfile") > 1000, 20000);
		drive_stop(&ve);
		/* Whatever the socket holds is well formed; then nothing. */
		for (seen = 0; genl_event(&events, ID, &ub, n % 4 ? 0 : 300); seen++)
			check(seen < 1000);
		check(seen > 0);
	}
	genl_close(&events);
}

/* Nobody listened: what was before is not told. */
static void forgotten(void)
{
	int i;

	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 0, 0));
	for (i = 0; i < 20; i++)
		check_err(ve_call(&ve, open_null, 0), ENFILE);
	check_ok(genl_open(&events));
	check_ok(genl_listen(&events));
	quiet();
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	check(genl_event(&events, ID, &ub, 5000));
	check_eq(ub.row[UB_NUMFILE].failcnt, 21);
	check_eq(ub.dropped, 0);
	drive_stop(&ve);
	genl_close(&events);
}

static const struct vz_case cases[] = {
	VZ_CASE(kinds),
	VZ_CASE(oom),
	VZ_CASE(ten_per_second),
	VZ_CASE(flooded),
	VZ_CASE(forgotten),
	VZ_CASE_SLOW(end_with_events, 300),
};
VZ_MAIN(cases)
