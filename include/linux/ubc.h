/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User beancounters: what the rest of the kernel sees.
 *
 * A NULL owner is the host: UB 0 is never charged on hot paths.  ubc_key is
 * on from before the first UB can be attached until the last one is freed, so
 * an object with a non-NULL owner implies that the key is on.  With no UB
 * every hook below is one patched-out branch.
 *
 * Whoever is charged is remembered in the object (task, file, sock, tty, mm)
 * and the charge goes back to that UB, whoever frees the object.  A UB with
 * any resource held is not freed: the charge is the reference.
 */
#ifndef _LINUX_UBC_H
#define _LINUX_UBC_H

#include <linux/err.h>
#include <linux/limits.h>
#include <linux/types.h>
#include <linux/ubc_count.h>
#include <linux/ubc_types.h>
#include <uapi/linux/ubc.h>

struct cgroup;
struct ebt_table_info;
struct file;
struct file_lock_core;
struct kernel_clone_args;
struct mem_cgroup;
struct mm_struct;
struct nft_rule;
struct oom_control;
struct pid;
struct pid_namespace;
struct proc_ops;
struct proto;
struct seq_file;
struct shmem_inode_info;
struct sigqueue;
struct sock;
struct task_struct;
struct tty_struct;
struct ubc;
struct xt_table_info;

#ifdef CONFIG_UBC

#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

/* Life cycle, called by whoever owns a container (kernel/ve).  May sleep. */

/*
 * A new UB of a new generation with all limits at their defaults.  ERR_PTR:
 * EINVAL (id 0 or -1), EEXIST (a live UB has the id), ENOMEM.
 */
struct ubc *ubc_create(u32 id);
/*
 * Tie physpages/swappages to the (empty) memory cgroup of @cgrp.  ENODEV if it
 * has no memory controller of its own, EBUSY if it has tasks or a UB.
 */
int ubc_bind_cgroup(struct ubc *ub, struct cgroup *cgrp);
/*
 * The owner is gone: forbid new attachments, take the UB out of the id table,
 * give back per-CPU stock and drop the owner's reference.  The UB frees itself
 * when the last charge is returned.
 */
void ubc_destroy(struct ubc *ub);
/*
 * Set barrier and limit (up to LONG_MAX) of resources, each named once: all of
 * them, or none and -EINVAL and the index of the first wrong one.
 */
struct ubc_limit {
	u32 res;
	unsigned long barrier, limit;
};
int ubc_set_limits(struct ubc *ub, const struct ubc_limit *limits, u32 n,
		   u32 *wrong);
/* One by id (0 is the host): -ENOENT if there is no such UB. */
int ubc_set_limit_id(u32 id, u32 res, unsigned long barrier,
		     unsigned long limit);
/*
 * Make @ub the beancounter of the current, single-threaded task: moves its
 * numproc charge and re-owns what it creates from now on.  The mm keeps its
 * owner until exec.  NULL is the host.  -ENOMEM at the numproc barrier of @ub,
 * -EBUSY if it is being destroyed.
 */
int ubc_attach_current(struct ubc *ub);

/* The UB that pays for what this context creates; interrupts act for the host. */
static inline struct ubc *ubc_current(void)
{
	return ubc_enabled() && in_task() ? current->ub : NULL;
}

/* 0 or -ENOMEM. */
static __always_inline int ubc_charge(struct ubc *ub, enum ubc_resource res,
				      unsigned long n, enum ubc_severity sev)
{
	return ubc_enabled() && ub ? ubc_count(ub, res, n, sev) : 0;
}

static __always_inline void ubc_uncharge(struct ubc *ub, enum ubc_resource res,
					 unsigned long n)
{
	if (ubc_enabled() && ub)
		ubc_uncount(ub, res, n);
}

