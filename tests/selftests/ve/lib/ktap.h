/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test harness: a program is a list of cases, each run in its own process,
 * reported as KTAP on the file named by $KTAP (default: stdout).
 *
 * A case passes when its function returns.  Any failed check ends the process
 * that made it, so bodies are linear; what a case leaves behind (processes,
 * VEs) is removed by the harness and makes the case fail.  So does a kernel
 * warning logged while it ran, and a beancounter that is wrong after it.
 */
#ifndef VZ_KTAP_H
#define VZ_KTAP_H

#include <errno.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct vz_case {
	const char *name;
	void (*run)(void);
	unsigned int timeout;	/* seconds; 0 is the default of 120 */
};

#define VZ_CASE(fn)		{ #fn, fn, 0 }
#define VZ_CASE_SLOW(fn, s)	{ #fn, fn, s }
#define VZ_MAIN(cases)							\
	int main(int argc, char **argv)					\
	{								\
		return vz_main(cases, ARRAY_SIZE(cases), argc, argv);	\
	}

int vz_main(const struct vz_case *cases, size_t count, int argc, char **argv);

/* A line of diagnostics; safe in any process. */
void vz_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The running case cannot be done here, and why.  Only in its main process. */
void vz_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void vz_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
/* The stacks of all tasks, on the console: for something that hangs. */
void vz_dump_tasks(void);
/* n divided by $VZ_SCALE (default 10), at least 1. */
long vz_scaled(long n);
/* Milliseconds of CLOCK_MONOTONIC. */
long long vz_now_ms(void);
/* One step of a bounded poll: sleeps a little, false once @until is over. */
int vz_poll_step(long long until);

#define check(cond)							\
	do {								\
		if (!(cond))						\
			vz_fail(__FILE__, __LINE__, "%s (errno %d)",	\
				#cond, errno);				\
	} while (0)

#define check_eq(a, b)							\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
		if (a_ != b_)						\
			vz_fail(__FILE__, __LINE__,			\
				"%s is %lld, expected %s = %lld", #a,	\
				a_, #b, b_);				\
	} while (0)

/* The value of a call that must not return -1. */
#define check_ok(call)							\
	({								\
		__auto_type r_ = (call);				\
		if (r_ == -1)						\
			vz_fail(__FILE__, __LINE__, "%s: errno %d",	\
				#call, errno);				\
		r_;							\
	})

/* A call that must return -1 with this errno. */
#define check_err(call, want)						\
	do {								\
		long r_;						\
		errno = 0;						\
		r_ = (long)(call);					\
		if (r_ != -1 || errno != (want))			\
			vz_fail(__FILE__, __LINE__,			\
				"%s: %ld errno %d, expected errno %d",	\
				#call, r_, errno, (want));		\
	} while (0)

/* True within @ms milliseconds. */
#define check_soon(cond, ms)						\
	do {								\
		long long until_ = vz_now_ms() + (ms);			\
		while (!(cond))						\
			if (!vz_poll_step(until_))			\
				vz_fail(__FILE__, __LINE__,		\
					"not within %d ms: %s",		\
					(int)(ms), #cond);		\
	} while (0)

#endif
