// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM killer of a container whose kmemsize is exhausted.
 *
 * A user page fault that kmemsize refuses (a page table, at the limit) cannot
 * return an error: the access would be repeated for ever.  It ends here, with
 * no lock held: kill the worst process of the container, wait until that has
 * given something back, and repeat the access.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/oom.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/ubc.h>

#include "shim.h"

/* A victim has that long to give memory back before the next one is killed. */
#define UBC_OOM_PATIENCE	(5 * HZ)

/* The memcg with a UB that @memcg is in, or NULL; the reference moves to it. */
static struct mem_cgroup *ubc_bound_memcg(struct mem_cgroup *memcg)
{
	struct mem_cgroup *iter = memcg;

	while (iter && !READ_ONCE(iter->ub))
		iter = parent_mem_cgroup(iter);
	if (iter)
		css_get(&iter->css);
	css_put(&memcg->css);
	return iter;
}

/* Is there room for a page fault?  Also true when the UB is gone. */
static bool ubc_memcg_room(struct mem_cgroup *memcg)
{
	struct ubc *ub;
	bool room;

	rcu_read_lock();
	ub = READ_ONCE(memcg->ub);
	room = !ub || ubc_kmem_room(ub);
	rcu_read_unlock();
	return room;
}

/* Whether it is this task that shall kill somebody now. */
static bool ubc_memcg_my_turn(struct mem_cgroup *memcg)
{
	struct ubc *ub;
	bool mine = false;

	rcu_read_lock();
	ub = READ_ONCE(memcg->ub);
	if (ub) {
		struct ubc_glue *g = ubc_glue_of(ub);
		unsigned long after = READ_ONCE(g->oom_after);

		mine = time_after_eq(jiffies, after) &&
		       cmpxchg(&g->oom_after, after,
			       jiffies + UBC_OOM_PATIENCE) == after;
	}
	rcu_read_unlock();
	return mine;
}

/* There is room again: the next shortage is a new one. */
static void ubc_memcg_relax(struct mem_cgroup *memcg)
{
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(memcg->ub);
	if (ub)
		WRITE_ONCE(ubc_glue_of(ub)->oom_after, jiffies);
	rcu_read_unlock();
}

static bool ubc_memcg_kill(struct mem_cgroup *memcg)
{
	struct oom_control oc = {
		.memcg = memcg,
		.gfp_mask = GFP_KERNEL,
	};
	bool ret;

	if (mutex_lock_killable(&oom_lock))
		return true;
	memcg_memory_event(memcg, MEMCG_OOM);
	ret = out_of_memory(&oc);
	mutex_unlock(&oom_lock);
	return ret;
}

bool ubc_pagefault_oom_slow(void)
{
	unsigned long until = jiffies + UBC_OOM_PATIENCE;
	struct mem_cgroup *memcg;

	current->ubc_oom = 0;
	memcg = ubc_bound_memcg(get_mem_cgroup_from_mm(current->mm));
	if (!memcg)
		return false;

	/* With nobody else to kill it is current that cannot go on. */
	if (!ubc_memcg_room(memcg) && ubc_memcg_my_turn(memcg) &&
	    !ubc_memcg_kill(memcg))
		send_sig(SIGKILL, current, 1);
	while (!fatal_signal_pending(current) && !ubc_memcg_room(memcg) &&
	       time_before(jiffies, until))
		schedule_timeout_killable(1);
	if (ubc_memcg_room(memcg))
		ubc_memcg_relax(memcg);
	css_put(&memcg->css);
	return true;
}
