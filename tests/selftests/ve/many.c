// SPDX-License-Identifier: GPL-2.0
/* Many starts and stops, many VEs at once, many threads for one id. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7400
#define AT_ONCE 50
#define RACERS 64

static void start_stop(unsigned int id)
{
	struct ve ve;

	ve_start(&ve, id, NULL);
	ve_stop(&ve);
}

/* Start and stop leave nothing: slab, namespaces, mounts, cgroups, UBs. */
static void cycles(void)
{
	long n = vz_scaled(1000), i;
	struct counts before;
	long long t;

	for (i = 0; i < 10; i++)
		start_stop(ID);
	counts_take(&before);
	t = vz_now_ms();
	for (i = 0; i < n; i++)
		start_stop(ID);
	vz_note("%ld cycles, %lld ms each", n, (vz_now_ms() - t) / n);
	/* One object a cycle is a leak. */
	check_eq(counts_compare(&before, n / 2 + 32, 60000), 0);
}

static long own_id(long id)
{
	char text[4096], want[32];

	check(read_file("/proc/self/status", text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "\nenvID:\t%ld\n", id);
	if (!strstr(text, want))
		return -1;
	return getpid();
}

/* 50 VEs run side by side and all end. */
static void at_once(void)
{
	static struct ve ve[AT_ONCE];
	struct counts before;
	int i;

	start_stop(ID);
	counts_take(&before);
	for (i = 0; i < AT_ONCE; i++)
		ve_start(&ve[i], ID + i, NULL);
	for (i = 0; i < AT_ONCE; i++) {
		check_eq(ve_state(&ve[i]), VZCTL_STATE_RUNNING);
		check_eq(ve_call(&ve[i], own_id, ID + i), 1);
	}
	for (i = 0; i < AT_ONCE; i++)
		check_ok(vz_kill(ve[i].fd, SIGKILL));
	for (i = 0; i < AT_ONCE; i++) {
		ve_wait_dead(&ve[i], 60000, NULL);
		ve_close(&ve[i]);
	}
	check_eq(counts_compare(&before, AT_ONCE / 2 + 32, 60000), 0);
}

static pthread_barrier_t gate;
static int winners, refused;

static void *racer(void *unused)
{
	int fd;

	pthread_barrier_wait(&gate);
	fd = vz_reserve(ID);
	if (fd >= 0)
		__atomic_add_fetch(&winners, 1, __ATOMIC_SEQ_CST);
	else if (errno == EEXIST)
		__atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
	/* Nobody closes before all have tried. */
	pthread_barrier_wait(&gate);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* 64 threads want one id: exactly one gets it, the others EEXIST. */
static void race_for_id(void)
{
	long n = vz_scaled(100), round;
	pthread_t t[RACERS];
	int i;

	vz_ctl();
	for (round = 0; round < n; round++) {
		winners = refused = 0;
		pthread_barrier_init(&gate, NULL, RACERS);
		for (i = 0; i < RACERS; i++)
			check_eq(pthread_create(&t[i], NULL, racer, NULL), 0);
		for (i = 0; i < RACERS; i++)
			pthread_join(t[i], NULL);
		pthread_barrier_destroy(&gate);
		check_eq(winners, 1);
		check_eq(refused, RACERS - 1);
		check_soon(!ve_exists(ID), 5000);
	}
}

/* 64 processes start the same VE: one runs, ids and counts are right. */
static void race_for_start(void)
{
	struct counts before;
	int i, won = 0, status, p[2];
	char c;

	start_stop(ID);
	counts_take(&before);
	check_ok(pipe(p));
	for (i = 0; i < RACERS; i++) {
		pid_t pid = check_ok(fork());

		if (!pid) {
			int fd;

			close(p[1]);
			if (read(p[0], &c, 1) < 0)
				_exit(2);
			fd = vz_reserve(ID);
			if (fd < 0)
				_exit(errno == EEXIST ? 0 : 2);
			pid = vz_create2(fd, ID, VE_BSET);
			if (!pid)
				for (;;)
					pause();
			if (pid < 0 || vz_run(fd))
				_exit(2);
			_exit(1);
		}
	}
	/* The closed pipe is the starting gun. */
	close(p[1]);
	for (i = 0; i < RACERS; i++) {
		check(wait(&status) > 0);
		check(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		won += WEXITSTATUS(status);
	}
	check_eq(won, 1);
	check_eq(ve_kill_all(0), 1);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	check_eq(counts_compare(&before, 64, 30000), 0);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(cycles, 3600),
	VZ_CASE_SLOW(at_once, 600),
	VZ_CASE_SLOW(race_for_id, 600),
	VZ_CASE(race_for_start),
};
VZ_MAIN(cases)
