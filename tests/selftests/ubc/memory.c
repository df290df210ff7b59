// SPDX-License-Identifier: GPL-2.0
/* physpages and swappages: RAM and swap of a VE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "swapdev.h"

#define ID 8400
#define MB 256L		/* pages */

/* Touches shared[1] MiB in all, as often as that number is raised. */
static long toucher(long unused)
{
	char *p = mmap(NULL, 512L << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long done = 0, page;

	check(p != MAP_FAILED);
	check_ok(madvise(p, 512L << 20, MADV_NOHUGEPAGE) == 0 ||
		 errno == EINVAL ? 0 : -1);
	for (;;) {
		while (done == ve_shared[1])
			usleep(1000);
		for (page = done * MB; page < ve_shared[1] * MB; page++)
			memset(p + page * 4096, page | 1, 4096);
		done = ve_shared[1];
		ve_shared[0] = done;
	}
	return 0;
}

static long spawn_toucher(long unused)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(toucher(0));
	check(pid > 0);
	check_eq(waitpid(pid, &status, 0), pid);
	ve_shared[2] = status;
	ve_shared[3] = 1;
	return 0;
}

static void touch(struct ve *ve, long mb)
{
	ve->shared[1] = mb;
	check_soon(ve->shared[0] == mb, 60000);
}

/* Without limits touched memory is held, and given back at exit. */
static void accounting(void)
{
	unsigned long base, held;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "physpages");
	ve_spawn(&ve, spawn_toucher, 0);
	touch(&ve, 1);
	touch(&ve, 40);
	held = ub_held(ID, "physpages");
	check(held >= base + 40 * MB);
	check(held < base + 44 * MB);
	check_eq(ub_line(ID, "physpages").failcnt, 0);
	check(ub_line(ID, "physpages").maxheld >= base + 40 * MB);
	drive_stop(&ve);
}

static void want_oom(struct ve *ve, long mb)
{
	ve->shared[1] = mb;
	check_soon(ve->shared[3], 60000);
	check_eq(ve->shared[2], SIGKILL);
	/* The victim was the hog, not init. */
	check_eq(ve_state(ve), VZCTL_STATE_RUNNING);
}

/* At physpages.limit without swap: OOM inside, failcnt, others not hurt. */
static void oom_inside(void)
{
	struct ub_line other;
	struct ve ve, b;

	ve_start(&ve, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	ve_spawn(&b, spawn_toucher, 0);
	touch(&b, 20);
	check_ok(vz_ubc(ve.fd, 0, UB_SWAPPAGES, 0, 0));
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0,
			ub_held(ID, "physpages") + 32 * MB));
	ve_spawn(&ve, spawn_toucher, 0);
	touch(&ve, 24);
	check_eq(ub_failcnt(ID, "physpages"), 0);
	want_oom(&ve, 48);
	check(ub_failcnt(ID, "physpages") >= 1);
	check(ub_line(ID, "physpages").maxheld <=
	      ub_line(ID, "physpages").limit);
	other = ub_line(ID + 1, "physpages");
	check_eq(other.failcnt, 0);
	check_eq(b.shared[3], 0);
	touch(&b, 30);
	drive_stop(&ve);
	drive_stop(&b);
}

/* Base+64M RAM, 32M swap: 60 MB fit, 90 MB swap, 120 MB are OOM. */
static void ram_and_swap(void)
{
	struct ub_line phys, swap;
	struct ve ve;

	if (swap_on())
		vz_skip("no swap device can be made (errno %d)", errno);
	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0,
			ub_held(ID, "physpages") + 64 * MB));
	check_ok(vz_ubc(ve.fd, 0, UB_SWAPPAGES, 0, 32 * MB));
	ve_spawn(&ve, spawn_toucher, 0);
	touch(&ve, 60);
	check_eq(ub_held(ID, "swappages"), 0);
	touch(&ve, 90);
	phys = ub_line(ID, "physpages");
	swap = ub_line(ID, "swappages");
	check(phys.held <= phys.limit);
	check(swap.held > 20 * MB && swap.held <= swap.limit);
	check_eq(phys.failcnt, 0);
	check_eq(swap.failcnt, 0);
	want_oom(&ve, 120);
	phys = ub_line(ID, "physpages");
	swap = ub_line(ID, "swappages");
	check(phys.failcnt >= 1);
	check(swap.failcnt >= 1);
	check(swap.maxheld <= swap.limit);
	check_soon(ub_held(ID, "swappages") < 2 * MB, 5000);
	drive_stop(&ve);
	swap_off();
}

/* Lowering physpages.limit below held takes memory back. */
static void lower_live(void)
{
	unsigned long limit;
	struct ve ve;

	if (swap_on())
		vz_skip("no swap device can be made (errno %d)", errno);
	ve_start(&ve, ID, NULL);
	limit = ub_held(ID, "physpages") + 20 * MB;
	ve_spawn(&ve, spawn_toucher, 0);
	touch(&ve, 60);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0, limit));
	check_soon(ub_held(ID, "physpages") <= limit, 20000);
	check(ub_held(ID, "swappages") > 30 * MB);
	check_eq(ve.shared[3], 0);
	check_eq(ub_line(ID, "physpages").limit, limit);
	touch(&ve, 70);
	drive_stop(&ve);
	swap_off();
}

static long write_file_mb(long mb)
{
	int fd = check_ok(open("/tmp/big", O_CREAT | O_WRONLY | O_CLOEXEC,
			       0600));
	static char buf[1 << 20];

	memset(buf, 1, sizeof(buf));
	while (mb--)
		check_eq(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	return 0;
}

static long remove_file(long unused)
{
	return unlink("/tmp/big");
}

/* Files on a tmpfs are memory of the VE, until unlinked. */
static void tmpfs_counts(void)
{
	unsigned long base;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	ve_must(&ve, write_file_mb, 1);
	base = ub_held(ID, "physpages");
	ve_must(&ve, write_file_mb, 16);
	check(ub_held(ID, "physpages") >= base + 15 * MB - MB / 2);
	check_eq(ve_call(&ve, remove_file, 0), 0);
	check_soon(ub_held(ID, "physpages") < base + MB, 5000);
	drive_stop(&ve);
}

/* The cgroup that carries the limits is out of the VE's reach. */
static long raise_own_limit(long unused)
{
	check_eq(open("/sys/fs/cgroup/memory.max", O_WRONLY), -1);
	check(errno == EACCES || errno == EPERM || errno == ENOENT);
	check_eq(open("/sys/fs/cgroup/memory.swap.max", O_WRONLY), -1);
	check(errno == EACCES || errno == EPERM || errno == ENOENT);
	check_err(access("/sys/fs/cgroup/../ct", F_OK), ENOENT);
	return 0;
}

static void limits_are_outside(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0, 64 * MB));
	ve_must(&ve, raise_own_limit, 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(accounting),
	VZ_CASE(oom_inside),
	VZ_CASE(ram_and_swap),
	VZ_CASE(lower_live),
	VZ_CASE(tmpfs_counts),
	VZ_CASE(limits_are_outside),
};
VZ_MAIN(cases)
