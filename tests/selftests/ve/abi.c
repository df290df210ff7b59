// SPDX-License-Identifier: GPL-2.0
/* The binary interface of /dev/vzctl: numbers, layouts, argument errors. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "ve.h"

#define ID 7001

#define LAYOUT(type, last, size, off)					\
	do {								\
		check_eq(sizeof(struct type), size);			\
		check_eq(offsetof(struct type, last), off);		\
	} while (0)

/* Structures have the published sizes and offsets, and no hidden padding. */
static void layout(void)
{
	LAYOUT(vzctl_reserve, pad, 16, 12);
	LAYOUT(vzctl_open, pad, 16, 12);
	LAYOUT(vzctl_create, pad, 32, 28);
	LAYOUT(vzctl_create, bset, 32, 16);
	LAYOUT(vzctl_set, data, 24, 8);
	LAYOUT(vzctl_set, pad, 24, 20);
	LAYOUT(vzctl_enter, flags, 8, 4);
	LAYOUT(vzctl_kill, signal, 8, 4);
	LAYOUT(vzctl_get, serial, 56, 16);
	LAYOUT(vzctl_get, start_time, 56, 32);
	LAYOUT(vzctl_get, code, 56, 52);
	LAYOUT(vzctl_ubc, barrier, 32, 16);
	LAYOUT(vzctl_ubc, limit, 32, 24);
}

/* The numbers are those of the ABI for ever. */
static void numbers(void)
{
	check_eq(VZCTL_RESERVE, 0x40102e20u);
	check_eq(VZCTL_OPEN, 0x40102e21u);
	check_eq(VZCTL_CREATE2, 0x40202e22u);
	check_eq(VZCTL_SET, 0x40182e23u);
	check_eq(VZCTL_RUN, 0x2e24u);
	check_eq(VZCTL_ENTER2, 0x40082e25u);
	check_eq(VZCTL_KILL, 0x40082e26u);
	check_eq(VZCTL_LOCK, 0x2e27u);
	check_eq(VZCTL_UNLOCK, 0x2e28u);
	check_eq(VZCTL_GET, 0xc0382e29u);
	check_eq(VZCTL_FREEZE, 0x2e2au);
	check_eq(VZCTL_THAW, 0x2e2bu);
	check_eq(VZCTL_UBC, 0x40202e2cu);
	check_eq(VZCTL_UBCS, 0xc0182e2du);
	check_eq(VZCTL_VEID_MAX, 2147483644u);
}

/* A call that the descriptor does not know is ENOTTY. */
static void unknown_calls(void)
{
	struct vzctl_get get;
	int fd = check_ok(vz_reserve(ID));

	check_err(ioctl(vz_ctl(), _IO('.', 63)), ENOTTY);
	check_err(ioctl(vz_ctl(), _IO('?', 32)), ENOTTY);
	check_err(ioctl(vz_ctl(), VZCTL_RUN), ENOTTY);
	check_err(vz_get(vz_ctl(), &get), ENOTTY);
	check_err(ioctl(fd, _IO('.', 63)), ENOTTY);
	check_err(ioctl(fd, VZCTL_RESERVE, &get), ENOTTY);
	close(fd);
}

/* Size 0 and sizes without the mandatory fields are EINVAL. */
static void short_sizes(void)
{
	struct vzctl_reserve arg = { .veid = ID };
	unsigned int size;
	int fd;

	for (size = 0; size < 8; size++) {
		arg.size = size;
		check_err(ioctl(vz_ctl(), VZCTL_RESERVE, &arg), EINVAL);
	}
	/* Missing fields read as zero, even if they are there. */
	arg.size = 8;
	arg.flags = ~0U;
	fd = check_ok(ioctl(vz_ctl(), VZCTL_RESERVE, &arg));
	close(fd);
}

/* A longer structure is accepted if the surplus is zero, else E2BIG. */
static void long_sizes(void)
{
	struct {
		struct vzctl_reserve arg;
		char surplus[64];
	} big;
	int fd;

	memset(&big, 0, sizeof(big));
	big.arg.size = sizeof(big);
	big.arg.veid = ID;
	fd = check_ok(ioctl(vz_ctl(), VZCTL_RESERVE, &big));
	close(fd);
	big.surplus[63] = 1;
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, &big), E2BIG);
	big.arg.size = ~0U;
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, &big), E2BIG);
	check(!ve_exists(ID));
}

/* Bad pointers are EFAULT, also where the structure ends in a hole. */
static void bad_pointers(void)
{
	struct vzctl_reserve arg = { .size = sizeof(arg), .veid = ID };
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	check_ok(munmap(page + 4096, 4096));
	memcpy(page + 4096 - 8, &arg, 8);
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, NULL), EFAULT);
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, page + 4096 - 8), EFAULT);
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, ~0UL << 20), EFAULT);
	check(!ve_exists(ID));
}

