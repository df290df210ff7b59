// SPDX-License-Identifier: GPL-2.0
/* dcachesize: names and inodes, exact to the byte. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/kmsg.h"

#define ID 8500
#define FIRST_FD 100
#define FDS 300
#define LINKS 200
#define HOGS 10

static struct ve ve;

/* Makes the kernel cache the names and inodes of FDS files of /proc. */
static long look(long nr)
{
	int fd = check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));
	struct stat st;
	char path[32];
	int i;

	for (i = FIRST_FD; i < FIRST_FD + FDS; i++) {
		check_eq(dup2(fd, i), i);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
		check_ok(lstat(path, &st));
	}
	ve_shared[0] = nr;
	for (;;)
		pause();
	return 0;
}

/* What nobody uses gives way: nothing is refused at the limit. */
static void dcache_unused(void)
{
	unsigned long base, cost;
	struct ub_line l;
	int i;

	ve_start(&ve, ID, NULL);
	base = ub_settled(ID, "dcachesize");
	ve_spawn(&ve, look, 1);
	check_soon(ve.shared[0] == 1, 20000);
	cost = ub_held(ID, "dcachesize") - base;
	vz_note("%d files cost %lu bytes", FDS, cost);
	check(cost > FDS * 500UL);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, base + 2 * cost));
	for (i = 2; i <= HOGS; i++) {
		ve_spawn(&ve, look, i);
		check_soon(ve.shared[0] == i, 60000);
		l = ub_line(ID, "dcachesize");
		check(l.held <= l.limit);
	}
	l = ub_line(ID, "dcachesize");
	check_eq(l.failcnt, 0);
	check(l.maxheld <= l.limit);
	drive_stop(&ve);
}

static int links;

/* A link on tmpfs is one dentry, which nothing frees but unlink(). */
static long one_link(long on)
{
	char path[32];

	if (!on) {
		while (links) {
			snprintf(path, sizeof(path), "/tmp/l%d", --links);
			check_ok(unlink(path));
		}
		return 0;
	}
	snprintf(path, sizeof(path), "/tmp/l%d", links);
	if (link("/tmp/file", path))
		return -1;
	links++;
	return 0;
}

static long make_file(long unused)
{
	return close(check_ok(open("/tmp/file", O_CREAT | O_CLOEXEC, 0600)));
}

static void many_links(int n)
{
	while (n--)
		check_eq(ve_call(&ve, one_link, 1), 0);
}

/* What is in use is refused at the limit, exactly; the barrier is no bound. */
static void dcache_pinned(void)
{
	unsigned long base, cost, full;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, make_file, 0), 0);
	many_links(1);
	check_eq(ve_call(&ve, one_link, 0), 0);
	/* This frees all that is not in use. */
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, 0));
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	base = ub_settled(ID, "dcachesize");
	ub_want(ID, "dcachesize", base, 1);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, UB_MAX));
	many_links(1);
	cost = ub_held(ID, "dcachesize") - base;
	check(cost >= 128 && cost < 1024);
	full = base + LINKS * cost;
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full));
	many_links(LINKS - 1);
	ub_want(ID, "dcachesize", full, 1);
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	ub_want(ID, "dcachesize", full, 3);

	/* Raised while full, by a byte less and by as much as it takes. */
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full + cost - 1));
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	ub_want(ID, "dcachesize", full, 4);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full + cost));
	many_links(1);
	ub_want(ID, "dcachesize", full + cost, 4);

	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, UB_MAX));
	check_eq(ve_call(&ve, one_link, 0), 0);
	ub_want(ID, "dcachesize", base, 4);
	drive_stop(&ve);
}

static long mount_ramfs(long unused)
{
	return mount("none", "/tmp", "ramfs", 0, NULL);
}

/*
 * Objects that outlive their VE keep neither its UB nor a charge.  In ramfs,
 * because an inode of tmpfs does keep its UB: it may be charged shmpages.
 */
static void outlives(void)
{
	int fd, log = kmsg_open();
	struct stat st;
	char path[64];

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, mount_ramfs, 0), 0);
	check_eq(ve_call(&ve, make_file, 0), 0);
	many_links(LINKS);
	snprintf(path, sizeof(path), "/proc/%d/root/tmp", ve.init);
	fd = check_ok(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	check(ub_held(ID, "dcachesize") > LINKS * 128UL);
	drive_stop(&ve);
	check_ok(fstatat(fd, "l0", &st, 0));

	/* The next one of that id has nothing to do with them. */
	ve_start(&ve, ID, NULL);
	check_eq(close(fd), 0);
	usleep(500000);
	check(ub_held(ID, "dcachesize") > 0);
	check(ub_held(ID, "kmemsize") > 0);
	drive_stop(&ve);
	kmsg_without(log, "uncharge of");
}

/* A pipe full of pages, left open. */
static long fill_pipe(long unused)
{
	static char buf[65536];
	int fds[2];

	check_ok(pipe2(fds, O_CLOEXEC));
	return write(fds[1], buf, sizeof(buf)) == sizeof(buf) ? 0 : -1;
}

/* Over and over: nothing is left, whatever the VE was doing. */
static void again_and_again(void)
{
	int i, log = kmsg_open();

	for (i = 0; i < vz_scaled(50); i++) {
		ve_start(&ve, ID, NULL);
		check_eq(ve_call(&ve, make_file, 0), 0);
		check_eq(ve_call(&ve, fill_pipe, 0), 0);
		many_links(10);
		ve_spawn(&ve, look, 1);
		drive_stop(&ve);
	}
	kmsg_without(log, "uncharge of");
}

static const struct vz_case cases[] = {
	VZ_CASE(dcache_unused),
	VZ_CASE(dcache_pinned),
	VZ_CASE(outlives),
	VZ_CASE_SLOW(again_and_again, 300),
};
VZ_MAIN(cases)
