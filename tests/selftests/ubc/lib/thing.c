// SPDX-License-Identifier: GPL-2.0
/* Makers of things, and what each thing consists of. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktap.h"
#include "thing.h"
#include "ve.h"

#define KB 1024L
#define PG (4 * KB)
/* Where executed programs say that they are there. */
#define READY_FD 950

/* Names and places that were used before, in the process that makes them. */
static long serial;

void thing_stay(void)
{
	for (;;)
		pause();
}

void thing_program(void)
{
	if (write(READY_FD, "", 1) != 1)
		_exit(1);
	thing_stay();
}

static void arrive(void)
{
	__atomic_add_fetch((long *)&ve_shared[ARRIVED], 1, __ATOMIC_SEQ_CST);
}

/* Until @n more than these have run. */
static void wait_arrived(long before, long n)
{
	while (ve_shared[ARRIVED] != before + n)
		usleep(1000);
}

static long make_processes(long n)
{
	long i, before = ve_shared[ARRIVED];

	for (i = 0; i < n; i++)
		if (!check_ok(fork())) {
			arrive();
			thing_stay();
		}
	wait_arrived(before, n);
	return 0;
}

/* A static program reads /proc/self/exe when it starts: two names of its own. */
static long make_programs(long n)
{
	static char *const argv[] = { "objsize", THING_ARG, NULL };
	static int exe = -1, ready[2];
	char c;
	long i;

	if (exe < 0) {
		exe = check_ok(open("/proc/self/exe", O_PATH | O_CLOEXEC));
		check_ok(pipe2(ready, O_CLOEXEC));
		check_eq(dup2(ready[1], READY_FD), READY_FD);
	}
	for (i = 0; i < n; i++)
		if (!check_ok(fork())) {
			fexecve(exe, argv, argv + 2);
			_exit(1);
		}
	while (n--)
		check_eq(read(ready[0], &c, 1), 1);
	return 0;
}

static void *idle(void *unused)
{
	arrive();
	thing_stay();
	return unused;
}

static long make_threads(long n)
{
	long i, before = ve_shared[ARRIVED];
	pthread_attr_t attr;
	pthread_t t;

	check_eq(pthread_attr_init(&attr), 0);
	check_eq(pthread_attr_setstacksize(&attr, 16 * KB), 0);
	for (i = 0; i < n; i++)
		check_eq(pthread_create(&t, &attr, idle, NULL), 0);
	wait_arrived(before, n);
	return 0;
}

static long make_files(long n)
{
	while (n--)
		check_ok(open("/dev/null", O_RDONLY | O_CLOEXEC));
	return 0;
}

static long make_pipes(long n)
{
	struct rlimit r;
	int p[2];

	check_ok(prlimit(0, RLIMIT_NOFILE, NULL, &r));
	r.rlim_cur = r.rlim_max;
	check_ok(prlimit(0, RLIMIT_NOFILE, &r, NULL));
	while (n--)
		check_ok(pipe2(p, O_CLOEXEC));
	return 0;
}

static void sockets(int family, int type, long n)
{
	while (n--)
		check_ok(socket(family, type | SOCK_CLOEXEC, 0));
}

static long make_tcp(long n)
{
	sockets(AF_INET, SOCK_STREAM, n);
	return 0;
}

static long make_udp(long n)
{
	sockets(AF_INET, SOCK_DGRAM, n);
	return 0;
}

static long make_unix(long n)
{
	sockets(AF_UNIX, SOCK_STREAM, n);
	return 0;
}

