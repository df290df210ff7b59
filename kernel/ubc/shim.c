// SPDX-License-Identifier: GPL-2.0
/*
 * The C half of a beancounter: what Rust cannot name (static key, per-CPU
 * memory, memory cgroup, procfs entries, deferred work).  No policy here.
 */
#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/ubc.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <trace/events/ubc.h>

#include "shim.h"

/*
 * Patching interrupts all CPUs, three times for each batch of hooks.  A node
 * whose only container restarts is not to do it twice, hence the minute.
 */
DEFINE_STATIC_KEY_DEFERRED_FALSE(ubc_key, 60 * HZ);
EXPORT_SYMBOL_GPL(ubc_key);
EXPORT_SYMBOL_GPL(ubc_charge_slow);
EXPORT_SYMBOL_GPL(ubc_uncharge_slow);
EXPORT_SYMBOL_GPL(ubc_charge_note);
EXPORT_SYMBOL_GPL(ubc_get);
EXPORT_SYMBOL_GPL(ubc_put);

/* Around the life of every UB but the host's.  May sleep. */
void ubc_key_inc(void)
{
	static_branch_deferred_inc(&ubc_key);
}

void ubc_key_dec(void)
{
	static_branch_slow_dec_deferred(&ubc_key);
}

static void ubc_release_work(struct work_struct *work)
{
	struct ubc_glue *g = container_of(to_rcu_work(work), struct ubc_glue,
					  release);

	ubc_release(g->ub);
}

static void ubc_shrink_work(struct work_struct *work)
{
	struct ubc_glue *g = container_of(work, struct ubc_glue, shrink);

	mem_cgroup_reclaim_to_max(g->memcg, READ_ONCE(g->memcg->memory.max));
}

struct ubc_glue *ubc_glue_alloc(void)
{
	struct ubc_glue *g = kzalloc(sizeof(*g), GFP_KERNEL);

	if (!g)
		return NULL;
	g->stock = alloc_percpu(struct ubc_stock);
	if (!g->stock || ubc_io_init(g)) {
		free_percpu(g->stock);
		kfree(g);
		return NULL;
	}
	INIT_RCU_WORK(&g->release, ubc_release_work);
	INIT_WORK(&g->shrink, ubc_shrink_work);
	INIT_LIST_HEAD(&g->objcgs);
	g->shrink_after = jiffies;
	g->oom_after = jiffies;
	init_irq_work(&g->report, ubc_event_irq);
	ubc_notify_init(g);
	ratelimit_state_init(&g->ratelimit, 300 * HZ, 4);
	ratelimit_set_flags(&g->ratelimit, RATELIMIT_MSG_ON_RELEASE);
	return g;
}

void ubc_glue_own(struct ubc_glue *g, struct ubc *ub)
{
	g->ub = ub;
	ub->stock = g->stock;
}

void ubc_glue_free(struct ubc_glue *g)
{
	ubc_glue_proc_del(g);
	irq_work_sync(&g->report);
	if (g->memcg) {
		ubc_glue_unbind(g);
		cancel_work_sync(&g->shrink);
		css_put(&g->memcg->css);
	}
	ubc_io_free(g);
	free_percpu(g->stock);
	kfree(g);
}

/* The last charge may be returned in any context: free from a work item. */
void ubc_glue_release_later(struct ubc_glue *g)
{
	queue_rcu_work(system_dfl_wq, &g->release);
}

/* Per-CPU stock */

s64 *ubc_stock_slot(struct ubc_glue *g, u32 cpu, u32 idx)
{
	return &per_cpu_ptr(g->stock, cpu)->slot[idx];
}

s64 *ubc_stock_slot_local(struct ubc_glue *g, u32 idx)
{
	return &raw_cpu_ptr(g->stock)->slot[idx];
}

u32 ubc_next_cpu(int cpu)
{
	return cpumask_next(cpu, cpu_possible_mask);
}

u32 ubc_nr_cpus(void)
{
	return num_possible_cpus();
}

void ubc_preempt_disable(void)
{
	preempt_disable();
}

void ubc_preempt_enable(void)
{
	preempt_enable();
}

/* Memory cgroup */

int ubc_glue_bind(struct ubc_glue *g, struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css;
	struct mem_cgroup *memcg;
	int ret = -EBUSY;

	css = cgroup_get_e_css(cgrp, &memory_cgrp_subsys);
	if (css->cgroup != cgrp) {
		css_put(css);
		return -ENODEV;
	}
	memcg = mem_cgroup_from_css(css);
	/* Keeps tasks and new cgroups away. */
	cgroup_lock();
	if (!g->memcg && !cgroup_is_populated(cgrp))
		ret = ubc_kmem_bind(g, memcg);
	if (!ret)
		ubc_recount_bound(g, memcg);
	cgroup_unlock();
	if (ret) {
		css_put(css);
		return ret;
	}
	/* The reference to css is ours until ubc_glue_free(). */
	smp_store_release(&g->memcg, memcg);	/* ubc_glue_bound() */
	return 0;
}

