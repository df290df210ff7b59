// SPDX-License-Identifier: GPL-2.0
/*
 * kmemsize: kernel memory of a VE.  It is charged by the page and every CPU
 * keeps a little of what is free, so it is checked with some slack.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/kmsg.h"

#define ID 8500
#define PG 4096L
#define KB 1024L
#define MB (1024L * KB)
/* What CPUs may keep, and what comes and goes with any request. */
#define SLACK (128 * KB)
#define PIPES 8
#define PIPE_SIZE (64 * KB)

static struct ve ve;

static void wait_for(int step)
{
	while (ve_shared[1] < step)
		usleep(1000);
}

static void step(int n)
{
	ve.shared[1] = n;
	check_soon(ve.shared[0] == n, 60000);
}

static int pipes[PIPES][2];

/* Fills pipes: exactly PIPE_SIZE of pages each. */
static long fill_pipes(long on)
{
	static char buf[PIPE_SIZE];
	int i;

	for (i = 0; i < PIPES; i++) {
		if (!on) {
			close(pipes[i][0]);
			close(pipes[i][1]);
			continue;
		}
		check_ok(pipe2(pipes[i], O_CLOEXEC));
		check_eq(write(pipes[i][1], buf, PIPE_SIZE), PIPE_SIZE);
	}
	return 0;
}

static long nothing(long unused)
{
	return unused;
}

/* The VE sees its own line. */
static long read_own(long unused)
{
	static char text[16384];
	char *line;

	check(read_file("/proc/user_beancounters", text, sizeof(text)) > 0);
	line = strstr(text, "kmemsize");
	check(line);
	check(strtoul(line + 8, NULL, 10) > PIPES * PIPE_SIZE);
	return 0;
}

/* Pages are charged when allocated and given back when freed. */
static void pages_count(void)
{
	unsigned long base, held;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, fill_pipes, 1), 0);
	check_eq(ve_call(&ve, fill_pipes, 0), 0);
	base = ub_settled(ID, "kmemsize");
	check(base > 0);
	check_eq(ve_call(&ve, fill_pipes, 1), 0);
	held = ub_held(ID, "kmemsize");
	check(held >= base + PIPES * PIPE_SIZE - SLACK);
	check(held <= base + PIPES * PIPE_SIZE + SLACK);
	check(held % PG == 0);
	check(ub_line(ID, "kmemsize").maxheld >= held);
	ve_must(&ve, read_own, 0);
	check_eq(ve_call(&ve, fill_pipes, 0), 0);
	check_soon(ub_held(ID, "kmemsize") <= base + SLACK, 5000);
	check_eq(ub_failcnt(ID, "kmemsize"), 0);
	drive_stop(&ve);
}

