// SPDX-License-Identifier: GPL-2.0
/* How a VE ends: reasons, codes, events, and that nothing can delay it. */
#define _GNU_SOURCE
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7200

static void want_end(const struct vzctl_get *get, unsigned int reason, int code)
{
	check_eq(get->state, VZCTL_STATE_DEAD);
	check_eq(get->reason, reason);
	check_eq(get->code, code);
	check_eq(get->init_pid, 0);
	check_eq(get->nproc, 0);
}

/* DEAD and the stop event both mean: the id and the cgroup are free. */
static void want_free(void)
{
	check(!ve_exists(ID));
	check(!ve_cgroup_exists(ID));
	close(check_ok(vz_reserve(ID)));
	check_soon(!ve_exists(ID), 2000);
}

static int init_exit(void)
{
	return 42;
}

static int init_crash(void)
{
	volatile int *nowhere = (int *)ve_shared[63] + 2;

	*nowhere = 1;
	return 0;
}

/* Init exits: reason EXIT, code is its wait status, event stop. */
static void exit_code(void)
{
	struct ve_opts opts = { .init = init_exit };
	struct vzctl_get get;
	int ev = uevent_socket();
	struct ve ve;

	ve_start(&ve, ID, &opts);
	check_ok(uevent_wait(ev, "start", ID, 5000));
	ve_wait_dead(&ve, 10000, &get);
	want_end(&get, VZCTL_REASON_EXIT, 42 << 8);
	check_ok(uevent_wait(ev, "stop", ID, 5000));
	want_free();
	ve_close(&ve);
}

/* Init crashes: the signal is in the code. */
static void crash_code(void)
{
	struct ve_opts opts = { .init = init_crash };
	struct vzctl_get get;
	struct ve ve;

	ve_start(&ve, ID, &opts);
	ve_wait_dead(&ve, 10000, &get);
	check_eq(get.reason, VZCTL_REASON_EXIT);
	check_eq(get.code & 0x7f, SIGSEGV);
	ve_close(&ve);
}

/* KILL(SIGKILL): reason KILLED. */
static void killed(void)
{
	struct vzctl_get get;
	int ev = uevent_socket();
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 10000, &get);
	want_end(&get, VZCTL_REASON_KILLED, SIGKILL);
	check_ok(uevent_wait(ev, "stop", ID, 5000));
	want_free();
	ve_close(&ve);
}

/* Given up before RUN: reason ABORTED. */
static void aborted(void)
{
	struct ve_opts opts = { .no_run = 1 };
	struct vzctl_get get;
	struct ve ve;

	ve_start(&ve, ID, &opts);
	/* Init leaves when the pipe is closed. */
	close(ve.agent);
	ve_wait_dead(&ve, 10000, &get);
	want_end(&get, VZCTL_REASON_ABORTED, 0);
	want_free();
	close(ve.fd);
}

static long do_reboot(long cmd)
{
	return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		       cmd, NULL);
}

/* Not before init has told the test that it has a child. */
static long reboot_later(long cmd)
{
	while (!ve_shared[0])
		usleep(1000);
	return do_reboot(cmd);
}

static int init_reboots(void)
{
	return do_reboot((int)LINUX_REBOOT_CMD_RESTART);
}

static void reboot_case(unsigned int cmd, unsigned int reason,
			const char *event, int in_child)
{
	struct ve_opts opts = { .init = in_child ? NULL : init_reboots };
	struct vzctl_get get;
	int ev = uevent_socket();
	struct ve ve;

	ve_start(&ve, ID, &opts);
	check_ok(uevent_wait(ev, "start", ID, 5000));
	if (in_child)
		ve_spawn(&ve, reboot_later, cmd);
	ve.shared[0] = 1;
	ve_wait_dead(&ve, 10000, &get);
	check_eq(get.reason, reason);
	check_ok(uevent_wait(ev, event, ID, 5000));
	want_free();
	ve_close(&ve);
}

/* reboot(RESTART) by a process of the VE: reason and event say reboot. */
static void reboot_restart(void)
{
	reboot_case(LINUX_REBOOT_CMD_RESTART, VZCTL_REASON_REBOOT, "reboot", 1);
}

/* The same from init itself. */
static void reboot_by_init(void)
{
	reboot_case(LINUX_REBOOT_CMD_RESTART, VZCTL_REASON_REBOOT, "reboot", 0);
}

/* HALT and POWER_OFF: reason HALT, event stop. */
static void reboot_halt(void)
{
	reboot_case(LINUX_REBOOT_CMD_HALT, VZCTL_REASON_HALT, "stop", 1);
}

