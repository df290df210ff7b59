/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _UBC_SHIM_H
#define _UBC_SHIM_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/ratelimit_types.h>
#include <linux/workqueue.h>

#include "glue.h"

struct file;
struct inode;
struct mem_cgroup;
struct poll_table_struct;
struct proc_dir_entry;
struct ubc;
struct ubc_io_stat;
struct ubc_stock;

#define UBC_EVENT_KINDS		4	/* enum ubc_event_kind */
#define UBC_NOTIFY_RATE		10	/* messages per second and resource */

/* Only the sending work item touches it. */
struct ubc_notify_queue {
	/* jiffies of the last messages, from the oldest at @next. */
	unsigned long sent[UBC_NOTIFY_RATE];
	unsigned long dropped;
	u8 next;
	u8 used;
	u8 kinds;	/* that have a message to come */
};

/* Events of one UB on their way to the netlink group. */
struct ubc_notify {
	struct delayed_work work;
	/* Resources that have something in @count. */
	atomic_t pending;
	atomic_t count[UBC_RESOURCES][UBC_EVENT_KINDS];
	/* When each resource changed last, in requests for changes. */
	atomic64_t changed[UBC_RESOURCES];
	struct ubc_notify_queue queue[UBC_RESOURCES];
};

/* Allocated and freed with its UB. */
struct ubc_glue {
	struct ubc *ub;
	struct ubc_stock __percpu *stock;
	/* Statistics, see io.c. */
	struct ubc_io_stat __percpu *io;
	struct rcu_work release;
	struct irq_work report;
	struct ratelimit_state ratelimit;
	/* Which resources were refused at their limit and not logged yet. */
	atomic_t refused;
	/* Counts what pollers of the events file wait for. */
	atomic_t events;
	/* Who listens to the netlink group, see notify.c. */
	struct ubc_notify notify;
	/* Set once, with a css reference, and valid until the UB is freed. */
	struct mem_cgroup *memcg;
	struct work_struct shrink;
	/* Objcgs that charge kmemsize and dcachesize here, see kmem.c. */
	struct list_head objcgs;
	/* In jiffies: no shrinking ahead of need, no OOM kill before that. */
	unsigned long shrink_after, oom_after;
	/* /proc/bc/ID or /proc/bc/ID-GEN, if it could be made. */
	struct proc_dir_entry *dir;
#ifdef CONFIG_UBC_DEBUG
	/* Bytes of kernel memory in the memory cgroup that nobody pays for. */
	s64 kmem_base;
#endif
};

/* proc.c */
int ubc_may_open(void);

/* proc_aux.c */
bool ubc_proc_aux(struct ubc_glue *g, struct proc_dir_entry *dir);

/* io.c */
int ubc_io_init(struct ubc_glue *g);
void ubc_io_free(struct ubc_glue *g);

/* writeback.c: percent */
extern int ubc_dirty_ratio, ubc_dirty_background_ratio;

/* event.c */
void ubc_event_irq(struct irq_work *work);
void ubc_event_end(struct ubc_glue *g);
int ubc_events_open(struct inode *inode, struct file *file);
__poll_t ubc_events_poll(struct file *file, struct poll_table_struct *wait);
/* notify.c */
void ubc_notify_init(struct ubc_glue *g);
void ubc_notify_event(struct ubc_glue *g, u32 res, enum ubc_event_kind kind);
void ubc_notify_irq(struct ubc_glue *g);
u64 ubc_notify_epoch(void);
bool ubc_notify_changed(struct ubc_glue *g, u32 res, u64 since);
/* netlink.c */
#ifdef CONFIG_NET
bool ubc_netlink_heard(void);
int ubc_netlink_send(struct ubc *ub, u32 res, enum ubc_event_kind kind,
		     unsigned long dropped);
#else
static inline bool ubc_netlink_heard(void)
{
	return false;
}

static inline int ubc_netlink_send(struct ubc *ub, u32 res,
				   enum ubc_event_kind kind,
				   unsigned long dropped)
{
	return -ESRCH;
}
#endif
/* kmem.c: 0 or -ENOMEM, without statistics. */
struct obj_cgroup;
int ubc_objcg_try(struct obj_cgroup *objcg, enum ubc_resource res,
		  unsigned long n, enum ubc_severity sev);
/* kmem_shrink.c: the same after an attempt to free something; may sleep. */
int ubc_objcg_try_shrink(struct obj_cgroup *objcg, gfp_t gfp,
			 enum ubc_resource res, unsigned long n,
			 enum ubc_severity sev);
void ubc_objcg_keep_room(struct obj_cgroup *objcg, gfp_t gfp);
/* recount.c: the UB has just been bound to @memcg, which nobody uses yet. */
#ifdef CONFIG_UBC_DEBUG
void ubc_recount_bound(struct ubc_glue *g, struct mem_cgroup *memcg);
#else
static inline void ubc_recount_bound(struct ubc_glue *g,
				     struct mem_cgroup *memcg) { }
#endif

#endif /* _UBC_SHIM_H */
