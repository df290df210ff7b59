// SPDX-License-Identifier: GPL-2.0
/* lockedpages: mlock(), mlockall() and SHM_LOCK. */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8400
#define PG 4096L
#define SLOTS 64
#define SEGMENTS 64

static int segment[SEGMENTS], nsegments;
static char *pages;
static long nlocked;

static void unlimited(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
}

static long lock_page(long on)
{
	if (!pages) {
		unlimited();
		pages = mmap(NULL, 2 * SLOTS * PG, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(pages != MAP_FAILED);
	}
	if (!on) {
		munlock(pages, 2 * SLOTS * PG);
		nlocked = 0;
		return 0;
	}
	/* Every other page, so that no two are neighbours. */
	if (mlock(pages + 2 * nlocked * PG, PG))
		return -1;
	nlocked++;
	return 0;
}

static long lock_segment(long on)
{
	int id;

	if (!on) {
		while (nsegments)
			shmctl(segment[--nsegments], IPC_RMID, NULL);
		return 0;
	}
	unlimited();
	id = check_ok(shmget(IPC_PRIVATE, 3 * PG, 0600));
	if (shmctl(id, SHM_LOCK, NULL)) {
		int err = errno;

		shmctl(id, IPC_RMID, NULL);
		errno = err;
		return -1;
	}
	segment[nsegments++] = id;
	return 0;
}

static const struct unit lockedpages_mlock = {
	"lockedpages", UB_LOCKEDPAGES, lock_page, ENOMEM, 1 };
static const struct unit lockedpages_shm = {
	"lockedpages", UB_LOCKEDPAGES, lock_segment, ENOMEM, 3 };

static void lockedpages_mlock_bounds(void)
{
	drive_hard(ID, &lockedpages_mlock);
}

static void lockedpages_shm_bounds(void)
{
	drive_hard(ID, &lockedpages_shm);
}

static long lock_future(long unused)
{
	unlimited();
	return mlockall(MCL_FUTURE);
}

static long map_page(long n)
{
	void *p = mmap(NULL, n * PG, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long nothing(long unused)
{
	return 0;
}

/* mlockall(MCL_FUTURE): mmap() is refused; a child has no locks. */
static void lockedpages_future(void)
{
	unsigned long base;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "lockedpages");
	check_eq(base, 0);
	check_eq(ve_call(&ve, lock_future, 0), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_LOCKEDPAGES, 10, 10));
	check_eq(ve_call(&ve, map_page, 10), 0);
	ub_want(ID, "lockedpages", 10, 0);
	check_err(ve_call(&ve, map_page, 1), ENOMEM);
	ub_want(ID, "lockedpages", 10, 1);
	ve_must(&ve, nothing, 0);
	ub_want(ID, "lockedpages", 10, 1);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(lockedpages_mlock_bounds),
	VZ_CASE(lockedpages_shm_bounds),
	VZ_CASE(lockedpages_future),
};
VZ_MAIN(cases)
