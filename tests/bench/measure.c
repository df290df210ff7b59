// SPDX-License-Identifier: GPL-2.0
/*
 * Under "qemu -icount shift=0" an instruction takes one nanosecond and the time
 * stamp counter runs at 1 GHz: its differences are instructions, of the program,
 * the kernel and its interrupts.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
#include <x86intrin.h>

#include "ktap.h"
#include "measure.h"
#include "ve.h"

#define WARM_UP		2
#define CAL_TRIES	40
/* An interrupt takes more instructions than that, two looks at a clock less. */
#define TICK_GAP	500
#define SETTLE_US	100000

/* Exactly 2 * @n instructions. */
static inline void spin(unsigned long n)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n) : : "cc");
}

/* The best of some tries: the others were interrupted. */
uint64_t calibrate(unsigned long n)
{
	uint64_t best = UINT64_MAX, start, took;
	int i;

	for (i = 0; i < CAL_TRIES; i++) {
		start = __rdtsc();
		spin(n);
		took = __rdtsc() - start;
		if (took < best)
			best = took;
	}
	return best;
}

/* Time without work so far: it would be taken for instructions. */
static uint64_t idle_time(void)
{
	unsigned long long idle, iowait;
	char buf[512];
	int n;

	check(read_file("/proc/stat", buf, sizeof(buf)) > 0);
	n = sscanf(buf, "cpu %*u %*u %*u %llu %llu", &idle, &iowait);
	check_eq(n, 2);
	return idle + iowait;
}

/* Waits for the next tick: a gap between two looks at the counter. */
static void await_tick(void)
{
	uint64_t last = __rdtsc(), now = last;

	while (now - last < TICK_GAP) {
		last = now;
		now = __rdtsc();
	}
}

/*
 * One repetition.  What the one before has put off (RCU, workers) is done first,
 * and the ticks come at the same places in each.  Sleeping costs nothing: idle
 * time is skipped.
 */
static uint64_t repeat(const struct row *row, struct result *res)
{
	uint64_t idle, start, took;

	ballast_more();
	usleep(SETTLE_US);
	idle = idle_time();
	await_tick();
	start = __rdtsc();
	row->run(row->ops);
	took = __rdtsc() - start;
	res->idle += idle_time() - idle;
	return took;
}

void measure(const struct row *row, int reps, struct result *res)
{
	int i;

	ballast_start();
	if (row->setup)
		row->setup();
	for (i = 0; i < WARM_UP; i++)
		repeat(row, res);
	res->idle = 0;
	for (i = 0; i < reps; i++)
		res->rep[i] = repeat(row, res);
	if (row->cleanup)
		row->cleanup();
	ballast_stop();
}
