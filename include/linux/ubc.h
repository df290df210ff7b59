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
#include <linux/types.h>

struct cgroup;
struct file;
struct kernel_clone_args;
struct mem_cgroup;
struct mm_struct;
struct proto;
struct seq_file;
struct sock;
struct task_struct;
struct tty_struct;
struct ubc;

/* Resource ids are ABI; the unnamed ids up to UBC_NUMIPTENT are dummies. */
enum ubc_resource {
	UBC_KMEMSIZE		= 0,	/* bytes */
	UBC_LOCKEDPAGES		= 1,	/* pages */
	UBC_PRIVVMPAGES		= 2,	/* pages */
	UBC_SHMPAGES		= 3,	/* pages */
	UBC_NUMPROC		= 5,	/* tasks */
	UBC_PHYSPAGES		= 6,	/* pages */
	UBC_VMGUARPAGES		= 7,	/* pages */
	UBC_OOMGUARPAGES	= 8,	/* pages */
	UBC_NUMTCPSOCK		= 9,	/* sockets */
	UBC_NUMFLOCK		= 10,	/* locks */
	UBC_NUMPTY		= 11,	/* pairs */
	UBC_NUMSIGINFO		= 12,	/* records */
	UBC_TCPSNDBUF		= 13,	/* bytes */
	UBC_TCPRCVBUF		= 14,	/* bytes */
	UBC_OTHERSOCKBUF	= 15,	/* bytes */
	UBC_DGRAMRCVBUF		= 16,	/* bytes */
	UBC_NUMOTHERSOCK	= 17,	/* sockets */
	UBC_DCACHESIZE		= 18,	/* bytes */
	UBC_NUMFILE		= 19,	/* files */
	UBC_NUMIPTENT		= 23,	/* rules */
	UBC_SWAPPAGES		= 24,	/* pages */
	UBC_RESOURCES		= 25,
};

/* What refuses a charge: its value after the charge may reach the bound. */
enum ubc_severity {
	UBC_HARD,	/* barrier: the caller can report an error and live on */
	UBC_SOFT,	/* limit: a refusal kills or breaks something */
	UBC_FORCE,	/* nothing */
};

#ifdef CONFIG_UBC

#include <linux/jump_label_ratelimit.h>
#include <linux/mm_types.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

extern struct static_key_false_deferred ubc_key;

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
/* Set barrier and limit of one resource; values up to LONG_MAX. */
int ubc_set_limit(struct ubc *ub, u32 res, unsigned long barrier,
		  unsigned long limit);
/* The same by id (0 is the host): -ENOENT if there is no such UB. */
int ubc_set_limit_id(u32 id, u32 res, unsigned long barrier,
		     unsigned long limit);
/*
 * Make @ub the beancounter of the current, single-threaded task: moves its
 * numproc charge and re-owns what it creates from now on.  The mm keeps its
 * owner until exec.  NULL is the host.  -ENOMEM at the numproc barrier of @ub,
 * -EBUSY if it is being destroyed.
 */
int ubc_attach_current(struct ubc *ub);

/* The engine (Rust).  Any context but NMI; @ub is not NULL. */
int ubc_charge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n,
		    enum ubc_severity sev);
void ubc_uncharge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n);
void ubc_get(struct ubc *ub);
void ubc_put(struct ubc *ub);
u32 ubc_id(const struct ubc *ub);
int ubc_vm_reserve_slow(struct mm_struct *mm, unsigned long pages,
			enum ubc_severity sev);
void ubc_vm_sync_slow(struct mm_struct *mm);
void ubc_mm_exit_slow(struct mm_struct *mm);
void ubc_memcg_fail_slow(struct mem_cgroup *memcg);

static inline bool ubc_enabled(void)
{
	return static_branch_unlikely(&ubc_key.key);
}

/* The UB that pays for what this context creates; interrupts act for the host. */
static inline struct ubc *ubc_current(void)
{
	return ubc_enabled() && in_task() ? current->ub : NULL;
}

/* 0 or -ENOMEM. */
static inline int ubc_charge(struct ubc *ub, enum ubc_resource res,
			     unsigned long n, enum ubc_severity sev)
{
	if (ubc_enabled() && ub)
		return ubc_charge_slow(ub, res, n, sev);
	return 0;
}

