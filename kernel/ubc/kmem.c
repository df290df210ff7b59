// SPDX-License-Identifier: GPL-2.0
/*
 * kmemsize and dcachesize: kernel memory, charged where obj_cgroups charge it.
 *
 * kmemsize follows the whole pages that an objcg charges to its memory cgroup,
 * dcachesize each dentry and inode.  The payer is objcg->ub.  No object knows
 * how much of it was paid by whom, so this is the rule that makes charges and
 * their return meet:
 *
 * 1. objcg->ub is set before anybody can charge through the objcg, and changes
 *    once: to NULL, when the UB's owner is gone.  It is never set again.
 * 2. Every change of the two counters of a UB is made in the RCU read-side
 *    critical section that found the UB in objcg->ub.  One that does not sleep
 *    is one with preemption off, which costs less.
 * 3. ubc_destroy() clears objcg->ub of all objcgs on the UB's list and waits
 *    for a grace period.  A new objcg gets on the list and takes over ->ub of
 *    its parent in one step under the lock, so the list is complete.
 *
 * Before the clearing, what is freed through an objcg was either charged to
 * its UB, by 1, and returns there.  After the grace period, by 2, nobody
 * changes the counters any more, and what they hold is exactly what was
 * charged and not returned: kmem::transfer() drops that, and the UB can go.
 * Whatever is freed later, or was between clearing and transfer, finds NULL:
 * the host, which pays nothing.  So each charge is returned once, by whoever
 * frees it or by the transfer, and a UB sees no return of what it was not
 * charged.  An error path that undoes its own charge is just another return.
 *
 * The owner's reference keeps the UB while any objcg names it, so the charges
 * here never hold the last one.
 *
 * Context: charges happen in any context (kmemsize also in NMI) and sleep only
 * as @gfp allows.  ubc_objcg_lock is taken with interrupts off and nests in
 * anything; cgroup_mutex is outside of it.
 */
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/oom.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/ubc.h>

#include "shim.h"

static DEFINE_SPINLOCK(ubc_objcg_lock);

/* The life of an objcg */

void ubc_objcg_own(struct obj_cgroup *objcg, struct ubc *ub,
		   struct list_head *objcgs)
{
	spin_lock_irq(&ubc_objcg_lock);
	objcg->ub = ub;
	list_add(&objcg->ub_list, objcgs);
	spin_unlock_irq(&ubc_objcg_lock);
}

void ubc_objcg_inherit_slow(struct obj_cgroup *objcg,
			    struct mem_cgroup *parent, int nid)
{
	struct obj_cgroup *from;

	from = rcu_dereference_protected(parent->nodeinfo[nid]->objcg,
					 lockdep_is_held(&cgroup_mutex));
	spin_lock_irq(&ubc_objcg_lock);
	if (from && from->ub) {
		objcg->ub = from->ub;
		list_add(&objcg->ub_list, &from->ub_list);
	}
	spin_unlock_irq(&ubc_objcg_lock);
}

void ubc_objcg_release_slow(struct obj_cgroup *objcg)
{
	unsigned long flags;

	spin_lock_irqsave(&ubc_objcg_lock, flags);
	if (objcg->ub)
		list_del(&objcg->ub_list);
	spin_unlock_irqrestore(&ubc_objcg_lock, flags);
}

/* Under cgroup_mutex, without tasks in @memcg and below. */
int ubc_kmem_bind(struct ubc_glue *g, struct mem_cgroup *memcg)
{
	int ret;

	if (cmpxchg(&memcg->ub, NULL, g->ub))
		return -EBUSY;
	ret = memcg_bind_ubc(memcg, g->ub, &g->objcgs);
	if (ret)
		cmpxchg(&memcg->ub, g->ub, NULL);
	return ret;
}

void ubc_kmem_unbind(struct ubc_glue *g)
{
	struct obj_cgroup *objcg;
	bool more = true;

	/* One at a time: there may be many, and interrupts are off. */
	while (more) {
		spin_lock_irq(&ubc_objcg_lock);
		objcg = list_first_entry_or_null(&g->objcgs, struct obj_cgroup,
						 ub_list);
		if (objcg) {
			list_del(&objcg->ub_list);
			WRITE_ONCE(objcg->ub, NULL);
		}
		more = objcg;
		spin_unlock_irq(&ubc_objcg_lock);
		cond_resched();
	}
}

/* Charging; a refused request also shrinks, see kmem_shrink.c */

int ubc_objcg_try(struct obj_cgroup *objcg, enum ubc_resource res,
		  unsigned long n, enum ubc_severity sev)
{
	struct ubc *ub;
	int ret = 0;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		ret = ubc_try_charge(ub, res, n, sev);
	rcu_read_unlock();
	return ret;
}

