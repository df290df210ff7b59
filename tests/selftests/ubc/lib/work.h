/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ordinary work that must never fail: processes, files, memory, UDP and TCP on
 * loopback, a file system in memory.  Each step is checked.
 */
#ifndef VZ_WORK_H
#define VZ_WORK_H

/* Written by the worker, read by the test. */
struct work {
	long rounds;
	long ns;	/* how long these took */
	long failed;	/* steps that did not do what they should */
	long step;	/* the first of them, and its errno */
	long err;
};

/* Works for ever. */
void work(volatile struct work *w) __attribute__((noreturn));
const char *work_step(long step);

#endif
