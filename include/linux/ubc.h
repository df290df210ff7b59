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
#include <linux/slab.h>
#include <linux/string.h>

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

/* The engine (Rust).  Any context but NMI; @ub is not NULL. */
int ubc_charge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n,
		    enum ubc_severity sev);
void ubc_uncharge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n);
void ubc_get(struct ubc *ub);
void ubc_put(struct ubc *ub);
u32 ubc_id(const struct ubc *ub);
int ubc_vm_reserve_slow(struct mm_struct *mm, unsigned long pages,
			enum ubc_severity sev);
int ubc_locked_reserve_slow(struct mm_struct *mm, unsigned long pages,
			    enum ubc_severity sev);
void ubc_vm_sync_slow(struct mm_struct *mm);
void ubc_mm_exit_slow(struct mm_struct *mm);
void ubc_memcg_fail_slow(struct mem_cgroup *memcg);
int ubc_shm_charge_slow(struct ubc *ub, unsigned long pages, bool test);
void ubc_shm_uncharge_slow(struct ubc *ub, unsigned long pages);
int ubc_replace_charge(struct ubc **new, unsigned long n, struct ubc **old,
		       unsigned long m);
unsigned long ubc_ram_slow(struct ubc *ub, unsigned long pages);
bool ubc_vm_guaranteed_slow(struct ubc *ub);
struct ubc *ubc_oom_worst(struct ubc *tried);
void ubc_fail(struct ubc *ub, enum ubc_resource res);

static inline bool ubc_enabled(void)
{
	return static_branch_unlikely(&ubc_key.key);
}

/*
 * Per-CPU stock: units that a UB holds and nobody uses.  A slot belongs to
 * whatever CPU comes by, so each change is one compare-and-exchange, and a
 * charge that meets a bound empties all of them first (bean.rs).  Preemption is
 * off because ubc_destroy() waits for a grace period when it has forbidden
 * stock.
 */
enum ubc_stocked {
	UBC_STOCK_NUMFILE,
	UBC_STOCK_PRIVVMPAGES,
	UBC_STOCK_DCACHESIZE,
	UBC_STOCKS,
};

/* Units fetched at a time; a slot holds at most twice as many. */
enum ubc_batch {
	UBC_BATCH_NUMFILE = 8,
	UBC_BATCH_PRIVVMPAGES = 256,
	UBC_BATCH_DCACHESIZE = 16384,
};

struct ubc_stock {
	int slot[UBC_STOCKS];
};

/* The head of a UB; the rest is Rust's (bean.rs). */
struct ubc {
	struct ubc_stock __percpu *stock;
	unsigned int stocking[UBC_STOCKS];	/* may this stock grow now? */
};

static __always_inline bool ubc_stock_change(struct ubc *ub, enum ubc_stocked i,
					     int change, unsigned int max)
{
	int *slot, old, new;
	bool done;

	preempt_disable();
	slot = &this_cpu_ptr(ub->stock)->slot[i];
	old = READ_ONCE(*slot);
	new = old + change;
	done = (change < 0 || READ_ONCE(ub->stocking[i])) &&
	       (unsigned int)new <= max && try_cmpxchg(slot, &old, new);
	preempt_enable();
	return done;
}