/* Maps single pages of alternating protection until that fails. */
static long map_many(void)
{
	long n = 0;

	while (mmap(NULL, PG, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		n++;
	return n;
}

/* One page in each 2 MiB: each costs a page table. */
static void touch_many(char *p)
{
	long i;

	for (i = 0; i < 4096; i++) {
		*(volatile char *)(p + (i << 21)) = 1;
		ve_shared[6] = i + 1;
	}
}

static long hog(void)
{
	char *p = mmap(NULL, 8L << 30, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED);
	madvise(p, 8L << 30, MADV_NOHUGEPAGE);
	*(volatile char *)p = 1;
	wait_for(1);
	ve_shared[0] = 1;
	wait_for(2);
	ve_shared[2] = map_many();
	ve_shared[4] = errno;
	ve_shared[0] = 2;
	wait_for(3);
	ve_shared[5] = map_many();
	ve_shared[0] = 3;
	wait_for(4);
	touch_many(p);
	return 0;
}

static long spawn_hog(long unused)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(hog());
	check(pid > 0);
	check_eq(waitpid(pid, &status, 0), pid);
	ve_shared[7] = status;
	ve_shared[3] = 1;
	return 0;
}

/*
 * mmap() is refused at the barrier, a page table only at the limit: that ends
 * in the OOM killer of the VE, and without endless page faults.
 */
static void barrier_and_oom(void)
{
	unsigned long base, failcnt;
	struct ub_line l;
	int log;

	ve_start(&ve, ID, NULL);
	log = kmsg_open();
	ve_spawn(&ve, spawn_hog, 0);
	step(1);
	base = ub_settled(ID, "kmemsize");
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, base + MB, base + 2 * MB));
	step(2);
	vz_note("%ld mappings", ve.shared[2]);
	check_eq(ve.shared[4], ENOMEM);
	check(ve.shared[2] > 500);
	l = ub_line(ID, "kmemsize");
	check_eq(l.failcnt, 1);
	check(l.held <= base + MB);
	check(l.held >= base + MB - 2 * SLACK);

	/* Raised while full. */
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, base + MB + MB / 4,
			base + 2 * MB));
	step(3);
	check(ve.shared[5] > 100);
	l = ub_line(ID, "kmemsize");
	check_eq(l.failcnt, 2);
	check(l.held <= base + MB + MB / 4);

	/* There are 192 pages to the limit. */
	failcnt = ub_failcnt(ID, "oomguarpages");
	ve.shared[1] = 4;
	check_soon(ve.shared[3], 60000);
	vz_note("%ld page tables", ve.shared[6]);
	check_eq(ve.shared[7], SIGKILL);
	check(ve.shared[6] >= 150);
	check(ve.shared[6] <= 400);
	l = ub_line(ID, "kmemsize");
	check(l.failcnt >= 3);
	check(l.failcnt < 20);
	check_eq(ub_failcnt(ID, "oomguarpages"), failcnt + 1);
	/* The victim was the hog, not init. */
	check_eq(ve_state(&ve), VZCTL_STATE_RUNNING);
	check_soon(ub_held(ID, "kmemsize") <= base + SLACK, 10000);
	ve_must(&ve, nothing, 0);
	kmsg_without(log, "leaked out to the #PF handler");
	drive_stop(&ve);
}

static long fork_once(long unused)
{
	pid_t pid;

	wait_for(1);
	ve_shared[0] = 1;
	wait_for(2);
	pid = fork();
	if (!pid)
		_exit(0);
	ve_shared[2] = pid;
	ve_shared[3] = errno;
	ve_shared[0] = 2;
	return 0;
}

/* fork() at the barrier is ENOMEM, and one failure, whatever limit there is. */
static void fork_barrier(void)
{
	ve_start(&ve, ID, NULL);
	ve_spawn(&ve, fork_once, 0);
	step(1);
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, 0, UB_MAX));
	step(2);
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, UB_MAX, UB_MAX));
	check_eq(ve.shared[2], -1);
	check_eq(ve.shared[3], ENOMEM);
	check_eq(ub_failcnt(ID, "kmemsize"), 1);
	ve_must(&ve, nothing, 0);
	check_eq(ub_failcnt(ID, "kmemsize"), 1);
	drive_stop(&ve);
}

/* A cgroup below the VE's pays to the same UB, also after its removal. */
static void nested(void)
{
	unsigned long base, held;
	char dir[96], path[128], num[16];
	pid_t pid;

	ve_start(&ve, ID, NULL);
	base = ub_settled(ID, "kmemsize");
	snprintf(dir, sizeof(dir), VE_CGROUP "/%u/x", ID);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	check_ok(mkdir(dir, 0755));
	pid = check_ok(fork());
	if (!pid) {
		ve_shared = ve.shared;
		snprintf(num, sizeof(num), "%d", getpid());
		check_ok(write_file(path, num));
		fill_pipes(1);
		ve_shared[0] = 1;
		for (;;)
			pause();
	}
	check_soon(ve.shared[0], 10000);
	held = ub_held(ID, "kmemsize");
	check(held >= base + PIPES * PIPE_SIZE - SLACK);
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, NULL, 0), pid);
	check_soon(!rmdir(dir), 10000);
	check_soon(ub_held(ID, "kmemsize") <= base + SLACK, 20000);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(pages_count),
	VZ_CASE(barrier_and_oom),
	VZ_CASE(fork_barrier),
	VZ_CASE(nested),
};
VZ_MAIN(cases)
