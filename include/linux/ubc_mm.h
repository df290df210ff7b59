/* SPDX-License-Identifier: GPL-2.0 */
/* User beancounters: address spaces, shared memory, OOM.  Part of <linux/ubc.h>. */
#ifndef _LINUX_UBC_MM_H
#define _LINUX_UBC_MM_H

#include <linux/ubc.h>

#ifdef CONFIG_UBC

int ubc_vm_reserve_slow(struct mm_struct *mm, unsigned long pages,
			enum ubc_severity sev);
int ubc_locked_reserve_slow(struct mm_struct *mm, unsigned long pages,
			    enum ubc_severity sev);
void ubc_vm_sync_slow(struct mm_struct *mm);
void ubc_mm_exit_slow(struct mm_struct *mm);
void ubc_memcg_fail_slow(struct mem_cgroup *memcg);
int ubc_shm_charge_slow(struct ubc *ub, unsigned long pages, bool test);
void ubc_shm_uncharge_slow(struct ubc *ub, unsigned long pages);
unsigned long ubc_ram_slow(struct ubc *ub, unsigned long pages);
bool ubc_vm_guaranteed_slow(struct ubc *ub);
struct ubc *ubc_oom_worst(struct ubc *tried);

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

#else /* !CONFIG_UBC */

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

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_MM_H */
