// SPDX-License-Identifier: GPL-2.0
/* /proc/sys/ubc: values, errors, who may change them, a change under load. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/units.h"

#define ID 9600
#define PG 4096L
#define SYSCTL "/proc/sys/ubc/resource_precharge"
#define RESOURCES 25
#define MOST 1048576
/* Enough for stock with every amount of live(): FILES for each CPU. */
#define FILES 750L
#define CHUNKS 2500

static char *line(char sep, int priv, int dcache, int files)
{
	static char text[512];
	int i, n = 0;

	for (i = 0; i < RESOURCES; i++)
		n += sprintf(text + n, "%d%c", i == UB_PRIVVMPAGES ? priv :
			     i == UB_DCACHESIZE ? dcache :
			     i == UB_NUMFILE ? files : 0,
			     i == RESOURCES - 1 ? '\n' : sep);
	return text;
}

static int set(int priv, int dcache, int files)
{
	return write_file(SYSCTL, line(' ', priv, dcache, files));
}

static void want_line(const char *want)
{
	char text[512];

	check(read_file(SYSCTL, text, sizeof(text)) > 0);
	check(!strcmp(text, want));
}

static void want(int priv, int dcache, int files)
{
	want_line(line('\t', priv, dcache, files));
}

/* What the kernel starts with. */
#define want_defaults()	want(256, 16384, 8)
#define set_defaults()	set(256, 16384, 8)

static void values(void)
{
	want_defaults();
	check_ok(set(1, 2, 3));
	want(1, 2, 3);
	check_ok(set(MOST, MOST, MOST));
	want(MOST, MOST, MOST);
	check_ok(set(0, 0, 0));
	want(0, 0, 0);
	/* The others stay. */
	check_ok(set_defaults());
	check_ok(write_file(SYSCTL, "0 0 100\n"));
	want(100, 16384, 8);
	check_ok(set_defaults());
	want_defaults();
}

/* The line of earlier kernels: amounts also of what has no stock here. */
#define LEGACY "131072\t0\t256\t0\t0\t4\t512\t0\t0\t0\t0\t0\t4\t" \
	"0\t0\t0\t0\t0\t16384\t8\t256\t0\t0\t0\t256\n"

static void legacy(void)
{
	check_ok(write_file(SYSCTL, LEGACY));
	want_line(LEGACY);
	/* A wrong value leaves these, too. */
	check_err(write_file(SYSCTL, "0 0 0 0 -1"), EINVAL);
	want_line(LEGACY);
	check_ok(set_defaults());
	want_defaults();
}

/* One wrong value, and nothing is changed. */
static void errors(void)
{
	static const char *const wrong[] = {
		"-1",			/* also of what has no stock */
		"1048577",
		"0 0 -1",
		"0 0 1048577",
		"0 0 4294967297",
		"0 0 100 x",
		"x",
	};
	char text[PG + 512];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		check_err(write_file(SYSCTL, wrong[i]), EINVAL);
		want_defaults();
	}
	check_err(set(1, 1, MOST + 1), EINVAL);
	check_err(set(1, -1, 1), EINVAL);
	want_defaults();

	/* All are right, and something follows: a number, a word. */
	snprintf(text, sizeof(text), "%s0\n", line(' ', 1, 1, 1));
	check_err(write_file(SYSCTL, text), EINVAL);
	snprintf(text, sizeof(text), "%sx\n", line(' ', 1, 1, 1));
	check_err(write_file(SYSCTL, text), EINVAL);
	/* A page of blanks in between. */
	snprintf(text, sizeof(text), "%-*s 0\n", (int)PG, line(' ', 1, 1, 1));
	check_err(write_file(SYSCTL, text), EINVAL);
	want_defaults();
}

/* Dirty ratios: percent. */
static const char *const ratios[] = {
	"/proc/sys/ubc/dirty_ratio",
	"/proc/sys/ubc/dirty_background_ratio",
};

