// SPDX-License-Identifier: GPL-2.0
/* numflock, numsiginfo and lockedpages: counters that processes hold. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8400
#define PG 4096L
#define KEEP 512

static int kept[KEEP], nkept;
static int file = -1;
static long next_byte;

static int lock_file(void)
{
	if (file < 0)
		file = check_ok(open("/tmp/locks", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return file;
}

static long range(int cmd, int type, long start, long len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = start, .l_len = len };

	return fcntl(lock_file(), cmd, &fl);
}

/* One lock more, on a byte that touches no other. */
static long posix_lock(long on)
{
	if (!on) {
		next_byte = 0;
		return range(F_SETLK, F_UNLCK, 0, 0);
	}
	if (range(F_SETLK, F_WRLCK, next_byte, 1))
		return -1;
	next_byte += 2;
	return 0;
}

static long bsd_lock(long on)
{
	int fd;

	if (!on) {
		while (nkept)
			close(kept[--nkept]);
		return 0;
	}
	fd = check_ok(open("/tmp/flock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (flock(fd, LOCK_SH)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	kept[nkept++] = fd;
	return 0;
}

static long lease(long on)
{
	char name[32];
	int fd;

	if (!on)
		return bsd_lock(0);
	snprintf(name, sizeof(name), "/tmp/lease%d", nkept);
	close(check_ok(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
	fd = check_ok(open(name, O_RDONLY | O_CLOEXEC));
	if (fcntl(fd, F_SETLEASE, F_RDLCK)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	kept[nkept++] = fd;
	return 0;
}

static const struct unit numflock_posix = {
	"numflock", UB_NUMFLOCK, posix_lock, ENOLCK, 1 };
static const struct unit numflock_bsd = {
	"numflock", UB_NUMFLOCK, bsd_lock, ENOMEM, 1 };
static const struct unit numflock_lease = {
	"numflock", UB_NUMFLOCK, lease, ENOMEM, 1 };

static void numflock_posix_bounds(void)
{
	drive_hard(ID, &numflock_posix);
}

static void numflock_bsd_bounds(void)
{
	drive_hard(ID, &numflock_bsd);
}

static void numflock_lease_bounds(void)
{
	drive_hard(ID, &numflock_lease);
}

static long lock_long(long len)
{
	return range(F_SETLK, F_WRLCK, 0, len);
}

static long downgrade(long len)
{
	return range(F_SETLK, F_RDLCK, 0, len);
}

static long downgrade_middle(long at)
{
	return range(F_SETLK, F_RDLCK, at, 1);
}

static long unlock_at(long at)
{
	return range(F_SETLK, F_UNLCK, at, 1);
}

static void want(const char *name, unsigned long held, unsigned long failcnt)
{
	struct ub_line l = ub_line(ID, name);

	check_eq(l.held, held);
	check_eq(l.failcnt, failcnt);
}

/*
 * Merging and changing the type need no record; a split does: refused at the
 * barrier for a new lock, at the limit for an unlock.
 */
static void numflock_split(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, lock_long, 100), 0);
	want("numflock", 1, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFLOCK, 1, 2));
	check_eq(ve_call(&ve, lock_long, 200), 0);
	check_eq(ve_call(&ve, downgrade, 200), 0);
	check_eq(ve_call(&ve, lock_long, 200), 0);
	want("numflock", 1, 0);
	/* Two more records would be needed. */
	check_err(ve_call(&ve, downgrade_middle, 50), ENOLCK);
	want("numflock", 1, 1);
	check_eq(ve_call(&ve, unlock_at, 50), 0);
	want("numflock", 2, 1);
	check_err(ve_call(&ve, unlock_at, 100), ENOLCK);
	want("numflock", 2, 2);
	check_eq(ve_call(&ve, posix_lock, 0), 0);
	want("numflock", 0, 2);
	drive_stop(&ve);
}

/* LOCK_SH to LOCK_EX of the same file description keeps its record. */
static long flip_flock(long op)
{
	if (!nkept)
		return bsd_lock(1);
	return flock(kept[0], op);
}

static void numflock_convert(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, flip_flock, LOCK_SH), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFLOCK, 1, 1));
	check_eq(ve_call(&ve, flip_flock, LOCK_EX), 0);
	check_eq(ve_call(&ve, flip_flock, LOCK_SH), 0);
	want("numflock", 1, 0);
	check_eq(ve_call(&ve, flip_flock, LOCK_UN), 0);
	want("numflock", 0, 0);
	drive_stop(&ve);
}

/* A queued real-time signal; all of them are taken at the end. */
static long queue_signal(long on)
{
	union sigval value = { .sival_int = 1 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!on) {
		struct timespec none = { 0, 0 };

		while (sigtimedwait(&set, NULL, &none) > 0)
			;
		return 0;
	}
	return sigqueue(getpid(), SIGRTMIN, value);
}

static timer_t timers[KEEP];
static int ntimers;