/* Unknown flag bits and non-zero padding are EINVAL. */
static void unknown_flags(void)
{
	struct vzctl_reserve r = { sizeof(r), ID, 0, 0 };
	struct vzctl_open o = { sizeof(o), ID, 0, 0 };
	struct vzctl_enter e = { sizeof(e), 2 };
	struct vzctl_create c = {
		.size = sizeof(c), .uid_base = vz_base(ID),
		.uid_count = VZCTL_ID_RANGE, .cgroup_fd = -1,
	};
	int bit, fd;

	for (bit = 0; bit < 32; bit++) {
		r.flags = 1U << bit;
		check_err(ioctl(vz_ctl(), VZCTL_RESERVE, &r), EINVAL);
	}
	r.flags = 0;
	r.pad = 1;
	check_err(ioctl(vz_ctl(), VZCTL_RESERVE, &r), EINVAL);
	fd = check_ok(vz_reserve(ID));
	for (bit = 0; bit < 32; bit++) {
		o.flags = 1U << bit;
		check_err(ioctl(vz_ctl(), VZCTL_OPEN, &o), EINVAL);
		c.flags = 1U << bit;
		check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
		if (!bit)
			continue;
		e.flags = 1U << bit;
		check_err(ioctl(fd, VZCTL_ENTER2, &e), EINVAL);
	}
	o.flags = 0;
	o.pad = 1;
	check_err(ioctl(vz_ctl(), VZCTL_OPEN, &o), EINVAL);
	close(fd);
}

/* Ids outside 1 .. VZCTL_VEID_MAX are EINVAL. */
static void id_range(void)
{
	int fd;

	check_err(vz_reserve(0), EINVAL);
	check_err(vz_reserve(VZCTL_VEID_MAX + 1), EINVAL);
	check_err(vz_reserve(~0U), EINVAL);
	check_err(vz_reserve(1U << 31), EINVAL);
	fd = check_ok(vz_reserve(VZCTL_VEID_MAX));
	close(fd);
	fd = check_ok(vz_reserve(VZCTL_VEID_MIN));
	close(fd);
}

/* A taken id is EEXIST for RESERVE, a free one ESRCH for OPEN. */
static void taken_id(void)
{
	int fd = check_ok(vz_reserve(ID)), fd2;

	check_err(vz_reserve(ID), EEXIST);
	fd2 = check_ok(vz_open(ID));
	check_err(vz_open(ID + 1), ESRCH);
	check_err(vz_open(VZCTL_VEID_MAX), ESRCH);
	close(fd);
	/* The second descriptor keeps the VE. */
	check_err(vz_reserve(ID), EEXIST);
	close(fd2);
	check_soon(!ve_exists(ID), 2000);
}

/* VE descriptors are closed by execve(). */
static void close_on_exec(void)
{
	int fd = check_ok(vz_reserve(ID)), fd2 = check_ok(vz_open(ID));

	check_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	check_eq(fcntl(fd2, F_GETFD), FD_CLOEXEC);
	close(fd);
	close(fd2);
}

/* CREATE2 refuses ranges that are not a whole slot, and foreign cgroups. */
static void create_ranges(void)
{
	struct vzctl_create c = {
		.size = sizeof(c), .uid_base = vz_base(ID),
		.uid_count = VZCTL_ID_RANGE, .bset = VE_BSET,
	};
	int fd = check_ok(vz_reserve(ID));

	c.cgroup_fd = check_ok(ve_cgroup_fd(ID));
	c.uid_base = 0;
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	c.uid_base = vz_base(ID) + 1;
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	c.uid_base = vz_base(ID);
	c.uid_count = VZCTL_ID_RANGE - 1;
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	c.uid_count = VZCTL_ID_RANGE * 2;
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	c.uid_count = 0;
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	c.uid_count = VZCTL_ID_RANGE;
	close(c.cgroup_fd);
	check_eq(ioctl(fd, VZCTL_CREATE2, &c), -1);
	check(errno == EBADF || errno == EINVAL);
	c.cgroup_fd = check_ok(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY));
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EINVAL);
	close(c.cgroup_fd);
	c.cgroup_fd = check_ok(open("/tmp", O_RDONLY | O_DIRECTORY));
	check_eq(ioctl(fd, VZCTL_CREATE2, &c), -1);
	check(errno == EBADF || errno == EINVAL);
	close(c.cgroup_fd);
	close(fd);
	check_soon(!ve_exists(ID), 2000);
}