static void want_percent(const char *path, long want)
{
	char text[32], line[32];

	snprintf(line, sizeof(line), "%ld\n", want);
	check(read_file(path, text, sizeof(text)) > 0);
	check(!strcmp(text, line));
}

static void percent(void)
{
	static const char *const wrong[] = { "-1", "101", "x" };
	unsigned int i, j;
	long first;

	for (i = 0; i < ARRAY_SIZE(ratios); i++) {
		first = i ? 30 : 50;
		want_percent(ratios[i], first);
		for (j = 0; j < ARRAY_SIZE(wrong); j++)
			check_err(write_file(ratios[i], wrong[j]), EINVAL);
		want_percent(ratios[i], first);
		check_ok(write_file(ratios[i], "0"));
		want_percent(ratios[i], 0);
		check_ok(write_file(ratios[i], "100"));
		want_percent(ratios[i], 100);
		check_ok(write_file(ratios[i], i ? "30" : "50"));
		want_percent(ratios[i], first);
	}
}

static void drop(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	check_ok(syscall(SYS_capget, &h, d));
	d[cap / 32].effective &= ~(1U << (cap % 32));
	check_ok(syscall(SYS_capset, &h, d));
}

/* Stays open in a VE, and is the file here. */
#define KEPT	0

static const char *path;

static long in_ve(long unused)
{
	char c;

	if (open(path, O_RDONLY | O_CLOEXEC) != -1 || errno != EACCES)
		return 1;
	if (open(path, O_WRONLY | O_CLOEXEC) != -1 || errno != EACCES)
		return 2;
	/* The host's descriptor is of no use here. */
	if (pread(KEPT, &c, 1, 0) != -1 || errno != EPERM)
		return 3;
	if (pwrite(KEPT, "0\n", 2, 0) != -1 || errno != EPERM)
		return 4;
	return 0;
}

static void not_in_ve(const char *file)
{
	struct ve ve;

	path = file;
	check_eq(dup2(check_ok(open(path, O_RDWR | O_CLOEXEC)), KEPT), KEPT);
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, in_ve, 0), 0);
	drive_stop(&ve);
}

static void not_a_user(const char *file)
{
	check_ok(seteuid(1000));
	check_err(open(file, O_RDONLY | O_CLOEXEC), EACCES);
	check_err(open(file, O_WRONLY | O_CLOEXEC), EACCES);
	check_ok(seteuid(0));
}

static void who_may(void)
{
	unsigned int i;

	not_in_ve(SYSCTL);
	for (i = 0; i < ARRAY_SIZE(ratios); i++)
		not_in_ve(ratios[i]);
	drop(CAP_SYS_RESOURCE);
	want_defaults();
	check_err(set_defaults(), EPERM);
	for (i = 0; i < ARRAY_SIZE(ratios); i++) {
		want_percent(ratios[i], i ? 30 : 50);
		check_err(write_file(ratios[i], i ? "30" : "50"), EPERM);
	}
	/* Its capabilities come back with root: last. */
	not_a_user(SYSCTL);
	for (i = 0; i < ARRAY_SIZE(ratios); i++)
		not_a_user(ratios[i]);
}

struct stock {
	long real, now, most;
};

/* Its line of /proc/bc/ID/precharge. */
static struct stock stock(const char *name)
{
	char path[64], text[8192], key[32], *at;
	struct stock s;

	snprintf(path, sizeof(path), "/proc/bc/%d/precharge", ID);
	check(read_file(path, text, sizeof(text)) > 0);
	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(text, key);
	check(at);
	check_eq(sscanf(at + strlen(key), "%ld %ld %ld", &s.real, &s.now, &s.most), 3);
	return s;
}

/* Files, names and pages come and go. */
static long churn(long n)
{
	char path[64];

	while (n--) {
		void *p = mmap(NULL, PG, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p != MAP_FAILED);
		snprintf(path, sizeof(path), "/tmp/churn%ld", n);
		close(check_ok(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
		check_ok(unlink(path));
		check_ok(munmap(p, PG));
	}
	return 0;
}

static const char *const stocked[] = { "privvmpages", "dcachesize", "numfile" };

/* Whatever was kept is given back by the time the write returns. */
static void none(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stocked); i++) {
		check_eq(stock(stocked[i]).now, 0);
		check_eq(stock(stocked[i]).most, 0);
	}
}

