// SPDX-License-Identifier: GPL-2.0
/* Pressure: 75, 90 and 98 percent of a bound. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "drive.h"
#include "evfile.h"
#include "ktap.h"

#define ID 9000

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long close_fd(long fd)
{
	return close(fd);
}

static struct ve ve;
static long fds[256];
static unsigned long base;

/* Opens and closes until the VE holds @n files. */
static void hold(unsigned long n)
{
	static unsigned long have;
	long long until = vz_now_ms() + 5000;

	if (ub_held(ID, "numfile") == base)
		have = base;
	for (; have < n; have++)
		check((fds[have] = ve_call(&ve, open_null, 0)) >= 0);
	for (; have > n; have--)
		check_eq(ve_call(&ve, close_fd, fds[have - 1]), 0);
	while (ub_held(ID, "numfile") != n && vz_poll_step(until))
		;
	check_eq(ub_held(ID, "numfile"), n);
}

/* Going to @n is news if the level changes, and none if it does not. */
static void go(int fd, unsigned long n, int level, int changes)
{
	unsigned long failcnt;
	int pressure;

	hold(n);
	check_eq(ev_news(fd, changes ? 5000 : 100), changes);
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, level);
	check_eq(failcnt, 0);
	check(!ev_news(fd, 0));
}

/* 75, 90 and 98 percent of the barrier, each left 5 percent below. */
static void pressure_levels(void)
{
	unsigned long failcnt;
	int fd, pressure, i;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "numfile");
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 200, UB_MAX));
	fd = ev_open(ID);
	go(fd, 149, 0, 0);
	go(fd, 150, 75, 1);
	go(fd, 179, 75, 0);
	go(fd, 180, 90, 1);
	go(fd, 195, 90, 0);
	go(fd, 196, 98, 1);
	go(fd, 200, 98, 0);
	go(fd, 186, 98, 0);
	go(fd, 185, 90, 1);
	go(fd, 170, 90, 0);
	go(fd, 169, 75, 1);
	/* To and fro at a border is one event. */
	for (i = 0; i < 10; i++) {
		go(fd, 150, 75, 0);
		go(fd, 149, 75, 0);
	}
	go(fd, 140, 75, 0);
	go(fd, 139, 0, 1);
	/* Past all of them at once. */
	go(fd, 200, 98, 1);
	go(fd, 100, 0, 1);

	/* A new barrier is judged afresh: 100 of 134 is less than 75 %. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 100, UB_MAX));
	check(ev_news(fd, 5000));
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 98);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 134, UB_MAX));
	check(ev_news(fd, 5000));
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 133, UB_MAX));
	check(ev_news(fd, 5000));
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 75);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, UB_MAX, UB_MAX));
	check(ev_news(fd, 5000));
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 0);
	close(fd);
	drive_stop(&ve);
}

static long many_files(long unused)
{
	struct rlimit max = { 1 << 20, 1 << 20 };

	return setrlimit(RLIMIT_NOFILE, &max);
}

/* With stock: a level comes at most by it too early, and never too late. */
static void pressure_with_stock(void)
{
	unsigned long cpus = sysconf(_SC_NPROCESSORS_CONF);
	/* The smallest with which there is stock, 8 to 16 files per CPU. */
	unsigned long barrier = 64 * 8 * cpus;
	unsigned long held, failcnt;
	int fd, pressure;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, many_files, 0), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, barrier, UB_MAX));
	fd = ev_open(ID);
	while (!ev_news(fd, 0))
		check(ve_call(&ve, open_null, 0) >= 0);
	held = ub_held(ID, "numfile");
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 75);
	check(held <= barrier * 3 / 4);
	check(held >= barrier * 3 / 4 - 16 * cpus - 8);
	close(fd);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(pressure_levels),
	VZ_CASE(pressure_with_stock),
};
VZ_MAIN(cases)
