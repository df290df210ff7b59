// SPDX-License-Identifier: GPL-2.0
/* The counters are what the objects add up to, and the recount would tell. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/load.h"
#include "pass.h"
#include "recount.h"
#include "swapdev.h"

#define ID 8700
#define SWAPPED 64	/* pages */

/* All that is recounted. */
static const char *const names[] = {
	"kmemsize", "lockedpages", "privvmpages", "shmpages", "numproc",
	"numtcpsock", "numflock", "numpty", "numsiginfo", "tcpsndbuf",
	"tcprcvbuf", "othersockbuf", "dgramrcvbuf", "numothersock",
	"dcachesize", "numfile", "numiptent", "physpages", "swappages",
};

static void need_recount(void)
{
	if (!recount_there())
		vz_skip("kernel without CONFIG_UBC_DEBUG");
}

static void freeze(struct ve *ve)
{
	check_ok(ioctl(ve->fd, VZCTL_FREEZE));
}

static void thaw(struct ve *ve)
{
	check_ok(ioctl(ve->fd, VZCTL_THAW));
}

static void need_swap(void)
{
	if (swap_on())
		vz_skip("no swap device can be made (errno %d)", errno);
}

static void hold_everything(struct ve *ve)
{
	ve_spawn(ve, load_hold, 0);
	check_soon(ve->shared[1], 20000);
	check_eq(ve_call(ve, load_rules, 0), 0);
	check_eq(ve_call(ve, load_swap, SWAPPED), 0);
	check_soon(ub_held(ID, "swappages") == SWAPPED, 10000);
}

/* Every resource is found, held by nobody but who holds it. */
static void counts_everything(void)
{
	struct recount_line l;
	struct ve ve, idle;
	unsigned long shm;
	size_t i;

	need_recount();
	need_swap();
	ve_start(&idle, ID + 1, NULL);
	ve_start(&ve, ID, NULL);
	shm = ub_held(ID, "shmpages");
	hold_everything(&ve);
	freeze(&ve);
	freeze(&idle);
	check_eq(recount_check(RECOUNT_ALL), 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		l = recount_line(ID, names[i]);
		if (l.held <= 0)
			vz_fail(__FILE__, __LINE__, "no %s", names[i]);
		check_eq(l.recounted, l.held);
		check_eq(ub_held(ID, names[i]), l.held);
	}
	check_eq(recount_line(ID, "numiptent").recounted, 3);
	check_eq(recount_line(ID, "numpty").recounted, 1);
	check_eq(recount_line(ID, "numflock").recounted, 4);
	check_eq(recount_line(ID, "numsiginfo").recounted, 4);
	check_eq(recount_line(ID, "numproc").recounted, 3);
	/* A segment of 2, 2 pages of a memfd, 1 of a file. */
	check_eq(recount_line(ID, "shmpages").recounted, shm + 5);
	check_eq(recount_line(ID, "lockedpages").recounted, 5);
	check_eq(recount_line(ID + 1, "numproc").recounted, 1);
	check_eq(recount_line(ID + 1, "numpty").recounted, 0);
	check_eq(recount_line(ID + 1, "swappages").recounted, 0);
	thaw(&idle);
	drive_stop(&idle);
	thaw(&ve);
	drive_stop(&ve);
	swap_off();
}

/* Nothing but this line differs, by one. */
static int only_this(const char *name, long by)
{
	struct recount_line l[2];

	return recount_diff(RECOUNT_ALL, l, 2) == 1 && l[0].id == ID &&
	       !strcmp(l[0].name, name) && l[0].held == l[0].recounted + by;
}

/* A counter that is wrong by one is seen, and no other one. */
static void sees_skew(void)
{
	struct ve ve;
	size_t i;

	need_recount();
	need_swap();
	ve_start(&ve, ID, NULL);
	hold_everything(&ve);
	freeze(&ve);
	check_eq(recount_check(RECOUNT_ALL), 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		check_ok(recount_skew(ID, names[i], 1));
		check_soon(only_this(names[i], 1), 10000);
		check_ok(recount_skew(ID, names[i], -2));
		check_soon(only_this(names[i], -1), 10000);
		check_ok(recount_skew(ID, names[i], 1));
		check_eq(recount_check(RECOUNT_ALL), 0);
	}
	check_err(recount_skew(ID + 1, "numfile", 1), ENOENT);
	check_err(recount_skew(ID, "nofile", 1), EINVAL);
	check_err(recount_skew(ID, "vmguarpages", 1), EINVAL);
	check_err(recount_skew(ID, "dummy", 1), EINVAL);
	check_err(recount_skew(ID, "numpty", -2), EINVAL);
	thaw(&ve);
	drive_stop(&ve);
	swap_off();
}

/* VEs start, work and are killed at it, again and again: nothing is left. */
static void start_stop(void)
{
	long n = vz_scaled(1000), i;
	struct ve ve;

	need_recount();
	for (i = 0; i < n; i++) {
		ve_start(&ve, ID, NULL);
		ve_spawn(&ve, load_churn, 0);
		ve_spawn(&ve, load_churn, 0);
		check_eq(ve_call(&ve, load_rules, 0), 0);
		check_soon(ve.shared[0] >= 2, 20000);
		if (i % 10 == 0)
			drive_recount(&ve);
		ve_stop(&ve);
	}
	check_soon(!ub_dirs(ID), 20000);
	check_eq(recount_check(RECOUNT_ALL), 0);
}

