/* SPDX-License-Identifier: GPL-2.0 */
/* Operations whose guest instructions are counted. */
#ifndef VZ_BENCH_H
#define VZ_BENCH_H

#include <sys/types.h>

/*
 * One line of the table.  All functions run in one process of its own, whose
 * directory is an empty tmpfs.
 */
struct row {
	const char *name;
	/*
	 * Operations per repetition, the same on every kernel: about 20 million
	 * instructions, which is several timer ticks.
	 */
	unsigned int ops;
	void (*setup)(void);
	void (*run)(unsigned int ops);
	void (*cleanup)(void);
};

/* Each ends with a row without name. */
extern const struct row call_rows[];
extern const struct row file_rows[];
extern const struct row task_rows[];
extern const struct row memory_rows[];
extern const struct row unix_rows[];
extern const struct row inet_rows[];

/*
 * Round trips of one byte: a second process answers on @theirs.  The row's
 * setup, run and cleanup call these.
 */
void echo_start(int mine, int theirs);
void echo_run(unsigned int ops);
void echo_stop(void);

/* Sends @ops chunks of @size bytes from one descriptor to the other. */
void bulk_start(int out, int in, size_t size);
void bulk_run(unsigned int ops);
void bulk_stop(void);

#endif
