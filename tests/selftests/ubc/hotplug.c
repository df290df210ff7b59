// SPDX-License-Identifier: GPL-2.0
/* A CPU that comes and goes while it has units in stock. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/limits.h"
#include "lib/units.h"

#define ID 8950
#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define LOADS 4
#define CYCLES vz_scaled(80)
#define BURST 30
/* So many that stock is used below the barrier, and what does not fit. */
#define FILES 1400
#define CHUNKS 2500
#define EXTRA 50

enum { STOP, REFUSED, FAILED, ROUNDS };

static struct ve ve;

static void use_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Files, address space and names: what CPUs keep in stock. */
static long load(long nr)
{
	char path[32];
	int i;

	snprintf(path, sizeof(path), "/tmp/load%ld", nr);
	while (!ve_shared[STOP]) {
		/* Also back to a CPU that was away. */
		use_cpu(ve_shared[ROUNDS + nr] & 1);
		for (i = 0; i < BURST; i++) {
			int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

			if (unit_numfile.make(1) || unit_privvmpages.make(1) ||
			    fd < 0 || close(fd) || unlink(path))
				ve_shared[FAILED] = errno;
		}
		unit_numfile.make(0);
		unit_privvmpages.make(0);
		ve_shared[ROUNDS + nr]++;
	}
	return 0;
}

static long rounds(void)
{
	long sum = 0;
	int i;

	for (i = 0; i < LOADS; i++)
		sum += ve.shared[ROUNDS + i];
	return sum;
}

static long reap(long unused)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

/* Asks for EXTRA more than @max, from all CPUs in turn: how many it got. */
static long fill(const struct unit *u, long max)
{
	long made = 0, i;

	for (i = 0; i < max + EXTRA; i++) {
		use_cpu(i / 10 % 2);
		if (u->make(1) >= 0)
			made++;
		else if (errno == u->err)
			ve_shared[REFUSED]++;
		else
			return -1;
	}
	return made;
}

static long fill_files(long max)
{
	return fill(&unit_numfile, max);
}

static long fill_chunks(long max)
{
	return fill(&unit_privvmpages, max);
}

/* Exactly @n fit below a barrier that is so far away that stock is used. */
static void exactly(const struct unit *u, long (*fill_it)(long), long n)
{
	unsigned long base = ub_held(ID, u->name), failcnt = ub_failcnt(ID, u->name);

	ve.shared[REFUSED] = 0;
	check_ok(vz_ubc(ve.fd, 0, u->res, base + n * u->cost, UB_MAX));
	check_eq(ve_call(&ve, fill_it, n), n);
	check_eq(ve.shared[REFUSED], EXTRA);
	check_eq(ub_held(ID, u->name), base + n * u->cost);
	check_eq(ub_failcnt(ID, u->name), failcnt + EXTRA);
	check_ok(vz_ubc(ve.fd, 0, u->res, UB_MAX, UB_MAX));
	check_eq(ve_call(&ve, u->make, 0), 0);
	check_soon(ub_held(ID, u->name) <= base, 10000);
	check_eq(ub_held(ID, u->name), base);
}

static void all_exact(void)
{
	exactly(&unit_numfile, fill_files, FILES);
	exactly(&unit_privvmpages, fill_chunks, CHUNKS);
}

static void cycle(void)
{
	long before = rounds();

	check_ok(write_file(CPU1, "0"));
	check_soon(rounds() > before, 20000);
	before = rounds();
	check_ok(write_file(CPU1, "1"));
	check_soon(rounds() > before, 20000);
}

static void start_loads(void)
{
	int i;

	for (i = 0; i < ROUNDS + LOADS; i++)
		ve.shared[i] = 0;
	for (i = 0; i < LOADS; i++)
		ve_spawn(&ve, load, i);
	for (i = 0; i < LOADS; i++)
		check_soon(ve.shared[ROUNDS + i] > 1, 20000);
}

static void stop_loads(const struct idle *base)
{
	ve.shared[STOP] = 1;
	check_eq(ve_call(&ve, reap, 0), 0);
	check_eq(ve.shared[FAILED], 0);
	limits_idle(ID, base);
}

static void up_and_down(void)
{
	struct idle base;
	int i;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, reap, 0), 0);
	limits_base(ID, &base);
	start_loads();
	for (i = 0; i < CYCLES; i++)
		cycle();
	vz_note("%d cycles, %ld bursts of %d", (int)CYCLES, rounds(), BURST);
	stop_loads(&base);
	all_exact();

	/* What the CPU left behind is given out while it is away. */
	start_loads();
	check_ok(write_file(CPU1, "0"));
	stop_loads(&base);
	all_exact();
	check_ok(write_file(CPU1, "1"));
	all_exact();
	limits_idle(ID, &base);
	drive_stop(&ve);
}

/* Whatever happens, the machine has all its CPUs afterwards. */
static void stock_of_a_cpu(void)
{
	int status;
	pid_t pid;

	if (access(CPU1, W_OK))
		vz_skip("the second CPU cannot be taken away");
	pid = check_ok(fork());
	if (!pid) {
		up_and_down();
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	write_file(CPU1, "1");
	check_eq(status, 0);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(stock_of_a_cpu, 600),
};
VZ_MAIN(cases)
