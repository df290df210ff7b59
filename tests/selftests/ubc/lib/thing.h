/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VE makes that costs it kernel memory.  A thing is never given back:
 * it ends with the process that has made it.
 */
#ifndef VZ_THING_H
#define VZ_THING_H

/* Of each thing one is made, and then so many more. */
#define THING_MORE 1000L
#define THING_SLABS 5
/* memcg remembers the owner of each object. */
#define THING_OWNER 8L
/* The argument of a program that is executed to be there: thing_program(). */
#define THING_ARG "--stay"

struct thing {
	const char *name;
	const char *counter;		/* grows by @units for each, or NULL */
	int units;
	long (*make)(long n);
	int spawn;			/* in a child of init, which stays */
	struct {
		const char *name;
		int n;
	} slab[THING_SLABS];		/* objects that each consists of */
	long known, more;		/* other bytes of kmemsize: least, span */
};

/* Words of the shared memory; things need the last one. */
enum { STATE, GO, ARRIVED };

/* Those in the first places are processes and threads. */
#define THING_TASKS 3
extern const struct thing things[];
extern const int nthings;

/* Waits for ever. */
void thing_stay(void);
/* Tells who has executed this program that it is there, and stays. */
void thing_program(void);

#endif
