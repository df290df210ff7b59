// SPDX-License-Identifier: GPL-2.0
/*
 * Caches of a container give way before kmemsize or dcachesize refuses.
 *
 * Only the container's own unused dentries, inodes and page cache go.  The UB
 * may lose its objcgs at any time, so each look at it is a read-side critical
 * section of its own, see kmem.c.  No lock is held, but the callers hold what
 * allocations that may block are made under; @gfp tells the shrinkers.
 */
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <linux/ubc.h>

#include "shim.h"

/* A first scan only clears the marks of recent use: scan this often. */
#define UBC_SHRINK_PASSES	3
/* First share of the unused objects that goes, as a negative power of two. */
#define UBC_SHRINK_PRIORITY	4
/* After a full attempt that was not enough: no other one for so long. */
#define UBC_SHRINK_PAUSE	HZ

/* The memory cgroup the UB is bound to, with a reference, or NULL. */
static struct mem_cgroup *ubc_objcg_memcg(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg = NULL;
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	/* Not yet set while ubc_glue_bind() is at it. */
	if (ub && ubc_glue_bound(ubc_glue_of(ub))) {
		/* The glue's own reference lasts as long as the UB. */
		memcg = ubc_glue_of(ub)->memcg;
		css_get(&memcg->css);
	}
	rcu_read_unlock();
	return memcg;
}

static bool ubc_objcg_near(struct obj_cgroup *objcg)
{
	struct ubc *ub;
	bool near;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	near = ub && ubc_kmem_near(ub);
	rcu_read_unlock();
	return near;
}

/* Has a full attempt been in vain a moment ago? */
static bool ubc_objcg_pausing(struct obj_cgroup *objcg)
{
	bool pausing = false;
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		pausing = time_before(jiffies,
				      READ_ONCE(ubc_glue_of(ub)->shrink_after));
	rcu_read_unlock();
	return pausing;
}

static void ubc_objcg_pause(struct obj_cgroup *objcg)
{
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		WRITE_ONCE(ubc_glue_of(ub)->shrink_after,
			   jiffies + UBC_SHRINK_PAUSE);
	rcu_read_unlock();
}

/*
 * Free unused objects, and before that some page cache if @cache: it keeps
 * inodes, and has nodes and buffer heads that are kernel memory themselves.
 */
static unsigned long ubc_shrink(struct mem_cgroup *memcg, gfp_t gfp,
				int priority, bool cache)
{
	unsigned long freed = 0, nr_pages = 0;
	int pass;

	if (cache)
		nr_pages = page_counter_read(&memcg->memory) >> (priority + 2);
	for (pass = 0; pass < UBC_SHRINK_PASSES; pass++) {
		freed += memcg_shrink_kmem(memcg, gfp, priority, nr_pages);
		nr_pages = 0;
	}
	/* Dentries and inodes are freed by RCU. */
	if (freed)
		synchronize_rcu();
	return freed;
}

/* Free what nobody uses, more and more of it, until the charge fits. */
int ubc_objcg_try_shrink(struct obj_cgroup *objcg, gfp_t gfp,
			 enum ubc_resource res, unsigned long n,
			 enum ubc_severity sev)
{
	unsigned long freed = 0;
	struct mem_cgroup *memcg;
	int prio, ret = -ENOMEM;
	bool pausing;

	if (!gfpflags_allow_blocking(gfp))
		return ret;
	memcg = ubc_objcg_memcg(objcg);
	if (!memcg)
		return ubc_objcg_try(objcg, res, n, sev);
	pausing = ubc_objcg_pausing(objcg);
	for (prio = pausing ? 0 : UBC_SHRINK_PRIORITY; ret && prio >= 0;
	     prio -= 2) {
		freed += ubc_shrink(memcg, gfp, prio,
				    !pausing && prio < UBC_SHRINK_PRIORITY);
		ret = ubc_objcg_try(objcg, res, n, sev);
	}
	/* After a grace period its callbacks may still wait for their turn. */
	if (ret && freed) {
		rcu_barrier();
		ret = ubc_objcg_try(objcg, res, n, sev);
	}
	/* Who may not enter file systems has not tried everything. */
	if (ret && !pausing && gfp & __GFP_FS)
		ubc_objcg_pause(objcg);
	css_put(&memcg->css);
	return ret;
}

/*
 * File systems allocate inodes where they must not wait for a shrinker, and
 * would be refused with plenty of unused ones around.  So whoever allocates a
 * dentry for one keeps some room below the bounds.
 */
void ubc_objcg_keep_room(struct obj_cgroup *objcg, gfp_t gfp)
{
	struct mem_cgroup *memcg;
	int prio;

	if (!ubc_objcg_near(objcg) || ubc_objcg_pausing(objcg))
		return;
	memcg = ubc_objcg_memcg(objcg);
	if (!memcg)
		return;
	for (prio = UBC_SHRINK_PRIORITY; prio > 0; prio -= 2) {
		ubc_shrink(memcg, gfp, prio, prio < UBC_SHRINK_PRIORITY);
		if (!ubc_objcg_near(objcg))
			break;
	}
	if (prio <= 0)
		ubc_objcg_pause(objcg);
	css_put(&memcg->css);
}
