// SPDX-License-Identifier: GPL-2.0
/* Address space and pages. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

#define PAGE	4096UL
#define SMALL	PAGE
#define LARGE	(1024 * PAGE)
#define HEAP	(16 * PAGE)

static char *get(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mem != MAP_FAILED);
	return mem;
}

static void touch(volatile char *mem, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += PAGE)
		mem[at] = 1;
}

static void mmap_run(unsigned int ops, size_t size)
{
	char *mem;

	while (ops--) {
		mem = get(size);
		touch(mem, size);
		check_ok(munmap(mem, size));
	}
}

static void small_run(unsigned int ops)
{
	mmap_run(ops, SMALL);
}

static void large_run(unsigned int ops)
{
	mmap_run(ops, LARGE);
}

static char *area;

static void fault_setup(void)
{
	area = get(LARGE);
}

/* An operation is one page, and its share of giving them back. */
static void fault_run(unsigned int ops)
{
	for (; ops; ops -= LARGE / PAGE) {
		touch(area, LARGE);
		check_ok(madvise(area, LARGE, MADV_DONTNEED));
	}
}

static void fault_cleanup(void)
{
	check_ok(munmap(area, LARGE));
}

static void brk_run(unsigned int ops)
{
	long heap = syscall(SYS_brk, 0);

	while (ops--) {
		check_eq(syscall(SYS_brk, heap + HEAP), heap + HEAP);
		check_eq(syscall(SYS_brk, heap), heap);
	}
}

const struct row memory_rows[] = {
	{ "mmap-4K", 2000, NULL, small_run, NULL },
	{ "mmap-4M", 10, NULL, large_run, NULL },
	{ "page-fault", 10 * LARGE / PAGE, fault_setup, fault_run,
	  fault_cleanup },
	{ "brk", 2000, NULL, brk_run, NULL },
	{ },
};
