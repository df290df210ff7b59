// SPDX-License-Identifier: GPL-2.0
/* UBCS of /dev/vzctl and of VE descriptors: several limits, all or none. */
#define _GNU_SOURCE
#include <linux/ubc.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 9200

static struct ve ve;
static struct vzctl_limit some[VZCTL_UBCS_MAX + 1];
static struct vzctl_ubcs arg;

static int set(int fd, unsigned int id, const void *limits, unsigned int count)
{
	arg = (struct vzctl_ubcs){
		.size = sizeof(arg),
		.id = id,
		.limits = (unsigned long)limits,
		.count = count,
		.wrong = 77,
	};
	return ioctl(fd, VZCTL_UBCS, &arg);
}

/* Three resources with these bounds. */
static void three(unsigned long barrier, unsigned long limit)
{
	static const unsigned int res[3] = { UBC_NUMPTY, UBC_NUMFLOCK, UBC_SHMPAGES };
	int i;

	memset(some, 0, sizeof(some));
	for (i = 0; i < 3; i++)
		some[i] = (struct vzctl_limit){
			.resource = res[i],
			.barrier = barrier + i,
			.limit = limit + i,
		};
}

static void want(unsigned long barrier, unsigned long limit)
{
	static const char *const names[3] = { "numpty", "numflock", "shmpages" };
	int i;

	for (i = 0; i < 3; i++) {
		check_eq(ub_line(ID, names[i]).barrier, barrier + i);
		check_eq(ub_line(ID, names[i]).limit, limit + i);
	}
}

static void numbers(void)
{
	check_eq(VZCTL_UBCS, 0xc0182e2du);
	check_eq(sizeof(struct vzctl_limit), 24);
	check_eq(sizeof(struct vzctl_ubcs), 24);
}

static void all_or_none(void)
{
	unsigned int bad, kind;

	ve_start(&ve, ID, NULL);
	three(1000, 2000);
	check_ok(set(ve.fd, 0, some, 3));
	want(1000, 2000);
	for (bad = 0; bad < 3; bad++) {
		for (kind = 0; kind < 6; kind++) {
			three(5, 6);
			if (kind == 0)
				some[bad].resource = UBC_RESOURCES;
			if (kind == 1)
				some[bad].resource = ~0U;
			if (kind == 2)
				some[bad].barrier = UB_MAX + 1;
			if (kind == 3)
				some[bad].limit = ~0ULL;
			if (kind == 4)
				some[bad].pad = 1;
			if (kind == 5 && !bad)
				continue;
			if (kind == 5)
				some[bad].resource = some[0].resource;
			check_err(set(ve.fd, 0, some, 3), EINVAL);
			check_eq(arg.wrong, bad);
			want(1000, 2000);
			check_err(set(vz_ctl(), ID, some, 3), EINVAL);
			check_eq(arg.wrong, bad);
			want(1000, 2000);
		}
	}
	three(5, 6);
	check_ok(set(vz_ctl(), ID, some, 3));
	check_eq(arg.wrong, 77);
	want(5, 6);
	three(UB_MAX - 2, 1);
	check_ok(set(ve.fd, 0, some, 3));
	want(UB_MAX - 2, 1);
	drive_stop(&ve);
}

static void every_resource(void)
{
	unsigned int i;

	ve_start(&ve, ID, NULL);
	for (i = 0; i <= VZCTL_UBCS_MAX; i++)
		some[i] = (struct vzctl_limit){
			.resource = i % VZCTL_UBCS_MAX,
			.barrier = 10000000 + i,
			.limit = 20000000 + i,
		};
	check_ok(set(ve.fd, 0, some, VZCTL_UBCS_MAX));
	check_eq(ub_line(ID, "kmemsize").barrier, 10000000);
	check_eq(ub_line(ID, "swappages").limit, 20000024);
	check_err(set(ve.fd, 0, some, VZCTL_UBCS_MAX + 1), EINVAL);
	check_eq(arg.wrong, VZCTL_UBCS_NONE);
	drive_stop(&ve);
}

static void errors(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;

	check(page != MAP_FAILED);
	check_ok(mprotect(page + 4096, 4096, PROT_NONE));
	ve_start(&ve, ID, NULL);
	three(1000, 2000);
	check_ok(set(ve.fd, 0, some, 3));
	three(5, 6);
	check_err(set(ve.fd, 0, some, 0), EINVAL);
	check_eq(arg.wrong, VZCTL_UBCS_NONE);
	check_err(set(ve.fd, 0, some, ~0U), EINVAL);
	check_eq(arg.wrong, VZCTL_UBCS_NONE);
	check_err(set(ve.fd, ID, some, 3), EINVAL);
	check_eq(arg.wrong, VZCTL_UBCS_NONE);
	check_err(set(vz_ctl(), ID + 1, some, 3), ENOENT);
	check_err(set(ve.fd, 0, NULL, 3), EFAULT);
	check_err(set(ve.fd, 0, (void *)-24UL, 3), EFAULT);
	/* The third one is not there. */
	memcpy(page + 4096 - 48, some, 48);
	check_err(set(ve.fd, 0, page + 4096 - 48, 3), EFAULT);
	check_err(ioctl(ve.fd, VZCTL_UBCS, page + 4096 - 8), EINVAL);
	check_err(ioctl(ve.fd, VZCTL_UBCS, NULL), EFAULT);
	want(1000, 2000);
	if (!check_ok(fork())) {
		check_ok(setgid(1000));
		check_ok(setuid(1000));
		check_err(set(ve.fd, 0, some, 3), EPERM);
		check_err(set(vz_ctl(), ID, some, 3), EPERM);
		_exit(0);
	}
	check(wait(&status) > 0);
	check(exited(status, 0));
	want(1000, 2000);
	/* The host's. */
	check_ok(set(vz_ctl(), 0, some, 3));
	check_eq(ub_line(0, "numpty").barrier, 5);
	three(UB_MAX - 2, UB_MAX - 2);
	check_ok(set(vz_ctl(), 0, some, 3));
	drive_stop(&ve);
}

#define ROUNDS 20000

/* Two who set the same three at once: each time all are one's or the other's. */
static void no_mixture(void)
{
	long n = vz_scaled(ROUNDS);
	int status, who;

	ve_start(&ve, ID, NULL);
	for (who = 0; who < 2; who++) {
		long i = n;

		if (check_ok(fork()))
			continue;
		three(who ? 1000 : 5000, who ? 1000 : 5000);
		while (i--)
			check_ok(set(ve.fd, 0, some, 3));
		_exit(0);
	}
	for (who = 0; who < 2; who++) {
		check(wait(&status) > 0);
		check(exited(status, 0));
	}
	if (ub_line(ID, "numpty").barrier == 1000)
		want(1000, 1000);
	else
		want(5000, 5000);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(numbers),
	VZ_CASE(all_or_none),
	VZ_CASE(every_resource),
	VZ_CASE(errors),
	VZ_CASE(no_mixture),
};
VZ_MAIN(cases)
