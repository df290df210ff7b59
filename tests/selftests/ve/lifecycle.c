// SPDX-License-Identifier: GPL-2.0
/* A VE from RESERVE to running, what its init sees, and its states. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7100

/* Closing the only descriptor of a reserved VE frees the id and cgroups. */
static void reserve_close(void)
{
	int fd = check_ok(vz_reserve(ID));
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), VE_CGROUP "/%u/ct", ID);
	check_ok(stat(path, &st));
	check_eq(ub_dirs(ID), 1);
	close(fd);
	check_soon(!ve_exists(ID), 2000);
	check(!ve_cgroup_exists(ID));
	check_soon(!ub_dirs(ID), 5000);
}

static void want_pressure(const char *where, char counted)
{
	char path[64], text[16];
	struct stat st;

	snprintf(path, sizeof(path), VE_CGROUP "/%s/cgroup.pressure", where);
	check(read_file(path, text, sizeof(text)) > 0);
	check_eq(text[0], counted);
	snprintf(path, sizeof(path), VE_CGROUP "/%s/cpu.pressure", where);
	check_eq(stat(path, &st), counted == '1' ? 0 : -1);
}

/* Pressure is counted on one level of a VE: each costs every switch. */
static void pressure(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	want_pressure("7100", '0');
	want_pressure("7100/ct", '1');
	want_pressure("7100/enter", '1');
	ve_stop(&ve);
}

static long first_look(long unused)
{
	char text[256];
	struct stat st;

	check_eq(getuid(), 0);
	check_eq(geteuid(), 0);
	check_eq(getgid(), 0);
	check(read_file("/proc/self/uid_map", text, sizeof(text)) > 0);
	ve_shared[0] = strtoul(text, NULL, 10);
	ve_shared[1] = strtoul(text + 11, NULL, 10);
	ve_shared[2] = strtoul(text + 22, NULL, 10);
	check(read_file("/proc/self/gid_map", text, sizeof(text)) > 0);
	ve_shared[3] = strtoul(text, NULL, 10);
	ve_shared[4] = strtoul(text + 11, NULL, 10);
	ve_shared[5] = strtoul(text + 22, NULL, 10);
	check_ok(stat("/tmp", &st));
	check_eq(st.st_uid, 0);
	check_eq(getgroups(0, NULL), 0);
	return 0;
}

static long my_pid(long unused)
{
	return getpid();
}

/* CREATE2 returns twice; the child is pid 1 and uid 0 of its own range. */
static void create2_twice(void)
{
	char path[64], text[4096];
	struct vzctl_get get;
	struct stat st;
	struct ve ve;
	int i;

	ve_start(&ve, ID, NULL);
	check(ve.init > 1);
	check_eq(ve_call(&ve, my_pid, 0), 1);
	ve_must(&ve, first_look, 0);
	for (i = 0; i < 6; i += 3) {
		check_eq(ve.shared[i], 0);
		check_eq(ve.shared[i + 1], ve.base);
		check_eq(ve.shared[i + 2], VZCTL_ID_RANGE);
	}
	/* Only one extent. */
	snprintf(path, sizeof(path), "/proc/%d/uid_map", ve.init);
	check(read_file(path, text, sizeof(text)) > 0);
	check(strchr(text, '\n') == text + strlen(text) - 1);
	/* The host sees the base of the range. */
	snprintf(path, sizeof(path), "/proc/%d", ve.init);
	check_ok(stat(path, &st));
	check_eq(st.st_uid, ve.base);
	check_eq(st.st_gid, ve.base);
	check_ok(vz_get(ve.fd, &get));
	check_eq(get.veid, ID);
	check_eq(get.init_pid, ve.init);
	check_eq(get.uid_base, ve.base);
	check_eq(get.uid_count, VZCTL_ID_RANGE);
	check_eq(get.nproc, 1);
	ve_stop(&ve);
}

static long look_at_namespaces(long unused)
{
	struct if_nameindex *ifs = if_nameindex(), *i;
	char text[4096];
	struct utsname uts;
	int n = 0;

	check(ifs);
	for (i = ifs; i->if_index; i++, n++)
		check(!strcmp(i->if_name, "lo"));
	check_eq(n, 1);
	if_freenameindex(ifs);
	check_ok(uname(&uts));
	check(!strcmp(uts.nodename, "ve-test.example"));
	check(!strcmp(uts.release, "6.66-vz-test"));
	check(read_file("/proc/self/cgroup", text, sizeof(text)) > 0);
	check(!strcmp(text, "0::/\n"));
	check(read_file("/proc/sysvipc/shm", text, sizeof(text)) > 0);
	check(strchr(text, '\n') == text + strlen(text) - 1);
	return 0;
}