static void effect(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF), held;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, churn, 20), 0);
	check(stock("numfile").now > 0);
	check(stock("privvmpages").now > 0);
	check_eq(stock("numfile").most, 2 * 8 * cpus);

	check_ok(set(0, 0, 0));
	none();
	check_eq(ve_call(&ve, churn, 20), 0);
	none();

	held = ub_settled(ID, "numfile");
	check_ok(set(256, 16384, 3));
	check_eq(ve_call(&ve, churn, 20), 0);
	check_soon(stock("numfile").real - stock("numfile").now == held, 5000);
	check(stock("numfile").now > 0);
	check(stock("numfile").now <= 2 * 3 * cpus);
	check_eq(stock("numfile").most, 2 * 3 * cpus);
	check_eq(stock("privvmpages").most, 2 * 256 * cpus);
	check_eq(stock("dcachesize").most, 2 * 16384 * cpus);
	check_eq(stock("kmemsize").most, 0);

	/* What has no stock does not get any. */
	check_ok(write_file(SYSCTL, LEGACY));
	check_eq(stock("kmemsize").most, 0);
	check_eq(stock("numproc").most, 0);
	check_eq(stock("numfile").most, 2 * 8 * cpus);
	check_ok(set(256, 16384, 3));

	/* Amounts so large that the barrier is not far away: no stock. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 64 * 3 * cpus, UB_MAX));
	check_eq(ve_call(&ve, churn, 20), 0);
	check(stock("numfile").now > 0);
	check_ok(set(256, 16384, 4));
	check_eq(stock("numfile").now, 0);
	check_eq(ve_call(&ve, churn, 20), 0);
	check_eq(stock("numfile").now, 0);
	drive_stop(&ve);

	/* Who comes later finds them, too. */
	check_ok(set(0, 0, 0));
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, churn, 20), 0);
	none();
	drive_stop(&ve);
	check_ok(set_defaults());
}

static volatile long *flips;
static pid_t flipper;

/* Changes the amounts without pause while the load is on. */
static void flip(int on)
{
	static const int some[] = { 0, 8, 1, 11, 3 };
	int i, n;

	if (!on) {
		kill(flipper, SIGKILL);
		check_eq(waitpid(flipper, &i, 0), flipper);
		check(WIFSIGNALED(i));
		return;
	}
	flipper = check_ok(fork());
	if (flipper)
		return;
	for (i = 0;; i++) {
		n = some[i % ARRAY_SIZE(some)];
		check_ok(set(n * 2, n * 2048, n));
		++*flips;
	}
}

/* Many threads at the barrier of a resource whose stock comes and goes. */
static void live(const struct unit *unit, int room)
{
	long rounds;

	flips = mmap(NULL, PG, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(flips != MAP_FAILED);
	drive_beside = flip;
	for (rounds = 0; rounds < 3 || *flips < 10; rounds++) {
		check(rounds < 20);
		drive_threads(ID, unit, room);
	}
	vz_note("%ld changes in %ld rounds", *flips, rounds);
	check_ok(set_defaults());
	want_defaults();
}

static void live_numfile(void)
{
	live(&unit_numfile, FILES * sysconf(_SC_NPROCESSORS_CONF));
}

static void live_privvmpages(void)
{
	live(&unit_privvmpages, CHUNKS);
}

static const struct vz_case cases[] = {
	VZ_CASE(values),
	VZ_CASE(legacy),
	VZ_CASE(errors),
	VZ_CASE(percent),
	VZ_CASE(who_may),
	VZ_CASE(effect),
	VZ_CASE_SLOW(live_numfile, 240),
	VZ_CASE_SLOW(live_privvmpages, 240),
};
VZ_MAIN(cases)
