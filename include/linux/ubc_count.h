/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User beancounters: the counters and their fast paths.  Part of <linux/ubc.h>.
 *
 * What is simple happens here: a charge within its bound, a return that leaves
 * something.  The engine (kernel/ubc, in Rust) has the rest: refusals, pressure,
 * the last reference.
 */
#ifndef _LINUX_UBC_COUNT_H
#define _LINUX_UBC_COUNT_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/limits.h>
#include <linux/preempt.h>
#include <linux/types.h>
#include <uapi/linux/ubc.h>

struct ubc;

/* What refuses a charge: its value after the charge may reach the bound. */
enum ubc_severity {
	UBC_HARD,	/* barrier: the caller can report an error and live on */
	UBC_SOFT,	/* limit: a refusal kills or breaks something */
	UBC_FORCE,	/* nothing */
};

#ifdef CONFIG_UBC

#include <linux/jump_label_ratelimit.h>

extern struct static_key_false_deferred ubc_key;

/* The engine (Rust).  Any context but NMI; @ub is not NULL. */
int ubc_charge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n,
		    enum ubc_severity sev);
void ubc_uncharge_slow(struct ubc *ub, enum ubc_resource res, unsigned long n);
/* A charge has brought @res to @held: a new maximum, or pressure. */
void ubc_charge_note(struct ubc *ub, enum ubc_resource res, s64 held);
void ubc_get(struct ubc *ub);
void ubc_put(struct ubc *ub);
u32 ubc_id(const struct ubc *ub);
int ubc_replace_charge(struct ubc **new, unsigned long n, struct ubc **old,
		       unsigned long m);
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

/*
 * Units in the low half.  The high half counts how often some were put there:
 * a slot that was seen empty is empty still if that has not changed.
 */
struct ubc_stock {
	s64 slot[UBC_STOCKS];
};

#define UBC_STOCK_PUT	((s64)BIT_ULL(32))

/* What Rust calls a Counter (counter.rs, which says what the fields are). */
struct ubc_counter {
	s64 held, maxheld, barrier, limit;
	u64 failcnt, moves;
	s64 low, high;
} ____cacheline_aligned;

/* The head of a UB; the rest is Rust's (bean.rs). */
struct ubc {
	struct ubc_stock __percpu *stock;
	/* What a slot may grow to now: two batches (stock.rs), or 0. */
	unsigned int stocking[UBC_STOCKS];
	atomic64_t refs;
	struct ubc_counter counter[];
};

/* Takes (n < 0) or keeps units, if the slot is up to it. */
static __always_inline bool ubc_stock_change(struct ubc *ub, enum ubc_stocked i,
					     long n)
{
	s64 *slot, old;
	long units;
	bool done;

	preempt_disable();
	slot = &this_cpu_ptr(ub->stock)->slot[i];
	old = READ_ONCE(*slot);
	units = (u32)old + n;
	done = (n < 0 ? units >= 0 : units <= READ_ONCE(ub->stocking[i])) &&
	       try_cmpxchg(slot, &old, old + n + (n < 0 ? 0 : UBC_STOCK_PUT));
	preempt_enable();
	return done;
}

/* The same if @res has stock. */
static __always_inline bool ubc_stock(struct ubc *ub, enum ubc_resource res,
				      long n)
{
	if (!__builtin_constant_p(res))
		return false;
	switch (res) {
	case UBC_NUMFILE:
		return ubc_stock_change(ub, UBC_STOCK_NUMFILE, n);
	case UBC_PRIVVMPAGES:
		return ubc_stock_change(ub, UBC_STOCK_PRIVVMPAGES, n);
	case UBC_DCACHESIZE:
		return ubc_stock_change(ub, UBC_STOCK_DCACHESIZE, n);
	default:
		return false;
	}
}

/* Does a compiler that knows @res know that it has stock? */
#define ubc_is_stocked(res)						\
	(__builtin_constant_p(res) &&					\
	 ((res) == UBC_NUMFILE || (res) == UBC_PRIVVMPAGES ||		\
	  (res) == UBC_DCACHESIZE))

/*
 * bean.rs says why each resource that is not zero is a reference.  The marks
 * are looked at after the change, as there: who sets them looks at held after
 * that.
 */
static __always_inline bool ubc_quick_charge(struct ubc *ub,
					     enum ubc_resource res,
					     unsigned long n,
					     enum ubc_severity sev)
{
	struct ubc_counter *c = &ub->counter[res];
	s64 old = READ_ONCE(c->held), new = old + (s64)n;

	if (old < 0 || new <= old || ubc_is_stocked(res))
		return false;
	if (sev != UBC_FORCE &&
	    new > READ_ONCE(*(sev == UBC_HARD ? &c->barrier : &c->limit)))
		return false;
	if (!try_cmpxchg(&c->held, &old, new))
		return false;
	if (!old)
		atomic64_inc(&ub->refs);
	if (unlikely(new > READ_ONCE(c->maxheld) || new > READ_ONCE(c->high)))
		ubc_charge_note(ub, res, new);
	return true;
}

/* Under pressure there is a lower mark to be looked after. */
static __always_inline bool ubc_quick_uncharge(struct ubc *ub,
					       enum ubc_resource res,
					       unsigned long n)
{
	struct ubc_counter *c = &ub->counter[res];
	s64 old = READ_ONCE(c->held), new = old - (s64)n;

	if (new < 0 || new >= old || READ_ONCE(c->low) != S64_MIN ||
	    ubc_is_stocked(res) || !try_cmpxchg(&c->held, &old, new))
		return false;
	/* Not zero: the UB may be gone.  Zero: its reference is ours. */
	if (!new && !atomic64_add_unless(&ub->refs, -1, 1))
		ubc_put(ub);
	return true;
}

/* 0 or -ENOMEM; @ub is not NULL. */
static __always_inline int ubc_count(struct ubc *ub, enum ubc_resource res,
				     unsigned long n, enum ubc_severity sev)
{
	if (ubc_stock(ub, res, -(long)n) || ubc_quick_charge(ub, res, n, sev))
		return 0;
	return ubc_charge_slow(ub, res, n, sev);
}

static __always_inline void ubc_uncount(struct ubc *ub, enum ubc_resource res,
					unsigned long n)
{
	if (!ubc_stock(ub, res, n) && !ubc_quick_uncharge(ub, res, n))
		ubc_uncharge_slow(ub, res, n);
}

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_COUNT_H */
