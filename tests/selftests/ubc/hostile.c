// SPDX-License-Identifier: GPL-2.0
/*
 * A VE that takes all it can get, beside another VE and the host at work: of
 * these nothing fails and nothing is refused, however slow they become.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/driver.h"
#include "lib/kmsg.h"
#include "lib/limits.h"
#include "lib/tasks.h"
#include "lib/work.h"

#define GOOD 8700
#define BAD 8710
/* What makes a period long enough to say something about it. */
#define MIN_ROUNDS 3
#define MIN_MS vz_scaled(15000)
#define PATIENCE 120000

/* Who works, and how long a round took while nobody disturbed. */
struct worker {
	const char *name;
	volatile struct work *work;
	struct work since;
	double undisturbed;
};

static struct ve good, bad;
static struct worker workers[2];
static pid_t host_pid;
static int log_fd;

static long work_in_ve(long unused)
{
	work((volatile struct work *)ve_shared);
}

/* The OOM killer may take tasks of the hostile VE only. */
static void one_kill(const char *line)
{
	const char *uid = strstr(line, "UID:");
	unsigned long host = uid ? strtoul(uid + 4, NULL, 10) : 0;

	if (host < vz_base(BAD) || host >= vz_base(BAD) + VZCTL_ID_RANGE)
		vz_fail(__FILE__, __LINE__, "a victim that is not of VE %d: %s", BAD, line);
}

static void period_begin(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i].since = *(struct work *)workers[i].work;
}

/* Milliseconds of a round since period_begin(). */
static double round_ms(const struct worker *w)
{
	long rounds = w->work->rounds - w->since.rounds;

	return rounds ? (w->work->ns - w->since.ns) / 1e6 / rounds : 0;
}

static void check_workers(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		volatile struct work *w = workers[i].work;

		if (w->failed)
			vz_fail(__FILE__, __LINE__, "%s: %ld failures, the first is %s, errno %ld",
				workers[i].name, w->failed, work_step(w->step), w->err);
	}
	kmsg_each(log_fd, "Killed process", one_kill);
}

/* A period of at least MIN_MS and MIN_ROUNDS of each worker. */
static void period(void)
{
	long long start = vz_now_ms();
	unsigned int i, done;

	period_begin();
	do {
		usleep(50000);
		check_workers();
		check(vz_now_ms() < start + PATIENCE);
		for (done = 0, i = 0; i < ARRAY_SIZE(workers); i++)
			done += workers[i].work->rounds - workers[i].since.rounds >= MIN_ROUNDS;
	} while (done < ARRAY_SIZE(workers) || vz_now_ms() < start + MIN_MS);
}

static void workers_start(void)
{
	unsigned int i;

	log_fd = kmsg_open();
	ve_start(&good, GOOD, NULL);
	limits_set(&good);
	workers[0].name = "host";
	workers[0].work = mmap(NULL, sizeof(struct work), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(workers[0].work != MAP_FAILED);
	workers[1].name = "ve";
	workers[1].work = (volatile struct work *)good.shared;
	host_pid = check_ok(fork());
	if (!host_pid)
		work(workers[0].work);
	ve_spawn(&good, work_in_ve, 0);
	/* The first round finds nothing in any cache. */
	check_soon(workers[0].work->rounds && workers[1].work->rounds, PATIENCE);
	period();
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		workers[i].undisturbed = round_ms(&workers[i]);
}

static void workers_stop(void)
{
	check_workers();
	limits_unhurt(GOOD);
	kill(host_pid, SIGKILL);
	check_eq(waitpid(host_pid, NULL, 0), host_pid);
	drive_stop(&good);
	kmsg_without(log_fd, "uncharge of");
}

static int is_full(const struct driver *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->full); i++)
		if (d->full[i] && !ub_failcnt(BAD, d->full[i]))
			return 0;
	return 1;
}

/* Sets off a bomb and waits until it has met its bounds. */
static void set_off(int nr)
{
	long long start = vz_now_ms();
	struct ub_line l;

	ve_spawn(&bad, driver_bomb, nr);
	while (!is_full(&drivers[nr])) {
		usleep(50000);
		check_workers();
		if (vz_now_ms() < start + PATIENCE)
			continue;
		tasks_show(BAD);
		l = ub_line(BAD, drivers[nr].full[0]);
		vz_fail(__FILE__, __LINE__, "%s: not refused, %lu held", drivers[nr].name, l.held);
	}
}

static void hostile_start(void)
{
	ve_start(&bad, BAD, NULL);
	limits_set(&bad);
}

/* All of it is gone, and the others have not even noticed that. */
static void hostile_stop(void)
{
	drive_stop(&bad);
	period_begin();
	check_soon(workers[0].work->rounds > workers[0].since.rounds + 1 &&
		   workers[1].work->rounds > workers[1].since.rounds + 1, PATIENCE);
	check_workers();
	limits_unhurt(GOOD);
}

static void slowdown(void)
{
	vz_note("host x%.2f ve x%.2f (%.0f and %.0f ms undisturbed)",
		round_ms(&workers[0]) / workers[0].undisturbed,
		round_ms(&workers[1]) / workers[1].undisturbed,
		workers[0].undisturbed, workers[1].undisturbed);
}

static int find(const char *name)
{
	int i;

	for (i = 0; i < ndrivers; i++)
		if (!strcmp(drivers[i].name, name))
			return i;
	vz_fail(__FILE__, __LINE__, "no bomb %s", name);
}

static void one(const char *name)
{
	workers_start();
	hostile_start();
	set_off(find(name));
	period();
	slowdown();
	hostile_stop();
	workers_stop();
}

/*
 * Those that leave no process for others come last, they are first in the list.
 * Not each of them gets to its own bounds: some take what others need.
 */
static void all_together(void)
{
	int i;

	workers_start();
	hostile_start();
	for (i = ndrivers - 1; i >= 0; i--)
		if (drivers[i].full[0])
			ve_spawn(&bad, driver_bomb, i);
	check_soon(ub_failcnt(BAD, "numproc") > 0, PATIENCE);
	period();
	slowdown();
	hostile_stop();
	workers_stop();
}

#define BOMB(b) static void one_##b(void) { one(#b); }
#define CASE(b) { #b, one_##b, 300 }

BOMB(fork)
BOMB(memory)
BOMB(tcp)
BOMB(udp)
BOMB(unix)
BOMB(netlink)
BOMB(file)
BOMB(dentry)
BOMB(pty)
BOMB(signal)
BOMB(flock)
BOMB(nft)
BOMB(tmpfs)

static const struct vz_case cases[] = {
	CASE(fork), CASE(memory), CASE(tcp), CASE(udp), CASE(unix),
	CASE(netlink), CASE(file), CASE(dentry), CASE(pty), CASE(signal),
	CASE(flock), CASE(nft), CASE(tmpfs),
	VZ_CASE_SLOW(all_together, 300),
};
VZ_MAIN(cases)