/* Takes (n < 0) or keeps units, if @res has stock and the slot is up to it. */
static __always_inline bool ubc_stock(struct ubc *ub, enum ubc_resource res,
				      long n)
{
	enum ubc_stocked i;
	int batch;

	if (!__builtin_constant_p(res))
		return false;
	switch (res) {
	case UBC_NUMFILE:
		i = UBC_STOCK_NUMFILE;
		batch = UBC_BATCH_NUMFILE;
		break;
	case UBC_PRIVVMPAGES:
		i = UBC_STOCK_PRIVVMPAGES;
		batch = UBC_BATCH_PRIVVMPAGES;
		break;
	case UBC_DCACHESIZE:
		i = UBC_STOCK_DCACHESIZE;
		batch = UBC_BATCH_DCACHESIZE;
		break;
	default:
		return false;
	}
	return n >= -batch && n <= batch &&
	       ubc_stock_change(ub, i, n, 2 * batch);
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

static __always_inline void ubc_uncharge(struct ubc *ub, enum ubc_resource res,
					 unsigned long n)
{
	if (ubc_enabled() && ub && !ubc_stock(ub, res, n))
		ubc_uncharge_slow(ub, res, n);
}

/* Charge one unit to whoever acts: its UB, NULL (host) or ERR_PTR(-ENOMEM). */
static __always_inline struct ubc *ubc_charge_current(enum ubc_resource res)
{
	struct ubc *ub = ubc_current();

	if (ub && !ubc_stock(ub, res, -1) &&
	    ubc_charge_slow(ub, res, 1, UBC_HARD))
		return ERR_PTR(-ENOMEM);
	return ub;
}

/*
 * Objects that name their payer in a field.  A refused object stays without
 * one, and so does what the host makes.
 */
static inline int ubc_owner_charge(struct ubc **owner, enum ubc_resource res,
				   unsigned long n, enum ubc_severity sev)
{
	struct ubc *ub = *owner ? NULL : ubc_current();

	if (!ub)
		return 0;
	if (ubc_charge_slow(ub, res, n, sev))
		return -ENOMEM;
	*owner = ub;
	return 0;
}

/* The charge is the reference: forget the owner with it. */
static inline void ubc_owner_uncharge(struct ubc **owner, enum ubc_resource res,
				      unsigned long n)
{
	struct ubc *ub = *owner;

	if (ub) {
		*owner = NULL;
		ubc_uncharge_slow(ub, res, n);
	}
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
	memset(&p->ub_last, 0, sizeof(p->ub_last));
}

/* The events of the opener's own UB, for a /proc that has no others. */
extern const struct proc_ops ubc_own_events_ops;
int proc_pid_ubc_last(struct seq_file *m, struct pid_namespace *ns,
		      struct pid *pid, struct task_struct *task);
void ubc_proc_status(struct seq_file *m, struct task_struct *task);

/* privvmpages: reserve before the mapping changes, reconcile afterwards */

/* Under the mmap lock held for writing.  Growth of data_vm or stack_vm. */
static inline int ubc_vm_reserve(struct mm_struct *mm, bool counted, long pages,
				 enum ubc_severity sev)
{
	if (!ubc_enabled() || !mm->ub || !counted || pages <= 0)
		return 0;
	if (ubc_stock(mm->ub, UBC_PRIVVMPAGES, -pages)) {
		mm->ub_priv += pages;
		return 0;
	}
	/* A failing execve() kills, past its point of no return. */
	if (current->in_execve && sev == UBC_HARD)
		sev = UBC_SOFT;
	return ubc_vm_reserve_slow(mm, pages, sev);
}

/* The same for growth of locked_vm and lockedpages. */
static inline int ubc_locked_reserve(struct mm_struct *mm, bool locked,
				     long pages, enum ubc_severity sev)
{
	if (!ubc_enabled() || !mm->ub || !locked || pages <= 0)
		return 0;
	if (current->in_execve && sev == UBC_HARD)
		sev = UBC_SOFT;
	return ubc_locked_reserve_slow(mm, pages, sev);
}

/*
 * Bring the charges to data_vm + stack_vm and locked_vm, whatever the
 * operation did.
 */
static inline void ubc_vm_sync(struct mm_struct *mm)
{
	long surplus;

	if (!ubc_enabled() || !mm->ub)
		return;
	surplus = mm->ub_priv - mm->data_vm - mm->stack_vm;
	if (surplus > 0 && ubc_stock(mm->ub, UBC_PRIVVMPAGES, surplus)) {
		mm->ub_priv -= surplus;
		surplus = 0;
	}
	if (surplus || mm->ub_locked != mm->locked_vm)
		ubc_vm_sync_slow(mm);
}

static inline void ubc_mm_init(struct mm_struct *mm, struct task_struct *p)
{
	mm->ub = NULL;
	mm->ub_priv = 0;
	mm->ub_locked = 0;
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

/*
 * kmemsize, dcachesize: what an obj_cgroup charges is paid by objcg->ub, from
 * when a UB is bound to a memory cgroup until the UB is destroyed
 * (kernel/ubc/kmem.c).
 */

struct obj_cgroup;
struct ubc_glue;

/* 0 or -ENOMEM.  May sleep if @gfp allows that. */
int ubc_kmem_charge_slow(struct obj_cgroup *objcg, gfp_t gfp,
			 unsigned int nr_pages);
void ubc_kmem_uncharge_slow(struct obj_cgroup *objcg, unsigned int nr_pages);
int ubc_dcache_charge_slow(struct obj_cgroup *objcg, gfp_t gfp, size_t n);
void ubc_dcache_uncharge_slow(struct obj_cgroup *objcg, size_t n);
/* The life of an objcg: made for @ub, or below @parent, then freed. */
void ubc_objcg_own(struct obj_cgroup *objcg, struct ubc *ub,
		   struct list_head *objcgs);
void ubc_objcg_inherit_slow(struct obj_cgroup *objcg,
			    struct mem_cgroup *parent, int nid);
void ubc_objcg_release_slow(struct obj_cgroup *objcg);
bool ubc_pagefault_oom_slow(void);

/* Pages of kernel memory. */
static inline int ubc_kmem_charge(struct obj_cgroup *objcg, gfp_t gfp,
				  unsigned int nr_pages)
{
	return ubc_enabled() ? ubc_kmem_charge_slow(objcg, gfp, nr_pages) : 0;
}

static inline void ubc_kmem_uncharge(struct obj_cgroup *objcg,
				     unsigned int nr_pages)
{
	if (ubc_enabled())
		ubc_kmem_uncharge_slow(objcg, nr_pages);
}

/* Is this a cache of dentries or inodes? */
static inline bool ubc_is_dcache(slab_flags_t flags)
{
	return (flags & SLAB_RECLAIM_ACCOUNT) && (flags & SLAB_ACCOUNT);
}

/* An object of @n bytes from a cache with these @flags. */
static inline int ubc_dcache_charge(struct obj_cgroup *objcg, gfp_t gfp,
				    slab_flags_t flags, size_t n)
{
	if (ubc_enabled() && ubc_is_dcache(flags))
		return ubc_dcache_charge_slow(objcg, gfp, n);
	return 0;
}

static inline void ubc_dcache_uncharge(struct obj_cgroup *objcg,
				       slab_flags_t flags, size_t n)
{
	if (ubc_enabled() && ubc_is_dcache(flags))
		ubc_dcache_uncharge_slow(objcg, n);
}

/* mem_cgroup_css_online(): @parent is NULL for the root. */
static inline void ubc_objcg_inherit(struct obj_cgroup *objcg,
				     struct mem_cgroup *parent, int nid)
{
	if (ubc_enabled() && parent)
		ubc_objcg_inherit_slow(objcg, parent, nid);
}

static inline void ubc_objcg_release(struct obj_cgroup *objcg)
{
	if (ubc_enabled())
		ubc_objcg_release_slow(objcg);
}

/*
 * Until ubc_soft_end() of what this returns, kernel memory that current
 * allocates is refused at the limit of kmemsize and not at its barrier.
 */
static inline bool ubc_soft_begin(void)
{
	if (!ubc_enabled() || !in_task() || current->ubc_soft)
		return false;
	current->ubc_soft = 1;
	return true;
}

static inline void ubc_soft_end(bool begun)
{
	if (begun)
		current->ubc_soft = 0;
}

static inline bool ubc_dcache_soft_begin(slab_flags_t flags)
{
	return ubc_enabled() && ubc_is_dcache(flags) && ubc_soft_begin();
}

/* handle_mm_fault() */
static inline bool ubc_fault_begin(void)
{
	if (!ubc_enabled())
		return false;
	current->ubc_oom = 0;
	return ubc_soft_begin();
}

/*
 * pagefault_out_of_memory(): true if that is kmemsize's fault, and the OOM
 * killer of the container has seen to it.
 */
static inline bool ubc_pagefault_oom(void)
{
	return ubc_enabled() && current->ubc_oom && ubc_pagefault_oom_slow();
}

/* Private to kernel/ubc */
int ubc_try_charge(struct ubc *ub, enum ubc_resource res, unsigned long n,
		   enum ubc_severity sev);
void ubc_refused(struct ubc *ub, enum ubc_resource res, unsigned long n,
		 enum ubc_severity sev);
bool ubc_kmem_near(struct ubc *ub);
bool ubc_kmem_room(struct ubc *ub);
struct ubc_glue *ubc_glue_of(struct ubc *ub);
int ubc_kmem_bind(struct ubc_glue *g, struct mem_cgroup *memcg);
void ubc_kmem_unbind(struct ubc_glue *g);

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

/*
 * tcpsndbuf, tcprcvbuf, othersockbuf, dgramrcvbuf: kernel/ubc/sock.h.
 *
 * Memory that a protocol accounts (sk_forward_alloc) is charged where whole
 * pages are.  Other protocols are charged by what is in use (sk_wmem_alloc,
 * sk_rmem_alloc), rounded up to pages.  What is charged for a socket is in
 * its sk_ubuf and goes back with the socket at the latest.
 */
struct ubc_sockbuf {
	atomic_t	snd;		/* pages charged for what is sent */
	atomic_t	rcv;		/* ... and received */
	int		want;		/* pages last refused to a writer, or 0 */
	bool		refused;	/* was the last TCP segment? */
};

/* The socket is known to have an owner; any context but NMI. */
bool ubc_sk_mem_charge_slow(struct sock *sk, int pages, int kind);
bool ubc_sk_mem_reserve_slow(struct sock *sk, int pages);
void ubc_sk_mem_force_slow(struct sock *sk, int pages, int kind);
void ubc_sk_mem_undo_slow(struct sock *sk, int pages, int kind);
void ubc_sk_mem_reduce_slow(struct sock *sk, int pages);
void ubc_sk_segment_dropped_slow(struct sock *sk);
void ubc_sk_mem_release_slow(struct sock *sk);
int ubc_sk_wmem_admit_slow(struct sock *sk, unsigned long head,
			   unsigned long data, bool again);
void ubc_sk_wmem_sync_slow(struct sock *sk, int except);
bool ubc_sk_may_send_slow(const struct sock *sk);
long ubc_sk_nap_slow(const struct sock *sk);
bool ubc_sk_rmem_charge_slow(struct sock *sk, int used, int size);
void ubc_sk_rmem_sync_slow(struct sock *sk);
bool ubc_tcp_under_pressure_slow(const struct sock *sk);
bool ubc_tcp_may_grow_window_slow(const struct sock *sk);
void ubc_tcp_orphans_slow(const struct sock *sk, int n);
bool ubc_tcp_too_many_orphans_slow(const struct sock *sk, int shift);

/* fn(sk, ...) if the socket has an owner, else @none (or nothing). */
#define ubc_sk_ask(sk, none, fn, ...)					\
({									\
	typeof(sk) sk_ = (sk);						\
	ubc_enabled() && sk_->sk_ub ? fn(sk_, ##__VA_ARGS__) : (none);	\
})
#define ubc_sk_tell(sk, fn, ...)					\
({									\
	typeof(sk) sk_ = (sk);						\
	if (ubc_enabled() && sk_->sk_ub)				\
		fn(sk_, ##__VA_ARGS__);					\
})

/* __sk_mem_raise_allocated(): false is a refusal. */
#define ubc_sk_mem_charge(sk, pages, kind) \
	ubc_sk_ask(sk, true, ubc_sk_mem_charge_slow, pages, kind)
/* SO_RESERVE_MEM */
#define ubc_sk_mem_reserve(sk, pages) \
	ubc_sk_ask(sk, true, ubc_sk_mem_reserve_slow, pages)
/* Cannot fail. */
#define ubc_sk_mem_force(sk, pages, kind) \
	ubc_sk_tell(sk, ubc_sk_mem_force_slow, pages, kind)
/* Gives back what was just charged. */
#define ubc_sk_mem_undo(sk, pages, kind) \
	ubc_sk_tell(sk, ubc_sk_mem_undo_slow, pages, kind)
/* __sk_mem_reduce_allocated() does not know what the pages were for. */
#define ubc_sk_mem_reduce(sk, pages) \
	ubc_sk_tell(sk, ubc_sk_mem_reduce_slow, pages)
/* The end of all attempts to find room for a TCP segment. */
#define ubc_sk_segment_dropped(sk) \
	ubc_sk_tell(sk, ubc_sk_segment_dropped_slow)
/* A socket is copied with everything in it; the copy has no charge yet. */
#define ubc_sk_mem_init(sk)	((sk)->sk_ubuf = (struct ubc_sockbuf){ })
/* The socket is being freed. */
#define ubc_sk_mem_release(sk)	ubc_sk_tell(sk, ubc_sk_mem_release_slow)

/*
 * Before a buffer of @head linear and @data paged bytes is allocated: 0,
 * -EAGAIN, or -ENOBUFS if there will never be room.  @again: a retry.
 */
#define ubc_sk_wmem_admit(sk, head, data, again) \
	ubc_sk_ask(sk, 0, ubc_sk_wmem_admit_slow, head, data, again)
/* sk_wmem_alloc has changed; @except bytes of it are about to go. */
#define ubc_sk_wmem_sync(sk, except) \
	ubc_sk_tell(sk, ubc_sk_wmem_sync_slow, except)
/* Does poll agree with what a writer was told? */
#define ubc_sk_may_send(sk)	ubc_sk_ask(sk, true, ubc_sk_may_send_slow)
/* A refused writer is not woken by others: how long it may sleep. */
#define ubc_sk_nap(sk)		ubc_sk_ask(sk, LONG_MAX, ubc_sk_nap_slow)

/* @size more bytes in the receive queue, which has @used. */
#define ubc_sk_rmem_charge(sk, used, size) \
	ubc_sk_ask(sk, true, ubc_sk_rmem_charge_slow, used, size)
/* sk_rmem_alloc has become less. */
#define ubc_sk_rmem_sync(sk)	ubc_sk_tell(sk, ubc_sk_rmem_sync_slow)

/* TCP: is tcprcvbuf short, and may this socket's window grow nevertheless? */
#define ubc_tcp_under_pressure(sk) \
	ubc_sk_ask(sk, false, ubc_tcp_under_pressure_slow)
#define ubc_tcp_may_grow_window(sk) \
	ubc_sk_ask(sk, true, ubc_tcp_may_grow_window_slow)
/* The socket is (@n is 1) or is no more (-1) one without a file. */
#define ubc_tcp_orphans(sk, n)	ubc_sk_tell(sk, ubc_tcp_orphans_slow, n)
/* Its owner has too many of them, counting each 2^@shift times. */
#define ubc_tcp_too_many_orphans(sk, shift) \
	ubc_sk_ask(sk, false, ubc_tcp_too_many_orphans_slow, shift)

/* The Rust half; @held is a field of struct ubc_sockbuf, all sizes are pages. */
bool ubc_sndbuf_charge(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n, bool count);
bool ubc_sndbuf_room(struct ubc *ub, enum ubc_resource res,
		     const atomic_t *held, int n);
bool ubc_rcvbuf_charge(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n, int segment, bool count);
void ubc_sockbuf_force(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n);
int ubc_sockbuf_return(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n);
void ubc_sockbuf_shrink(struct ubc *ub, enum ubc_resource res, atomic_t *held,
			int need);
void ubc_sockbuf_cover(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int need);
bool ubc_sockbuf_fits(struct ubc *ub, enum ubc_resource res, int n);
bool ubc_tcp_pressure(struct ubc *ub);
bool ubc_tcp_may_grow(struct ubc *ub, int rcvbuf);
void ubc_tcp_orphans_add(struct ubc *ub, int n);
bool ubc_tcp_orphans_many(struct ubc *ub, int shift);

/* numfile, numpty */
#define ubc_file_set(f, owner)		((f)->f_ub = (owner))
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
	if (ubc_charge_slow(ub, UBC_NUMSIGINFO, 1, force ? UBC_FORCE : UBC_HARD))
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
#define ubc_ebt_init(info)	((info)->ub = NULL)
#define ubc_ebt_charge(new, old) \
	ubc_replace_charge(&(new)->ub, (new)->nentries, &(old)->ub, (old)->nentries)
#define ubc_ebt_uncharge(info) \
	ubc_owner_uncharge(&(info)->ub, UBC_NUMIPTENT, (info)->nentries)
#define ubc_nft_charge(rule) \
	ubc_owner_charge(&(rule)->ub, UBC_NUMIPTENT, 1, UBC_SOFT)
#define ubc_nft_uncharge(rule) \
	ubc_owner_uncharge(&(rule)->ub, UBC_NUMIPTENT, 1)

/* shmpages (and privvmpages): size or blocks of a shmem inode, SHM_LOCK */
/* @test: the caller tries again before it calls this a refusal. */
static inline int ubc_shm_charge(struct ubc *ub, unsigned long pages, bool test)
{
	return ubc_enabled() && ub ? ubc_shm_charge_slow(ub, pages, test) : 0;
}

static inline void ubc_shm_uncharge(struct ubc *ub, unsigned long pages)
{
	if (ubc_enabled() && ub)
		ubc_shm_uncharge_slow(ub, pages);
}

#define ubc_shm_owner(info)	((info)->ub)
/* An inode may have no charge: it holds a reference. */
#define ubc_shm_init(info) do {			\
	(info)->ub = ubc_current();		\
	if ((info)->ub)				\
		ubc_get((info)->ub);		\
} while (0)
#define ubc_shm_exit(info) do {			\
	if ((info)->ub)				\
		ubc_put((info)->ub);		\
	(info)->ub = NULL;			\
} while (0)
#define ubc_shm_pages(info)	(PAGE_ALIGN((info)->vfs_inode.i_size) >> PAGE_SHIFT)
#define ubc_shm_lock(info) \
	ubc_owner_charge(&(info)->ub_locked, UBC_LOCKEDPAGES, \
			 ubc_shm_pages(info), UBC_HARD)
#define ubc_shm_unlock(info) \
	ubc_owner_uncharge(&(info)->ub_locked, UBC_LOCKEDPAGES, ubc_shm_pages(info))

/* The part of @pages of RAM that current may use. */
static inline unsigned long ubc_ram(unsigned long pages)
{
	struct ubc *ub = ubc_current();

	return ub ? ubc_ram_slow(ub, pages) : pages;
}

/* vmguarpages, oomguarpages */
static inline bool ubc_vm_guaranteed(const struct mm_struct *mm)
{
	return ubc_enabled() && mm && mm->ub && ubc_vm_guaranteed_slow(mm->ub);
}

/* The next beancounter to look for a victim in; the first time @oc has none. */
#define ubc_oom_next(oc) do {				\
	if (ubc_enabled())				\
		(oc)->ub = ubc_oom_worst((oc)->ub);	\
} while (0)
#define ubc_oom_limited(oc)	(!!(oc)->ub)
#define ubc_oom_eligible(oc, p) \
	(!(oc)->ub || READ_ONCE((p)->ub) == (oc)->ub)
#define ubc_oom_end(oc) do {				\
	if ((oc)->ub)					\
		ubc_put((oc)->ub);			\
	(oc)->ub = NULL;				\
} while (0)

