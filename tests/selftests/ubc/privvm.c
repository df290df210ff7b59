// SPDX-License-Identifier: GPL-2.0
/* privvmpages: private writable address space. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8300
#define PG 4096L
#define N 100
#define RW (PROT_READ | PROT_WRITE)

static char *maps[2 * N];
static int nmaps;

/* Maps @n pages with these protection and flags; keeps them. */
static long map_pages(long n, int prot, int flags)
{
	char *p = mmap(NULL, n * PG, prot, flags, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	maps[nmaps++] = p;
	return 0;
}

static long map_rw(long n)
{
	return map_pages(n, RW, MAP_PRIVATE | MAP_ANONYMOUS);
}

static long map_noreserve(long n)
{
	return map_pages(n, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

static long map_ro(long n)
{
	return map_pages(n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
}

static long map_none(long n)
{
	return map_pages(n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
}

static long map_shared_file(long n)
{
	int fd = check_ok(open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC,
			       0600));
	char *p;

	check_ok(ftruncate(fd, n * PG));
	p = mmap(NULL, n * PG, RW, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? -1 : 0;
}

/* Unmaps the last mapping, which has @n pages. */
static long unmap(long n)
{
	return munmap(maps[--nmaps], n * PG);
}

static long unmap_middle(long unused)
{
	return munmap(maps[nmaps - 1] + 3 * PG, 2 * PG);
}

static long protect_rw(long n)
{
	return mprotect(maps[nmaps - 1], n * PG, RW);
}

static long protect_ro(long n)
{
	return mprotect(maps[nmaps - 1], n * PG, PROT_READ);
}

static long grow(long n)
{
	char *p = mremap(maps[nmaps - 1], PG, n * PG, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		return -1;
	maps[nmaps - 1] = p;
	return 0;
}

static long move_brk(long n)
{
	long now = syscall(SYS_brk, 0);

	return syscall(SYS_brk, now + n * PG) == now + n * PG ? 0 : -1;
}

static struct ve ve;
static unsigned long base;

static void start(void)
{
	ve_start(&ve, ID, NULL);
	/* The first call of each kind may grow init's stack. */
	check_eq(ve_call(&ve, map_rw, 1), 0);
	check_eq(ve_call(&ve, unmap, 1), 0);
	base = ub_held(ID, "privvmpages");
	check(base > 0);
}

static void bounds(unsigned long barrier, unsigned long limit)
{
	check_ok(vz_ubc(ve.fd, 0, UB_PRIVVMPAGES, base + barrier,
			base + limit));
}

static void want(unsigned long more, unsigned long failcnt)
{
	ub_want(ID, "privvmpages", base + more, failcnt);
}

/* mmap(): N pages fit exactly, one more is ENOMEM and one failcnt. */
static void mmap_barrier(void)
{
	unsigned long top;
	int i;

	start();
	/* The fork of init may have been the top until now. */
	top = ub_line(ID, "privvmpages").maxheld;
	vz_note("idle: %lu held, %lu at most", base, top);
	bounds(N, 2 * N);
	for (i = 0; i < N; i++)
		check_eq(ve_call(&ve, map_rw, 1), 0);
	want(N, 0);
	check_err(ve_call(&ve, map_rw, 1), ENOMEM);
	want(N, 1);
	check_eq(ub_line(ID, "privvmpages").maxheld,
		 top > base + N ? top : base + N);
	check_eq(ve_call(&ve, unmap, 1), 0);
	want(N - 1, 1);
	/* One refused request is one failcnt, whatever its size. */
	check_err(ve_call(&ve, map_rw, 50), ENOMEM);
	want(N - 1, 2);
	check_eq(ve_call(&ve, map_rw, 1), 0);
	want(N, 2);
	/* Limits change under way. */
	bounds(N + 5, 2 * N);
	check_eq(ve_call(&ve, map_rw, 5), 0);
	want(N + 5, 2);
	bounds(1, 1);
	check_err(ve_call(&ve, map_rw, 1), ENOMEM);
	want(N + 5, 3);
	drive_stop(&ve);
}

/* A hole in a mapping gives back the pages of the hole. */
static void munmap_part(void)
{
	start();
	check_eq(ve_call(&ve, map_rw, 10), 0);
	want(10, 0);
	check_eq(ve_call(&ve, unmap_middle, 0), 0);
	want(8, 0);
	check_eq(ve_call(&ve, unmap, 10), 0);
	want(0, 0);
	drive_stop(&ve);
}

/* PROT_NONE, read-only and shared file mappings are free; NORESERVE is not. */
static void what_counts(void)
{
	start();
	bounds(N, N);
	check_eq(ve_call(&ve, map_none, 10 * N), 0);
	want(0, 0);
	check_eq(ve_call(&ve, map_ro, 10 * N), 0);
	want(0, 0);
	check_eq(ve_call(&ve, map_shared_file, 10 * N), 0);
	want(0, 0);
	check_eq(ve_call(&ve, map_noreserve, N), 0);
	want(N, 0);
	check_err(ve_call(&ve, map_noreserve, 1), ENOMEM);
	want(N, 1);
	drive_stop(&ve);
}

/* brk(): refused at the barrier, shrinks back. */
static void brk_barrier(void)
{
	start();
	bounds(N, 2 * N);
	check_eq(ve_call(&ve, move_brk, N), 0);
	want(N, 0);
	check_eq(ve_call(&ve, move_brk, 1), -1);
	want(N, 1);
	check_eq(ve_call(&ve, move_brk, -N), 0);
	want(0, 1);
	drive_stop(&ve);
}

/* mremap(): growth is charged, and refused at the barrier. */
static void mremap_barrier(void)
{
	start();
	bounds(N, 2 * N);
	check_eq(ve_call(&ve, map_rw, 1), 0);
	check_err(ve_call(&ve, grow, N + 1), ENOMEM);
	want(1, 1);
	check_eq(ve_call(&ve, grow, N), 0);
	want(N, 1);
	drive_stop(&ve);
}

/* mprotect() to writable is refused at the limit only; back gives back. */
static void mprotect_limit(void)
{
	start();
	check_eq(ve_call(&ve, map_ro, N), 0);
	bounds(0, N - 1);
	check_err(ve_call(&ve, protect_rw, N), ENOMEM);
	want(0, 1);
	bounds(0, N);
	check_eq(ve_call(&ve, protect_rw, N), 0);
	want(N, 1);
	check_eq(ve_call(&ve, protect_ro, N), 0);
	want(0, 1);
	drive_stop(&ve);
}

static long nothing(long unused)
{
	return 0;
}

/* fork() needs room for the whole parent below the barrier. */
static void fork_barrier(void)
{
	start();
	/* Init is the only process: all that is held is its own. */
	bounds(base - 1, UB_MAX - base);
	check_err(ve_fork(&ve, nothing, 0), ENOMEM);
	want(0, 1);
	bounds(base, UB_MAX - base);
	ve_must(&ve, nothing, 0);
	want(0, 1);
	drive_stop(&ve);
}

static long recurse(long depth)
{
	volatile char page[PG];
	long below;

	memset((char *)page, 1, PG);
	ve_shared[0] = depth;
	if (depth == 100000)
		return 0;
	below = recurse(depth + 1);
	return below + page[depth % PG];
}

static long wait_and_recurse(long unused)
{
	ve_shared[1] = 1;
	while (!ve_shared[2])
		usleep(1000);
	return recurse(0);
}

/* The stack grows beyond the barrier; at the limit it is SIGSEGV. */
static void stack_limit(void)
{
	unsigned long failcnt;
	int pid;

	start();
	pid = ve_spawn(&ve, wait_and_recurse, 0);
	check(pid > 1);
	check_soon(ve.shared[1], 5000);
	base = ub_held(ID, "privvmpages");
	bounds(0, N);
	ve.shared[2] = 1;
	check_soon(ub_failcnt(ID, "privvmpages"), 10000);
	failcnt = ub_failcnt(ID, "privvmpages");
	check_eq(failcnt, 1);
	/* What the stack had already is at most its first 132 KiB. */
	check(ve.shared[0] > N - 3);
	check(ve.shared[0] < N + 40);
	check_soon(ub_held(ID, "privvmpages") < base, 5000);
	drive_stop(&ve);
}

/* Processes that end return everything; a stopped VE holds nothing. */
static long map_and_leave(long n)
{
	map_rw(n);
	map_rw(n);
	return 0;
}

static void exit_returns(void)
{
	int i;

	start();
	for (i = 0; i < 20; i++)
		ve_must(&ve, map_and_leave, N);
	want(0, 0);
	check(ub_line(ID, "privvmpages").maxheld >= 2 * base + 2 * N);
	ve_call(&ve, map_rw, N);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(mmap_barrier),
	VZ_CASE(munmap_part),
	VZ_CASE(what_counts),
	VZ_CASE(brk_barrier),
	VZ_CASE(mremap_barrier),
	VZ_CASE(mprotect_limit),
	VZ_CASE(fork_barrier),
	VZ_CASE(stack_limit),
	VZ_CASE(exit_returns),
};
VZ_MAIN(cases)