enum { TO_PEER, TO_HOST, ENDS };

static int ends[ENDS];

static long set_peer(long fd)
{
	return ends[TO_PEER] = fd;
}

static long set_host(long fd)
{
	return ends[TO_HOST] = fd;
}

/* A descriptor of one of several kinds; -1 if one was refused. */
static int any_kind(unsigned int n)
{
	int p[2];

	switch (n % 4) {
	case 0:
		return memfd_create("passed", MFD_CLOEXEC);
	case 1:
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 2:
		if (pipe2(p, O_CLOEXEC))
			return -1;
		break;
	default:
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, p))
			return -1;
		/* Something in flight in what is passed. */
		fd_send(p[1], p[0]);
	}
	close(p[1]);
	return p[0];
}

#define HELD 16

/*
 * Sends new descriptors and some of those that came from one end to the other,
 * keeps the last ones that came from each, closes the others; counts rounds.
 */
static void pass(unsigned int n, volatile long *rounds)
{
	static int held[ENDS][HELD];
	unsigned int at, to, i;
	int fd, old;

	memset(held, -1, sizeof(held));
	for (;; n++) {
		at = n / ENDS % HELD;
		to = n % ENDS;
		old = held[!to][at];
		fd = n % 3 || old < 0 ? any_kind(n) : dup(old);
		check(fd >= 0);
		/* Full now and then: the other side is slow. */
		fd_send(ends[to], fd);
		close(fd);
		for (i = 0; i < ENDS; i++) {
			fd = fd_recv(ends[i], MSG_DONTWAIT);
			if (fd < 0)
				continue;
			close(held[i][at]);
			held[i][at] = fd;
		}
		++*rounds;
	}
}

static long pass_in_ve(long seed)
{
	pass(seed, &ve_shared[0]);
	return 0;
}

static void link_up(struct ve *a, long (*at_a)(long), int *b)
{
	int sp[2];

	check_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp));
	check(ve_call(a, at_a, ve_give(a, sp[0])) >= 0);
	close(sp[0]);
	*b = sp[1];
}

static void stand_still(pid_t pid)
{
	int status;

	check_ok(kill(pid, SIGSTOP));
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
}

/*
 * Two VEs and the host pass files and sockets around, all to all: whoever has
 * them, in flight or open, they stay with who made them.  Then one VE goes.
 */
static void pass_around(void)
{
	long n = vz_scaled(200), i, was[3];
	volatile long *rounds;
	struct ve a, b;
	int ab;
	pid_t host;

	need_recount();
	rounds = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(rounds != MAP_FAILED);
	ve_start(&a, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	link_up(&a, set_peer, &ab);
	check(ve_call(&b, set_peer, ve_give(&b, ab)) >= 0);
	close(ab);
	link_up(&a, set_host, &ends[0]);
	link_up(&b, set_host, &ends[1]);
	ve_spawn(&a, pass_in_ve, 0);
	ve_spawn(&b, pass_in_ve, 7);
	host = check_ok(fork());
	if (!host)
		pass(3, rounds);
	close(ends[0]);
	close(ends[1]);
	for (i = 0; i < n; i++) {
		was[0] = a.shared[0];
		was[1] = b.shared[0];
		was[2] = *rounds;
		check_soon(a.shared[0] > was[0] + 20 &&
			   b.shared[0] > was[1] + 20 && *rounds > was[2] + 20,
			   20000);
		stand_still(host);
		freeze(&a);
		freeze(&b);
		check_eq(recount_check(RECOUNT_ALL), 0);
		check(recount_line(ID, "numfile").recounted > 0);
		check(recount_line(ID + 1, "numfile").recounted > 0);
		if (i == n - 1)
			break;
		thaw(&b);
		thaw(&a);
		check_ok(kill(host, SIGCONT));
	}
	/* What B and the host have of A outlives A. */
	ve_stop(&a);
	check_eq(ub_dirs(ID), 1);
	check_eq(recount_check(RECOUNT_ALL), 0);
	check(recount_line(ID, "numfile").recounted > 0);
	check_eq(recount_line(ID, "numproc").recounted, 0);
	check_ok(kill(host, SIGKILL));
	check_eq(waitpid(host, NULL, 0), host);
	check_eq(recount_check(RECOUNT_ALL), 0);
	thaw(&b);
	ve_stop(&b);
	check_soon(!ub_dirs(ID) && !ub_dirs(ID + 1), 20000);
	check_eq(recount_check(RECOUNT_ALL), 0);
}

static const struct vz_case cases[] = {
	VZ_CASE(counts_everything),
	VZ_CASE(sees_skew),
	VZ_CASE_SLOW(start_stop, 6000),
	VZ_CASE_SLOW(pass_around, 1200),
};
VZ_MAIN(cases)
