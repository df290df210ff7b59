// SPDX-License-Identifier: GPL-2.0
/* io_uring: who pays for its buffers, its threads and what these open. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8910
#define PG 4096L
/* Of one unit. */
#define BUFFER_PAGES 3
#define REGION_PAGES 4
#define ENTRIES 8
#define OPENS 5

/* Newer than some <linux/io_uring.h>. */
#define REGISTER_CLONE_BUFFERS 30
struct clone_arg {
	__u32 src_fd, flags, src_off, dst_off, nr, pad[3];
};
#define REGISTER_MEM_REGION 34
struct region_desc {
	__u64 user_addr, size;
	__u32 flags, id;
	__u64 mmap_offset, resv[4];
};
struct region_arg {
	__u64 desc, flags, resv[2];
};

static char *buffer(void)
{
	static char *buf;

	if (buf)
		return buf;
	buf = mmap(NULL, BUFFER_PAGES * PG, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(buf != MAP_FAILED);
	return buf;
}

static int setup(unsigned int entries, struct io_uring_params *p)
{
	return syscall(SYS_io_uring_setup, entries, p);
}

static int new_ring(void)
{
	struct io_uring_params p = { 0 };

	return check_ok(setup(1, &p));
}

static int reg(int ring, unsigned int op, void *arg, unsigned int n)
{
	return syscall(SYS_io_uring_register, ring, op, arg, n);
}

static int reg_buffer(int ring)
{
	struct iovec iov = { buffer(), BUFFER_PAGES * PG };

	return reg(ring, IORING_REGISTER_BUFFERS, &iov, 1);
}

static int reg_region(int ring)
{
	struct region_desc desc = { .size = BUFFER_PAGES * PG };
	struct region_arg arg = { .desc = (unsigned long)&desc };

	return reg(ring, REGISTER_MEM_REGION, &arg, 1);
}

/* What each ring gets. */
static int (*part)(int ring);

static long ring_with_part(long on)
{
	int ring, err;

	if (!on)
		return close_kept();
	ring = new_ring();
	if (!part(ring))
		return keep_fd(ring);
	err = errno;
	close(ring);
	errno = err;
	return -1;
}

/* A part that is refused: ENOMEM. */
static void drive_part(int (*reg_part)(int ring), int pages)
{
	const struct unit unit = {
		"lockedpages", UB_LOCKEDPAGES, ring_with_part, ENOMEM, pages };

	part = reg_part;
	drive_hard(ID, &unit);
}

/* Registered buffers. */
static void buffers(void)
{
	drive_part(reg_buffer, BUFFER_PAGES);
}

/* Memory of the kernel, rounded up to a power of two. */
static void regions(void)
{
	drive_part(reg_region, REGION_PAGES);
}

static struct ve ve;

/* The VE is at step @n; what it holds and was refused then. */
static void at(int n, unsigned long held, unsigned long failcnt)
{
	check_soon(ve.shared[0] == n, 10000);
	ub_want(ID, "lockedpages", held, failcnt);
	drive_recount(&ve);
}

static void step(int n)
{
	ve_shared[0] = n;
	while (ve_shared[1] < n)
		usleep(1000);
}

static long clone_buffers(long unused)
{
	int a = new_ring(), b = new_ring();
	struct clone_arg arg = { .src_fd = a };

	check_ok(reg_buffer(a));
	step(1);
	check_err(reg(b, REGISTER_CLONE_BUFFERS, &arg, 1), ENOMEM);
	step(2);
	check_ok(reg(b, REGISTER_CLONE_BUFFERS, &arg, 1));
	step(3);
	close(a);
	step(4);
	return 0;
}

/* A buffer cloned to another ring: each of the two pays, as long as it lives. */
static void clones(void)
{
	ve_start(&ve, ID, NULL);
	ve_spawn(&ve, clone_buffers, 0);
	at(1, BUFFER_PAGES, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_LOCKEDPAGES, 2 * BUFFER_PAGES - 1, UB_MAX));
	ve.shared[1] = 1;
	at(2, BUFFER_PAGES, 1);
	check_ok(vz_ubc(ve.fd, 0, UB_LOCKEDPAGES, 2 * BUFFER_PAGES, UB_MAX));
	ve.shared[1] = 2;
	at(3, 2 * BUFFER_PAGES, 1);
	ve.shared[1] = 3;
	at(4, BUFFER_PAGES, 1);
	ve.shared[1] = 4;
	ub_want(ID, "lockedpages", 0, 1);
	drive_stop(&ve);
}

