/* SPDX-License-Identifier: GPL-2.0 */
/* What Rust and C of kernel/ubc use of each other. */
#ifndef _UBC_GLUE_H
#define _UBC_GLUE_H

#include <linux/ubc.h>

enum ubc_table {
	UBC_TABLE_ALL,		/* the 24 lines of /proc/user_beancounters */
	UBC_TABLE_BC,		/* no dummies, swappages */
	UBC_TABLE_BARE,		/* the same without id */
};

struct ubc_glue;		/* the C half of a UB */
struct ubc_recount;

struct ubc_row {		/* one line of a table */
	unsigned long held, maxheld, barrier, limit, failcnt;
};
struct ubc_memory {		/* what its memory cgroup says of a UB */
	s64 kmem;		/* bytes the UB should pay */
	s64 kernel;		/* pages that are not user space's */
	s64 phys, swap;		/* pages in all */
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
s64 *ubc_stock_slot(struct ubc_glue *g, u32 cpu, u32 idx);
s64 *ubc_stock_slot_local(struct ubc_glue *g, u32 idx);
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

/* @values: UBC_RESOURCES of them. */
void ubc_precharge_get(int *values);
int ubc_precharge_set(const int *values);

/* Kernel memory */
int ubc_try_charge(struct ubc *ub, enum ubc_resource res, unsigned long n,
		   enum ubc_severity sev);
void ubc_refused(struct ubc *ub, enum ubc_resource res, unsigned long n,
		 enum ubc_severity sev);
bool ubc_kmem_near(struct ubc *ub);
bool ubc_kmem_room(struct ubc *ub);
struct ubc_glue *ubc_glue_of(struct ubc *ub);
int ubc_kmem_bind(struct ubc_glue *g, struct mem_cgroup *memcg);
void ubc_kmem_unbind(struct ubc_glue *g);

/* The Rust half; @held is a field of struct ubc_sockbuf, all sizes are pages. */
bool ubc_sndbuf_charge(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n, bool count);
bool ubc_sndbuf_room(struct ubc *ub, enum ubc_resource res,
		     const atomic_t *held, int n);
bool ubc_rcvbuf_charge(struct ubc *ub, enum ubc_resource res, atomic_t *held,
		       int n, int segment, bool count);
bool ubc_tcp_pressure(struct ubc *ub);
bool ubc_tcp_may_grow(struct ubc *ub, int rcvbuf);
void ubc_tcp_orphans_add(struct ubc *ub, int n);
bool ubc_tcp_orphans_many(struct ubc *ub, int shift);
bool ubc_timewait_add(struct ubc *ub, unsigned int size, int most, int part);
void ubc_timewait_sub(struct ubc *ub);

#ifdef CONFIG_UBC_DEBUG
void ubc_recount_walk(struct ubc_recount *rc);
void ubc_glue_recount(struct ubc_glue *g, struct ubc_memory *m);
int ubc_glue_skew(struct ubc_glue *g, bool swap, s64 n);
int ubc_recount_show(struct seq_file *m);
int ubc_recount_skew(u32 id, const char *name, s64 n);
#endif

#endif /* _UBC_GLUE_H */