static inline void ubc_uncharge(struct ubc *ub, enum ubc_resource res,
				unsigned long n)
{
	if (ubc_enabled() && ub)
		ubc_uncharge_slow(ub, res, n);
}

/* Charge one unit to whoever acts: its UB, NULL (host) or ERR_PTR(-ENOMEM). */
static inline struct ubc *ubc_charge_current(enum ubc_resource res)
{
	struct ubc *ub = ubc_current();

	if (ub && ubc_charge_slow(ub, res, 1, UBC_HARD))
		return ERR_PTR(-ENOMEM);
	return ub;
}

/* numproc: from copy_process() to release_task() */

static inline struct ubc *ubc_task_charge(const struct kernel_clone_args *args)
{
	struct ubc *ub;

	if (!ubc_enabled())
		return NULL;
	ub = args->ub ?: current->ub;
	if (ub && ubc_charge_slow(ub, UBC_NUMPROC, 1, UBC_HARD))
		return ERR_PTR(-ENOMEM);
	return ub;
}

/* The id shown in /proc reads ->ub under RCU: clear it before it can go. */
static inline void ubc_task_uncharge(struct task_struct *p)
{
	struct ubc *ub = p->ub;

	if (ubc_enabled() && ub) {
		WRITE_ONCE(p->ub, NULL);
		ubc_uncharge_slow(ub, UBC_NUMPROC, 1);
	}
}

static inline void ubc_task_set(struct task_struct *p, struct ubc *ub)
{
	p->ub = ub;
}

void ubc_proc_status(struct seq_file *m, struct task_struct *task);

/* privvmpages: reserve before the mapping changes, reconcile afterwards */

/* Under the mmap lock held for writing.  Growth of data_vm or stack_vm. */
static inline int ubc_vm_reserve(struct mm_struct *mm, bool counted, long pages,
				 enum ubc_severity sev)
{
	if (!ubc_enabled() || !mm->ub || !counted || pages <= 0)
		return 0;
	/* A failing execve() kills, past its point of no return. */
	if (current->in_execve && sev == UBC_HARD)
		sev = UBC_SOFT;
	return ubc_vm_reserve_slow(mm, pages, sev);
}

/* Bring the charge to data_vm + stack_vm, whatever the operation did. */
static inline void ubc_vm_sync(struct mm_struct *mm)
{
	if (ubc_enabled() && mm->ub)
		ubc_vm_sync_slow(mm);
}

static inline void ubc_mm_init(struct mm_struct *mm, struct task_struct *p)
{
	mm->ub = NULL;
	mm->ub_priv = 0;
	if (ubc_enabled() && p->ub) {
		ubc_get(p->ub);
		mm->ub = p->ub;
	}
}

/* Idempotent: an exec that fails early drops its mm without exit_mmap(). */
static inline void ubc_mm_exit(struct mm_struct *mm)
{
	if (ubc_enabled() && mm->ub)
		ubc_mm_exit_slow(mm);
}

/* physpages, swappages: one refused request of @memcg */
static inline void ubc_memcg_fail(struct mem_cgroup *memcg)
{
	if (ubc_enabled())
		ubc_memcg_fail_slow(memcg);
}

/* numtcpsock, numothersock: the class is a constant of the creating proto */

#define UBC_PROTO_TCP	.ubc_tcp = true,
#define ubc_sock_class(prot) \
	((prot)->ubc_tcp ? UBC_NUMTCPSOCK : UBC_NUMOTHERSOCK)

/* sk_alloc(): kernel sockets are nobody's. */
#define ubc_sock_charge(prot, kern) \
	((kern) ? NULL : ubc_charge_current(ubc_sock_class(prot)))
#define ubc_sock_set(sk, owner)		((sk)->sk_ub = (owner))
#define ubc_sock_clone(sk, prot) \
	ubc_charge((sk)->sk_ub, ubc_sock_class(prot), 1, UBC_HARD)
#define ubc_sock_uncharge(sk, prot) \
	ubc_uncharge((sk)->sk_ub, ubc_sock_class(prot), 1)

/* numfile, numpty */
#define ubc_file_set(f, owner)		((f)->f_ub = (owner))
#define ubc_file_uncharge(f)		ubc_uncharge((f)->f_ub, UBC_NUMFILE, 1)
#define ubc_pty_set(tty, owner)		((tty)->ub = (owner))
#define ubc_pty_uncharge(tty)		ubc_uncharge((tty)->ub, UBC_NUMPTY, 1)

