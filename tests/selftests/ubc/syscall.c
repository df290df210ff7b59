// SPDX-License-Identifier: GPL-2.0
/* getluid, setluid, setublimit, ubstat: results and errors, 64-bit and 32-bit. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8800
#define RESOURCES 25

enum { GETLUID = 500, SETLUID, SETUBLIMIT, UBSTAT };
enum { READ_ONE = 0x10000, READ_ALL = 0x20000, READ_FULL = 0x30000,
	UBLIST = 0x40000, UBPARMNUM = 0x50000, GETTIME = 0x60000 };

static long getluid(void)
{
	return syscall(GETLUID);
}

static long setluid(unsigned int id)
{
	return syscall(SETLUID, id);
}

static long setublimit(unsigned int id, unsigned long res, unsigned long bar,
		       unsigned long lim)
{
	unsigned long limits[2] = { bar, lim };

	return syscall(SETUBLIMIT, id, res, limits);
}

static long ubstat(int func, unsigned long id, void *buf, long size)
{
	return syscall(UBSTAT, func, id, 0, buf, size);
}

/* A child gets a UB of its own, which is gone when the child is. */
static void luid(void)
{
	int status, go[2];
	pid_t pid;

	check_eq(getluid(), 0);
	check_err(setluid(-1), EINVAL);
	check_ok(pipe2(go, O_CLOEXEC));
	pid = check_ok(fork());
	if (!pid) {
		char c;

		close(go[1]);
		if (setluid(ID) || getluid() != ID)
			_exit(1);
		if (fork() == 0)
			_exit(getluid() == ID ? 0 : 2);
		wait(&status);
		if (!exited(status, 0))
			_exit(3);
		read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	check_soon(ub_dirs(ID), 5000);
	check_soon(ub_held(ID, "numproc") == 1, 5000);
	close(go[1]);
	check_eq(waitpid(pid, &status, 0), pid);
	check(exited(status, 0));
	check_soon(!ub_dirs(ID), 20000);
}

static void ublimit(void)
{
	struct ub_line l;
	struct ve ve;

	check_err(setublimit(ID, UB_NUMFILE, 1, 1), ENOENT);
	ve_start(&ve, ID, NULL);
	check_eq(setublimit(ID, UB_NUMFILE, 1234, 5678), 0);
	l = ub_line(ID, "numfile");
	check_eq(l.barrier, 1234);
	check_eq(l.limit, 5678);
	check_err(setublimit(ID, RESOURCES, 1, 1), EINVAL);
	check_err(setublimit(ID, UB_NUMFILE, UB_MAX + 1, 1), EINVAL);
	check_err(syscall(SETUBLIMIT, ID, UB_NUMFILE, 8), EFAULT);
	drive_stop(&ve);
}

static void stat_calls(void)
{
	unsigned long buf[2 + RESOURCES * 8], n;
	struct ub_line l;
	struct ve ve;

	check_eq(ubstat(UBPARMNUM, 0, NULL, 0), RESOURCES);
	check_err(ubstat(0x70000, 0, buf, sizeof(buf)), EINVAL);
	check_err(ubstat(READ_ONE | UB_NUMPROC, ID, buf, sizeof(buf)), ESRCH);
	ve_start(&ve, ID, NULL);
	n = ubstat(UBLIST, 0, buf, sizeof(buf));
	check(n >= 2);
	check_eq(buf[0], ID);
	check_eq(buf[n - 1], 0);
	check_eq(ubstat(UBLIST, 0, buf, sizeof(long)), 1);
	check_eq(ubstat(READ_FULL, ID, buf, sizeof(buf)), 0);
	l = ub_line(ID, "numproc");
	check_eq(buf[2 + UB_NUMPROC * 8 + 0], l.barrier);
	check_eq(buf[2 + UB_NUMPROC * 8 + 1], l.limit);
	check_eq(buf[2 + UB_NUMPROC * 8 + 2], l.held);
	check_eq(buf[2 + UB_NUMPROC * 8 + 3], l.maxheld);
	check_eq(buf[2 + UB_NUMPROC * 8 + 5], l.failcnt);
	check_eq(ubstat(READ_ALL, ID, buf, sizeof(buf)), 0);
	check_eq(buf[2 + UB_NUMPROC * 2], l.maxheld);
	check_eq(ubstat(READ_ONE | UB_NUMPROC, ID, buf, 4 * sizeof(long)), 0);
	check_eq(buf[2], l.maxheld);
	check_err(ubstat(READ_ALL, ID, buf, 4 * sizeof(long)), EINVAL);
	/* An id has 32 bits: this is not the same one. */
	check_err(ubstat(READ_FULL, ID + (1UL << 32), buf, sizeof(buf)), ESRCH);
	drive_stop(&ve);
}

/* The same as a 32-bit program has them: pointers and longs of 4 bytes. */
enum { GETLUID32 = 510, SETLUID32, SETUBLIMIT32, UBSTAT32 };
#define MAX32 0x7fffffffU
#define WORDS (2 + RESOURCES * 8)

static uint32_t *low;	/* WORDS and some more below 4 GiB */

static long int80(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d,
		  uint32_t e)
{
	long ret;
	int r;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"((long)nr), "b"((long)a), "c"((long)b), "d"((long)c),
		       "S"((long)d), "D"((long)e)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	r = ret;
	if (r < 0 && r > -4096) {
		errno = -r;
		return -1;
	}
	return r;
}

static long setublimit32(uint32_t id, uint32_t res, uint32_t bar, uint32_t lim)
{
	low[0] = bar;
	low[1] = lim;
	return int80(SETUBLIMIT32, id, res, (uintptr_t)low, 0, 0);
}

static long ubstat32(uint32_t func, uint32_t id, uint32_t size)
{
	memset(low, 0xee, 2 * WORDS * sizeof(*low));
	return int80(UBSTAT32, func, id, 0, (uintptr_t)low, size);
}

static void low_memory(void)
{
	low = mmap(NULL, 2 * WORDS * sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	check(low != MAP_FAILED);
}

static void luid32(void)
{
	int status;
	pid_t pid;

	check_eq(int80(GETLUID32, 0, 0, 0, 0, 0), 0);
	check_err(int80(SETLUID32, -1, 0, 0, 0, 0), EINVAL);
	pid = check_ok(fork());
	if (!pid)
		_exit(int80(SETLUID32, ID, 0, 0, 0, 0) || getluid() != ID ||
		      int80(GETLUID32, 0, 0, 0, 0, 0) != ID);
	check_eq(waitpid(pid, &status, 0), pid);
	check(exited(status, 0));
	check_soon(!ub_dirs(ID), 20000);
}

static void ublimit32(void)
{
	struct ub_line l;
	struct ve ve;

	low_memory();
	check_err(setublimit32(ID, UB_NUMFILE, 1, 1), ENOENT);
	ve_start(&ve, ID, NULL);
	/* Its LONG_MAX is no bound; one less is one. */
	check_eq(setublimit32(ID, UB_NUMFILE, 1234, MAX32), 0);
	l = ub_line(ID, "numfile");
	check_eq(l.barrier, 1234);
	check_eq(l.limit, UB_MAX);
	check_eq(setublimit32(ID, UB_NUMFILE, MAX32, MAX32 - 1), 0);
	l = ub_line(ID, "numfile");
	check_eq(l.barrier, UB_MAX);
	check_eq(l.limit, MAX32 - 1);
	check_err(setublimit32(ID, UB_NUMFILE, MAX32 + 1, 1), EINVAL);
	check_err(setublimit32(ID, UB_NUMFILE, 1, UINT32_MAX), EINVAL);
	check_err(setublimit32(ID, RESOURCES, 1, 1), EINVAL);
	check_err(int80(SETUBLIMIT32, ID, UB_NUMFILE, 8, 0, 0), EFAULT);
	check_eq(ub_line(ID, "numfile").limit, MAX32 - 1);
	/* To a 64-bit program that is a number like any other. */
	check_eq(setublimit(ID, UB_NUMFILE, MAX32, MAX32), 0);
	check_eq(ub_line(ID, "numfile").limit, MAX32);
	drive_stop(&ve);
}

static void stat_calls32(void)
{
	uint32_t *row;
	struct ub_line l;
	struct ve ve;
	long n;

	low_memory();
	check_eq(ubstat32(UBPARMNUM, 0, 0), RESOURCES);
	check_err(ubstat32(0x70000, 0, WORDS * 4), EINVAL);
	check_err(ubstat32(READ_ONE | UB_NUMPROC, ID, WORDS * 4), ESRCH);
	ve_start(&ve, ID, NULL);
	n = ubstat32(UBLIST, 0, WORDS * 4);
	check(n >= 2);
	check_eq(low[0], ID);
	check_eq(low[n - 1], 0);
	check_eq(low[n], 0xeeeeeeee);
	check_eq(ubstat32(UBLIST, 0, 4), 1);
	check_eq(low[1], 0xeeeeeeee);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPROC, 100, UB_MAX));
	check_eq(ubstat32(READ_FULL, ID, WORDS * 4), 0);
	l = ub_line(ID, "numproc");
	row = low + 2 + UB_NUMPROC * 8;
	check_eq(row[0], 100);
	check_eq(row[1], MAX32);
	check_eq(row[2], l.held);
	check_eq(row[3], l.maxheld);
	check_eq(row[5], l.failcnt);
	check_eq(low[WORDS], 0xeeeeeeee);
	check_eq(ubstat32(READ_ONE | UB_NUMPROC, ID, 16), 0);
	check_eq(low[2], l.maxheld);
	check_eq(low[3], l.failcnt);
	check_eq(low[4], 0xeeeeeeee);
	check_err(ubstat32(READ_ONE | UB_NUMPROC, ID, 12), EINVAL);
	check_err(ubstat32(READ_ONE | UB_NUMPROC, ID, 18), EINVAL);
	check_err(ubstat32(READ_ONE | UB_NUMPROC, ID, -16), EINVAL);
	check_eq(ubstat32(GETTIME, 0, 4), 0);
	check(low[0] > 0 && low[0] < 1000000);
	drive_stop(&ve);
}