/* Charge one unit to whoever acts: its UB, NULL (host) or ERR_PTR(-ENOMEM). */
static __always_inline struct ubc *ubc_charge_current(enum ubc_resource res)
{
	struct ubc *ub = ubc_current();

	if (ub && ubc_count(ub, res, 1, UBC_HARD))
		return ERR_PTR(-ENOMEM);
	return ub;
}

/*
 * Objects that name their payer in a field.  A refused object stays without
 * one, and so does what the host makes.
 */
static __always_inline int ubc_owner_charge(struct ubc **owner,
					    enum ubc_resource res,
					    unsigned long n,
					    enum ubc_severity sev)
{
	struct ubc *ub = *owner ? NULL : ubc_current();

	if (!ub)
		return 0;
	if (ubc_count(ub, res, n, sev))
		return -ENOMEM;
	*owner = ub;
	return 0;
}

/* The charge is the reference: forget the owner with it. */
static __always_inline void ubc_owner_uncharge(struct ubc **owner,
					       enum ubc_resource res,
					       unsigned long n)
{
	struct ubc *ub = *owner;

	if (ub) {
		*owner = NULL;
		ubc_uncount(ub, res, n);
	}
}

/* numproc: from copy_process() to release_task() */

static inline struct ubc *ubc_task_charge(const struct kernel_clone_args *args)
{
	struct ubc *ub;

	if (!ubc_enabled())
		return NULL;
	ub = args->ub ?: current->ub;
	if (ub && ubc_count(ub, UBC_NUMPROC, 1, UBC_HARD))
		return ERR_PTR(-ENOMEM);
	return ub;
}

/* The id shown in /proc reads ->ub under RCU: clear it before it can go. */
static inline void ubc_task_uncharge(struct task_struct *p)
{
	struct ubc *ub = p->ub;

	if (ubc_enabled() && ub) {
		WRITE_ONCE(p->ub, NULL);
		ubc_uncount(ub, UBC_NUMPROC, 1);
	}
}

static inline void ubc_task_set(struct task_struct *p, struct ubc *ub)
{
	p->ub = ub;
	memset(&p->ub_last, 0, sizeof(p->ub_last));
}

/* The events of the opener's own UB, for a /proc that has no others. */
extern const struct proc_ops ubc_own_events_ops;
int proc_pid_ubc_last(struct seq_file *m, struct pid_namespace *ns,
		      struct pid *pid, struct task_struct *task);
void ubc_proc_status(struct seq_file *m, struct task_struct *task);

/* numfile, numpty */
#define ubc_file_init(f)		((f)->f_ub = NULL)
#define ubc_file_charge(f) \
	(ubc_owner_charge(&(f)->f_ub, UBC_NUMFILE, 1, UBC_HARD) ? -ENFILE : 0)
#define ubc_file_uncharge(f)		ubc_uncharge((f)->f_ub, UBC_NUMFILE, 1)
#define ubc_pty_set(tty, owner)		((tty)->ub = (owner))
#define ubc_pty_uncharge(tty)		ubc_uncharge((tty)->ub, UBC_NUMPTY, 1)

/* numflock: a lock pays when it is granted */
#define ubc_lock_charge(flc, sev) \
	ubc_owner_charge(&(flc)->flc_ub, UBC_NUMFLOCK, 1, sev)
#define ubc_lock_uncharge(flc) \
	ubc_owner_uncharge(&(flc)->flc_ub, UBC_NUMFLOCK, 1)
/* @to, not charged yet, replaces @from. */
#define ubc_lock_move(to, from)		swap((to)->flc_ub, (from)->flc_ub)

/* numsiginfo: paid by the receiver @ub, whose siglock is held; @q is not zeroed */
static inline int ubc_siginfo_charge(struct ubc **owner, struct ubc *ub, int force)
{
	*owner = NULL;
	if (!ubc_enabled() || !ub)
		return 0;
	if (ubc_count(ub, UBC_NUMSIGINFO, 1, force ? UBC_FORCE : UBC_HARD))
		return -ENOMEM;
	*owner = ub;
	return 0;
}

