// SPDX-License-Identifier: GPL-2.0
/* A swap device for tests: a loop device on memory that is not swapped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <unistd.h>

#include "ktap.h"
#include "swapdev.h"
#include "ve.h"

#define SIZE (160L << 20)

static char device[32], dir[128];

/* The header mkswap writes. */
static void write_header(int fd)
{
	static struct {
		char boot[1024];
		unsigned int version, last_page, bad_pages;
		char pad[4096 - 1024 - 12 - 10];
		char magic[10];
	} __attribute__((packed)) h;

	h.version = 1;
	h.last_page = SIZE / 4096 - 1;
	memcpy(h.magic, "SWAPSPACE2", 10);
	check_eq(pwrite(fd, &h, sizeof(h), 0), 4096);
}

int swap_on(void)
{
	char text[4096], file[160];
	struct loop_config cfg;
	int fd, ctl, nr;

	/* The node's own swap will do. */
	if (read_file("/proc/swaps", text, sizeof(text)) > 0 &&
	    strchr(text, '\n') != text + strlen(text) - 1)
		return 0;
	snprintf(dir, sizeof(dir), "%s/swap", test_dir());
	make_dir(dir);
	if (mount("swap", dir, "tmpfs", 0, "noswap,size=170m"))
		return -1;
	snprintf(file, sizeof(file), "%s/file", dir);
	fd = check_ok(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	check_ok(fallocate(fd, 0, 0, SIZE));
	write_header(fd);
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	nr = ctl < 0 ? -1 : ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	snprintf(device, sizeof(device), "/dev/loop%d", nr);
	memset(&cfg, 0, sizeof(cfg));
	cfg.fd = fd;
	cfg.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	ctl = nr < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
	nr = ctl < 0 ? -1 : ioctl(ctl, LOOP_CONFIGURE, &cfg);
	close(fd);
	if (nr >= 0)
		nr = swapon(device, 0);
	close(ctl);
	if (nr < 0)
		umount2(dir, MNT_DETACH);
	return nr;
}

void swap_off(void)
{
	if (!device[0])
		return;
	check_ok(swapoff(device));
	/* The loop device lets go of its file a moment after the last close. */
	check_soon(!umount(dir), 5000);
}
