// SPDX-License-Identifier: GPL-2.0
/* When a VE is reported stopped its file system can be unmounted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7600

static char top[64], root[128];

static long busy(long unused)
{
	int i;

	/* Open files, a current directory and a mapping of the tree. */
	for (i = 0; i < 8; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/tmp/file%d", i);
		check_ok(open(name, O_CREAT | O_RDWR, 0600));
	}
	check_ok(chdir("/tmp"));
	ve_shared[0]++;
	for (;;)
		pause();
}

/*
 * The private area as upper layer of an overlay: with index=on the kernel
 * refuses (EBUSY) a second superblock on it, so mounting again proves that
 * the first one is really gone and not only detached.
 */
static int mount_root(void)
{
	char opts[512];

	snprintf(opts, sizeof(opts),
		 "index=on,lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 top, top, top);
	return mount("root", root, "overlay", 0, opts);
}

static void make_tree(void)
{
	static const char *const dirs[] = { "lower", "upper", "work", "root" };
	char path[128];
	int i;

	snprintf(top, sizeof(top), "%s/umount", test_dir());
	make_dir(top);
	check_ok(mount("private", top, "tmpfs", 0, "mode=755"));
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, dirs[i]);
		make_dir(path);
	}
	/* Root of the VE may write there. */
	snprintf(path, sizeof(path), "%s/upper", top);
	check_ok(chown(path, vz_base(ID), vz_base(ID)));
	snprintf(root, sizeof(root), "%s/root", top);
}

/* umount and a new mount at once after POLLHUP: never EBUSY. */
static void after_hangup(void)
{
	struct ve_opts opts = { .root = root };
	long n = vz_scaled(1000), i;
	struct ve ve;

	make_tree();
	if (mount_root()) {
		check_ok(umount(top));
		vz_skip("no overlay with index here (errno %d)", errno);
	}
	check_err(mount_root(), EBUSY);
	for (i = 0; i < n; i++) {
		ve_start(&ve, ID, &opts);
		ve_spawn(&ve, busy, 0);
		check_soon(ve.shared[0], 5000);
		check_ok(vz_kill(ve.fd, SIGKILL));
		ve_wait_dead(&ve, 20000, NULL);
		check_ok(umount(root));
		check_ok(mount_root());
		ve_close(&ve);
	}
	check_ok(umount(root));
	check_ok(umount(top));
}

/* The same when told by the stop event, with no VE descriptor open. */
static void after_event(void)
{
	struct ve_opts opts = { .root = root };
	long n = vz_scaled(200), i;
	int ev = uevent_socket();
	struct ve ve;

	make_tree();
	if (mount_root()) {
		check_ok(umount(top));
		vz_skip("no overlay with index here (errno %d)", errno);
	}
	for (i = 0; i < n; i++) {
		ve_start(&ve, ID, &opts);
		ve_spawn(&ve, busy, 0);
		check_soon(ve.shared[0], 5000);
		check_ok(vz_kill(ve.fd, SIGKILL));
		ve_close(&ve);
		check_ok(uevent_wait(ev, "stop", ID, 20000));
		check_ok(umount(root));
		check_ok(mount_root());
	}
	check_ok(umount(root));
	check_ok(umount(top));
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(after_hangup, 2400),
	VZ_CASE_SLOW(after_event, 1200),
};
VZ_MAIN(cases)
