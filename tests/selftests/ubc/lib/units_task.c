// SPDX-License-Identifier: GPL-2.0
/* Processes, and what is queued for them or locked by them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "units.h"

static pid_t children[UNITS_MAX];
static int nchildren;

/* A process that sleeps; fork() without the library's handlers. */
static long one_process(long on)
{
	pid_t pid;
	int slot;

	if (!on) {
		while (nchildren) {
			kill(children[--nchildren], SIGKILL);
			waitpid(children[nchildren], NULL, 0);
		}
		return 0;
	}
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		for (;;)
			syscall(SYS_pause);
	if (pid < 0)
		return -1;
	slot = __atomic_fetch_add(&nchildren, 1, __ATOMIC_SEQ_CST);
	children[slot % UNITS_MAX] = pid;
	return 0;
}

/* A real-time signal that waits for the calling thread. */
static long one_signal(long on)
{
	struct timespec none = { 0, 0 };
	union sigval value = { .sival_int = 1 };
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (!on) {
		while (sigtimedwait(&set, NULL, &none) > 0)
			;
		return 0;
	}
	err = pthread_sigqueue(pthread_self(), SIGRTMIN, value);
	errno = err;
	return err ? -1 : 0;
}

static int lock_file = -1;
static long next_byte;

static long set_lock(int type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = start, .l_len = len };

	return fcntl(lock_file, F_SETLK, &fl);
}

/* The file is open, and has no name any more: 0 or -1. */
static int have_lock_file(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	char path[32];

	pthread_mutex_lock(&mutex);
	if (lock_file < 0) {
		snprintf(path, sizeof(path), "/tmp/lock.%d", getpid());
		lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		unlink(path);
	}
	pthread_mutex_unlock(&mutex);
	return lock_file < 0 ? -1 : 0;
}

/* The lock of a byte that touches no other locked one. */
static long one_lock(long on)
{
	if (have_lock_file())
		return -1;
	if (!on) {
		next_byte = 0;
		return set_lock(F_UNLCK, 0, 0);
	}
	return set_lock(F_WRLCK, __atomic_fetch_add(&next_byte, 2, __ATOMIC_SEQ_CST), 1);
}

const struct unit unit_numproc = {
	"numproc", UB_NUMPROC, one_process, ENOMEM, 1 };
const struct unit unit_numsiginfo = {
	"numsiginfo", UB_NUMSIGINFO, one_signal, EAGAIN, 1 };
const struct unit unit_numflock = {
	"numflock", UB_NUMFLOCK, one_lock, ENOLCK, 1 };