static void set_release(unsigned int id, int fd)
{
	check_ok(vz_set(fd, VZCTL_SET_OSRELEASE, "6.66-vz-test", 12));
	/* No UTS namespace to write to yet. */
	check_err(vz_set(fd, VZCTL_SET_HOSTNAME, "early", 5), ESRCH);
}

/* Own net (only lo), uts, ipc; root of the cgroup namespace is ve/ID/ct. */
static void own_namespaces(void)
{
	static const char *const ns[] = { "cgroup", "ipc", "mnt", "net", "pid",
		"time", "user", "uts" };
	struct ve_opts opts = { .reserved = set_release };
	char path[64], mine[64], its[64], text[256], want[64];
	struct utsname before, after;
	struct ve ve;
	size_t i;

	check_ok(uname(&before));
	ve_start(&ve, ID, &opts);
	check_ok(vz_set(ve.fd, VZCTL_SET_HOSTNAME, "ve-test.example", 15));
	ve_must(&ve, look_at_namespaces, 0);
	for (i = 0; i < ARRAY_SIZE(ns); i++) {
		memset(mine, 0, sizeof(mine));
		memset(its, 0, sizeof(its));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", ns[i]);
		check(readlink(path, mine, sizeof(mine) - 1) > 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", ve.init, ns[i]);
		check(readlink(path, its, sizeof(its) - 1) > 0);
		if (!strcmp(mine, its))
			vz_fail(__FILE__, __LINE__, "%s ns is the host's",
				ns[i]);
	}
	snprintf(path, sizeof(path), "/proc/%d/cgroup", ve.init);
	check(read_file(path, text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "0::/ve/%u/ct\n", ID);
	check(!strcmp(strstr(text, "0::"), want));
	check_ok(uname(&after));
	check(!memcmp(&before, &after, sizeof(before)));
	ve_stop(&ve);
}

static long clocks(long unused)
{
	struct timespec mono, boot;
	char text[64];

	check_ok(clock_gettime(CLOCK_MONOTONIC, &mono));
	check_ok(clock_gettime(CLOCK_BOOTTIME, &boot));
	check(read_file("/proc/uptime", text, sizeof(text)) > 0);
	ve_shared[0] = boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
	ve_shared[1] = mono.tv_sec * 1000 + mono.tv_nsec / 1000000;
	ve_shared[2] = strtod(text, NULL) * 1000;
	return 0;
}

/* The VE's clocks start near 0 and run at the speed of the host's. */
static void time_starts_at_zero(void)
{
	long long start = vz_now_ms(), spent;
	struct timespec ts;
	struct ve ve;
	int i;

	/* A young node would prove nothing. */
	do
		check_ok(clock_gettime(CLOCK_BOOTTIME, &ts));
	while (ts.tv_sec < 3 && vz_poll_step(start + 5000));
	start = vz_now_ms();
	ve_start(&ve, ID, NULL);
	ve_must(&ve, clocks, 0);
	spent = vz_now_ms() - start;
	for (i = 0; i < 3; i++) {
		check(ve.shared[i] >= 0);
		check(ve.shared[i] <= spent + 20);
	}
	ve_stop(&ve);
}

static void want_poll(struct ve *ve, int events, int want)
{
	struct pollfd p = { .fd = ve->fd, .events = events };

	check_ok(poll(&p, 1, 0));
	check_eq(p.revents, want);
}

/* STARTING, RUNNING, FROZEN, RUNNING, DEAD; POLLPRI once per change seen. */
static void states(void)
{
	struct ve_opts opts = { .no_run = 1 };
	struct vzctl_get get;
	struct ve ve;
	int fd2;

	ve_start(&ve, ID, &opts);
	check_eq(ve_state(&ve), VZCTL_STATE_STARTING);
	want_poll(&ve, POLLPRI, 0);
	check_err(ioctl(ve.fd, VZCTL_FREEZE), EBUSY);
	check_err(vz_create2(ve.fd, ID, VE_BSET), EBUSY);
	ve_go(&ve);
	want_poll(&ve, POLLPRI, POLLPRI);
	check_ok(vz_get(ve.fd, &get));
	check_eq(get.state, VZCTL_STATE_RUNNING);
	check(get.start_time > 0);
	check_eq(get.reason, VZCTL_REASON_NONE);
	want_poll(&ve, POLLPRI, 0);
	check_err(vz_run(ve.fd), EBUSY);
	check_err(vz_create2(ve.fd, ID, VE_BSET), EBUSY);
	check_ok(ioctl(ve.fd, VZCTL_FREEZE));
	want_poll(&ve, POLLPRI, POLLPRI);
	check_eq(ve_state(&ve), VZCTL_STATE_FROZEN);
	check_ok(ioctl(ve.fd, VZCTL_THAW));
	check_eq(ve_state(&ve), VZCTL_STATE_RUNNING);
	/* A descriptor remembers for itself what it has seen. */
	fd2 = check_ok(vz_open(ID));
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 10000, &get);
	check_eq(get.init_pid, 0);
	want_poll(&ve, POLLPRI, POLLHUP);
	close(ve.fd);
	ve.fd = fd2;
	want_poll(&ve, POLLPRI, POLLPRI | POLLHUP);
	check_err(vz_run(ve.fd), EBUSY);
	check_err(vz_kill(ve.fd, SIGKILL), ESRCH);
	check_err(vz_enter(ve.fd, 0), EBUSY);
	ve_close(&ve);
}

/* RUN needs init, and works once. */
static void run_errors(void)
{
	int fd = check_ok(vz_reserve(ID));

	check_err(vz_run(fd), ESRCH);
	close(fd);
	check_soon(!ve_exists(ID), 2000);
}

/* GET of a running VE counts its processes. */
static long sleeper(long unused)
{
	pause();
	return 0;
}

static void nproc_count(void)
{
	struct ve ve;
	int i;

	ve_start(&ve, ID, NULL);
	for (i = 0; i < 5; i++)
		ve_spawn(&ve, sleeper, 0);
	check_eq(ve_nproc(&ve), 6);
	ve_stop(&ve);
}

/* Closing the last descriptor before RUN kills the VE; after RUN it stays. */
static void last_close(void)
{
	struct ve_opts opts = { .no_run = 1 };
	struct ve ve;

	ve_start(&ve, ID, &opts);
	close(ve.fd);
	check_soon(!ve_exists(ID), 5000);
	check(!ve_cgroup_exists(ID));
	check_eq(waitpid(ve.init, NULL, 0), ve.init);
	close(ve.agent);

	ve_start(&ve, ID, NULL);
	close(ve.fd);
	check_eq(ve_call(&ve, my_pid, 0), 1);
	ve.fd = check_ok(vz_open(ID));
	check_eq(ve_state(&ve), VZCTL_STATE_RUNNING);
	ve_stop(&ve);
}

static long count_up(long unused)
{
	while (ve_shared[1] != unused + 1)
		ve_shared[0]++;
	return 0;
}

static int moves(struct ve *ve)
{
	struct timespec ts = { 0, 100000000 };
	long was = ve->shared[0];

	nanosleep(&ts, NULL);
	return ve->shared[0] != was;
}

/* FREEZE returns when nothing in the VE runs any more; THAW resumes it. */
static void freeze(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	ve_spawn(&ve, count_up, 0);
	check_soon(moves(&ve), 5000);
	check_ok(ioctl(ve.fd, VZCTL_FREEZE));
	check(!moves(&ve));
	check_err(ioctl(ve.fd, VZCTL_FREEZE), EBUSY);
	check_ok(ioctl(ve.fd, VZCTL_THAW));
	check_soon(moves(&ve), 5000);
	check_err(ioctl(ve.fd, VZCTL_THAW), EBUSY);
	/* A frozen VE can be killed; nobody gets in to freeze there. */
	check_ok(ioctl(ve.fd, VZCTL_FREEZE));
	check_err(ve_enter(&ve, VZCTL_ENTER_SKIPLOCK, my_pid, 0), EBUSY);
	ve_stop(&ve);
}

/* LOCK refuses ENTER2 but with SKIPLOCK, and shows in GET. */
static void lock(void)
{
	struct vzctl_get get;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_err(ioctl(ve.fd, VZCTL_UNLOCK), EALREADY);
	check_ok(ioctl(ve.fd, VZCTL_LOCK));
	check_err(ioctl(ve.fd, VZCTL_LOCK), EALREADY);
	check_ok(vz_get(ve.fd, &get));
	check_eq(get.flags, VZCTL_GET_LOCKED);
	check_err(ve_enter(&ve, 0, my_pid, 0), EBUSY);
	check(ve_enter(&ve, VZCTL_ENTER_SKIPLOCK, my_pid, 0) > 0);
	check_ok(ioctl(ve.fd, VZCTL_UNLOCK));
	check_ok(vz_get(ve.fd, &get));
	check_eq(get.flags, 0);
	check(ve_enter(&ve, 0, my_pid, 0) > 0);
	ve_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(reserve_close),
	VZ_CASE(pressure),
	VZ_CASE(create2_twice),
	VZ_CASE(own_namespaces),
	VZ_CASE(time_starts_at_zero),
	VZ_CASE(states),
	VZ_CASE(run_errors),
	VZ_CASE(nproc_count),
	VZ_CASE(last_close),
	VZ_CASE(freeze),
	VZ_CASE(lock),
};
VZ_MAIN(cases)
