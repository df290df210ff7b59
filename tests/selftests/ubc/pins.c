// SPDX-License-Identifier: GPL-2.0
/*
 * lockedpages: memory that is pinned and not in locked_vm.  That of io_uring is
 * in uring.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <linux/perf_event.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8900
#define PG 4096L
#define PORT 7793
#define KEEP 64
/* Of one unit. */
#define UMEM_PAGES 4
#define PERF_PAGES 2

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

static char *pages(long n)
{
	void *p = mmap(NULL, n * PG, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

/* fd, or -1 and the errno of what was refused for it. */
static long keep_unless(int fd, int ret)
{
	int err = errno;

	if (ret >= 0)
		return keep_fd(fd);
	close(fd);
	errno = err;
	return -1;
}

static long xdp_umem(long on)
{
	static char *buf;
	struct xdp_umem_reg mr = { .len = UMEM_PAGES * PG, .chunk_size = PG };
	int s;

	if (!on)
		return close_kept();
	if (!buf)
		buf = pages(UMEM_PAGES);
	mr.addr = (unsigned long)buf;
	s = check_ok(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
	return keep_unless(s, setsockopt(s, SOL_XDP, XDP_UMEM_REG, &mr,
					 sizeof(mr)));
}

static void *rings[KEEP];
static int nrings;

static int perf_event(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1, .exclude_hv = 1 };

	return check_ok(syscall(SYS_perf_event_open, &attr, 0, -1, -1,
				PERF_FLAG_FD_CLOEXEC));
}

/* The ring buffer of an event: one page for its head, one for data. */
static long perf_ring(long on)
{
	int fd, err;
	void *p;

	if (!on) {
		while (nrings)
			munmap(rings[--nrings], PERF_PAGES * PG);
		return close_kept();
	}
	fd = perf_event();
	p = mmap(NULL, PERF_PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	err = errno;
	if (p == MAP_FAILED) {
		close(fd);
		errno = err;
		return -1;
	}
	rings[nrings++] = p;
	return keep_fd(fd);
}

static char *secret;
static int nsecret;

/* One more page of a file that is in no direct map. */
static long secret_page(long on)
{
	static int fd = -1, zero;

	if (!on) {
		if (fd < 0)
			return 0;
		munmap(secret, KEEP * PG);
		close(fd);
		close(zero);
		fd = -1;
		nsecret = 0;
		return 0;
	}
	if (fd < 0) {
		zero = check_ok(open("/dev/zero", O_RDONLY | O_CLOEXEC));
		fd = check_ok(syscall(SYS_memfd_secret, O_CLOEXEC));
		check_ok(ftruncate(fd, KEEP * PG));
		secret = mmap(NULL, KEEP * PG, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0);
		check(secret != MAP_FAILED);
	}
	/* What would be SIGBUS is EFAULT here. */
	if (read(zero, secret + nsecret * PG, 1) != 1)
		return -1;
	nsecret++;
	return 0;
}

/* A connection whose receiver takes nothing more. */
static int stalled(int *peer)
{
	static char fill[32 * 1024];
	struct sockaddr_in a = drive_local(PORT);
	int l = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int s, small = 2048, big = 1 << 20, one = 1;

	check_ok(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	check_ok(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	check_ok(bind(l, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(l, 1));
	s = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	check_ok(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big)));
	check_ok(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
	check_ok(connect(s, (struct sockaddr *)&a, sizeof(a)));
	*peer = check_ok(accept4(l, NULL, NULL, SOCK_CLOEXEC));
	close(l);
	check_eq(send(s, fill, sizeof(fill), MSG_DONTWAIT), (long)sizeof(fill));
	return s;
}

/* A page that is sent in place costs what RLIMIT_MEMLOCK counts: 2 more. */
static long zerocopy_page(long on)
{
	static int s = -1, peer;
	static char *buf;

	if (!on) {
		if (s >= 0) {
			close(peer);
			close(s);
		}
		s = -1;
		return 0;
	}
	if (!buf)
		buf = pages(1);
	if (s < 0)
		s = stalled(&peer);
	return send(s, buf, PG, MSG_ZEROCOPY | MSG_DONTWAIT) == PG ? 0 : -1;
}

static const struct unit units[] = {
	{ "lockedpages", UB_LOCKEDPAGES, xdp_umem, ENOBUFS, UMEM_PAGES },
	{ "lockedpages", UB_LOCKEDPAGES, perf_ring, EPERM, PERF_PAGES },
	{ "lockedpages", UB_LOCKEDPAGES, secret_page, EFAULT, 1 },
	{ "lockedpages", UB_LOCKEDPAGES, zerocopy_page, ENOBUFS, 3 },
};

/* Memory of AF_XDP: ENOBUFS. */
static void xdp_umems(void)
{
	drive_hard(ID, &units[0]);
}

/* Ring buffers of perf: EPERM. */
static void perf_rings(void)
{
	drive_hard(ID, &units[1]);
}

/* memfd_secret(): SIGBUS, which a system call turns into EFAULT. */
static void secret_pages(void)
{
	drive_hard(ID, &units[2]);
}

/* MSG_ZEROCOPY: ENOBUFS. */
static void zerocopy_pages(void)
{
	drive_hard(ID, &units[3]);
}

static const struct vz_case cases[] = {
	VZ_CASE(xdp_umems),
	VZ_CASE(perf_rings),
	VZ_CASE(secret_pages),
	VZ_CASE(zerocopy_pages),
};
VZ_MAIN(cases)