/* Neighbours of different protection do not merge. */
static long make_areas(long n)
{
	while (n--)
		check(mmap(NULL, PG, n & 1 ? PROT_READ : PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	return 0;
}

/* One page in each 2 MiB: each needs a page table. */
static long make_tables(long n)
{
	long size = n << 21;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED);
	check_ok(madvise(p, size, MADV_NOHUGEPAGE));
	while (n--)
		*(volatile char *)(p + (n << 21)) = 1;
	return 0;
}

static long make_locks(long n)
{
	int fd = check_ok(open("/tmp/locked", O_CREAT | O_RDWR | O_CLOEXEC,
			       0600));
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };

	while (n--) {
		fl.l_start = 2 * serial++;
		check_ok(fcntl(fd, F_SETLK, &fl));
	}
	return 0;
}

static long make_signals(long n)
{
	union sigval v = { .sival_int = 0 };
	struct rlimit r = { 2 * THING_MORE, 2 * THING_MORE };
	sigset_t set;

	check_ok(prlimit(0, RLIMIT_SIGPENDING, &r, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	check_ok(sigprocmask(SIG_BLOCK, &set, NULL));
	while (n--)
		check_ok(sigqueue(getpid(), SIGRTMIN, v));
	return 0;
}

/* tmpfs keeps names and inodes of its files. */
static long make_tmpfs_files(long n)
{
	char path[32];

	while (n--) {
		snprintf(path, sizeof(path), "/tmp/file-%05ld", serial++);
		check_ok(close(check_ok(open(path, O_CREAT | O_CLOEXEC,
					     0600))));
	}
	return 0;
}

static long make_links(long n)
{
	char path[32];

	check_ok(close(check_ok(open("/tmp/one", O_CREAT | O_CLOEXEC, 0600))));
	while (n--) {
		snprintf(path, sizeof(path), "/tmp/link-%05ld", serial++);
		check_ok(link("/tmp/one", path));
	}
	return 0;
}

const struct thing things[] = {
	/* Stack, and at least five tables of the address space. */
	{ "process", "numproc", 1, make_processes, 1,
	  { { "task_struct", 1 }, { "mm_struct", 1 }, { "sighand_cache", 1 } },
	  9 * PG, 128 * KB },
	{ "program", "numproc", 1, make_programs, 1,
	  { { "task_struct", 1 }, { "mm_struct", 1 }, { "sighand_cache", 1 },
	    { "dentry", 2 }, { "proc_inode_cache", 2 } },
	  9 * PG, 128 * KB },
	/* Stack; its areas depend on the library. */
	{ "thread", "numproc", 1, make_threads, 1,
	  { { "task_struct", 1 } }, 4 * PG, 32 * KB },
	{ "file", "numfile", 1, make_files, 0, { { "filp", 1 } }, 0, 32 },
	{ "pipe", "numfile", 2, make_pipes, 0,
	  { { "filp", 2 }, { "dentry", 1 }, { "inode_cache", 1 } }, 0, 2 * KB },
	{ "tcp-socket", "numtcpsock", 1, make_tcp, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 },
	    { "TCP", 1 } }, 0, 256 },
	/* Caches that may be one with others have no name of their own. */
	{ "udp-socket", "numothersock", 1, make_udp, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 } },
	  KB, KB },
	{ "unix-socket", "numothersock", 1, make_unix, 0,
	  { { "filp", 1 }, { "dentry", 1 }, { "sock_inode_cache", 1 } },
	  0, 3 * KB },
	{ "area", NULL, 0, make_areas, 1, { { "vm_area_struct", 1 } }, 0, 256 },
	{ "page-table", NULL, 0, make_tables, 1, { }, PG, 256 },
	{ "lock", "numflock", 1, make_locks, 1, { }, 200 + THING_OWNER, 512 },
	{ "signal", "numsiginfo", 1, make_signals, 1, { }, 88 + THING_OWNER, 256 },
	{ "tmpfs-file", NULL, 0, make_tmpfs_files, 0,
	  { { "dentry", 1 }, { "shmem_inode_cache", 1 } }, 0, 512 },
	{ "tmpfs-link", NULL, 0, make_links, 0, { { "dentry", 1 } }, 0, 512 },
};
const int nthings = ARRAY_SIZE(things);
