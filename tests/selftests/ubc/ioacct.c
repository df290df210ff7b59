// SPDX-License-Identifier: GPL-2.0
/* /proc/bc/ID/ioacct: a VE reads, writes and syncs a disk in memory. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/disk.h"
#include "pass.h"

#define ID 8640
#define SIZE (1L << 20)
#define PG 4096L

static struct ve ve;

/* All lines to the byte; the value of one. */
static long io_of(const char *dir, const char *name)
{
	static const char *const names[] = {
		"read", "write", "dirty", "cancel", "missed", "syncs_total",
		"fsyncs_total", "fdatasyncs_total", "range_syncs_total",
		"syncs_active", "fsyncs_active", "fdatasyncs_active",
		"range_syncs_active", "io_pbs", "fuse_requests", "fuse_bytes",
	};
	char path[300], text[4096], want[64];
	char *line, *rest = text;
	long value, result = -1;
	unsigned int i;

	snprintf(path, sizeof(path), "/proc/bc/%s/ioacct", dir);
	check(read_file(path, text, sizeof(text)) > 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		line = strsep(&rest, "\n");
		check(line);
		check_eq(sscanf(line, "%*s %ld", &value), 1);
		snprintf(want, sizeof(want), "\t%-20s %21ld", names[i], value);
		check(!strcmp(line, want));
		if (!strcmp(name, names[i]))
			result = value;
	}
	check(rest && !*rest);
	check(result >= 0);
	return result;
}

static long io_id(unsigned int id, const char *name)
{
	char dir[16];

	snprintf(dir, sizeof(dir), "%u", id);
	return io_of(dir, name);
}

static long io(const char *name)
{
	return io_id(ID, name);
}

static char buf[SIZE];

static long read_all(long fd)
{
	return pread(fd, buf, SIZE, 0);
}

static long write_all(long fd)
{
	return pwrite(fd, buf, SIZE, 0);
}

static long discard_all(long fd)
{
	unsigned long long range[2] = { 0, SIZE };

	return ioctl(fd, BLKDISCARD, range);
}

static long do_fsync(long fd)
{
	return fsync(fd);
}

static long do_fdatasync(long fd)
{
	return fdatasync(fd);
}

static long do_range_sync(long fd)
{
	return sync_file_range(fd, 0, SIZE, SYNC_FILE_RANGE_WRITE);
}

static long do_syncfs(long fd)
{
	return syncfs(fd);
}

static long do_sync(long unused)
{
	sync();
	return 0;
}

/* What is in the cache is not read again. */
static void reads(void)
{
	int fd = disk_new(SIZE), in;
	struct ve b;
	long before, other;

	ve_start(&ve, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	in = ve_give(&ve, fd);
	before = io("read");
	other = io_id(ID + 1, "read");
	check_eq(ve_call(&ve, read_all, in), SIZE);
	check_eq(io("read"), before + SIZE);
	check_eq(ve_call(&ve, read_all, in), SIZE);
	check_eq(io("read"), before + SIZE);
	/* The host and others have accounts of their own, or none. */
	check_ok(ioctl(fd, BLKFLSBUF, 0));
	check_eq(read_all(fd), SIZE);
	check_eq(io_id(ID + 1, "read"), other);
	check_ok(ioctl(fd, BLKFLSBUF, 0));
	check_eq(ve_call(&b, read_all, ve_give(&b, fd)), SIZE);
	check_eq(io_id(ID + 1, "read"), other + SIZE);
	check_eq(io("read"), before + SIZE);
	check_eq(io("dirty"), 0);
	check_eq(io("write"), 0);
	drive_stop(&b);
	drive_stop(&ve);
	close(fd);
}

static void writes(void)
{
	int fd = disk_new(SIZE), in;

	ve_start(&ve, ID, NULL);
	in = ve_give(&ve, fd);
	check_eq(io("dirty"), 0);
	check_eq(ve_call(&ve, write_all, in), SIZE);
	check_eq(io("dirty"), SIZE);
	check_eq(io("io_pbs"), SIZE / PG);
	check_eq(io("write"), 0);
	/* Dirty again: nothing new. */
	check_eq(ve_call(&ve, write_all, in), SIZE);
	check_eq(io("dirty"), SIZE);

	/* Whoever writes it back: the host. */
	check_ok(fsync(fd));
	check_eq(io("write"), SIZE);
	check_eq(io("io_pbs"), 0);
	check_eq(io("fsyncs_total"), 0);

	/* Never written. */
	check_eq(ve_call(&ve, write_all, in), SIZE);
	check_eq(io("dirty"), 2 * SIZE);
	check_eq(ve_call(&ve, discard_all, in), 0);
	check_eq(io("cancel"), SIZE);
	check_eq(io("io_pbs"), 0);
	check_eq(io("write"), SIZE);
	check_eq(io("missed"), 0);
	drive_stop(&ve);
	close(fd);
}

static void syncs(void)
{
	static const struct {
		const char *name;
		long (*call)(long fd);
		int times;
	} kinds[] = {
		{ "fsyncs", do_fsync, 3 },
		{ "fdatasyncs", do_fdatasync, 4 },
		{ "range_syncs", do_range_sync, 5 },
		{ "syncs", do_syncfs, 2 },
		{ "syncs", do_sync, 1 },
	};
	int fd = disk_new(SIZE), in, n;
	unsigned int i;
	char name[32];

	ve_start(&ve, ID, NULL);
	in = ve_give(&ve, fd);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (n = 0; n < kinds[i].times; n++)
			check_eq(ve_call(&ve, kinds[i].call, in), 0);
	/* The host's are not counted, nor what is no file. */
	check_ok(fsync(fd));
	check_err(open("/proc/bc/0/ioacct", O_RDONLY), ENODATA);
	check_err(ve_call(&ve, do_fsync, 899), EBADF);
	check_eq(io("fsyncs_total"), 3);
	check_eq(io("fdatasyncs_total"), 4);
	check_eq(io("range_syncs_total"), 5);
	check_eq(io("syncs_total"), 3);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(name, sizeof(name), "%s_active", kinds[i].name);
		check_eq(io(name), 0);
	}
	drive_stop(&ve);
	close(fd);
}

