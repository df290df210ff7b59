// SPDX-License-Identifier: GPL-2.0
/* /proc/bc/ID/slabinfo and dcacheinfo. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"

#define ID 8620

static struct ve ve;

static long make_files(long n)
{
	char path[32];
	long i;

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/tmp/file%ld", i);
		close(check_ok(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)));
	}
	return 0;
}

static long remove_files(long n)
{
	char path[32];

	while (n--) {
		snprintf(path, sizeof(path), "/tmp/file%ld", n);
		check_ok(unlink(path));
	}
	return 0;
}

static long open_null(long n)
{
	while (n--)
		if (keep_fd(open("/dev/null", O_RDONLY | O_CLOEXEC)))
			return -1;
	return 0;
}

static long open_sockets(long n)
{
	while (n--)
		if (keep_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
			return -1;
	return 0;
}

static long close_all(long unused)
{
	return close_kept();
}

static void settle(unsigned int id)
{
	ub_settled(id, "numfile");
	ub_settled(id, "dcachesize");
}

static void slabs(void)
{
	long before, other;
	struct ve b;

	ve_start(&ve, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	/* The files of init are the host's. */
	check_eq(ve_call(&ve, open_null, 3), 0);
	check_eq(ve_call(&b, open_null, 5), 0);
	settle(ID);
	settle(ID + 1);
	before = bc_slab(ID, "filp");
	other = bc_slab(ID + 1, "filp");
	check(before >= 3 && other >= 5);
	check_eq(before, ub_held(ID, "numfile"));
	check_eq(ve_call(&ve, open_null, 100), 0);
	check_eq(bc_slab(ID, "filp"), before + 100);
	check_eq(bc_slab(ID + 1, "filp"), other);
	check_eq(ve_call(&ve, close_all, 0), 0);
	check_soon(bc_slab(ID, "filp") == before - 3, 5000);
	drive_stop(&b);
	drive_stop(&ve);
}

/* The lines are in the order of the kernel's own list of caches. */
static void slabs_in_order(void)
{
	static char all[65536];
	char *line, *rest, *at = all;
	int n = 0;

	if (read_file("/proc/slabinfo", all, sizeof(all)) <= 0)
		vz_skip("kernel without /proc/slabinfo");
	ve_start(&ve, ID, NULL);
	rest = bc_file(ID, "slabinfo");
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64];

		check_eq(sscanf(line, "%61[^:]", name + 1), 1);
		name[0] = '\n';
		strcat(name, " ");
		at = strstr(at, name);
		if (!at)
			vz_fail(__FILE__, __LINE__, "%s is not where it should be",
				line);
		at++;
		n++;
	}
	check(n > 5);
	drive_stop(&ve);
}

struct use {
	long dentries, dentry_bytes, inodes, inode_bytes;
};

/* The sum of the lines of a device, or of a type, or of all (0, NULL). */
static struct use dcache(dev_t dev, const char *type)
{
	char *line, *rest = bc_file(ID, "dcacheinfo");
	struct use sum = { 0 }, u;

	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned int maj, min;
		char name[32], text[256];

		check_eq(sscanf(line, "%u:%u %31s %ld %ld %ld %ld", &maj, &min,
				name, &u.dentries, &u.dentry_bytes, &u.inodes,
				&u.inode_bytes), 7);
		snprintf(text, sizeof(text), "%u:%u %s %ld %ld %ld %ld", maj, min,
			 name, u.dentries, u.dentry_bytes, u.inodes,
			 u.inode_bytes);
		check(!strcmp(line, text));
		check(u.dentries || u.inodes);
		check(u.dentry_bytes >= u.dentries * 100);
		check(u.inode_bytes >= u.inodes * 300);
		if ((dev && dev != makedev(maj, min)) ||
		    (type && strcmp(type, name)))
			continue;
		sum.dentries += u.dentries;
		sum.dentry_bytes += u.dentry_bytes;
		sum.inodes += u.inodes;
		sum.inode_bytes += u.inode_bytes;
	}
	return sum;
}

static long tmp_dev(long unused)
{
	struct stat st;

	check_ok(stat("/tmp", &st));
	return st.st_dev;
}

#define N 200

static void names(void)
{
	struct use was, now, all;
	dev_t dev;
	long size;

	ve_start(&ve, ID, NULL);
	dev = ve_call(&ve, tmp_dev, 0);
	settle(ID);
	was = dcache(dev, "tmpfs");
	check_eq(ve_call(&ve, make_files, N), 0);
	now = dcache(dev, "tmpfs");
	check_eq(now.dentries, was.dentries + N);
	/* Those of tmpfs cannot be reclaimed, and are not in dcachesize. */
	check_eq(now.inodes, 0);
	/* All dentries of one cache are of one size. */
	check_eq(now.dentry_bytes * N,
		 (now.dentry_bytes - was.dentry_bytes) * now.dentries);

	/* All together is dcachesize. */
	check_ok(ioctl(ve.fd, VZCTL_FREEZE));
	size = ub_settled(ID, "dcachesize");
	all = dcache(0, NULL);
	check_eq(all.dentry_bytes + all.inode_bytes, size);
	check_ok(ioctl(ve.fd, VZCTL_THAW));

	check_eq(ve_call(&ve, remove_files, N), 0);
	check_soon(dcache(dev, "tmpfs").dentries == was.dentries, 10000);
	drive_stop(&ve);
}

/* Inodes that no superblock lists. */
static void sockets(void)
{
	struct use was, now;

	ve_start(&ve, ID, NULL);
	settle(ID);
	was = dcache(0, "sockfs");
	check_eq(ve_call(&ve, open_sockets, 10), 0);
	now = dcache(0, "sockfs");
	check_eq(now.dentries, was.dentries + 10);
	check_eq(now.inodes, was.inodes + 10);
	drive_stop(&ve);
}

/* Nothing is counted for the host. */
static void host(void)
{
	check_err(open("/proc/bc/0/slabinfo", O_RDONLY), ENODATA);
	check_err(open("/proc/bc/0/dcacheinfo", O_RDONLY), ENODATA);
}

static const struct vz_case cases[] = {
	VZ_CASE(slabs),
	VZ_CASE(slabs_in_order),
	VZ_CASE(names),
	VZ_CASE(sockets),
	VZ_CASE(host),
};
VZ_MAIN(cases)