/* Nothing is charged or counted here once a grace period has passed. */
void ubc_glue_unbind(struct ubc_glue *g)
{
	ubc_kmem_unbind(g);
	if (g->memcg)
		cmpxchg(&g->memcg->ub, g->ub, NULL);
}

bool ubc_glue_bound(struct ubc_glue *g)
{
	/* Pairs with the release in ubc_glue_bind(). */
	return smp_load_acquire(&g->memcg);
}

/* What oomguarpages is compared with; flushes the statistics, may sleep. */
unsigned long ubc_glue_oom_pages(struct ubc_glue *g)
{
	mem_cgroup_flush_stats(g->memcg);
	return memcg_page_state(g->memcg, NR_INACTIVE_ANON) +
	       memcg_page_state(g->memcg, NR_ACTIVE_ANON) +
	       memcg_page_state(g->memcg, NR_UNEVICTABLE) +
	       page_counter_read(&g->memcg->swap);
}

static unsigned long ubc_from_counter(unsigned long pages)
{
	return pages >= PAGE_COUNTER_MAX ? LONG_MAX : pages;
}

void ubc_glue_memcg_read(struct ubc_glue *g, bool swap, unsigned long *held,
			 unsigned long *maxheld, unsigned long *limit)
{
	struct page_counter *c = swap ? &g->memcg->swap : &g->memcg->memory;

	*held = page_counter_read(c);
	*maxheld = max(READ_ONCE(c->watermark), *held);
	*limit = ubc_from_counter(READ_ONCE(c->max));
}

/* Takes effect at once; what is above a lower limit is reclaimed later. */
void ubc_glue_memcg_limit(struct ubc_glue *g, bool swap, unsigned long limit)
{
	struct mem_cgroup *memcg = g->memcg;

	limit = min(limit, PAGE_COUNTER_MAX);
	if (swap) {
		xchg(&memcg->swap.max, limit);
		return;
	}
	xchg(&memcg->memory.max, limit);
	queue_work(system_dfl_wq, &g->shrink);
}

void ubc_memcg_fail_slow(struct mem_cgroup *memcg)
{
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(memcg->ub);
	if (ub) {
		ubc_fail(ub, UBC_PHYSPAGES);
		if (page_counter_read(&memcg->swap) >= READ_ONCE(memcg->swap.max))
			ubc_fail(ub, UBC_SWAPPAGES);
	}
	rcu_read_unlock();
}

/* Who sends current a signal looks at ->ub under its siglock. */
void ubc_switch_current(struct ubc *ub)
{
	trace_ubc_attach(current->ub ? ubc_id(current->ub) : 0,
			 ub ? ubc_id(ub) : 0);
	spin_lock_irq(&current->sighand->siglock);
	WRITE_ONCE(current->ub, ub);
	spin_unlock_irq(&current->sighand->siglock);
}

/*
 * A table of n entries replaces one of m: charge the difference and hand over
 * the rest.  The payer is kept by its charge; without entries there is none.
 */
int ubc_replace_charge(struct ubc **new, unsigned long n, struct ubc **old,
		       unsigned long m)
{
	struct ubc *ub = *old ?: ubc_current();

	if (!ub)
		return 0;
	if (!*old)
		m = 0;
	if (n > m && ubc_charge_slow(ub, UBC_NUMIPTENT, n - m, UBC_SOFT))
		return -ENOMEM;
	*old = NULL;
	*new = n ? ub : NULL;
	if (n < m)
		ubc_uncharge_slow(ub, UBC_NUMIPTENT, m - n);
	return 0;
}

/* The whole machine */

unsigned long ubc_ram_pages(void)
{
	return totalram_pages();
}

void ubc_host_read(struct ubc_host *h)
{
	unsigned long ram = totalram_pages();

	h->numproc = nr_threads;
	h->numfile = get_nr_files();
	h->physpages = ram - min(ram, global_zone_page_state(NR_FREE_PAGES));
	h->swappages = 0;
	if (IS_ENABLED(CONFIG_SWAP))
		h->swappages = max(0L, total_swap_pages - get_nr_swap_pages());
	h->oomguarpages = global_node_page_state(NR_INACTIVE_ANON) +
			  global_node_page_state(NR_ACTIVE_ANON) +
			  global_node_page_state(NR_UNEVICTABLE) + h->swappages;
	h->kmemsize = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
		      global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		      global_node_page_state(NR_PAGETABLE);
	h->kmemsize = (h->kmemsize << PAGE_SHIFT) +
		      global_node_page_state(NR_KERNEL_STACK_KB) * SZ_1K;
}
