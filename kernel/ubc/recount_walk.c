// SPDX-License-Identifier: GPL-2.0
/*
 * Recount tasks and signals, memory, files and terminals.
 *
 * Task context.  Objects are looked at under the lock of the list they were
 * found in, their fields without more: they are right when nobody uses them.
 * Slabs and pages are in no list: mm/memcontrol.c sees to it that they stay.
 * A sighand's siglock is taken inside tasklist_lock, everything else alone.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memcontrol.h>
#include <linux/mm_types.h>
#include <linux/posix-timers.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/tty.h>
#include <linux/ubc.h>

#include "recount.h"

static void ubc_recount_pending(struct ubc_recount *rc,
				const struct sigpending *pending)
{
	struct sigqueue *q;

	list_for_each_entry(q, &pending->list, list) {
		/* Here only if its timer has been deleted. */
		if (q->flags & SIGQUEUE_PREALLOC &&
		    posixtimer_valid(container_of(q, struct k_itimer, sigq)))
			continue;
		ubc_recount_add(rc, q->ub, UBC_NUMSIGINFO, 1);
	}
}

static void ubc_recount_process(struct ubc_recount *rc,
				const struct signal_struct *sig)
{
	struct k_itimer *timer;

	ubc_recount_pending(rc, &sig->shared_pending);
	hlist_for_each_entry(timer, &sig->posix_timers, list)
		ubc_recount_add(rc, timer->sigq.ub, UBC_NUMSIGINFO, 1);
}

/* numproc, numsiginfo */
void ubc_recount_tasks(struct ubc_recount *rc)
{
	struct task_struct *p, *t;
	unsigned long flags;

	read_lock(&tasklist_lock);
	for_each_process_thread(p, t) {
		ubc_recount_add(rc, READ_ONCE(t->ub), UBC_NUMPROC, 1);
		if (!lock_task_sighand(t, &flags))
			continue;
		ubc_recount_pending(rc, &t->pending);
		if (t == p)
			ubc_recount_process(rc, t->signal);
		unlock_task_sighand(t, &flags);
	}
	read_unlock(&tasklist_lock);
}

static void ubc_recount_mm(struct ubc_recount *rc, struct hlist_node *link)
{
	struct mm_struct *mm = hlist_entry(link, struct mm_struct, ub_link);

	ubc_recount_add(rc, mm->ub, UBC_PRIVVMPAGES, mm->data_vm + mm->stack_vm);
	ubc_recount_add(rc, mm->ub, UBC_LOCKEDPAGES, mm->locked_vm);
}

static void ubc_recount_pins(struct ubc_recount *rc, struct hlist_node *link)
{
	struct ubc_pins *pins = hlist_entry(link, struct ubc_pins, ub_link);

	ubc_recount_add(rc, pins->ub, UBC_LOCKEDPAGES,
			atomic_long_read(&pins->pages));
}

static void ubc_recount_shmem(struct ubc_recount *rc, struct inode *inode)
{
	struct shmem_inode_info *info = SHMEM_I(inode);
	unsigned long pages = 0;

	/* Paid page by page, or once for its size. */
	if (info->flags & SHMEM_F_NORESERVE)
		pages = info->alloced;
	else if (S_ISREG(inode->i_mode))
		pages = ubc_shm_pages(info);
	ubc_recount_add(rc, info->ub, UBC_SHMPAGES, pages);
	ubc_recount_add(rc, info->ub, UBC_PRIVVMPAGES, pages);
	ubc_recount_add(rc, info->ub_locked, UBC_LOCKEDPAGES,
			ubc_shm_pages(info));
}

static void ubc_recount_super(struct super_block *sb, void *rc)
{
	struct inode *inode;

	if (!IS_ENABLED(CONFIG_SHMEM) || sb->s_magic != TMPFS_MAGIC)
		return;
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list)
		ubc_recount_shmem(rc, inode);
	spin_unlock(&sb->s_inode_list_lock);
}

/* privvmpages, lockedpages, shmpages */
void ubc_recount_memory(struct ubc_recount *rc)
{
	ubc_recount_each(rc, UBC_MMS, ubc_recount_mm);
	ubc_recount_each(rc, UBC_PINS, ubc_recount_pins);
	iterate_supers(ubc_recount_super, rc);
}

static void ubc_recount_file(struct ubc_recount *rc, struct hlist_node *link)
{
	struct file *f = hlist_entry(link, struct file, ub_link);

	ubc_recount_add(rc, f->f_ub, UBC_NUMFILE, 1);
}

static void ubc_recount_pty(struct ubc_recount *rc, struct hlist_node *link)
{
	struct tty_struct *tty = hlist_entry(link, struct tty_struct, ub_link);

	ubc_recount_add(rc, tty->ub, UBC_NUMPTY, 1);
}

/* numfile, numpty, numflock */
void ubc_recount_files(struct ubc_recount *rc)
{
	ubc_recount_each(rc, UBC_FILES, ubc_recount_file);
	ubc_recount_each(rc, UBC_PTYS, ubc_recount_pty);
	ubc_recount_locks(rc);
}

struct ubc_recount_slabs {
	struct ubc_slab_walk walk;
	struct ubc_recount *rc;
};

static void ubc_recount_object(struct ubc_slab_walk *walk,
			       struct ubc_slab_cache *cache, const void *obj,
			       const struct ubc *ub)
{
	struct ubc_recount_slabs *slabs = container_of(walk, typeof(*slabs),
						       walk);

	/* obj_full_size() is what has been charged. */
	if (ubc_is_dcache(cache->flags))
		ubc_recount_add(slabs->rc, ub, UBC_DCACHESIZE,
				cache->size + sizeof(struct obj_cgroup *));
}

/* dcachesize; a walk that fails shows as a difference. */
void ubc_recount_dcache(struct ubc_recount *rc)
{
	struct ubc_recount_slabs slabs = {
		.walk.object = ubc_recount_object,
		.rc = rc,
	};

	memcg_walk_slabs(&slabs.walk);
}

/* The next one above that a UB is bound to. */
static void ubc_recount_charge(void *rc, struct mem_cgroup *memcg,
			       unsigned long pages, bool swap)
{
	const struct ubc *ub = NULL;

	for (; memcg && !ub; memcg = parent_mem_cgroup(memcg))
		ub = READ_ONCE(memcg->ub);
	ubc_recount_add(rc, ub, swap ? UBC_SWAPPAGES : UBC_PHYSPAGES, pages);
}

/* physpages but for those of the kernel, swappages */
void ubc_recount_pages(struct ubc_recount *rc)
{
	memcg_walk_charges(ubc_recount_charge, rc);
}