static long make_timer(long on)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };

	if (!on) {
		while (ntimers)
			timer_delete(timers[--ntimers]);
		return 0;
	}
	if (timer_create(CLOCK_MONOTONIC, &ev, &timers[ntimers]))
		return -1;
	ntimers++;
	return 0;
}

static const struct unit numsiginfo_queue = {
	"numsiginfo", UB_NUMSIGINFO, queue_signal, EAGAIN, 1 };
static const struct unit numsiginfo_timer = {
	"numsiginfo", UB_NUMSIGINFO, make_timer, EAGAIN, 1 };

static void numsiginfo_queue_bounds(void)
{
	drive_hard(ID, &numsiginfo_queue);
}

static void numsiginfo_timer_bounds(void)
{
	drive_hard(ID, &numsiginfo_timer);
}

static volatile sig_atomic_t got_usr1;
static void *volatile fault_at;

static void on_usr1(int sig)
{
	got_usr1++;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	fault_at = info->si_addr;
	mprotect((void *)((long)info->si_addr & ~(PG - 1)), PG, PROT_READ | PROT_WRITE);
}

static long plain_signal(long unused)
{
	signal(SIGUSR1, on_usr1);
	kill(getpid(), SIGUSR1);
	return got_usr1;
}

static long take_fault(long unused)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	volatile char *page = mmap(NULL, PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	sigaction(SIGSEGV, &sa, NULL);
	page[17] = 1;
	return fault_at == page + 17;
}

/* Without room an ordinary signal still arrives, and a fault has its address. */
static void numsiginfo_delivered(void)
{
	unsigned long failcnt;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMSIGINFO, 0, 0));
	check_err(ve_call(&ve, queue_signal, 1), EAGAIN);
	failcnt = ub_failcnt(ID, "numsiginfo");
	check_eq(failcnt, 1);
	check_eq(ve_call(&ve, plain_signal, 0), 1);
	check_eq(ve_call(&ve, take_fault, 0), 1);
	check_eq(ub_held(ID, "numsiginfo"), 0);
	drive_stop(&ve);
}

static char *pages;
static long nlocked;

static void unlimited(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
}

static long lock_page(long on)
{
	if (!pages) {
		unlimited();
		pages = mmap(NULL, 2 * KEEP * PG, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(pages != MAP_FAILED);
	}
	if (!on) {
		munlock(pages, 2 * KEEP * PG);
		nlocked = 0;
		return 0;
	}
	/* Every other page, so that no two are neighbours. */
	if (mlock(pages + 2 * nlocked * PG, PG))
		return -1;
	nlocked++;
	return 0;
}

static long lock_segment(long on)
{
	int id;

	if (!on) {
		while (nkept)
			shmctl(kept[--nkept], IPC_RMID, NULL);
		return 0;
	}
	unlimited();
	id = check_ok(shmget(IPC_PRIVATE, 3 * PG, 0600));
	if (shmctl(id, SHM_LOCK, NULL)) {
		int err = errno;

		shmctl(id, IPC_RMID, NULL);
		errno = err;
		return -1;
	}
	kept[nkept++] = id;
	return 0;
}

static const struct unit lockedpages_mlock = {
	"lockedpages", UB_LOCKEDPAGES, lock_page, ENOMEM, 1 };
static const struct unit lockedpages_shm = {
	"lockedpages", UB_LOCKEDPAGES, lock_segment, ENOMEM, 3 };

static void lockedpages_mlock_bounds(void)
{
	drive_hard(ID, &lockedpages_mlock);
}

static void lockedpages_shm_bounds(void)
{
	drive_hard(ID, &lockedpages_shm);
}

static long lock_future(long unused)
{
	unlimited();
	return mlockall(MCL_FUTURE);
}

static long map_page(long n)
{
	void *p = mmap(NULL, n * PG, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long nothing(long unused)
{
	return 0;
}

/* mlockall(MCL_FUTURE): mmap() is refused; a child has no locks. */
static void lockedpages_future(void)
{
	unsigned long base;
	struct ve ve;

	ve_start(&ve, ID, NULL);
	base = ub_held(ID, "lockedpages");
	check_eq(base, 0);
	check_eq(ve_call(&ve, lock_future, 0), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_LOCKEDPAGES, 10, 10));
	check_eq(ve_call(&ve, map_page, 10), 0);
	want("lockedpages", 10, 0);
	check_err(ve_call(&ve, map_page, 1), ENOMEM);
	want("lockedpages", 10, 1);
	ve_must(&ve, nothing, 0);
	want("lockedpages", 10, 1);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(numflock_posix_bounds),
	VZ_CASE(numflock_bsd_bounds),
	VZ_CASE(numflock_lease_bounds),
	VZ_CASE(numflock_split),
	VZ_CASE(numflock_convert),
	VZ_CASE(numsiginfo_queue_bounds),
	VZ_CASE(numsiginfo_timer_bounds),
	VZ_CASE(numsiginfo_delivered),
	VZ_CASE(lockedpages_mlock_bounds),
	VZ_CASE(lockedpages_shm_bounds),
	VZ_CASE(lockedpages_future),
};
VZ_MAIN(cases)