static inline void ubc_oom_killed(struct mm_struct *mm)
{
	if (ubc_enabled() && mm->ub)
		ubc_fail(mm->ub, UBC_OOMGUARPAGES);
}

/* Private to kernel/ubc: what Rust and shim.c use of each other. */

enum ubc_table {
	UBC_TABLE_ALL,		/* the 24 lines of /proc/user_beancounters */
	UBC_TABLE_BC,		/* no dummies, swappages */
	UBC_TABLE_BARE,		/* the same without id */
};

enum ubc_state {		/* for tracing */
	UBC_CREATED,
	UBC_BOUND,		/* to a memory cgroup */
	UBC_DYING,		/* the owner is gone */
	UBC_FREED,
};

struct ubc_glue;		/* the C half of a UB */
struct ubc_row {		/* one line of a table */
	unsigned long held, maxheld, barrier, limit, failcnt;
};
struct ubc_host {		/* use of the whole machine */
	unsigned long numproc, numfile, physpages, swappages, oomguarpages, kmemsize;
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
void ubc_glue_refused(struct ubc_glue *g, u32 res, unsigned long n,
		      unsigned long held, unsigned long bound, u32 severity);
void ubc_glue_failed(struct ubc_glue *g, u32 res);
void ubc_glue_pressure(struct ubc_glue *g, u32 res, unsigned long level,
		       unsigned long held, unsigned long bound);
void ubc_glue_limited(struct ubc_glue *g, u32 res, unsigned long barrier,
		      unsigned long limit);
void ubc_glue_trace_state(struct ubc_glue *g, enum ubc_state state);
void ubc_glue_trace_transfer(struct ubc_glue *g, u32 res, unsigned long residue);
void ubc_notify_end(struct ubc_glue *g);
void ubc_glue_reset_peak(struct ubc_glue *g, bool swap);
int ubc_glue_bind(struct ubc_glue *g, struct cgroup *cgrp);
void ubc_glue_unbind(struct ubc_glue *g);
bool ubc_glue_bound(struct ubc_glue *g);
void ubc_glue_memcg_read(struct ubc_glue *g, bool swap, unsigned long *held,
			 unsigned long *maxheld, unsigned long *limit);
unsigned long ubc_glue_oom_pages(struct ubc_glue *g);
void ubc_glue_memcg_limit(struct ubc_glue *g, bool swap, unsigned long limit);
int *ubc_stock_slot(struct ubc_glue *g, u32 cpu, u32 idx);
int *ubc_stock_slot_local(struct ubc_glue *g, u32 idx);
u32 ubc_next_cpu(int cpu);
u32 ubc_nr_cpus(void);
void ubc_preempt_disable(void);
void ubc_preempt_enable(void);
void ubc_switch_current(struct ubc *ub);
unsigned long ubc_ram_pages(void);
void ubc_host_read(struct ubc_host *h);
int ubc_proc_init(void);

void ubc_release(struct ubc *ub);
struct ubc *ubc_lookup_older(u64 gen);
struct ubc *ubc_lookup(u32 id);
void ubc_read(struct ubc *ub, u32 res, struct ubc_row *row);
u32 ubc_pressure(struct ubc *ub, u32 res);
void ubc_reset_peak(struct ubc *ub, u32 res);
int ubc_read_id(u32 id, u32 res, struct ubc_row *row);
int ubc_attach_current_id(u32 id);
u64 ubc_generation(const struct ubc *ub);
const char *ubc_resource_name(u32 res);
void ubc_show_header(struct seq_file *m);
void ubc_show(struct seq_file *m, struct ubc *ub, enum ubc_table table);
void ubc_look(struct ubc *ub);
void ubc_show_events(struct seq_file *m, struct ubc *ub);
void ubc_show_precharge(struct seq_file *m, struct ubc *ub);

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
static inline int ubc_locked_reserve(struct mm_struct *mm, bool locked,
				     long pages, enum ubc_severity sev)
{
	return 0;
}
static inline void ubc_vm_sync(struct mm_struct *mm) { }
static inline void ubc_mm_init(struct mm_struct *mm, struct task_struct *p) { }
static inline void ubc_mm_exit(struct mm_struct *mm) { }
static inline void ubc_memcg_fail(struct mem_cgroup *memcg) { }
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
static inline int ubc_shm_charge(struct ubc *ub, unsigned long pages, bool test)
{
	return 0;
}
static inline void ubc_shm_uncharge(struct ubc *ub, unsigned long pages) { }
static inline struct ubc *ubc_shm_owner(struct shmem_inode_info *info)
{
	return NULL;
}
static inline void ubc_shm_init(struct shmem_inode_info *info) { }
static inline void ubc_shm_exit(struct shmem_inode_info *info) { }
static inline int ubc_shm_lock(struct shmem_inode_info *info)
{
	return 0;
}
static inline void ubc_shm_unlock(struct shmem_inode_info *info) { }
static inline unsigned long ubc_ram(unsigned long pages)
{
	return pages;
}
static inline bool ubc_vm_guaranteed(const struct mm_struct *mm)
{
	return false;
}
static inline void ubc_oom_next(struct oom_control *oc) { }
static inline bool ubc_oom_limited(const struct oom_control *oc)
{
	return false;
}
static inline bool ubc_oom_eligible(const struct oom_control *oc,
				    const struct task_struct *p)
{
	return true;
}
static inline void ubc_oom_end(struct oom_control *oc) { }
static inline void ubc_oom_killed(struct mm_struct *mm) { }

/* Socket buffers */

static inline bool ubc_sk_mem_charge(struct sock *sk, int pages, int kind)
{
	return true;
}

static inline bool ubc_sk_mem_reserve(struct sock *sk, int pages)
{
	return true;
}

static inline void ubc_sk_mem_force(struct sock *sk, int pages, int kind) { }

static inline void ubc_sk_mem_undo(struct sock *sk, int pages, int kind) { }

static inline void ubc_sk_mem_reduce(struct sock *sk, int pages) { }

static inline void ubc_sk_segment_dropped(struct sock *sk) { }

static inline void ubc_sk_mem_init(struct sock *sk) { }

static inline void ubc_sk_mem_release(struct sock *sk) { }

static inline int ubc_sk_wmem_admit(struct sock *sk, unsigned long head,
				    unsigned long data, bool again)
{
	return 0;
}

static inline void ubc_sk_wmem_sync(struct sock *sk, int except) { }

static inline bool ubc_sk_may_send(const struct sock *sk) { return true; }

static inline long ubc_sk_nap(const struct sock *sk)
{
	return LONG_MAX;
}

static inline bool ubc_sk_rmem_charge(struct sock *sk, int used, int size)
{
	return true;
}

static inline void ubc_sk_rmem_sync(struct sock *sk) { }

static inline bool ubc_tcp_under_pressure(const struct sock *sk)
{
	return false;
}

static inline bool ubc_tcp_may_grow_window(const struct sock *sk)
{
	return true;
}

static inline void ubc_tcp_orphans(const struct sock *sk, int n) { }

static inline bool ubc_tcp_too_many_orphans(const struct sock *sk, int shift)
{
	return false;
}

/* kmemsize, dcachesize */
struct obj_cgroup;
static inline int ubc_kmem_charge(struct obj_cgroup *objcg, gfp_t gfp,
				  unsigned int nr_pages)
{
	return 0;
}
static inline void ubc_kmem_uncharge(struct obj_cgroup *objcg,
				     unsigned int nr_pages) { }
static inline int ubc_dcache_charge(struct obj_cgroup *objcg, gfp_t gfp,
				    slab_flags_t flags, size_t n)
{
	return 0;
}
static inline void ubc_dcache_uncharge(struct obj_cgroup *objcg,
				       slab_flags_t flags, size_t n) { }
static inline void ubc_objcg_inherit(struct obj_cgroup *objcg,
				     struct mem_cgroup *parent, int nid) { }
static inline void ubc_objcg_release(struct obj_cgroup *objcg) { }
static inline bool ubc_soft_begin(void)
{
	return false;
}
static inline void ubc_soft_end(bool begun) { }
static inline bool ubc_dcache_soft_begin(slab_flags_t flags)
{
	return false;
}
static inline bool ubc_fault_begin(void)
{
	return false;
}
static inline bool ubc_pagefault_oom(void)
{
	return false;
}

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_H */
