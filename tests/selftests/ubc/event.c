// SPDX-License-Identifier: GPL-2.0
/* Who hears of a refusal: /proc/PID/ubc_last and /proc/bc/ID/events. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8700

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int read_last(pid_t pid, char *buf, int size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ubc_last", pid);
	return read_file(path, buf, size);
}

/* The last refusal, in the format tools parse. */
static void last_refusal(void)
{
	unsigned long held, sec, nsec;
	char buf[512], want[256];
	struct timespec before, after;
	struct ve ve;
	char *time;

	ve_start(&ve, ID, NULL);
	check_eq(read_last(ve.init, buf, sizeof(buf)), 0);
	held = ub_held(ID, "numfile");
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held, held + 10));
	clock_gettime(CLOCK_MONOTONIC, &before);
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	clock_gettime(CLOCK_MONOTONIC, &after);
	check(read_last(ve.init, buf, sizeof(buf)) > 0);
	snprintf(want, sizeof(want),
		 "resource:\tnumfile\nrequested:\t1\nheld:\t%lu\nbound:\t%lu\nseverity:\tbarrier\n",
		 held, held);
	check(!strncmp(buf, want, strlen(want)));
	time = buf + strlen(want);
	check_eq(sscanf(time, "time:\t%lu.%9lu\n", &sec, &nsec), 2);
	check_eq(strlen(strchr(time, '.') + 1), 10);
	check(sec >= (unsigned long)before.tv_sec && sec <= (unsigned long)after.tv_sec);
	/* A child begins without one, and so does the test itself. */
	check_eq(read_last(getpid(), buf, sizeof(buf)), 0);
	drive_stop(&ve);
}

static int events_of(unsigned int id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/bc/%u/events", id);
	return check_ok(open(path, O_RDONLY | O_CLOEXEC));
}

/* Reads from the start: the line of numfile. */
static void line(int fd, unsigned long *failcnt, int *pressure)
{
	char buf[4096], *at;
	int len;

	check_eq(lseek(fd, 0, SEEK_SET), 0);
	len = check_ok(read(fd, buf, sizeof(buf) - 1));
	buf[len] = 0;
	at = strstr(buf, "\nnumfile ");
	check(at);
	check_eq(sscanf(at, "\nnumfile %lu %d\n", failcnt, pressure), 2);
}

static int news(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLPRI);
}

static void events_poll(void)
{
	unsigned long held, failcnt;
	struct ve ve;
	int fd, i, pressure;

	ve_start(&ve, ID, NULL);
	fd = events_of(ID);
	line(fd, &failcnt, &pressure);
	check_eq(failcnt, 0);
	check_eq(pressure, 0);
	check(!news(fd, 0));
	for (i = 0; i < 100; i++)
		check(ve_call(&ve, open_null, 0) >= 0);
	held = ub_held(ID, "numfile");
	check(held >= 100);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held, held));
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	check(news(fd, 5000));
	check(news(fd, 0));
	line(fd, &failcnt, &pressure);
	check_eq(failcnt, 1);
	check_eq(pressure, 98);
	check(!news(fd, 0));
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held * 100 / 76, UB_MAX));
	line(fd, &failcnt, &pressure);
	check_eq(pressure, 75);
	/* The VE goes while somebody has the file open. */
	drive_stop(&ve);
	close(fd);
}

static const struct vz_case cases[] = {
	VZ_CASE(last_refusal),
	VZ_CASE(events_poll),
};
VZ_MAIN(cases)