static void reboot_power_off(void)
{
	reboot_case(LINUX_REBOOT_CMD_POWER_OFF, VZCTL_REASON_HALT, "stop", 1);
}

static long no_sys_boot(long unused)
{
	check_ok(setuid(1000));
	check_err(do_reboot(LINUX_REBOOT_CMD_RESTART), EPERM);
	check_err(do_reboot(LINUX_REBOOT_CMD_HALT), EPERM);
	return 0;
}

/* An ordinary user of the VE cannot stop it. */
static void reboot_needs_root(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	ve_must(&ve, no_sys_boot, 0);
	check_eq(ve_state(&ve), VZCTL_STATE_RUNNING);
	ve_stop(&ve);
}

static void ignore_all(void)
{
	int sig;

	for (sig = 1; sig < 65; sig++)
		signal(sig, SIG_IGN);
}

static int init_deaf(void)
{
	ignore_all();
	while (!ve_shared[63])
		;
	return 0;
}

/* An init that ignores every signal and never sleeps dies within 1 s. */
static void deaf_init(void)
{
	struct ve_opts opts = { .init = init_deaf };
	struct ve ve;

	ve_start(&ve, ID, &opts);
	check_ok(vz_kill(ve.fd, SIGTERM));
	check_ok(vz_kill(ve.fd, SIGPWR));
	check_eq(ve_state(&ve), VZCTL_STATE_RUNNING);
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 1000, NULL);
	ve_close(&ve);
}

static void count_signal(int sig)
{
	ve_shared[0] = sig;
}

static int init_counts(void)
{
	struct sigaction sa = { .sa_handler = count_signal };

	sigaction(SIGRTMIN + 3, &sa, NULL);
	ve_shared[1] = 1;
	while (!ve_shared[63])
		pause();
	return 0;
}

/* KILL delivers to init the signals it handles, from the host. */
static void kill_delivers(void)
{
	struct ve_opts opts = { .init = init_counts };
	struct ve ve;

	ve_start(&ve, ID, &opts);
	check_soon(ve.shared[1], 5000);
	check_ok(vz_kill(ve.fd, 0));
	check_eq(ve.shared[0], 0);
	check_ok(vz_kill(ve.fd, SIGRTMIN + 3));
	check_soon(ve.shared[0] == SIGRTMIN + 3, 5000);
	ve_stop(&ve);
}

static long zombie(long unused)
{
	if (!fork())
		_exit(0);
	pause();
	return 0;
}

static long stopped(long unused)
{
	raise(SIGSTOP);
	return 0;
}

static long traced(long unused)
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	pause();
	return 0;
}

static long vforked(long unused)
{
	pid_t pid = syscall(SYS_vfork);

	if (!pid) {
		pause();
		_exit(0);
	}
	return 0;
}

static long nested(long unused)
{
	check_ok(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
			 CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS));
	if (!fork()) {
		ignore_all();
		fork();
		for (;;)
			pause();
	}
	pause();
	return 0;
}

/* Zombie, stopped, traced, vforked and nested processes do not delay it. */
static void odd_children(void)
{
	static long (*const kinds[])(long) = { zombie, stopped, traced, vforked,
		nested };
	struct ve ve;
	size_t i;

	ve_start(&ve, ID, NULL);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		ve_spawn(&ve, kinds[i], 0);
	/* zombie and traced 2, vforked 2, nested 3, stopped 1, init. */
	check_soon(ve_nproc(&ve) == 11, 10000);
	check_ok(vz_kill(ve.fd, SIGKILL));
	ve_wait_dead(&ve, 5000, NULL);
	want_free();
	ve_close(&ve);
}

/* A process of the host that holds the VE's init by ptrace or wait. */
static void traced_by_host(void)
{
	struct ve ve;
	int status;

	ve_start(&ve, ID, NULL);
	check_ok(ptrace(PTRACE_SEIZE, ve.init, NULL, NULL));
	check_ok(vz_kill(ve.fd, SIGKILL));
	check_eq(waitpid(ve.init, &status, __WALL), ve.init);
	ve_wait_dead(&ve, 10000, NULL);
	ve_close(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(exit_code),
	VZ_CASE(crash_code),
	VZ_CASE(killed),
	VZ_CASE(aborted),
	VZ_CASE(reboot_restart),
	VZ_CASE(reboot_by_init),
	VZ_CASE(reboot_halt),
	VZ_CASE(reboot_power_off),
	VZ_CASE(reboot_needs_root),
	VZ_CASE(deaf_init),
	VZ_CASE(kill_delivers),
	VZ_CASE(odd_children),
	VZ_CASE(traced_by_host),
};
VZ_MAIN(cases)