static long inside(long unused)
{
	unsigned long buf[8];

	if (getluid() != ID)
		return 1;
	if (setluid(ID + 1) != -1 || errno != EPERM)
		return 2;
	if (setublimit(ID, UB_NUMFILE, 1, 1) != -1 || errno != EPERM)
		return 3;
	if (ubstat(UBLIST, 0, buf, sizeof(buf)) != -1 || errno != EPERM)
		return 4;
	low_memory();
	if (int80(GETLUID32, 0, 0, 0, 0, 0) != ID)
		return 5;
	if (int80(SETLUID32, ID + 1, 0, 0, 0, 0) != -1 || errno != EPERM)
		return 6;
	if (setublimit32(ID, UB_NUMFILE, 1, 1) != -1 || errno != EPERM)
		return 7;
	if (ubstat32(UBLIST, 0, WORDS * 4) != -1 || errno != EPERM)
		return 8;
	return 0;
}

/* Root of a VE may ask for its id, and nothing else. */
static void in_ve(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, inside, 0), 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(luid),
	VZ_CASE(ublimit),
	VZ_CASE(stat_calls),
	VZ_CASE(luid32),
	VZ_CASE(ublimit32),
	VZ_CASE(stat_calls32),
	VZ_CASE(in_ve),
};
VZ_MAIN(cases)
