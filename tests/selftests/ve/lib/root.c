// SPDX-License-Identifier: GPL-2.0
/* The root tree of a minimal VE: a tmpfs with /proc, /dev, /sys, /tmp. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "ktap.h"

static void bind_device(const char *name)
{
	char src[32], dst[32];

	snprintf(src, sizeof(src), "/dev/%s", name);
	snprintf(dst, sizeof(dst), "dev/%s", name);
	close(check_ok(open(dst, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	check_ok(mount(src, dst, NULL, MS_BIND, NULL));
}

/*
 * Makes "." the root.  An initramfs is a root that cannot be pivoted away
 * from everywhere: there the new root is moved over it.
 */
static void change_root(void)
{
	if (!syscall(SYS_pivot_root, ".", ".")) {
		check_ok(umount2(".", MNT_DETACH));
	} else {
		check_eq(errno, EINVAL);
		check_ok(mount(".", "/", NULL, MS_MOVE, NULL));
		check_ok(chroot("."));
	}
	check_ok(chdir("/"));
}

void root_build(const char *root)
{
	static const char *const dirs[] = { "proc", "dev", "dev/pts", "dev/shm",
		"sys", "sys/fs", "sys/fs/cgroup", "tmp", "run" };
	static const char *const devices[] = { "null", "zero", "full",
		"random", "urandom", "tty" };
	size_t i;

	check_ok(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
	if (!root) {
		root = "/tmp/vztest";
		check_ok(mount("root", root, "tmpfs", 0, "mode=755"));
	} else {
		check_ok(mount(root, root, NULL, MS_BIND | MS_REC, NULL));
	}
	check_ok(chdir(root));
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		check(!mkdir(dirs[i], 0755) || errno == EEXIST);
	check_ok(chmod("tmp", 01777));
	check_ok(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		       NULL));
	check_ok(mount("dev", "dev", "tmpfs", MS_NOSUID, "mode=755"));
	check_ok(mkdir("dev/pts", 0755));
	check_ok(mkdir("dev/shm", 01777));
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		bind_device(devices[i]);
	check_ok(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		       "newinstance,ptmxmode=0666,mode=620"));
	check_ok(symlink("pts/ptmx", "dev/ptmx"));
	check_ok(mount("cgroup2", "sys/fs/cgroup", "cgroup2",
		       MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	umask(022);
	change_root();
}