/* Private to kernel/ubc: what Rust and shim.c use of each other. */

/* Resources with per-CPU stock. */
enum ubc_stocked {
	UBC_STOCK_NUMFILE,
	UBC_STOCK_PRIVVMPAGES,
	UBC_STOCKS,
};

enum ubc_table {
	UBC_TABLE_ALL,		/* the 24 lines of /proc/user_beancounters */
	UBC_TABLE_BC,		/* no dummies, swappages */
	UBC_TABLE_BARE,		/* the same without id */
};

struct ubc_glue;		/* the C half of a UB */
struct ubc_host {		/* use of the whole machine */
	unsigned long numproc, numfile, physpages, swappages;
};

void ubc_key_inc(void);
void ubc_key_dec(void);
struct ubc_glue *ubc_glue_alloc(void);
void ubc_glue_own(struct ubc_glue *g, struct ubc *ub);
void ubc_glue_free(struct ubc_glue *g);
void ubc_glue_release_later(struct ubc_glue *g);
int ubc_glue_proc_add(struct ubc_glue *g, u32 id);
int ubc_glue_proc_add_drained(struct ubc_glue *g, u32 id, u64 gen);
void ubc_glue_proc_del(struct ubc_glue *g);
void ubc_glue_report(struct ubc_glue *g, u32 res);
int ubc_glue_bind(struct ubc_glue *g, struct cgroup *cgrp);
void ubc_glue_unbind(struct ubc_glue *g);
bool ubc_glue_bound(struct ubc_glue *g);
void ubc_glue_memcg_read(struct ubc_glue *g, bool swap, unsigned long *held,
			 unsigned long *maxheld, unsigned long *limit);
void ubc_glue_memcg_limit(struct ubc_glue *g, bool swap, unsigned long limit);
int *ubc_stock_slot(struct ubc_glue *g, u32 cpu, u32 idx);
int *ubc_stock_slot_local(struct ubc_glue *g, u32 idx);
u32 ubc_next_cpu(int cpu);
u32 ubc_nr_cpus(void);
void ubc_preempt_disable(void);
void ubc_preempt_enable(void);
unsigned long ubc_ram_pages(void);
void ubc_host_read(struct ubc_host *h);
int ubc_proc_init(void);

void ubc_release(struct ubc *ub);
struct ubc *ubc_lookup_older(u64 gen);
u64 ubc_generation(const struct ubc *ub);
const char *ubc_resource_name(u32 res);
void ubc_fail(struct ubc *ub, enum ubc_resource res);
void ubc_show_header(struct seq_file *m);
void ubc_show(struct seq_file *m, struct ubc *ub, enum ubc_table table);

#else /* !CONFIG_UBC */

#define UBC_PROTO_TCP

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
static inline enum ubc_resource ubc_sock_class(const struct proto *prot)
{
	return UBC_NUMOTHERSOCK;
}
static inline struct ubc *ubc_sock_charge(const struct proto *prot, int kern)
{
	return NULL;
}
static inline void ubc_sock_set(struct sock *sk, struct ubc *ub) { }
static inline int ubc_sock_clone(const struct sock *sk, const struct proto *prot)
{
	return 0;
}
static inline void ubc_sock_uncharge(const struct sock *sk,
				     const struct proto *prot) { }
static inline void ubc_file_set(struct file *f, struct ubc *ub) { }
static inline void ubc_file_uncharge(struct file *f) { }
static inline void ubc_pty_set(struct tty_struct *tty, struct ubc *ub) { }
static inline void ubc_pty_uncharge(struct tty_struct *tty) { }
static inline void ubc_task_uncharge(struct task_struct *p) { }
static inline void ubc_proc_status(struct seq_file *m, struct task_struct *task) { }
static inline int ubc_vm_reserve(struct mm_struct *mm, bool counted, long pages,
				 enum ubc_severity sev)
{
	return 0;
}
static inline void ubc_vm_sync(struct mm_struct *mm) { }
static inline void ubc_mm_init(struct mm_struct *mm, struct task_struct *p) { }
static inline void ubc_mm_exit(struct mm_struct *mm) { }
static inline void ubc_memcg_fail(struct mem_cgroup *memcg) { }

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_H */
