// SPDX-License-Identifier: GPL-2.0
/*
 * Every driver in a VE while one in 50 memory allocations fails: whatever was
 * half done is undone, nothing stays charged and no lock is left behind.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/driver.h"
#include "lib/kmsg.h"
#include "lib/limits.h"
#include "lib/nft.h"
#include "lib/tasks.h"

#define ID 8800
#define DEBUGFS "/sys/kernel/debug"
#define ROUNDS vz_scaled(30)
#define TIMES 100000000L
/* A pass that takes longer hangs. */
#define PASS_SECONDS 120

static struct ve ve;

static void set(const char *point, const char *name, long value)
{
	char path[96], text[24];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", point, name);
	snprintf(text, sizeof(text), "%ld", value);
	check_ok(write_file(path, text));
}

/* One in 50 allocations of marked tasks, including those that may wait. */
static void inject(const char *point)
{
	set(point, "verbose", 0);
	set(point, "task-filter", 1);
	set(point, "ignore-gfp-wait", 0);
	set(point, "interval", 1);
	set(point, "space", 0);
	set(point, "times", TIMES);
	set(point, "probability", 2);
}

/* How many have failed. */
static long inject_end(const char *point)
{
	char path[96], text[24];

	set(point, "probability", 0);
	snprintf(path, sizeof(path), DEBUGFS "/%s/times", point);
	check(read_file(path, text, sizeof(text)) > 0);
	return TIMES - strtol(text, NULL, 0);
}

/* Shared with the VE. */
enum { READY, GO, DONE, PASSES, KILLED, HUNG, TIMES_OF };

static pid_t master;

static void find_master(pid_t pid)
{
	if (pid != ve.init)
		master = pid;
}

/* From now on its allocations fail, and those of what it forks. */
static void mark(pid_t pid)
{
	char path[64];

	if (pid == ve.init || pid == master)
		return;
	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", pid);
	/* What an earlier pass has left may be just ending. */
	check(!write_file(path, "1") || errno == ENOENT || errno == ESRCH);
}

/* Each pass in a process of its own, which may be killed for want of memory. */
static long drive_all(long rounds)
{
	long round, nr;

	while (!ve_shared[GO])
		usleep(1000);
	ve_shared[GO] = 0;
	for (round = 0; round < rounds; round++) {
		for (nr = 0; nr < ndrivers; nr++) {
			long long start = vz_now_ms();
			pid_t pid = check_ok(fork());
			int status;

			if (!pid) {
				alarm(PASS_SECONDS);
				ve_shared[READY] = 1;
				while (!ve_shared[GO])
					usleep(200);
				ve_shared[GO] = 0;
				driver_pass(nr);
				_exit(0);
			}
			check_eq(waitpid(pid, &status, 0), pid);
			if (WIFSIGNALED(status))
				ve_shared[KILLED]++;
			if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
				ve_shared[HUNG] = nr + 1;
			ve_shared[TIMES_OF + nr] += vz_now_ms() - start;
			ve_shared[PASSES]++;
		}
	}
	ve_shared[DONE] = 1;
	return 0;
}

/* Marks whoever is about to begin a pass, until all is done. */
static void mark_all(void)
{
	long long until = vz_now_ms() + 2000 * PASS_SECONDS;
	long passes = 0;

	tasks_each(ID, find_master);
	ve.shared[GO] = 1;
	while (!ve.shared[DONE]) {
		if (ve.shared[READY] && !ve.shared[GO]) {
			tasks_each(ID, mark);
			ve.shared[READY] = 0;
			ve.shared[GO] = 1;
		}
		if (ve.shared[PASSES] != passes) {
			passes = ve.shared[PASSES];
			until = vz_now_ms() + 2000 * PASS_SECONDS;
		}
		if (vz_now_ms() > until) {
			tasks_show(ID);
			vz_fail(__FILE__, __LINE__, "pass %ld does not end", passes);
		}
		usleep(500);
	}
}

/* Children of those that were killed, and whoever else is left. */
static long end_children(long unused)
{
	long n = 0;

	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		n++;
	return n;
}

/* Names and rules belong to no process; those that are there may be many. */
static long tidy(long unused)
{
	struct dirent *d;
	DIR *dir = opendir("/tmp"), *sub;

	check(dir);
	while ((d = readdir(dir))) {
		char path[300];

		if (d->d_name[0] == '.' || !unlinkat(dirfd(dir), d->d_name, 0))
			continue;
		snprintf(path, sizeof(path), "/tmp/%s", d->d_name);
		sub = opendir(path);
		check(sub);
		while ((d = readdir(sub)))
			if (d->d_name[0] != '.' && unlinkat(dirfd(sub), d->d_name, 0))
				check_ok(unlinkat(dirfd(sub), d->d_name, AT_REMOVEDIR));
		closedir(sub);
		check_ok(rmdir(path));
	}
	closedir(dir);
	return nft_chain(0) || nft_flush(0);
}

static void run(const char *const *points, int n)
{
	int i, log = kmsg_open();
	struct idle base;

	for (i = 0; i < n; i++) {
		char path[64];

		snprintf(path, sizeof(path), DEBUGFS "/%s", points[i]);
		if (access(path, F_OK))
			vz_skip("no %s in this kernel", points[i]);
	}
	ve_start(&ve, ID, NULL);
	/* Before anything that is given back later than when it ends. */
	limits_base(ID, &base);
	ve_must(&ve, tidy, 0);
	limits_set(&ve);
	ve_spawn(&ve, drive_all, ROUNDS);
	for (i = 0; i < n; i++)
		inject(points[i]);
	mark_all();
	for (i = 0; i < n; i++) {
		long failed = inject_end(points[i]);

		vz_note("%s: %ld in %ld passes", points[i], failed, ve.shared[PASSES]);
		check(failed >= ROUNDS);
	}
	if (ve.shared[HUNG])
		vz_fail(__FILE__, __LINE__, "%s hung", drivers[ve.shared[HUNG] - 1].name);
	for (i = 0; i < ndrivers; i++)
		vz_note("%s %ld ms", drivers[i].name, ve.shared[TIMES_OF + i]);
	check_eq(ve.shared[PASSES], ROUNDS * ndrivers);
	limits_lift(&ve);
	vz_note("%ld killed, %ld orphans", ve.shared[KILLED], ve_call(&ve, end_children, 0) - 1);
	ve_must(&ve, tidy, 0);
	limits_idle(ID, &base);
	drive_stop(&ve);
	kmsg_without(log, "uncharge of");
}

static void slab(void)
{
	static const char *const points[] = { "failslab" };

	run(points, 1);
}

static void pages(void)
{
	static const char *const points[] = { "fail_page_alloc" };

	set(points[0], "min-order", 0);
	set(points[0], "ignore-gfp-highmem", 0);
	run(points, 1);
}

static void both(void)
{
	static const char *const points[] = { "failslab", "fail_page_alloc" };

	set(points[1], "min-order", 0);
	set(points[1], "ignore-gfp-highmem", 0);
	run(points, 2);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(slab, 1800),
	VZ_CASE_SLOW(pages, 1800),
	VZ_CASE_SLOW(both, 1800),
};
VZ_MAIN(cases)
