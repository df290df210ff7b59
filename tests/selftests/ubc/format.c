// SPDX-License-Identifier: GPL-2.0
/* /proc/user_beancounters and /proc/bc, byte for byte, and who may read. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8100
#define PLENTY 10000000

/* The 24 lines in their order; swappages follows in /proc/bc only. */
static const char *const names[] = { "kmemsize", "lockedpages", "privvmpages",
	"shmpages", "dummy", "numproc", "physpages", "vmguarpages",
	"oomguarpages", "numtcpsock", "numflock", "numpty", "numsiginfo",
	"tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf",
	"numothersock", "dcachesize", "numfile", "dummy", "dummy", "dummy",
	"numiptent", "swappages" };

static const char version[] = "Version: 2.5\n";
static const char header[] =
	"       uid  resource                     held              maxheld"
	"              barrier                limit              failcnt\n";

static char text[1 << 20];

static void slurp(const char *path)
{
	if (read_file(path, text, sizeof(text)) < 0)
		vz_fail(__FILE__, __LINE__, "%s: errno %d", path, errno);
}

/*
 * One line of @name at @p, its uid column being @uid; returns the next line.
 * It is read and printed again in the published form: it must not differ.
 */
static const char *one_line(const char *p, const char *uid, const char *name,
			    unsigned long v[5])
{
	char want[256];
	size_t len = strcspn(p, "\n") + 1;

	if (sscanf(p + 24, "%lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3],
		   &v[4]) != 5)
		vz_fail(__FILE__, __LINE__, "no numbers: %.*s", (int)len, p);
	snprintf(want, sizeof(want),
		 "%10s  %-12s %20lu %20lu %20lu %20lu %20lu\n", uid, name,
		 v[0], v[1], v[2], v[3], v[4]);
	if (len != strlen(want) || memcmp(p, want, len)) {
		vz_note("is     [%.*s]", (int)len - 1, p);
		vz_note("should [%.*s]", (int)strlen(want) - 1, want);
		check(!"the line has the published form");
	}
	/* The top is never below the present, except for a dummy's zeroes. */
	check(v[1] >= v[0]);
	return p + len;
}

/* All lines of one UB; @dummies and @swap as in the two kinds of files. */
static const char *one_ub(const char *p, const char *id, int dummies, int swap)
{
	unsigned long v[5];
	int i;

	for (i = 0; i < 24 + swap; i++) {
		int dummy = !strcmp(names[i], "dummy");

		if (dummy && !dummies)
			continue;
		p = one_line(p, i ? "" : id, names[i], v);
		if (dummy)
			check(!v[0] && !v[1]);
	}
	return p;
}

static const char *prologue(void)
{
	check(!strncmp(text, version, strlen(version)));
	check(!strncmp(text + strlen(version), header, strlen(header)));
	return text + strlen(version) + strlen(header);
}

/* The layout of the format's definition, with the numbers of a fresh UB. */
static void golden_line(void)
{
	static const char want[] =
		"            numpty                          0"
		"                    0                   16"
		"                   17                    0\n";
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPTY, 16, 17));
	slurp("/proc/bc/8100/resources");
	check(strstr(text, want));
	ve_stop(&ve);
}

