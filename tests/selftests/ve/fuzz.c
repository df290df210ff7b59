// SPDX-License-Identifier: GPL-2.0
/* Random calls on /dev/vzctl: no kernel warning, nothing left. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

#define ID 7900
#define IDS 8
#define FDS 16
#define BATCH 2000

static unsigned long long rng;
static int fds[FDS];
static char *area;	/* two pages, the second one not there */

static unsigned int rnd(unsigned int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 16) % n;
}

/* Numbers that code compares with. */
static unsigned long long value(void)
{
	static const unsigned long long odd[] = { 0, 1, 2, 8, 16, 24, 32, 56,
		64, 4096, 262144, 262145, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffffULL, 0x8000000000000000ULL, ~0ULL,
		VZCTL_VEID_MAX, VZCTL_VEID_MAX + 1ULL };

	switch (rnd(4)) {
	case 0:
		return odd[rnd(ARRAY_SIZE(odd))];
	case 1:
		return ID + rnd(IDS);
	case 2:
		return rnd(32);
	default:
		return rng;
	}
}

static unsigned int pick_call(void)
{
	static const unsigned int calls[] = { VZCTL_RESERVE, VZCTL_OPEN,
		VZCTL_CREATE2, VZCTL_SET, VZCTL_RUN, VZCTL_KILL, VZCTL_LOCK,
		VZCTL_UNLOCK, VZCTL_GET, VZCTL_FREEZE, VZCTL_THAW, VZCTL_UBC,
		VZCTL_UBCS };
	unsigned int nr;

	if (rnd(16))
		return calls[rnd(ARRAY_SIZE(calls))];
	/* Any size and direction for one of ours, or any number at all. */
	nr = rnd(2) ? 30 + rnd(18) : rnd(256);
	return _IOC(rnd(4), '.', nr, rnd(128));
}

/* What a correct caller would pass; some of it is then overwritten. */
static void fill(unsigned int call, char *p)
{
	struct vzctl_create *c = (void *)p;
	struct vzctl_set *s = (void *)p;
	struct vzctl_ubc *u = (void *)p;
	struct vzctl_ubcs *us = (void *)p;
	unsigned int *w = (void *)p;
	unsigned int id = ID + rnd(IDS);

	memset(p, 0, 64);
	w[0] = _IOC_SIZE(call);
	switch (_IOC_NR(call)) {
	case _IOC_NR(VZCTL_CREATE2):
		c->uid_base = vz_base(id);
		c->uid_count = VZCTL_ID_RANGE;
		c->bset = VE_BSET;
		c->cgroup_fd = ve_cgroup_fd(id);
		break;
	case _IOC_NR(VZCTL_SET):
		s->key = 1 + rnd(2);
		s->data = (unsigned long)area + rnd(4096);
		s->len = rnd(70);
		break;
	case _IOC_NR(VZCTL_KILL):
		w[1] = rnd(66);
		break;
	case _IOC_NR(VZCTL_UBC):
		/* Never the host: this program needs its resources. */
		u->id = rnd(2) ? 0 : id;
		u->resource = rnd(26);
		u->barrier = value();
		u->limit = value();
		break;
	case _IOC_NR(VZCTL_UBCS):
		us->id = rnd(2) ? 0 : id;
		us->limits = (unsigned long)area + rnd(4096);
		us->count = rnd(28);
		break;
	default:
		w[1] = id;
	}
}

/* Where the argument is: mostly readable, sometimes cut, sometimes wild. */
static char *place(void)
{
	switch (rnd(16)) {
	case 0:
		return area + 4096 - 4 * rnd(17);
	case 1:
		return NULL;
	case 2:
		return (char *)(unsigned long)value();
	default:
		return area + 4 * rnd(900);
	}
}

static void keep(int fd)
{
	int slot = rnd(FDS);

	if (fds[slot] >= 0)
		close(fds[slot]);
	fds[slot] = fd;
}

static int touchable(const char *p)
{
	return (uintptr_t)p - (uintptr_t)area <= 4096 - 64;
}

/* True if the call would change limits of the host. */
static int hits_host(int fd, unsigned int call, const char *p)
{
	/* The id is at the same place in both. */
	const struct vzctl_ubc *u = (const void *)p;

	if (fd != vz_ctl() || (_IOC_NR(call) != _IOC_NR(VZCTL_UBC) &&
			       _IOC_NR(call) != _IOC_NR(VZCTL_UBCS)))
		return 0;
	return !touchable(p) || !u->id;
}

