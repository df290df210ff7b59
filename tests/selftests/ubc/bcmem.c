// SPDX-License-Identifier: GPL-2.0
/* /proc/bc/ID/meminfo. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"

#define ID 8630
#define MB (1L << 20)
#define KB_PER_PAGE 4

static struct ve ve;

static char *bc_meminfo(void)
{
	static char text[16384];
	char path[64];

	snprintf(path, sizeof(path), "/proc/bc/%u/meminfo", ID);
	check(read_file(path, text, sizeof(text)) > 0);
	return text;
}

static long meminfo(const char *name)
{
	char *line, *rest = bc_meminfo();
	char start[32];

	snprintf(start, sizeof(start), "%s:", name);
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, start, strlen(start)))
			return atol(line + strlen(start));
	vz_fail(__FILE__, __LINE__, "no %s", name);
}

/* Line by line the same names, at the same width, with the same unit. */
static void lines_of_meminfo(void)
{
	static char host[16384];
	char *a, *b, *rest, *own = host;

	ve_start(&ve, ID, NULL);
	check(read_file("/proc/meminfo", host, sizeof(host)) > 0);
	rest = bc_meminfo();
	do {
		size_t len;

		a = strsep(&own, "\n");
		b = strsep(&rest, "\n");
		check(a && b);
		len = strcspn(a, ":");
		if (strncmp(a, b, len + (len > 0)) || strlen(a) != strlen(b) ||
		    strncmp(a + strlen(a) - 3, b + strlen(b) - 3, 2 * !!len))
			vz_fail(__FILE__, __LINE__, "'%s' for '%s'", b, a);
	} while (own || rest);
	drive_stop(&ve);
}

static long touch(long n)
{
	char *p = mmap(NULL, n * MB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

/* The stack of init was made by the host. */
static long sleeper(long unused)
{
	pause();
	return 0;
}

#define LIMIT_MB 64

static void values_of_meminfo(void)
{
	long shmem, cached, anon, grown, host;
	char text[4096];

	ve_start(&ve, ID, NULL);
	check(read_file("/proc/meminfo", text, sizeof(text)) > 0);
	check_eq(sscanf(text, "MemTotal: %ld", &host), 1);
	check(host > LIMIT_MB * 1024);
	check_eq(meminfo("MemTotal"), host);
	check_eq(meminfo("CommitLimit"), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_PHYSPAGES, 0, LIMIT_MB * 1024 / KB_PER_PAGE));
	check_ok(vz_ubc(ve.fd, 0, UB_PRIVVMPAGES, 50000, 60000));
	check_eq(meminfo("MemTotal"), LIMIT_MB * 1024);
	check_eq(meminfo("CommitLimit"), 60000 * KB_PER_PAGE);
	check_eq(meminfo("SwapTotal"), 0);

	ve_spawn(&ve, sleeper, 0);
	shmem = meminfo("Shmem");
	cached = meminfo("Cached");
	check_eq(ve_call(&ve, fill_tmpfs, 4), 0);
	check_eq(meminfo("Shmem"), shmem + 4 * 1024);
	check(meminfo("Cached") >= cached + 4 * 1024);

	anon = meminfo("AnonPages");
	check_eq(ve_call(&ve, touch, 16), 0);
	grown = meminfo("AnonPages") - anon;
	check(grown >= 16 * 1024 && grown < 17 * 1024);

	check_ok(ioctl(ve.fd, VZCTL_FREEZE));
	ub_settled(ID, "physpages");
	check_eq(meminfo("MemTotal") - meminfo("MemFree"),
		 ub_held(ID, "physpages") * KB_PER_PAGE);
	check_eq(meminfo("Committed_AS"),
		 ub_held(ID, "privvmpages") * KB_PER_PAGE);
	check(meminfo("MemAvailable") >= meminfo("MemFree"));
	check(meminfo("KernelStack") > 0);
	check(meminfo("PageTables") > 0);
	/* Three reads, and the host may free something in between. */
	check_soon(meminfo("Slab") ==
		   meminfo("SReclaimable") + meminfo("SUnreclaim"), 5000);
	check_ok(ioctl(ve.fd, VZCTL_THAW));
	drive_stop(&ve);
}

/* It has no memory cgroup. */
static void host(void)
{
	check_err(open("/proc/bc/0/meminfo", O_RDONLY), ENODATA);
}

static const struct vz_case cases[] = {
	VZ_CASE(lines_of_meminfo),
	VZ_CASE(values_of_meminfo),
	VZ_CASE(host),
};
VZ_MAIN(cases)
