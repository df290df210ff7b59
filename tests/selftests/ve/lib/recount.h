/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's recount of all beancounters: debugfs, if it was built with
 * CONFIG_UBC_DEBUG.
 */
#ifndef VZ_RECOUNT_H
#define VZ_RECOUNT_H

struct recount_line {
	unsigned int id;
	unsigned long long gen;
	char name[16];
	long held, recounted;
};

/* Is there a recount? */
int recount_there(void);
#define RECOUNT_ALL	0	/* instead of an id */

/* Lines of UBs @id whose numbers differ now: how many, the first @max in @diff. */
int recount_diff(unsigned int id, struct recount_line *diff, int max);
/* The line of the newest UB with this id; all zero if there is none. */
struct recount_line recount_line(unsigned int id, const char *name);
/*
 * Waits at most 10 s until no line of UBs @id differs: 0, or the number of lines
 * that still do, each one noted.  0 too where there is no recount.
 */
int recount_check(unsigned int id);
/* Adds @n to a counter, which is wrong then: 0 or -1 and errno. */
int recount_skew(unsigned int id, const char *name, long n);

#endif