#define ubc_sigqueue_charge(q, t, force) \
	ubc_siginfo_charge(&(q)->ub, READ_ONCE((t)->ub), force)
#define ubc_sigqueue_uncharge(q) \
	ubc_owner_uncharge(&(q)->ub, UBC_NUMSIGINFO, 1)

/* numiptent: the new table takes over what the old one has paid for */
#define ubc_xt_charge(new, old) \
	ubc_replace_charge(&(new)->ub, (new)->number, &(old)->ub, (old)->number)
#define ubc_xt_uncharge(info) \
	ubc_owner_uncharge(&(info)->ub, UBC_NUMIPTENT, (info)->number)
#define ubc_ebt_init(info) do {				\
	(info)->ub = NULL;				\
	ubc_track(UBC_EBTABLES, info, NULL);		\
} while (0)
#define ubc_ebt_charge(new, old) \
	ubc_replace_charge(&(new)->ub, (new)->nentries, &(old)->ub, (old)->nentries)
#define ubc_ebt_uncharge(info) \
	ubc_owner_uncharge(&(info)->ub, UBC_NUMIPTENT, (info)->nentries)
#define ubc_nft_charge(rule) \
	ubc_owner_charge(&(rule)->ub, UBC_NUMIPTENT, 1, UBC_SOFT)
#define ubc_nft_uncharge(rule) \
	ubc_owner_uncharge(&(rule)->ub, UBC_NUMIPTENT, 1)

#else /* !CONFIG_UBC */

static inline struct ubc *ubc_charge_current(enum ubc_resource res)
{
	return NULL;
}
static inline void ubc_uncharge(struct ubc *ub, enum ubc_resource res,
				unsigned long n) { }
static inline struct ubc *ubc_task_charge(const struct kernel_clone_args *args)
{
	return NULL;
}
static inline void ubc_task_set(struct task_struct *p, struct ubc *ub) { }
static inline void ubc_file_init(struct file *f) { }
static inline int ubc_file_charge(struct file *f)
{
	return 0;
}
static inline void ubc_file_uncharge(struct file *f) { }
static inline void ubc_pty_set(struct tty_struct *tty, struct ubc *ub) { }
static inline void ubc_pty_uncharge(struct tty_struct *tty) { }
static inline void ubc_task_uncharge(struct task_struct *p) { }
static inline void ubc_proc_status(struct seq_file *m, struct task_struct *task) { }
static inline struct ubc *ubc_current(void)
{
	return NULL;
}
static inline int ubc_lock_charge(struct file_lock_core *flc, enum ubc_severity sev)
{
	return 0;
}
static inline void ubc_lock_uncharge(struct file_lock_core *flc) { }
static inline void ubc_lock_move(struct file_lock_core *to,
				 struct file_lock_core *from) { }
static inline int ubc_sigqueue_charge(struct sigqueue *q, struct task_struct *t,
				      int force)
{
	return 0;
}
static inline void ubc_sigqueue_uncharge(struct sigqueue *q) { }
static inline int ubc_xt_charge(struct xt_table_info *to, struct xt_table_info *from)
{
	return 0;
}
static inline void ubc_xt_uncharge(struct xt_table_info *info) { }
static inline void ubc_ebt_init(struct ebt_table_info *info) { }
static inline int ubc_ebt_charge(struct ebt_table_info *to, struct ebt_table_info *from)
{
	return 0;
}
static inline void ubc_ebt_uncharge(struct ebt_table_info *info) { }
static inline int ubc_nft_charge(struct nft_rule *rule)
{
	return 0;
}
static inline void ubc_nft_uncharge(struct nft_rule *rule) { }
#endif /* CONFIG_UBC */

#include <linux/ubc_io.h>
#include <linux/ubc_kmem.h>
#include <linux/ubc_mm.h>
#include <linux/ubc_recount.h>
#include <linux/ubc_pin.h>
#include <linux/ubc_sock.h>

#endif /* _LINUX_UBC_H */
