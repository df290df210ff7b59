// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk.h"
#include "ktap.h"

int disk_new(long size)
{
	struct loop_config cfg = { 0 };
	char path[32];
	int ctl, fd;

	cfg.fd = check_ok(memfd_create("disk", MFD_CLOEXEC));
	check_ok(ftruncate(cfg.fd, size));
	cfg.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	ctl = check_ok(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	snprintf(path, sizeof(path), "/dev/loop%d",
		 check_ok(ioctl(ctl, LOOP_CTL_GET_FREE)));
	close(ctl);
	fd = check_ok(open(path, O_RDWR | O_CLOEXEC));
	check_ok(ioctl(fd, LOOP_CONFIGURE, &cfg));
	close(cfg.fd);
	check_ok(ioctl(fd, BLKFLSBUF, 0));
	return fd;
}
