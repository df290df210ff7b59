/* SPDX-License-Identifier: GPL-2.0 */
/* User beancounters: kernel memory.  Part of <linux/ubc.h>. */
#ifndef _LINUX_UBC_KMEM_H
#define _LINUX_UBC_KMEM_H

#include <linux/ubc.h>

struct obj_cgroup;

#ifdef CONFIG_UBC

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

/*
 * Finding the slab objects that UBs pay for (mm/memcontrol.c).  A cache, as
 * long as memcg_walk_slabs() runs:
 */
struct ubc_slab_cache {
	const struct kmem_cache *cache;
	const char *name;
	slab_flags_t flags;
	unsigned int size;	/* bytes from one object to the next */
	unsigned long count;	/* for the callbacks; 0 at first */
};

struct ubc_slab_walk {
	/*
	 * For each object, may not sleep.  @obj may be freed at any time: read
	 * it nofault.  @ub may be gone: only compare it.
	 */
	void (*object)(struct ubc_slab_walk *walk, struct ubc_slab_cache *cache,
		       const void *obj, const struct ubc *ub);
	/* If not NULL: afterwards for each cache, in the kernel's order. */
	void (*cache)(struct ubc_slab_walk *walk,
		      const struct ubc_slab_cache *cache);
};

int memcg_walk_slabs(struct ubc_slab_walk *walk);
int memcg_slab_of(const void *p, const struct kmem_cache **cache);

typedef void (*memcg_charge_fn)(void *data, struct mem_cgroup *memcg,
				unsigned long pages, bool swap);
/* CONFIG_UBC_DEBUG */
void memcg_walk_charges(memcg_charge_fn charge, void *data);

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

#else /* !CONFIG_UBC */

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

#endif /* _LINUX_UBC_KMEM_H */
