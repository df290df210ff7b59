// SPDX-License-Identifier: GPL-2.0
/* shmpages: shared memory without a file system behind it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8500
#define PG 4096L
#define KEEP 512

static int kept[KEEP], nkept;
static void *maps[KEEP];
static int nmaps;

static long make_segment(long on)
{
	int id;

	if (!on) {
		while (nkept)
			shmctl(kept[--nkept], IPC_RMID, NULL);
		return 0;
	}
	id = shmget(IPC_PRIVATE, 2 * PG, 0600);
	if (id < 0)
		return -1;
	kept[nkept++] = id;
	return 0;
}

static long map_shared(long on)
{
	void *p;

	if (!on) {
		while (nmaps)
			munmap(maps[--nmaps], PG);
		return 0;
	}
	p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	maps[nmaps++] = p;
	return 0;
}

/* A file of one page in a tmpfs of the VE. */
static long write_tmpfs(long on)
{
	static const char page[PG];
	char name[32];
	int fd;

	if (!on) {
		while (nmaps) {
			snprintf(name, sizeof(name), "/tmp/page%d", --nmaps);
			unlink(name);
		}
		return 0;
	}
	snprintf(name, sizeof(name), "/tmp/page%d", nmaps);
	fd = check_ok(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (write(fd, page, PG) != PG) {
		int err = errno;

		close(fd);
		unlink(name);
		errno = err;
		return -1;
	}
	close(fd);
	nmaps++;
	return 0;
}

static const struct unit shmpages_shmget = {
	"shmpages", UB_SHMPAGES, make_segment, ENOMEM, 2 };
static const struct unit shmpages_mmap = {
	"shmpages", UB_SHMPAGES, map_shared, ENOMEM, 1 };
static const struct unit shmpages_tmpfs = {
	"shmpages", UB_SHMPAGES, write_tmpfs, ENOSPC, 1 };

static void shmpages_shmget_bounds(void)
{
	drive_hard(ID, &shmpages_shmget);
}

static void shmpages_mmap_bounds(void)
{
	drive_hard(ID, &shmpages_mmap);
}

static void shmpages_tmpfs_bounds(void)
{
	drive_hard(ID, &shmpages_tmpfs);
}

static int memfd = -1;

static long make_memfd(long pages)
{
	memfd = check_ok(memfd_create("sparse", MFD_CLOEXEC));
	return ftruncate(memfd, pages * PG);
}

/* Touches @n pages of the sparse object; the last one may be fatal. */
static long touch(long n)
{
	char *p = mmap(NULL, n * PG, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	long i;

	if (p == MAP_FAILED)
		return -1;
	signal(SIGBUS, SIG_DFL);
	for (i = 0; i < n; i++)
		p[i * PG] = 1;
	return 0;
}

static long drop_memfd(long unused)
{
	return close(memfd);
}

/* A hole costs nothing until it is touched; without room that is SIGBUS. */
static void shmpages_memfd_sparse(void)
{
	struct ub_line l;
	unsigned long base, priv;
	struct ve ve;
	int status;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "shmpages");
	check_eq(ve_call(&ve, make_memfd, 1000), 0);
	check_eq(ub_held(ID, "shmpages"), base);
	priv = ub_held(ID, "privvmpages");
	ve_must(&ve, touch, 10);
	check_eq(ub_held(ID, "shmpages"), base + 10);
	check_eq(ub_held(ID, "privvmpages"), priv + 10);
	check_ok(vz_ubc(ve.fd, 0, UB_SHMPAGES, base + 12, UB_MAX));
	status = ve_fork(&ve, touch, 13);
	check(WIFSIGNALED(status));
	check_eq(WTERMSIG(status), SIGBUS);
	l = ub_line(ID, "shmpages");
	check_eq(l.held, base + 12);
	check_eq(l.failcnt, 1);
	check_eq(ve_call(&ve, drop_memfd, 0), 0);
	check_soon(ub_held(ID, "shmpages") == base, 5000);
	check_eq(ub_held(ID, "privvmpages"), priv);
	drive_stop(&ve);
}

/* Shared memory is privvmpages too, and refused there if that is full. */
static void shmpages_is_privvmpages(void)
{
	unsigned long shm, priv;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, map_shared, 1), 0);
	shm = ub_held(ID, "shmpages");
	priv = ub_held(ID, "privvmpages");
	check_ok(vz_ubc(ve.fd, 0, UB_PRIVVMPAGES, priv + 1, UB_MAX));
	check_eq(ve_call(&ve, map_shared, 1), 0);
	check_err(ve_call(&ve, map_shared, 1), ENOMEM);
	check_eq(ub_held(ID, "shmpages"), shm + 1);
	check_eq(ub_failcnt(ID, "shmpages"), 0);
	check_eq(ub_failcnt(ID, "privvmpages"), 1);
	check_eq(ve_call(&ve, map_shared, 0), 0);
	check_eq(ub_held(ID, "shmpages"), shm - 1);
	check_eq(ub_held(ID, "privvmpages"), priv - 1);
	drive_stop(&ve);
}

static long tmpfs_pages(long unused)
{
	struct statfs s;

	check_ok(mkdir("/tmp/sized", 0755));
	check_ok(mount("none", "/tmp/sized", "tmpfs", 0, NULL));
	check_ok(statfs("/tmp/sized", &s));
	return s.f_blocks;
}

/* A tmpfs without size= may use half of the RAM of its VE. */
static void tmpfs_default_size(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0, 20000));
	check_eq(ve_call(&ve, tmpfs_pages, 0), 10000);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(shmpages_shmget_bounds),
	VZ_CASE(shmpages_mmap_bounds),
	VZ_CASE(shmpages_tmpfs_bounds),
	VZ_CASE(shmpages_memfd_sparse),
	VZ_CASE(shmpages_is_privvmpages),
	VZ_CASE(tmpfs_default_size),
};
VZ_MAIN(cases)
