// SPDX-License-Identifier: GPL-2.0
/* /proc of the host and of a VE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "ve.h"

#define ID 7800

/* "KEY:\t<number>" of a status file; -1 if the line is not there. */
static long status_line(const char *pid, const char *key)
{
	char path[64], text[8192], want[32];
	char *at;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	snprintf(want, sizeof(want), "\n%s:\t", key);
	at = strstr(text, want);
	return at ? atol(at + strlen(want)) : -1;
}

static long status_inside(long unused)
{
	check_eq(status_line("self", "envID"), ID);
	check_eq(status_line("self", "VPid"), getpid());
	check_eq(status_line("1", "envID"), ID);
	check_eq(status_line("1", "VPid"), 1);
	return 0;
}

static long status_nested(long unused)
{
	check_ok(unshare(CLONE_NEWUSER));
	check_eq(status_line("self", "envID"), ID);
	return 0;
}

/* envID and VPid: the host sees the VE's id and pid, 0 for its own. */
static void status(void)
{
	char pid[16];
	struct ve ve;

	ve_start(&ve, ID, NULL);
	snprintf(pid, sizeof(pid), "%d", ve.init);
	check_eq(status_line(pid, "envID"), ID);
	check_eq(status_line(pid, "VPid"), 1);
	check_eq(status_line("self", "envID"), 0);
	check_eq(status_line("self", "VPid"), getpid());
	check_eq(status_line("1", "envID"), 0);
	ve_must(&ve, status_inside, 0);
	ve_must(&ve, status_nested, 0);
	ve_stop(&ve);
}

static long files_inside(long unused)
{
	static const char *const absent[] = { "bc", "vz/version", "vz/ct",
		"vz/veip", "vz/devperms", "vz/vswap", "vz/beancounter" };
	static const char *const unreadable[] = { "kcore", "kallsyms", "keys",
		"kpagecount", "kpageflags", "vmallocinfo", "slabinfo",
		"pagetypeinfo", "timer_list", "iomem" };
	char path[64], text[64];
	struct stat st;
	size_t i;

	check_ok(stat("/proc/vz", &st));
	check(S_ISDIR(st.st_mode));
	for (i = 0; i < ARRAY_SIZE(absent); i++) {
		snprintf(path, sizeof(path), "/proc/%s", absent[i]);
		if (!access(path, F_OK) || errno != ENOENT)
			vz_fail(__FILE__, __LINE__, "%s exists", path);
	}
	for (i = 0; i < ARRAY_SIZE(unreadable); i++) {
		snprintf(path, sizeof(path), "/proc/%s", unreadable[i]);
		errno = 0;
		if (read_file(path, text, sizeof(text)) >= 0 ||
		    (errno != ENOENT && errno != EACCES && errno != EPERM))
			vz_fail(__FILE__, __LINE__, "%s: errno %d", path,
				errno);
	}
	return 0;
}

/* A VE has /proc/vz but no /proc/bc, and no file about kernel memory. */
static void files(void)
{
	struct stat st;
	char text[64];
	struct ve ve;

	ve_start(&ve, ID, NULL);
	ve_must(&ve, files_inside, 0);
	check_ok(stat("/proc/bc", &st));
	check(S_ISDIR(st.st_mode));
	check_eq(st.st_mode & 0777, 0500);
	check_ok(stat("/proc/vz/version", &st));
	check_ok(stat("/proc/vz/beancounter", &st));
	check_eq(read_file("/proc/vz/vswap", text, sizeof(text)), 13);
	check(!strcmp(text, "Version: 1.0\n"));
	ve_stop(&ve);
}

/* The line of @id in the list, with exactly this number of processes. */
static int veinfo_line(const char *text, unsigned int id, unsigned int nproc)
{
	char want[64], *at = NULL;
	const char *p = text;

	snprintf(want, sizeof(want), "%10u %5u %5u", id, 0, nproc);
	while (p && !at) {
		/* The class is free. */
		if (!strncmp(p, want, 11) && !strncmp(p + 16, want + 16, 6) &&
		    (p[22] == '\n' || p[22] == ' '))
			at = (char *)p;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return at != NULL;
}

static long veinfo_inside(long unused)
{
	char text[4096];

	check(read_file("/proc/vz/veinfo", text, sizeof(text)) > 0);
	check(veinfo_line(text, ID, 2));
	/* Nobody else. */
	check(strchr(text, '\n') == text + strlen(text) - 1);
	return 0;
}

/* veinfo: every VE and the host on the host, the own line in a VE. */
static void veinfo(void)
{
	static char text[65536];
	struct ve ve, other;

	ve_start(&ve, ID, NULL);
	ve_start(&other, ID + 1, NULL);
	check(read_file("/proc/vz/veinfo", text, sizeof(text)) > 0);
	check(veinfo_line(text, ID, 1));
	check(veinfo_line(text, ID + 1, 1));
	check(strstr(text, "         0 "));
	ve_must(&ve, veinfo_inside, 0);
	ve_stop(&other);
	ve_stop(&ve);
	check(read_file("/proc/vz/veinfo", text, sizeof(text)) > 0);
	check(!veinfo_line(text, ID, 1));
}

/* The list of VEs is for root of the host. */
static void modes(void)
{
	int st;

	if (!check_ok(fork())) {
		check_ok(setgid(1000));
		check_ok(setuid(1000));
		check_err(open("/proc/vz/veinfo", O_RDONLY), EACCES);
		_exit(0);
	}
	check(wait(&st) > 0);
	check(exited(st, 0));
}

/* A descriptor of a file in a dead VE's /proc says so, and does no harm. */
static void dead_descriptors(void)
{
	char path[64], buf[64];
	struct ve ve;
	int dir, file;

	ve_start(&ve, ID, NULL);
	snprintf(path, sizeof(path), "/proc/%d/root/proc", ve.init);
	dir = check_ok(open(path, O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "/proc/%d/status", ve.init);
	file = check_ok(open(path, O_RDONLY));
	ve_stop(&ve);
	check_err(read(file, buf, sizeof(buf)), ESRCH);
	check_err(openat(dir, "1/status", O_RDONLY), ENOENT);
	/* The id is free although the directory is still open. */
	ve_start(&ve, ID, NULL);
	close(dir);
	ve_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(status),
	VZ_CASE(files),
	VZ_CASE(veinfo),
	VZ_CASE(modes),
	VZ_CASE(dead_descriptors),
};
VZ_MAIN(cases)
