// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty ratios: how much a VE may have dirty, and when that is written.
 *
 * Its processes are two cgroups below the one that its UB is bound to, the
 * disk is a new one.  The kernel believes the statistics of memory cgroups as
 * they were when somebody last asked for them, so the test asks all the time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"
#include "lib/disk.h"
#include "pass.h"

#define ID 9800
#define PG 4096L
#define LIMIT (128L << 8)	/* pages: 128 MiB */
#define PERCENT(n) (LIMIT * (n) / 100)
#define CHUNK 128L		/* pages */
#define RATIO "/proc/sys/ubc/dirty_ratio"
#define BACKGROUND "/proc/sys/ubc/dirty_background_ratio"

static struct ve ve;
static int disk;

static void set(const char *path, const char *value)
{
	check_ok(write_file(path, value));
}

static long io(const char *name)
{
	char key[32], *at;
	long value;

	snprintf(key, sizeof(key), "\t%s ", name);
	at = strstr(bc_file(ID, "ioacct"), key);
	check(at);
	check_eq(sscanf(at + strlen(key), "%ld", &value), 1);
	return value;
}

/* Writes as many chunks as shared[0] says; shared[1] is done. */
static long writer(long fd)
{
	static char buf[CHUNK * PG];
	long n;

	for (n = 0;; n++) {
		while (ve_shared[0] == n)
			usleep(1000);
		check_eq(pwrite(fd, buf, sizeof(buf), n * sizeof(buf)),
			 sizeof(buf));
		ve_shared[1] = n + 1;
	}
	return 0;
}

/* Nothing is written just because it has been dirty for long. */
static void begin(const char *ratio, const char *background)
{
	set("/proc/sys/vm/dirty_writeback_centisecs", "360000");
	set(RATIO, ratio);
	set(BACKGROUND, background);
	disk = disk_fresh(PERCENT(60) * PG);
	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, LIMIT, LIMIT));
	ve_spawn(&ve, writer, ve_give(&ve, disk));
}

static void end(void)
{
	check_ok(fsync(disk));
	drive_stop(&ve);
	disk_free(disk);
	set(RATIO, "50");
	set(BACKGROUND, "30");
	set("/proc/sys/vm/dirty_writeback_centisecs", "500");
}

/* One more chunk is written: the most that was dirty meanwhile. */
static long chunk(void)
{
	long most = 0, dirty, done;

	ve.shared[0]++;
	do {
		usleep(5000);
		done = ve.shared[1];
		dirty = io("io_pbs");
		if (dirty > most)
			most = dirty;
	} while (done < ve.shared[0]);
	return most;
}

/* The same until there are so many pages. */
static long chunks(long pages)
{
	long most = 0, dirty;

	while (ve.shared[1] < pages / CHUNK) {
		dirty = chunk();
		if (dirty > most)
			most = dirty;
	}
	return most;
}

/* With the usual ratios nobody waits and nothing is written at 30 percent. */
static void usual(void)
{
	begin("50", "30");
	check_eq(chunks(PERCENT(30)), ve.shared[1] * CHUNK);
	sleep(1);
	check_eq(io("io_pbs"), ve.shared[1] * CHUNK);
	check_eq(io("write"), 0);
	end();
}

/*
 * A writer with a lower ratio has to wait.  It does not look after each page:
 * never is twice as much dirty, and in the end no more than may be.
 */
static void ratio(void)
{
	long most;

	begin("10", "30");
	most = chunks(PERCENT(60));
	vz_note("%ld of %ld pages dirty at most", most, PERCENT(10));
	check(most <= 2 * PERCENT(10));
	check_soon(io("io_pbs") <= PERCENT(10), 10000);
	check(io("write") > 0);
	end();
}

/* Half way between the ratios writing begins, at the lower one it ends. */
static void background(void)
{
	begin("50", "1");
	chunks(PERCENT(20));
	check_eq(io("write"), 0);
	chunks(PERCENT(30));
	check_soon(io("write") > 0, 10000);
	check_soon(io("io_pbs") <= PERCENT(1) + CHUNK, 10000);
	end();
}

/* Whatever a VE may, the node's limit holds: 8 MiB. */
static void node(void)
{
	long most;

	set("/proc/sys/vm/dirty_bytes", "8388608");
	set("/proc/sys/vm/dirty_background_bytes", "4194304");
	begin("100", "100");
	most = chunks(PERCENT(60));
	vz_note("%ld of %ld pages dirty at most", most, 8L << 8);
	check(most <= 2 * (8L << 8));
	end();
	set("/proc/sys/vm/dirty_ratio", "20");
	set("/proc/sys/vm/dirty_background_ratio", "10");
}

static const struct vz_case cases[] = {
	VZ_CASE(usual),
	VZ_CASE_SLOW(ratio, 240),
	VZ_CASE(background),
	VZ_CASE_SLOW(node, 240),
};
VZ_MAIN(cases)
