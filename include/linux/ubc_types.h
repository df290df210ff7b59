/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_UBC_TYPES_H
#define _LINUX_UBC_TYPES_H

#include <linux/seqlock_types.h>
#include <linux/types.h>

struct ubc;

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

/*
 * Pages that an object keeps in memory and that are no part of locked_vm of an
 * address space.  Embedded in the object, which is zeroed when it is made.
 */
struct ubc_pins {
	struct ubc	*ub;		/* payer, referenced, or NULL */
	atomic_long_t	pages;		/* charged to it */
#ifdef CONFIG_UBC_DEBUG
	struct hlist_node ub_link;
#endif
};
#else
struct ubc_pins { };
#endif

#endif /* _LINUX_UBC_TYPES_H */
