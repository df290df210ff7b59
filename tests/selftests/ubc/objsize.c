// SPDX-License-Identifier: GPL-2.0
/*
 * What things cost a VE in kernel memory: N of each are made after a first
 * one, and the growth of kmemsize and dcachesize is divided by N.
 *
 * On the release kernel ("make objsize") these are the figures that the tools
 * reckon with, see tools/vzctl/libvz/src/ubc/rules/sizes.rs.  On any kernel the
 * slab objects that are known to be made are counted: there are exactly N times
 * as many more, dcachesize is the sum of those it has, to the byte, and
 * kmemsize, which is charged by the page, fits what is known.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"
#include "lib/limits.h"
#include "lib/thing.h"

#define ID 8600
#define N THING_MORE
#define KB 1024L
/* What CPUs may keep, and tables that grow in steps. */
#define SLACK (128 * KB)

static struct ve ve;

/* A process that has been executed: this program, called so by execve(). */
__attribute__((constructor))
static void stay_if_asked(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], THING_ARG))
		thing_program();
}

/* Bytes of one object of a slab cache. */
static long slab_size(const char *name)
{
	static char text[128 * 1024];
	char want[64], *line;
	long size;

	check(read_file("/proc/slabinfo", text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "\n%s ", name);
	line = strstr(text, want);
	if (!line)
		vz_fail(__FILE__, __LINE__, "no slab cache %s", name);
	check_eq(sscanf(line + strlen(want), "%*u %*u %ld", &size), 1);
	return size;
}

/* Is it in dcachesize?  Inodes of tmpfs cannot be reclaimed, and are not. */
static int is_dcache(const char *name)
{
	return !strcmp(name, "dentry") ||
	       (strstr(name, "inode_cache") && strcmp(name, "shmem_inode_cache"));
}

static const struct thing *thing;

/* Makes things in a child of init, and keeps them. */
static long make_and_stay(long n)
{
	thing->make(1);
	ve_shared[STATE] = 1;
	while (!ve_shared[GO])
		usleep(1000);
	thing->make(n);
	ve_shared[STATE] = 2;
	thing_stay();
	return 0;
}

/* One, which needs what all have in common. */
static void make_first(void)
{
	if (!thing->spawn) {
		check_eq(ve_call(&ve, thing->make, 1), 0);
		return;
	}
	ve_spawn(&ve, make_and_stay, N);
	check_soon(ve.shared[STATE] == 1, 20000);
}

static void make_all(void)
{
	if (!thing->spawn) {
		check_eq(ve_call(&ve, thing->make, N), 0);
		return;
	}
	ve.shared[GO] = 1;
	check_soon(ve.shared[STATE] == 2, 180000);
}

struct held {
	long counter, kmem, dcache, slab[THING_SLABS];
};

static struct held hold(void)
{
	struct held h = { 0 };
	int i;

	if (thing->counter)
		h.counter = ub_settled(ID, thing->counter);
	h.dcache = ub_settled(ID, "dcachesize");
	h.kmem = ub_settled(ID, "kmemsize");
	for (i = 0; i < THING_SLABS && thing->slab[i].name; i++)
		h.slab[i] = bc_slab(ID, thing->slab[i].name);
	return h;
}

static void measure(const struct thing *t)
{
	long kmem, dcache, least = t->known, names = 0;
	struct held before, after;
	int i;

	thing = t;
	ve_start(&ve, ID, NULL);
	make_first();
	before = hold();
	make_all();
	after = hold();
	kmem = after.kmem - before.kmem;
	dcache = after.dcache - before.dcache;
	for (i = 0; i < THING_SLABS && t->slab[i].name; i++) {
		long size = t->slab[i].n * (slab_size(t->slab[i].name) + THING_OWNER);

		least += size;
		if (is_dcache(t->slab[i].name))
			names += size;
	}
	vz_note("objsize: %-12s %6ld bytes, of them %5ld dcachesize, %5ld known",
		t->name, (kmem + N / 2) / N, (dcache + N / 2) / N, least);
	check_eq(after.counter, before.counter + N * t->units);
	for (i = 0; i < THING_SLABS && t->slab[i].name; i++)
		if (after.slab[i] != before.slab[i] + N * t->slab[i].n)
			vz_fail(__FILE__, __LINE__, "%s: %ld, then %ld",
				t->slab[i].name, before.slab[i], after.slab[i]);
	check_eq(dcache, N * names);
	check(kmem >= N * least - SLACK);
	check(kmem <= N * (least + t->more) + SLACK);
	limits_unhurt(ID);
	drive_stop(&ve);
}

static void processes(void)
{
	int i;

	for (i = 0; i < THING_TASKS; i++)
		measure(&things[i]);
}

static void objects(void)
{
	int i;

	for (i = THING_TASKS; i < nthings; i++)
		measure(&things[i]);
}

/* Names of a disk file system cannot be made here: their sizes are shown. */
static void caches(void)
{
	static const char *const name[] = {
		"dentry", "inode_cache", "ext4_inode_cache",
		"shmem_inode_cache", "proc_inode_cache", "task_struct",
		"mm_struct", "vm_area_struct", "filp",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		vz_note("objsize: cache %-18s %5ld bytes", name[i],
			slab_size(name[i]) + THING_OWNER);
	check(slab_size("dentry") < slab_size("ext4_inode_cache"));
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(processes, 400),
	VZ_CASE_SLOW(objects, 400),
	VZ_CASE(caches),
};
VZ_MAIN(cases)
