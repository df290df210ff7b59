// SPDX-License-Identifier: GPL-2.0
/*
 * kmemsize and dcachesize: kernel memory of a VE.
 *
 * Kernel memory is charged by the page and every CPU keeps a little of what is
 * free, so kmemsize is checked with some slack.  dcachesize is exact.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8500
#define PG 4096L
#define KB 1024L
#define MB (1024L * KB)
/* What CPUs may keep, and what comes and goes with any request. */
#define SLACK (128 * KB)
#define FIRST_FD 100
#define FDS 300
#define LINKS 200
#define HOGS 10
#define PIPES 8
#define PIPE_SIZE (64 * KB)

static struct ve ve;

/* Waits until the counter has stood still for a moment. */
static unsigned long settled(const char *name)
{
	long long until = vz_now_ms() + 10000;
	unsigned long now = ub_held(ID, name), last;

	do {
		last = now;
		usleep(200000);
		now = ub_held(ID, name);
	} while (now != last && vz_poll_step(until));
	return now;
}

static int kmsg_open(void)
{
	int fd = check_ok(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	lseek(fd, 0, SEEK_END);
	return fd;
}

/* Nothing like @text was logged since kmsg_open(). */
static void kmsg_without(int fd, const char *text)
{
	char line[1024];
	ssize_t n;

	while ((n = read(fd, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		if (strstr(line, text))
			vz_fail(__FILE__, __LINE__, "logged: %s", line);
	}
	close(fd);
}

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
	base = settled("kmemsize");
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
	base = settled("kmemsize");
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
	base = settled("kmemsize");
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

/* Makes the kernel cache the names and inodes of FDS files of /proc. */
static long look(long nr)
{
	int fd = check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));
	struct stat st;
	char path[32];
	int i;

	for (i = FIRST_FD; i < FIRST_FD + FDS; i++) {
		check_eq(dup2(fd, i), i);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
		check_ok(lstat(path, &st));
	}
	ve_shared[0] = nr;
	for (;;)
		pause();
	return 0;
}

/* What nobody uses gives way: nothing is refused at the limit. */
static void dcache_unused(void)
{
	unsigned long base, cost;
	struct ub_line l;
	int i;

	ve_start(&ve, ID, NULL);
	base = settled("dcachesize");
	ve_spawn(&ve, look, 1);
	check_soon(ve.shared[0] == 1, 20000);
	cost = ub_held(ID, "dcachesize") - base;
	vz_note("%d files cost %lu bytes", FDS, cost);
	check(cost > FDS * 500UL);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, base + 2 * cost));
	for (i = 2; i <= HOGS; i++) {
		ve_spawn(&ve, look, i);
		check_soon(ve.shared[0] == i, 60000);
		l = ub_line(ID, "dcachesize");
		check(l.held <= l.limit);
	}
	l = ub_line(ID, "dcachesize");
	check_eq(l.failcnt, 0);
	check(l.maxheld <= l.limit);
	drive_stop(&ve);
}

static int links;

/* A link on tmpfs is one dentry, which nothing frees but unlink(). */
static long one_link(long on)
{
	char path[32];

	if (!on) {
		while (links) {
			snprintf(path, sizeof(path), "/tmp/l%d", --links);
			check_ok(unlink(path));
		}
		return 0;
	}
	snprintf(path, sizeof(path), "/tmp/l%d", links);
	if (link("/tmp/file", path))
		return -1;
	links++;
	return 0;
}

static long make_file(long unused)
{
	return close(check_ok(open("/tmp/file", O_CREAT | O_CLOEXEC, 0600)));
}

static void many_links(int n)
{
	while (n--)
		check_eq(ve_call(&ve, one_link, 1), 0);
}

static void want(unsigned long held, unsigned long failcnt)
{
	check_soon(ub_held(ID, "dcachesize") == held, 10000);
	check_eq(ub_failcnt(ID, "dcachesize"), failcnt);
}

/* What is in use is refused at the limit, exactly; the barrier is no bound. */
static void dcache_pinned(void)
{
	unsigned long base, cost, full;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, make_file, 0), 0);
	many_links(1);
	check_eq(ve_call(&ve, one_link, 0), 0);
	/* This frees all that is not in use. */
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, 0));
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	base = settled("dcachesize");
	want(base, 1);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, UB_MAX));
	many_links(1);
	cost = ub_held(ID, "dcachesize") - base;
	check(cost >= 128 && cost < 1024);
	full = base + LINKS * cost;
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full));
	many_links(LINKS - 1);
	want(full, 1);
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	want(full, 3);

	/* Raised while full, by a byte less and by as much as it takes. */
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full + cost - 1));
	check_err(ve_call(&ve, one_link, 1), ENOMEM);
	want(full, 4);
	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, full + cost));
	many_links(1);
	want(full + cost, 4);

	check_ok(vz_ubc(ve.fd, 0, UB_DCACHESIZE, 0, UB_MAX));
	check_eq(ve_call(&ve, one_link, 0), 0);
	want(base, 4);
	drive_stop(&ve);
}

static long mount_ramfs(long unused)
{
	return mount("none", "/tmp", "ramfs", 0, NULL);
}

/*
 * Objects that outlive their VE keep neither its UB nor a charge.  In ramfs,
 * because an inode of tmpfs does keep its UB: it may be charged shmpages.
 */
static void outlives(void)
{
	int fd, log = kmsg_open();
	struct stat st;
	char path[64];

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, mount_ramfs, 0), 0);
	check_eq(ve_call(&ve, make_file, 0), 0);
	many_links(LINKS);
	snprintf(path, sizeof(path), "/proc/%d/root/tmp", ve.init);
	fd = check_ok(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	check(ub_held(ID, "dcachesize") > LINKS * 128UL);
	drive_stop(&ve);
	check_ok(fstatat(fd, "l0", &st, 0));

	/* The next one of that id has nothing to do with them. */
	ve_start(&ve, ID, NULL);
	check_eq(close(fd), 0);
	usleep(500000);
	check(ub_held(ID, "dcachesize") > 0);
	check(ub_held(ID, "kmemsize") > 0);
	drive_stop(&ve);
	kmsg_without(log, "uncharge of");
}

/* Over and over: nothing is left, whatever the VE was doing. */
static void again_and_again(void)
{
	int i, log = kmsg_open();

	for (i = 0; i < vz_scaled(50); i++) {
		ve_start(&ve, ID, NULL);
		check_eq(ve_call(&ve, make_file, 0), 0);
		check_eq(ve_call(&ve, fill_pipes, 1), 0);
		many_links(10);
		ve_spawn(&ve, look, 1);
		drive_stop(&ve);
	}
	kmsg_without(log, "uncharge of");
}

static const struct vz_case cases[] = {
	VZ_CASE(pages_count),
	VZ_CASE(barrier_and_oom),
	VZ_CASE(fork_barrier),
	VZ_CASE(nested),
	VZ_CASE(dcache_unused),
	VZ_CASE(dcache_pinned),
	VZ_CASE(outlives),
	VZ_CASE_SLOW(again_and_again, 300),
};
VZ_MAIN(cases)