static __always_inline void ubc_objcg_return(struct obj_cgroup *objcg,
					     enum ubc_resource res,
					     unsigned long n)
{
	struct ubc *ub;

	preempt_disable();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		ubc_uncharge(ub, res, n);
	preempt_enable();
}

/* Most pages are within the barrier, whoever asks. */
static bool ubc_kmem_quick(struct obj_cgroup *objcg, unsigned long n)
{
	struct ubc *ub;
	bool done;

	preempt_disable();
	ub = READ_ONCE(objcg->ub);
	done = !ub || ubc_quick_charge(ub, UBC_KMEMSIZE, n, UBC_HARD);
	preempt_enable();
	return done;
}

/* Most dentries and inodes are paid from stock, which needs no more thought. */
static bool ubc_dcache_from_stock(struct obj_cgroup *objcg, size_t n)
{
	struct ubc *ub;
	bool done;

	preempt_disable();
	ub = READ_ONCE(objcg->ub);
	done = !ub || ubc_stock(ub, UBC_DCACHESIZE, -(long)n);
	preempt_enable();
	return done;
}

static int ubc_objcg_refuse(struct obj_cgroup *objcg, enum ubc_resource res,
			    unsigned long n, enum ubc_severity sev)
{
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		ubc_refused(ub, res, n, sev);
	rcu_read_unlock();
	return -ENOMEM;
}

/* Forced where memcg also goes over its limit, or when it is about to end. */
static enum ubc_severity ubc_kmem_severity(gfp_t gfp)
{
	if (gfp & (__GFP_NOFAIL | __GFP_HIGH))
		return UBC_FORCE;
	if (!in_task())
		return UBC_HARD;
	if (current->flags & (PF_EXITING | PF_MEMALLOC) ||
	    tsk_is_oom_victim(current))
		return UBC_FORCE;
	if (current->ubc_soft || current->in_execve)
		return UBC_SOFT;
	return UBC_HARD;
}

static noinline int ubc_kmem_charge_more(struct obj_cgroup *objcg, gfp_t gfp,
					 unsigned long n)
{
	enum ubc_severity sev = ubc_kmem_severity(gfp);

	if (!ubc_objcg_try(objcg, UBC_KMEMSIZE, n, sev) ||
	    !ubc_objcg_try_shrink(objcg, gfp, UBC_KMEMSIZE, n, sev))
		return 0;
	if (sev == UBC_SOFT && in_task())
		current->ubc_oom = 1;
	return ubc_objcg_refuse(objcg, UBC_KMEMSIZE, n, sev);
}

int ubc_kmem_charge_slow(struct obj_cgroup *objcg, gfp_t gfp,
			 unsigned int nr_pages)
{
	unsigned long n = (unsigned long)nr_pages << PAGE_SHIFT;

	if (likely(ubc_kmem_quick(objcg, n)))
		return 0;
	return ubc_kmem_charge_more(objcg, gfp, n);
}

void ubc_kmem_uncharge_slow(struct obj_cgroup *objcg, unsigned int nr_pages)
{
	ubc_objcg_return(objcg, UBC_KMEMSIZE,
			 (unsigned long)nr_pages << PAGE_SHIFT);
}

static noinline int ubc_dcache_charge_more(struct obj_cgroup *objcg, gfp_t gfp,
					   size_t n)
{
	enum ubc_severity sev;

	/* A refused request waits for stock in transit, see bean.rs. */
	sev = in_task() ? ubc_kmem_severity(gfp) : UBC_FORCE;
	if (sev == UBC_HARD)
		sev = UBC_SOFT;
	if (ubc_objcg_try(objcg, UBC_DCACHESIZE, n, sev) &&
	    ubc_objcg_try_shrink(objcg, gfp, UBC_DCACHESIZE, n, sev))
		return ubc_objcg_refuse(objcg, UBC_DCACHESIZE, n, sev);
	if (sev == UBC_SOFT && gfpflags_allow_blocking(gfp) && gfp & __GFP_FS)
		ubc_objcg_keep_room(objcg, gfp);
	return 0;
}

int ubc_dcache_charge_slow(struct obj_cgroup *objcg, gfp_t gfp, size_t n)
{
	if (likely(ubc_dcache_from_stock(objcg, n)))
		return 0;
	return ubc_dcache_charge_more(objcg, gfp, n);
}

void ubc_dcache_uncharge_slow(struct obj_cgroup *objcg, size_t n)
{
	ubc_objcg_return(objcg, UBC_DCACHESIZE, n);
}