static long sync_often(long fd)
{
	int n;

	for (n = 0; n < 200; n++)
		check_ok(fsync(fd));
	__atomic_add_fetch(&ve_shared[0], 1, __ATOMIC_SEQ_CST);
	pause();
	return 0;
}

/* Counted on all CPUs at once; no more than there are run at a time. */
static void many_syncs(void)
{
	int fd = disk_new(SIZE), in, i;

	ve_start(&ve, ID, NULL);
	in = ve_give(&ve, fd);
	for (i = 0; i < 4; i++)
		ve_spawn(&ve, sync_often, in);
	do
		check(io("fsyncs_active") <= 4);
	while (ve.shared[0] < 4);
	check_eq(io("fsyncs_total"), 800);
	check_eq(io("fsyncs_active"), 0);
	drive_stop(&ve);
	close(fd);
}

static long pass_file(long sock)
{
	int fd = check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));

	check_ok(fd_send(sock, fd));
	return close(fd);
}

/* ID-GEN, which must be there. */
static void drained(char *name, size_t size)
{
	DIR *dir = opendir("/proc/bc");
	struct dirent *d;
	char start[16];

	check(dir);
	snprintf(start, sizeof(start), "%d-", ID);
	while ((d = readdir(dir)))
		if (!strncmp(d->d_name, start, strlen(start)))
			break;
	check(d);
	snprintf(name, size, "%s", d->d_name);
	closedir(dir);
}

/* What a VE has done is still there when it is gone, as long as its UB. */
static void outlives(void)
{
	int fd = disk_new(SIZE), in, sp[2], held;
	char dir[256];

	ve_start(&ve, ID, NULL);
	in = ve_give(&ve, fd);
	check_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp));
	check_eq(ve_call(&ve, write_all, in), SIZE);
	check_eq(ve_call(&ve, do_fsync, in), 0);
	check_eq(ve_call(&ve, pass_file, ve_give(&ve, sp[0])), 0);
	close(sp[0]);
	held = check_ok(fd_recv(sp[1], 0));
	ve_stop(&ve);
	check_eq(ub_dirs(ID), 1);
	drained(dir, sizeof(dir));
	check_eq(io_of(dir, "dirty"), SIZE);
	check_eq(io_of(dir, "write"), SIZE);
	check_eq(io_of(dir, "fsyncs_total"), 1);
	close(held);
	close(sp[1]);
	check_soon(!ub_dirs(ID), 20000);
	/* A new VE starts from nothing. */
	ve_start(&ve, ID, NULL);
	check_eq(io("dirty"), 0);
	check_eq(io("fsyncs_total"), 0);
	drive_stop(&ve);
	close(fd);
}

static const struct vz_case cases[] = {
	VZ_CASE(reads),
	VZ_CASE(writes),
	VZ_CASE(syncs),
	VZ_CASE(many_syncs),
	VZ_CASE(outlives),
};
VZ_MAIN(cases)