/* The id ranges of two VEs never overlap: EEXIST. */
static void create_overlap(void)
{
	struct vzctl_create c = {
		.size = sizeof(c), .uid_base = vz_base(ID),
		.uid_count = VZCTL_ID_RANGE, .bset = VE_BSET,
	};
	struct ve ve;
	int fd;

	ve_start(&ve, ID, NULL);
	fd = check_ok(vz_reserve(ID + 1));
	c.cgroup_fd = check_ok(ve_cgroup_fd(ID + 1));
	check_err(ioctl(fd, VZCTL_CREATE2, &c), EEXIST);
	close(c.cgroup_fd);
	close(fd);
	ve_stop(&ve);
}

/* SET: unknown key EINVAL, too long EMSGSIZE, text that is none EINVAL. */
static void set_errors(void)
{
	char text[80];
	int fd = check_ok(vz_reserve(ID));

	memset(text, 'a', sizeof(text));
	check_err(vz_set(fd, 0, text, 4), EINVAL);
	check_err(vz_set(fd, 99, text, 4), EINVAL);
	check_err(vz_set(fd, VZCTL_SET_OSRELEASE, text, 65), EMSGSIZE);
	check_err(vz_set(fd, VZCTL_SET_OSRELEASE, text, ~0U), EMSGSIZE);
	check_err(vz_set(fd, VZCTL_SET_OSRELEASE, text, 0), EINVAL);
	check_err(vz_set(fd, VZCTL_SET_OSRELEASE, NULL, 4), EFAULT);
	check_err(vz_set(fd, VZCTL_SET_OSRELEASE, "a\0b", 3), EINVAL);
	check_ok(vz_set(fd, VZCTL_SET_OSRELEASE, text, 64));
	close(fd);
}

/* KILL: EINVAL for no signal number at all, ESRCH without init. */
static void kill_errors(void)
{
	struct ve ve;
	int fd = check_ok(vz_reserve(ID + 1));

	check_err(vz_kill(fd, SIGKILL), ESRCH);
	close(fd);
	ve_start(&ve, ID, NULL);
	check_err(vz_kill(ve.fd, 65), EINVAL);
	check_err(vz_kill(ve.fd, -1), EINVAL);
	check_err(vz_kill(ve.fd, 1 << 30), EINVAL);
	check_ok(vz_kill(ve.fd, 0));
	ve_stop(&ve);
}

/* GET writes as many bytes as the caller's size names, no more. */
static void get_sizes(void)
{
	union {
		struct vzctl_get get;
		unsigned char byte[128];
	} u;
	int fd = check_ok(vz_reserve(ID));
	unsigned int i;

	memset(&u, 0xaa, sizeof(u));
	u.get.size = 12;
	check_ok(ioctl(fd, VZCTL_GET, &u));
	check_eq(u.get.veid, ID);
	check_eq(u.get.state, VZCTL_STATE_STARTING);
	/* Or the next GET into this buffer would write beyond it. */
	check_eq(u.get.size, 12);
	for (i = 12; i < sizeof(u); i++)
		check_eq(u.byte[i], 0xaa);
	memset(&u, 0, sizeof(u));
	u.get.size = sizeof(u);
	check_ok(ioctl(fd, VZCTL_GET, &u));
	check_eq(u.get.veid, ID);
	check(u.get.serial > 0);
	check_eq(u.get.init_pid, 0);
	check_eq(u.get.start_time, 0);
	check_eq(u.get.reason, VZCTL_REASON_NONE);
	close(fd);
}

/* Serials grow and are not reused. */
static void serials(void)
{
	struct vzctl_get get;
	__u64 last = 0;
	int i;

	for (i = 0; i < 5; i++) {
		int fd = check_ok(vz_reserve(ID));

		check_ok(vz_get(fd, &get));
		check(get.serial > last);
		last = get.serial;
		close(fd);
		check_soon(!ve_exists(ID), 2000);
	}
}

