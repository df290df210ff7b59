/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _UBC_SHIM_H
#define _UBC_SHIM_H

#include <linux/irq_work.h>
#include <linux/ratelimit_types.h>
#include <linux/workqueue.h>

struct mem_cgroup;
struct proc_dir_entry;
struct ubc;
struct ubc_stock;

/* Allocated and freed with its UB. */
struct ubc_glue {
	struct ubc *ub;
	struct ubc_stock __percpu *stock;
	struct rcu_work release;
	struct irq_work report;
	struct ratelimit_state ratelimit;
	/* Which resources were refused at their limit and not logged yet. */
	atomic_t refused;
	/* Set once, with a css reference, and valid until the UB is freed. */
	struct mem_cgroup *memcg;
	struct work_struct shrink;
	/* /proc/bc/ID or /proc/bc/ID-GEN, if it could be made. */
	struct proc_dir_entry *dir;
};

#endif /* _UBC_SHIM_H */
