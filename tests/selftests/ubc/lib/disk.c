// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk.h"
#include "ktap.h"

static long control(unsigned int cmd, long arg)
{
	int ctl = check_ok(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	long ret = ioctl(ctl, cmd, arg);

	close(ctl);
	return ret;
}

static int disk_at(int nr, long size)
{
	struct loop_config cfg = { 0 };
	char path[32];
	int fd;

	cfg.fd = check_ok(memfd_create("disk", MFD_CLOEXEC));
	/* Now, or whoever writes to the disk would pay for it. */
	check_ok(fallocate(cfg.fd, 0, 0, size));
	cfg.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	fd = check_ok(open(path, O_RDWR | O_CLOEXEC));
	check_ok(ioctl(fd, LOOP_CONFIGURE, &cfg));
	close(cfg.fd);
	check_ok(ioctl(fd, BLKFLSBUF, 0));
	return fd;
}

int disk_new(long size)
{
	return disk_at(check_ok(control(LOOP_CTL_GET_FREE, 0)), size);
}

int disk_fresh(long size)
{
	return disk_at(check_ok(control(LOOP_CTL_ADD, -1)), size);
}

void disk_free(int fd)
{
	struct stat st;

	check_ok(fstat(fd, &st));
	close(fd);
	check_soon(control(LOOP_CTL_REMOVE, minor(st.st_rdev)) >= 0, 5000);
}