static void as_user(int ctl, int ve)
{
	static const unsigned int calls[] = { VZCTL_CREATE2, VZCTL_SET,
		VZCTL_RUN, VZCTL_ENTER2, VZCTL_KILL, VZCTL_LOCK, VZCTL_UNLOCK,
		VZCTL_FREEZE, VZCTL_THAW, VZCTL_UBC, VZCTL_UBCS, VZCTL_GET };
	struct vzctl_reserve r = { sizeof(r), ID + 1, 0, 0 };
	struct vzctl_open o = { sizeof(o), ID, 0, 0 };
	struct vzctl_ubc u = { .size = sizeof(u), .id = ID };
	struct vzctl_ubcs s = { .size = sizeof(s), .id = ID };
	unsigned int i;

	check_ok(setgid(1000));
	check_ok(setuid(1000));
	check_err(open("/dev/vzctl", O_RDWR), EACCES);
	check_err(ioctl(ctl, VZCTL_RESERVE, &r), EPERM);
	check_err(ioctl(ctl, VZCTL_OPEN, &o), EPERM);
	check_err(ioctl(ctl, VZCTL_UBC, &u), EPERM);
	check_err(ioctl(ctl, VZCTL_UBCS, &s), EPERM);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		long arg[16] = { 0 };

		arg[0] = 8;
		if (ioctl(ve, calls[i], arg) != -1 || errno != EPERM)
			vz_fail(__FILE__, __LINE__, "call %#x: errno %d",
				calls[i], errno);
	}
	_exit(0);
}

/* Without privilege every call is EPERM, even on passed descriptors. */
static void unprivileged(void)
{
	int fd = check_ok(vz_reserve(ID)), status;
	pid_t pid = check_ok(fork());

	if (!pid)
		as_user(vz_ctl(), fd);
	check_eq(waitpid(pid, &status, 0), pid);
	check(exited(status, 0));
	check(!ve_exists(ID + 1));
	close(fd);
}

static long from_inside(long unused)
{
	struct vzctl_reserve r = { sizeof(r), ID + 1, 0, 0 };
	struct vzctl_open o = { sizeof(o), ID, 0, 0 };
	struct vzctl_ubc u = { .size = sizeof(u), .id = 0 };
	struct vzctl_ubcs s = { .size = sizeof(s), .id = 0 };

	check_err(ioctl(VE_FD_KTAP + 5, VZCTL_RESERVE, &r), EPERM);
	check_err(ioctl(VE_FD_KTAP + 5, VZCTL_OPEN, &o), EPERM);
	check_err(ioctl(VE_FD_KTAP + 5, VZCTL_UBC, &u), EPERM);
	check_err(ioctl(VE_FD_KTAP + 5, VZCTL_UBCS, &s), EPERM);
	return 0;
}

/* Root of a VE has no right either, even with a leaked descriptor. */
static void from_ve(void)
{
	struct ve ve;
	int status;

	ve_start(&ve, ID, NULL);
	/* The entering helper keeps its descriptors. */
	check_eq(dup2(vz_ctl(), VE_FD_KTAP + 5), VE_FD_KTAP + 5);
	status = check_ok(ve_enter(&ve, 0, from_inside, 0));
	check(exited(status, 0));
	ve_stop(&ve);
}

/* UBC: exact errors of limits, ids and resources. */
static void ubc_errors(void)
{
	const __u64 max = 0x7fffffffffffffffULL;
	int fd = check_ok(vz_reserve(ID)), ctl = vz_ctl();

	check_ok(vz_ubc(fd, 0, 5, 100, 200));
	check_ok(vz_ubc(fd, 0, 5, max, max));
	check_ok(vz_ubc(fd, 0, 5, 200, 100));
	check_err(vz_ubc(fd, 0, 5, max + 1, max), EINVAL);
	check_err(vz_ubc(fd, 0, 5, max, ~0ULL), EINVAL);
	check_err(vz_ubc(fd, 0, 25, 1, 1), EINVAL);
	check_err(vz_ubc(fd, 0, ~0U, 1, 1), EINVAL);
	check_err(vz_ubc(fd, ID, 5, 1, 1), EINVAL);
	check_ok(vz_ubc(ctl, ID, 24, 1, 1));
	check_err(vz_ubc(ctl, ID, 25, 1, 1), EINVAL);
	check_err(vz_ubc(ctl, ID + 1, 5, 1, 1), ENOENT);
	check_eq(vz_ubc(ctl, ~0U, 5, 1, 1), -1);
	check(errno == ENOENT || errno == EINVAL);
	close(fd);
}

static const struct vz_case cases[] = {
	VZ_CASE(layout),
	VZ_CASE(numbers),
	VZ_CASE(unknown_calls),
	VZ_CASE(short_sizes),
	VZ_CASE(long_sizes),
	VZ_CASE(bad_pointers),
	VZ_CASE(unknown_flags),
	VZ_CASE(id_range),
	VZ_CASE(taken_id),
	VZ_CASE(close_on_exec),
	VZ_CASE(create_ranges),
	VZ_CASE(create_overlap),
	VZ_CASE(set_errors),
	VZ_CASE(kill_errors),
	VZ_CASE(get_sizes),
	VZ_CASE(serials),
	VZ_CASE(unprivileged),
	VZ_CASE(from_ve),
	VZ_CASE(ubc_errors),
};
VZ_MAIN(cases)
