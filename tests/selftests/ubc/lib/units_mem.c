// SPDX-License-Identifier: GPL-2.0
/* Address space. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "units.h"

#define PG 4096L
#define CHUNK (16 * PG)
#define LOCKS 256
#define RW (PROT_READ | PROT_WRITE)

static void *maps[UNITS_MAX];
static long sizes[UNITS_MAX];
static int nmaps;

static long keep(long size, int flags)
{
	void *p = mmap(NULL, size, RW, flags, -1, 0);
	int slot;

	if (p == MAP_FAILED)
		return -1;
	slot = __atomic_fetch_add(&nmaps, 1, __ATOMIC_SEQ_CST);
	if (slot >= UNITS_MAX) {
		munmap(p, size);
		errno = EOVERFLOW;
		return -1;
	}
	maps[slot] = p;
	sizes[slot] = size;
	return 0;
}

static long unmap_kept(void)
{
	long ret = 0;

	if (nmaps > UNITS_MAX)
		nmaps = UNITS_MAX;
	while (nmaps) {
		nmaps--;
		ret |= munmap(maps[nmaps], sizes[nmaps]);
	}
	return ret;
}

static long one_mapping(long on)
{
	return on ? keep(CHUNK, MAP_PRIVATE | MAP_ANONYMOUS) : unmap_kept();
}

static long one_shared(long on)
{
	return on ? keep(CHUNK, MAP_SHARED | MAP_ANONYMOUS) : unmap_kept();
}

/* One page locked, between two that are not. */
static long one_locked(long on)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	static char *pages;
	static long nlocked;

	if (!pages) {
		setrlimit(RLIMIT_MEMLOCK, &all);
		pages = mmap(NULL, 2 * LOCKS * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED) {
			pages = NULL;
			return -1;
		}
	}
	if (!on) {
		nlocked = 0;
		return munlock(pages, 2 * LOCKS * PG);
	}
	if (nlocked == LOCKS) {
		errno = EOVERFLOW;
		return -1;
	}
	if (mlock(pages + 2 * nlocked * PG, PG))
		return -1;
	nlocked++;
	return 0;
}

const struct unit unit_privvmpages = {
	"privvmpages", UB_PRIVVMPAGES, one_mapping, ENOMEM, CHUNK / PG };
const struct unit unit_shmpages = {
	"shmpages", UB_SHMPAGES, one_shared, ENOMEM, CHUNK / PG };
const struct unit unit_lockedpages = {
	"lockedpages", UB_LOCKEDPAGES, one_locked, ENOMEM, 1 };

const struct unit *const all_units[] = {
	&unit_numproc, &unit_numfile, &unit_numtcpsock, &unit_numothersock,
	&unit_numflock, &unit_numpty, &unit_numsiginfo, &unit_numiptent,
	&unit_lockedpages, &unit_privvmpages, &unit_shmpages, NULL,
};