/* A mapped ring. */
static struct {
	int fd;
	struct io_uring_params p;
	char *ring;
	struct io_uring_sqe *sqes;
} u;

static void map_ring(void)
{
	size_t size;

	u.fd = check_ok(setup(ENTRIES, &u.p));
	check(u.p.features & IORING_FEAT_SINGLE_MMAP);
	size = u.p.cq_off.cqes + u.p.cq_entries * sizeof(struct io_uring_cqe);
	u.ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, u.fd,
		      IORING_OFF_SQ_RING);
	check(u.ring != MAP_FAILED);
	u.sqes = mmap(NULL, ENTRIES * sizeof(*u.sqes), PROT_READ | PROT_WRITE,
		      MAP_SHARED, u.fd, IORING_OFF_SQES);
	check(u.sqes != MAP_FAILED);
}

static unsigned int *field(unsigned int off)
{
	return (unsigned int *)(u.ring + off);
}

/* openat() of /dev/null by a worker thread: its result. */
static int open_async(void)
{
	unsigned int tail = *field(u.p.sq_off.tail);
	unsigned int i = tail & *field(u.p.sq_off.ring_mask);
	unsigned int head = *field(u.p.cq_off.head);
	struct io_uring_cqe *cqes;

	memset(&u.sqes[i], 0, sizeof(u.sqes[i]));
	u.sqes[i].opcode = IORING_OP_OPENAT;
	u.sqes[i].flags = IOSQE_ASYNC;
	u.sqes[i].fd = AT_FDCWD;
	u.sqes[i].addr = (unsigned long)"/dev/null";
	u.sqes[i].open_flags = O_RDONLY | O_CLOEXEC;
	field(u.p.sq_off.array)[i] = i;
	__atomic_store_n(field(u.p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	check_eq(syscall(SYS_io_uring_enter, u.fd, 1, 1,
			 IORING_ENTER_GETEVENTS, NULL, 0), 1);
	check(__atomic_load_n(field(u.p.cq_off.tail), __ATOMIC_ACQUIRE) != head);
	cqes = (struct io_uring_cqe *)(u.ring + u.p.cq_off.cqes);
	i = cqes[head & *field(u.p.cq_off.ring_mask)].res;
	__atomic_store_n(field(u.p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return i;
}

static long open_many(long unused)
{
	int i;

	map_ring();
	check(open_async() >= 0);
	step(1);
	for (i = 0; i < OPENS; i++)
		check(open_async() >= 0);
	step(2);
	check_eq(open_async(), -ENFILE);
	step(3);
	return 0;
}

/* Files that a worker opens are files of who asked it to. */
static void worker_files(void)
{
	unsigned long base, procs;

	ve_start(&ve, ID, NULL);
	procs = ub_held(ID, "numproc");
	ve_spawn(&ve, open_many, 0);
	check_soon(ve.shared[0] == 1, 10000);
	/* The worker waits for more for some seconds: it is a task of the VE. */
	check_eq(ub_held(ID, "numproc"), procs + 2);
	base = ub_held(ID, "numfile");
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, base + OPENS, base + OPENS));
	ve.shared[1] = 1;
	check_soon(ve.shared[0] == 2, 10000);
	ub_want(ID, "numfile", base + OPENS, 0);
	ve.shared[1] = 2;
	check_soon(ve.shared[0] == 3, 10000);
	ub_want(ID, "numfile", base + OPENS, 1);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, UB_MAX, UB_MAX));
	ve.shared[1] = 3;
	drive_stop(&ve);
}

/* A ring with a thread that polls it. */
static long polled_ring(long on)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL,
		.sq_thread_idle = 1 };

	return on ? keep_fd(setup(1, &p)) : close_kept();
}

static const struct unit unit_sqpoll = {
	"numproc", UB_NUMPROC, polled_ring, ENOMEM, 1 };

/* Polling threads are tasks of the VE: ENOMEM. */
static void sqpoll_threads(void)
{
	drive_hard(ID, &unit_sqpoll);
}

static const struct vz_case cases[] = {
	VZ_CASE(buffers),
	VZ_CASE(regions),
	VZ_CASE(clones),
	VZ_CASE(worker_files),
	VZ_CASE(sqpoll_threads),
};
VZ_MAIN(cases)
