// SPDX-License-Identifier: GPL-2.0
/* Memory, of the process and of the kernel for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"

#define PG 4096L
#define PAGES 64
#define HOGS 2
#define HOG_SIZE (128L << 20)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define PIPES 32

static void touch(char *p, long pages)
{
	long i;

	for (i = 0; i < pages; i++)
		*(volatile char *)(p + i * PG) = 1;
}

/* A child that writes to what it shares with us. */
static void copy(char *p)
{
	pid_t pid = fork();

	if (!pid) {
		touch(p, PAGES);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void use(char *p)
{
	char *q;

	touch(p, PAGES);
	copy(p);
	mprotect(p + 8 * PG, 8 * PG, PROT_READ);
	mprotect(p + 8 * PG, 8 * PG, RW);
	mlock(p + 16 * PG, 4 * PG);
	q = mremap(p + 32 * PG, 8 * PG, 64 * PG, MREMAP_MAYMOVE);
	if (q != MAP_FAILED)
		munmap(q, 64 * PG);
	/* A hole, and something else in it. */
	munmap(p + 48 * PG, 4 * PG);
	mmap(p + 48 * PG, PG, PROT_READ, PRIVATE | MAP_FIXED, -1, 0);
	mmap(p, 4 * PG, RW, PRIVATE | MAP_FIXED, -1, 0);
	madvise(p, 8 * PG, MADV_DONTNEED);
	munmap(p, PAGES * PG);
}

static int deep(int levels)
{
	volatile char page[PG];

	page[0] = levels;
	if (levels)
		page[1] = deep(levels - 1);
	return page[0];
}

void pass_vm(void)
{
	char *p = mmap(NULL, PAGES * PG, RW, PRIVATE, -1, 0), *top = sbrk(0);

	if (p != MAP_FAILED)
		use(p);
	if (!brk(top + PAGES * PG)) {
		touch(top, PAGES);
		brk(top);
	}
	deep(PAGES);
}

/* Shared memory; a hole that cannot be filled is the end of the process. */
void pass_holes(void)
{
	int fd = memfd_create("holes", MFD_CLOEXEC), id;
	char *p;

	if (fd >= 0) {
		ftruncate(fd, PAGES * PG);
		fallocate(fd, 0, 0, 8 * PG);
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PG, 2 * PG);
		p = mmap(NULL, PAGES * PG, RW, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			touch(p, PAGES);
			munmap(p, PAGES * PG);
		}
		close(fd);
	}
	id = shmget(IPC_PRIVATE, PAGES * PG, 0600);
	if (id < 0)
		return;
	p = shmat(id, NULL, 0);
	shmctl(id, SHM_LOCK, NULL);
	shmctl(id, IPC_RMID, NULL);
	if (p != (char *)-1)
		touch(p, PAGES);
}

/* Objects that only kmemsize counts. */
void pass_kmem(void)
{
	static const char data[65536];
	struct epoll_event ev = { .events = EPOLLIN };
	int p[2], i, ep = epoll_create1(EPOLL_CLOEXEC), q;

	for (i = 0; i < PIPES; i++) {
		if (!pipe2(p, O_CLOEXEC | O_NONBLOCK)) {
			epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
			write(p[1], data, sizeof(data));
		}
		p[0] = eventfd(0, EFD_CLOEXEC);
		epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	}
	q = msgget(IPC_PRIVATE, 0600);
	for (i = 0; q >= 0 && i < PIPES; i++) {
		struct {
			long type;
			char text[500];
		} msg = { .type = 1 };

		msgsnd(q, &msg, sizeof(msg.text), IPC_NOWAIT);
	}
	if (q >= 0)
		msgctl(q, IPC_RMID, NULL);
	unshare(CLONE_FS | CLONE_FILES | CLONE_NEWNS);
	/* Descriptors go with the process. */
}

/* More RAM than there is, again whenever the OOM killer has been there. */
void bomb_memory(void)
{
	int i;

	for (i = 0; i < HOGS; i++) {
		if (fork())
			continue;
		for (;;) {
			char *p = mmap(NULL, HOG_SIZE, RW, PRIVATE, -1, 0);

			if (p == MAP_FAILED)
				_exit(0);
			madvise(p, HOG_SIZE, MADV_NOHUGEPAGE);
			touch(p, HOG_SIZE / PG);
			munmap(p, HOG_SIZE);
		}
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}
