/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_UBC_TYPES_H
#define _LINUX_UBC_TYPES_H

#include <linux/seqlock_types.h>
#include <linux/types.h>

#ifdef CONFIG_UBC
enum ubc_state {		/* for tracing */
	UBC_CREATED,
	UBC_BOUND,		/* to a memory cgroup */
	UBC_DYING,		/* the owner is gone */
	UBC_FREED,
};

/*
 * The last refused charge of a task, all zero if there was none.  Written by
 * the task itself, read by anybody under @seq.
 */
struct ubc_refusal {
	seqcount_t	seq;
	u32		res;		/* enum ubc_resource */
	u32		severity;	/* enum ubc_severity */
	u64		time;		/* CLOCK_MONOTONIC, ns; 0: never */
	unsigned long	n;		/* units asked for */
	unsigned long	held;
	unsigned long	bound;
};
#endif

#endif /* _LINUX_UBC_TYPES_H */
