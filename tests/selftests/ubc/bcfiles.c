// SPDX-License-Identifier: GPL-2.0
/* /proc/bc/ID/precharge, vmaux and nodeinfo. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/bcfile.h"

#define ID 8600
#define MB (1L << 20)
#define PG 4096L

static struct ve ve;

/* Header and lines to the byte; the three numbers of one resource. */
static void precharge(const char *name, long *held, long *stock, long *most)
{
	static const char *const names[] = {
		"kmemsize", "lockedpages", "privvmpages", "shmpages", "numproc",
		"physpages", "vmguarpages", "oomguarpages", "numtcpsock",
		"numflock", "numpty", "numsiginfo", "tcpsndbuf", "tcprcvbuf",
		"othersockbuf", "dgramrcvbuf", "numothersock", "dcachesize",
		"numfile", "numiptent", "swappages",
	};
	char *line, *rest = bc_file(ID, "precharge");
	unsigned int i;
	int found = 0;

	line = strsep(&rest, "\n");
	check(!strcmp(line, "resource            real_held  precharge max_precharge"));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char text[128];
		long a, b, c;

		line = strsep(&rest, "\n");
		check(line);
		check_eq(sscanf(line + 12, "%ld %ld %ld", &a, &b, &c), 3);
		snprintf(text, sizeof(text), "%-12s %16ld %10ld %10ld",
			 names[i], a, b, c);
		check(!strcmp(line, text));
		if (strcmp(name, names[i]))
			continue;
		*held = a;
		*stock = b;
		*most = c;
		found = 1;
	}
	check(rest && !*rest);
	check(found);
}

static long open_and_close(long n)
{
	while (n--)
		close(check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC)));
	return 0;
}

/* What is held is in use or in stock; stock never shows in resources. */
static void stock_of_files(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF), held, stock, most;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, open_and_close, 20), 0);
	check_soon((precharge("numfile", &held, &stock, &most),
		    held - stock == (long)ub_held(ID, "numfile")), 5000);
	check(stock > 0);
	check_eq(most, 2 * 8 * cpus);
	check(stock <= most);
	precharge("numproc", &held, &stock, &most);
	check_eq(held, 1);
	check_eq(stock, 0);
	check_eq(most, 0);

	/* A near barrier needs all there is, and keeps no new stock. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 100, 100));
	check_eq(ve_call(&ve, open_and_close, 20), 0);
	precharge("numfile", &held, &stock, &most);
	check_eq(stock, 0);
	drive_stop(&ve);
}

static long vmaux(const char *name)
{
	static const char *const names[] = {
		"tmpfs_respages", "swapin", "swapout", "vswapin", "vswapout",
		"ram", "shadow", "swap", "swap_entries", "hugetlb",
	};
	char *line, *rest = bc_file(ID, "vmaux");
	long value, result = -1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char text[64];

		line = strsep(&rest, "\n");
		check(line);
		check_eq(sscanf(line, "%*s %ld", &value), 1);
		snprintf(text, sizeof(text), "\t%-20s %21ld", names[i], value);
		check(!strcmp(line, text));
		if (!strcmp(name, names[i]))
			result = value;
	}
	check(rest && !*rest);
	check(result >= 0);
	return result;
}

static void memory_of_ve(void)
{
	long before;

	ve_start(&ve, ID, NULL);
	before = vmaux("tmpfs_respages");
	check_eq(ve_call(&ve, fill_tmpfs, 4), 0);
	check_eq(vmaux("tmpfs_respages"), before + 4 * MB / PG);
	check_eq(vmaux("ram"), ub_held(ID, "physpages"));
	check(vmaux("ram") >= 4 * MB / PG);
	check_eq(vmaux("swap"), ub_held(ID, "swappages"));
	check_eq(vmaux("swapout"), 0);
	drive_stop(&ve);
}

static long anon_kb(void)
{
	char *line, *rest = bc_file(ID, "nodeinfo");
	long kb, total = 0;
	char name[32];
	int node, n = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		check_eq(sscanf(line, "Node %d %31s %ld kB", &node, name, &kb), 3);
		if (strstr(name, "(anon):"))
			total += kb;
		n++;
	}
	check(n > 0 && n % 5 == 0);
	return total;
}

static long touch(long n)
{
	char *p = mmap(NULL, n * MB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static void lists_of_ve(void)
{
	long before;

	ve_start(&ve, ID, NULL);
	before = anon_kb();
	check_eq(ve_call(&ve, touch, 16), 0);
	/* The last few pages wait in per-CPU batches. */
	check(anon_kb() >= before + 15 * 1024);
	drive_stop(&ve);
}

/* The host has no memory cgroup, an ordinary user no business here. */
static void refused(void)
{
	char path[64];

	check_err(open("/proc/bc/0/vmaux", O_RDONLY), ENODATA);
	check_err(open("/proc/bc/0/nodeinfo", O_RDONLY), ENODATA);
	close(check_ok(open("/proc/bc/0/precharge", O_RDONLY)));
	ve_start(&ve, ID, NULL);
	snprintf(path, sizeof(path), "/proc/bc/%d/vmaux", ID);
	close(check_ok(open(path, O_RDONLY)));
	check_ok(setegid(1000));
	check_ok(seteuid(1000));
	check_err(open(path, O_RDONLY), EACCES);
	check_ok(seteuid(0));
	check_ok(setegid(0));
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(stock_of_files),
	VZ_CASE(memory_of_ve),
	VZ_CASE(lists_of_ve),
	VZ_CASE(refused),
};
VZ_MAIN(cases)
