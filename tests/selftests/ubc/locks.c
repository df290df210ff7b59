// SPDX-License-Identifier: GPL-2.0
/* numflock: POSIX locks, flock and leases. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8400

static int file = -1;
static long next_byte;

static int lock_file(void)
{
	if (file < 0)
		file = check_ok(open("/tmp/locks", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return file;
}

static long range(int cmd, int type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = start, .l_len = len };

	return fcntl(lock_file(), cmd, &fl);
}

/* One lock more, on a byte that touches no other. */
static long posix_lock(long on)
{
	if (!on) {
		next_byte = 0;
		return range(F_SETLK, F_UNLCK, 0, 0);
	}
	if (range(F_SETLK, F_WRLCK, next_byte, 1))
		return -1;
	next_byte += 2;
	return 0;
}

/* Keeps the descriptor of a lock that was granted. */
static long granted(int fd, int ret)
{
	int err = errno;

	if (!ret)
		return keep_fd(fd);
	close(fd);
	errno = err;
	return -1;
}

static long bsd_lock(long on)
{
	int fd;

	if (!on)
		return close_kept();
	fd = check_ok(open("/tmp/flock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return granted(fd, flock(fd, LOCK_SH));
}

static long lease(long on)
{
	static int n;
	char name[32];
	int fd;

	if (!on)
		return close_kept();
	snprintf(name, sizeof(name), "/tmp/lease%d", n++);
	close(check_ok(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
	fd = check_ok(open(name, O_RDONLY | O_CLOEXEC));
	return granted(fd, fcntl(fd, F_SETLEASE, F_RDLCK));
}

static const struct unit numflock_posix = {
	"numflock", UB_NUMFLOCK, posix_lock, ENOLCK, 1 };
static const struct unit numflock_bsd = {
	"numflock", UB_NUMFLOCK, bsd_lock, ENOMEM, 1 };
static const struct unit numflock_lease = {
	"numflock", UB_NUMFLOCK, lease, ENOMEM, 1 };

static void numflock_posix_bounds(void)
{
	drive_hard(ID, &numflock_posix);
}

static void numflock_bsd_bounds(void)
{
	drive_hard(ID, &numflock_bsd);
}

static void numflock_lease_bounds(void)
{
	drive_hard(ID, &numflock_lease);
}

static long lock_long(long len)
{
	return range(F_SETLK, F_WRLCK, 0, len);
}

static long downgrade(long len)
{
	return range(F_SETLK, F_RDLCK, 0, len);
}

static long downgrade_middle(long at)
{
	return range(F_SETLK, F_RDLCK, at, 1);
}

static long unlock_at(long at)
{
	return range(F_SETLK, F_UNLCK, at, 1);
}

/*
 * Merging and changing the type need no record; a split does: refused at the
 * barrier for a new lock, at the limit for an unlock.
 */
static void numflock_split(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, lock_long, 100), 0);
	ub_want(ID, "numflock", 1, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFLOCK, 1, 2));
	check_eq(ve_call(&ve, lock_long, 200), 0);
	check_eq(ve_call(&ve, downgrade, 200), 0);
	check_eq(ve_call(&ve, lock_long, 200), 0);
	ub_want(ID, "numflock", 1, 0);
	/* Two more records would be needed. */
	check_err(ve_call(&ve, downgrade_middle, 50), ENOLCK);
	ub_want(ID, "numflock", 1, 1);
	check_eq(ve_call(&ve, unlock_at, 50), 0);
	ub_want(ID, "numflock", 2, 1);
	check_err(ve_call(&ve, unlock_at, 100), ENOLCK);
	ub_want(ID, "numflock", 2, 2);
	check_eq(ve_call(&ve, posix_lock, 0), 0);
	ub_want(ID, "numflock", 0, 2);
	drive_stop(&ve);
}

/* LOCK_SH to LOCK_EX of the same file description keeps its record. */
static long flip_flock(long op)
{
	static int fd = -1;

	if (fd < 0)
		fd = check_ok(open("/tmp/flock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return flock(fd, op);
}

static void numflock_convert(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, flip_flock, LOCK_SH), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFLOCK, 1, 1));
	check_eq(ve_call(&ve, flip_flock, LOCK_EX), 0);
	check_eq(ve_call(&ve, flip_flock, LOCK_SH), 0);
	ub_want(ID, "numflock", 1, 0);
	check_eq(ve_call(&ve, flip_flock, LOCK_UN), 0);
	ub_want(ID, "numflock", 0, 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(numflock_posix_bounds),
	VZ_CASE(numflock_bsd_bounds),
	VZ_CASE(numflock_lease_bounds),
	VZ_CASE(numflock_split),
	VZ_CASE(numflock_convert),
};
VZ_MAIN(cases)