/* /proc/user_beancounters: newest UB first, the host last, no swappages. */
static void user_beancounters(void)
{
	const char *p;
	struct ve a, b;

	ve_start(&a, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	slurp("/proc/user_beancounters");
	p = prologue();
	p = one_ub(p, "8101:", 1, 0);
	p = one_ub(p, "8100:", 1, 0);
	p = one_ub(p, "0:", 1, 0);
	check_eq(*p, 0);
	ve_stop(&a);
	ve_stop(&b);
	check_soon(!ub_dirs(ID) && !ub_dirs(ID + 1), 10000);
	slurp("/proc/user_beancounters");
	p = one_ub(prologue(), "0:", 1, 0);
	check_eq(*p, 0);
}

/* /proc/bc/resources: no dummies, swappages last. */
static void bc_resources(void)
{
	const char *p;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	slurp("/proc/bc/resources");
	p = prologue();
	p = one_ub(p, "8100:", 0, 1);
	p = one_ub(p, "0:", 0, 1);
	check_eq(*p, 0);
	ve_stop(&ve);
}

/* /proc/bc/ID/resources: 21 lines, no header, a blank uid column. */
static void bc_one(void)
{
	const char *p;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	slurp("/proc/bc/8100/resources");
	p = one_ub(text, "", 0, 1);
	check_eq(*p, 0);
	slurp("/proc/bc/0/resources");
	p = one_ub(text, "", 0, 1);
	check_eq(*p, 0);
	ve_stop(&ve);
	check_soon(access("/proc/bc/8100", F_OK), 10000);
}

/* A new UB: all unlimited but the barriers of the two guarantees. */
static void defaults(void)
{
	char ram[4096];
	unsigned long pages;
	struct ub_line l;
	struct ve ve;
	int i;

	check(read_file("/proc/meminfo", ram, sizeof(ram)) > 0);
	pages = strtoul(strstr(ram, "MemTotal:") + 9, NULL, 10) / 4;
	ve_start(&ve, ID, NULL);
	for (i = 0; i < 25; i++) {
		if (!strcmp(names[i], "dummy"))
			continue;
		l = ub_line(ID, names[i]);
		check_eq(l.limit, UB_MAX);
		check_eq(l.failcnt, 0);
		if (i == UB_VMGUARPAGES)
			check_eq(l.barrier, 0);
		else if (i == UB_OOMGUARPAGES)
			check(l.barrier > pages / 2 && l.barrier < pages);
		else
			check_eq(l.barrier, UB_MAX);
	}
	ve_stop(&ve);
}

/* Every resource of the ABI, dummies too, keeps what is set. */
static void set_all(void)
{
	const char *p = NULL;
	unsigned long v[5];
	struct ve ve;
	int i;

	ve_start(&ve, ID, NULL);
	for (i = 0; i < 25; i++)
		check_ok(vz_ubc(ve.fd, 0, i, PLENTY + i, PLENTY + 100 + i));
	slurp("/proc/user_beancounters");
	for (i = 0; i < 24; i++) {
		p = one_line(i ? p : prologue(), i ? "" : "8100:", names[i], v);
		check_eq(v[2], PLENTY + i);
		check_eq(v[3], PLENTY + 100 + i);
	}
	check_eq(ub_line(ID, "swappages").limit, PLENTY + 100 + 24);
	ve_stop(&ve);
}

static long read_inside(long unused)
{
	const char *p;

	slurp("/proc/user_beancounters");
	p = one_ub(prologue(), "8100:", 1, 0);
	check_eq(*p, 0);
	check_err(access("/proc/bc", F_OK), ENOENT);
	return 0;
}

static long read_as_user(long unused)
{
	check_ok(setgid(1000));
	check_ok(setuid(1000));
	check_err(open("/proc/user_beancounters", O_RDONLY), EACCES);
	return 0;
}

/* A VE sees its own UB only, and its ordinary users none. */
static void visible_inside(void)
{
	struct ve ve, other;

	ve_start(&ve, ID, NULL);
	ve_start(&other, ID + 1, NULL);
	ve_must(&ve, read_inside, 0);
	ve_must(&ve, read_as_user, 0);
	check(exited(check_ok(ve_enter(&ve, 0, read_inside, 0)), 0));
	ve_stop(&other);
	ve_stop(&ve);
}

static void refused(void)
{
	struct stat st;

	check_ok(setgid(1000));
	check_ok(setuid(1000));
	check_err(open("/proc/user_beancounters", O_RDONLY), EACCES);
	check_err(open("/proc/bc/resources", O_RDONLY), EACCES);
	/* Without the capabilities the tree itself says EPERM or EACCES. */
	check_eq(open("/proc/bc/0/resources", O_RDONLY), -1);
	check(errno == EPERM || errno == EACCES);
	check(!opendir("/proc/bc"));
	check(errno == EPERM || errno == EACCES);
	check_ok(stat("/proc/bc", &st));
	_exit(0);
}

/* On the host the files are for root. */
static void visible_to_users(void)
{
	struct stat st;
	int status;

	check_ok(stat("/proc/user_beancounters", &st));
	check_eq(st.st_mode, S_IFREG | 0400);
	check_ok(stat("/proc/bc", &st));
	check_eq(st.st_mode, S_IFDIR | 0500);
	check_ok(stat("/proc/bc/resources", &st));
	check_eq(st.st_mode, S_IFREG | 0400);
	check_ok(stat("/proc/bc/0", &st));
	check_eq(st.st_mode, S_IFDIR | 0500);
	check_ok(stat("/proc/bc/0/resources", &st));
	check_eq(st.st_mode, S_IFREG | 0400);
	if (!check_ok(fork()))
		refused();
	check(wait(&status) > 0);
	check(exited(status, 0));
}

/* Lines of a UB stay together while UBs come and go during a slow read. */
static void contiguous(void)
{
	long rounds = vz_scaled(200);
	pid_t churn = check_ok(fork());
	int status;

	if (!churn) {
		for (;;) {
			int fd = vz_reserve(ID + 5);

			if (fd >= 0)
				close(fd);
		}
	}
	while (rounds--) {
		int fd = check_ok(open("/proc/user_beancounters", O_RDONLY));
		int len = 0, n, i;
		const char *p;

		/* In pieces that end in the middle of lines. */
		while ((n = read(fd, text + len, 1000)) > 0)
			len += n;
		check_eq(n, 0);
		close(fd);
		text[len] = 0;
		p = prologue();
		for (i = 0; *p; i++) {
			char id[12];

			check(sscanf(p, "%10s", id) == 1);
			p = one_ub(p, id, 1, 0);
			check(i < 4);
		}
	}
	kill(churn, SIGKILL);
	check_eq(waitpid(churn, &status, 0), churn);
	check_soon(!ve_exists(ID + 5), 5000);
}

/* Names in /proc/bc that are no UB do not exist. */
static void bc_names(void)
{
	static const char *const none[] = { "00", "-1", "+1", "1x", "4294967296",
		"4294967295", "8100", " 0", "0-0" };
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		snprintf(path, sizeof(path), "/proc/bc/%s", none[i]);
		if (!access(path, F_OK) || errno != ENOENT)
			vz_fail(__FILE__, __LINE__, "%s: errno %d", path,
				errno);
	}
	check_ok(access("/proc/bc/0/resources", R_OK));
	check_eq(ub_dirs(0), 1);
}

static const struct vz_case cases[] = {
	VZ_CASE(golden_line),
	VZ_CASE(user_beancounters),
	VZ_CASE(bc_resources),
	VZ_CASE(bc_one),
	VZ_CASE(bc_names),
	VZ_CASE(defaults),
	VZ_CASE(set_all),
	VZ_CASE(visible_inside),
	VZ_CASE(visible_to_users),
	VZ_CASE(contiguous),
};
VZ_MAIN(cases)