static void one_call(pid_t self)
{
	unsigned int call = pick_call(), i;
	int fd = rnd(4) ? fds[rnd(FDS)] : vz_ctl();
	char *p = place();
	int cg = -1;
	long ret;

	if (fd < 0)
		fd = vz_ctl();
	if (touchable(p)) {
		fill(call, p);
		if (_IOC_NR(call) == _IOC_NR(VZCTL_CREATE2))
			cg = ((struct vzctl_create *)p)->cgroup_fd;
		for (i = rnd(3); i; i--)
			((unsigned int *)p)[rnd(16)] = value();
	}
	/* ENTER2 would take this process away, see enter_call(). */
	if (_IOC_NR(call) == _IOC_NR(VZCTL_ENTER2) || hits_host(fd, call, p))
		ret = -1;
	else
		ret = ioctl(fd, call, p);
	if (getpid() != self)
		_exit(0);
	if (cg >= 0)
		close(cg);
	if (ret >= 0 && (_IOC_NR(call) == _IOC_NR(VZCTL_RESERVE) ||
			 _IOC_NR(call) == _IOC_NR(VZCTL_OPEN)))
		keep(ret);
}

/* In a child, which is in the VE afterwards. */
static void enter_call(void)
{
	int fd = fds[rnd(FDS)], status;
	unsigned int arg[2] = { 8, rnd(3) };
	pid_t pid;

	if (fd < 0)
		return;
	pid = fork();
	if (pid < 0)
		return;
	if (!pid) {
		ioctl(fd, VZCTL_ENTER2, arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void batch(unsigned long seed, int calls)
{
	pid_t self = getpid();
	int i;

	rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (i = 0; i < FDS; i++)
		fds[i] = -1;
	for (i = 0; i < calls; i++) {
		if (!rnd(100))
			enter_call();
		else
			one_call(self);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	_exit(0);
}

/* A call that blocks is a failure, too: a batch takes some seconds. */
static int wait_batch(pid_t pid, long seed)
{
	long long until = vz_now_ms() + 180000;
	int status;
	pid_t ret;

	do
		ret = check_ok(waitpid(pid, &status, WNOHANG));
	while (!ret && vz_poll_step(until));
	if (!ret) {
		vz_dump_tasks();
		vz_fail(__FILE__, __LINE__, "seed %ld hangs", seed);
	}
	return status;
}

static void make_area(void)
{
	area = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(area != MAP_FAILED);
	check_ok(munmap(area + 4096, 4096));
}

/* As root of the node, with a tree of VEs that come and go. */
static void as_root(void)
{
	long n = vz_scaled(1000000), done;
	struct counts before;
	int status, id;
	struct ve ve;

	make_area();
	vz_ctl();
	ve_start(&ve, ID, NULL);
	ve_stop(&ve);
	counts_take(&before);
	for (done = 0; done < n; done += BATCH) {
		pid_t pid = check_ok(fork());

		if (!pid)
			batch(done / BATCH + 1, BATCH);
		status = wait_batch(pid, done / BATCH + 1);
		/* A signal to itself by KILL is not possible: it is no init. */
		if (!exited(status, 0))
			vz_fail(__FILE__, __LINE__, "seed %ld: status %#x",
				done / BATCH + 1, status);
		/* What got as far as RUN stays, with an init that exits. */
		ve_kill_all(0);
		check_eq(ve_kill_all(0), 0);
	}
	for (id = ID; id < ID + IDS; id++)
		close(check_ok(vz_reserve(id)));
	check_eq(counts_compare(&before, 256, 60000), 0);
}

static void user_batch(long n)
{
	long i, ok = 0;

	make_area();
	fds[0] = check_ok(vz_reserve(ID));
	for (i = 1; i < FDS; i++)
		fds[i] = fds[0];
	vz_ctl();
	check_ok(setgid(1000));
	check_ok(setuid(1000));
	rng = 4711;
	for (i = 0; i < n; i++) {
		unsigned int call = pick_call();
		int fd = rnd(2) ? fds[0] : vz_ctl();
		char *p = place();

		if (touchable(p))
			fill(call, p);
		ok += ioctl(fd, call, p) >= 0;
	}
	check_eq(ok, 0);
	_exit(0);
}

/* As an ordinary user with leaked descriptors: nothing ever succeeds. */
static void as_user(void)
{
	struct counts before;
	int status;
	pid_t pid;

	counts_take(&before);
	pid = check_ok(fork());
	if (!pid)
		user_batch(vz_scaled(1000000));
	check_eq(waitpid(pid, &status, 0), pid);
	check(exited(status, 0));
	check_soon(!ve_exists(ID), 5000);
	check_eq(counts_compare(&before, 64, 30000), 0);
}

static const struct vz_case cases[] = {
	VZ_CASE_SLOW(as_root, 3600),
	VZ_CASE_SLOW(as_user, 1200),
};
VZ_MAIN(cases)
