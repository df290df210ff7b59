// SPDX-License-Identifier: GPL-2.0
/* numsiginfo: queued signals and the timers that send them. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8400
#define PG 4096L

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

static timer_t timers[64];
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

static const struct vz_case cases[] = {
	VZ_CASE(numsiginfo_queue_bounds),
	VZ_CASE(numsiginfo_timer_bounds),
	VZ_CASE(numsiginfo_delivered),
};
VZ_MAIN(cases)
