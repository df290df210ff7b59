// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "load.h"
#include "nft.h"
#include "ve.h"

#define PG 4096L
#define FDS 64

static int fds[FDS], nfds;
static int segment = -1;
static pid_t child;
static timer_t timer;
static void *locked;
static char path[32];

static int keep(int fd)
{
	check(fd >= 0 && nfds < FDS);
	fds[nfds++] = fd;
	return fd;
}

/* numfile, dcachesize, numflock: three kinds of locks on one file. */
static void files(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_len = 10 };
	int fd;

	keep(open("/dev/null", O_RDONLY | O_CLOEXEC));
	snprintf(path, sizeof(path), "/tmp/load%d", getpid());
	fd = keep(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	check_eq(write(fd, path, sizeof(path)), (long)sizeof(path));
	check_ok(fcntl(fd, F_SETLEASE, F_WRLCK));
	check_ok(flock(fd, LOCK_EX));
	check_ok(fcntl(fd, F_SETLK, &fl));
	/* Split: two records. */
	fl.l_type = F_UNLCK;
	fl.l_start = 3;
	fl.l_len = 3;
	check_ok(fcntl(fd, F_SETLK, &fl));
}

/* numpty, both ends open */
static void terminal(void)
{
	int fd = keep(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	int n, unlock = 0;
	char name[32];

	check_ok(ioctl(fd, TIOCSPTLCK, &unlock));
	check_ok(ioctl(fd, TIOCGPTN, &n));
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	keep(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

/* numproc, and all that a process has */
static void process(void)
{
	child = check_ok(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (!child)
		for (;;)
			syscall(SYS_pause);
}

/* numsiginfo: queued signals, and the record of a timer */
static void signals(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 1 };
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	union sigval v = { .sival_int = 1 };
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 3; i++)
		check_ok(sigqueue(getpid(), SIGRTMIN, v));
	check_ok(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	check_ok(timer_settime(timer, 0, &soon, NULL));
}

static void no_signals(void)
{
	struct timespec now = { 0, 0 };
	sigset_t set;

	check_ok(timer_delete(timer));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	while (sigtimedwait(&set, NULL, &now) > 0)
		;
}

/* lockedpages, shmpages, privvmpages */
static void memory(void)
{
	char *p;
	int fd;

	locked = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(locked != MAP_FAILED);
	check_ok(mlock(locked, 3 * PG));
	segment = check_ok(shmget(IPC_PRIVATE, 2 * PG, 0600));
	check_ok(shmctl(segment, SHM_LOCK, NULL));
	fd = keep(memfd_create("load", MFD_CLOEXEC));
	check_ok(ftruncate(fd, 8 * PG));
	p = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED);
	p[0] = 1;
	p[5 * PG] = 1;
	check_ok(munmap(p, 8 * PG));
}

/* Sends until the queues of both ends are full. */
static void fill(int fd)
{
	char data[2048] = { 0 };

	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	check_eq(errno, EAGAIN);
}

/* The socket counters and buffers: data that nobody reads. */
static void sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int size = 16384, s, c, p[2];
	socklen_t len = sizeof(a);

	s = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	check_ok(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	check_ok(bind(s, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(s, 4));
	check_ok(getsockname(s, (struct sockaddr *)&a, &len));
	c = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	check_ok(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	check_ok(connect(c, (struct sockaddr *)&a, sizeof(a)));
	keep(accept4(s, NULL, NULL, SOCK_CLOEXEC));
	fill(c);

	a.sin_port = 0;
	s = keep(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	check_ok(bind(s, (struct sockaddr *)&a, sizeof(a)));
	check_ok(getsockname(s, (struct sockaddr *)&a, &len));
	check_ok(connect(s, (struct sockaddr *)&a, sizeof(a)));
	check_eq(send(s, &a, sizeof(a), 0), (long)sizeof(a));

	check_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
	keep(p[0]);
	keep(p[1]);
	fill(p[0]);
}

long load_make(long unused)
{
	files();
	terminal();
	process();
	signals();
	memory();
	sockets();
	return unused;
}

long load_drop(long unused)
{
	while (nfds)
		close(fds[--nfds]);
	check_ok(unlink(path));
	kill(child, SIGKILL);
	check_eq(waitpid(child, NULL, 0), child);
	no_signals();
	check_ok(munmap(locked, 4 * PG));
	check_ok(shmctl(segment, IPC_RMID, NULL));
	return unused;
}

long load_rules(long unused)
{
	check_eq(nft_chain(0), 0);
	check_eq(nft_rules(3), 0);
	return unused;
}

/* What another CPU has touched a moment ago is not paged out. */
long load_swap(long pages)
{
	size_t size = pages * 4096;
	cpu_set_t all, here;
	char *p;

	check_ok(sched_getaffinity(0, sizeof(all), &all));
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	check_ok(sched_setaffinity(0, sizeof(here), &here));
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(p != MAP_FAILED);
	memset(p, 1, size);
	check_ok(madvise(p, size, MADV_PAGEOUT));
	return sched_setaffinity(0, sizeof(all), &all);
}

long load_hold(long unused)
{
	load_make(0);
	ve_shared[1] = 1;
	for (;;)
		pause();
	return unused;
}

long load_churn(long unused)
{
	for (;;) {
		load_make(0);
		load_drop(0);
		__atomic_add_fetch(&ve_shared[0], 1, __ATOMIC_SEQ_CST);
	}
	return unused;
}
