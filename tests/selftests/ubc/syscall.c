// SPDX-License-Identifier: GPL-2.0
/* getluid, setluid, setublimit, ubstat: results and errors. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
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
	VZ_CASE(in_ve),
};
VZ_MAIN(cases)
