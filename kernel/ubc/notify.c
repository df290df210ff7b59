// SPDX-License-Identifier: GPL-2.0
/*
 * Events of a UB on their way to the netlink group, and what has changed when.
 *
 * An event happens in any context: it is counted there, the irq_work of the UB
 * starts a work item, and that sends.  A message tells what is so when it is
 * sent: several events of a kind may share one, and those that get none of
 * their own are counted as dropped.  With nobody listening the irq_work
 * forgets what was counted.
 *
 * No locks.  The counts are atomic, a queue is touched by the work item only,
 * and by ubc_notify_end() after the last one.  A UB has no event after its
 * last reference is gone for a grace period.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/ubc.h>
#include <linux/workqueue.h>

#include "shim.h"

static atomic64_t ubc_epoch = ATOMIC64_INIT(1);

/*
 * Begins a period and returns its number.  Whoever then reads a resource finds
 * every change from before: in what it reads, or stamped with this number or a
 * later one.
 */
u64 ubc_notify_epoch(void)
{
	return atomic64_inc_return(&ubc_epoch);
}

/* Has it changed in the period @since or later?  Read it after that. */
bool ubc_notify_changed(struct ubc_glue *g, u32 res, u64 since)
{
	return (u64)atomic64_read_acquire(&g->notify.changed[res]) >= since;
}

/* To be called after the change. */
static void ubc_notify_stamp(struct ubc_notify *n, u32 res)
{
	s64 now;

	do {
		/* Orders the change before reading the number. */
		smp_mb();
		now = atomic64_read(&ubc_epoch);
		atomic64_set(&n->changed[res], now);
		/* Orders the stamp before reading the number again. */
		smp_mb();
	} while (atomic64_read(&ubc_epoch) != now);
}

/* Any context; the caller queues the irq_work. */
void ubc_notify_event(struct ubc_glue *g, u32 res, enum ubc_event_kind kind)
{
	struct ubc_notify *n = &g->notify;

	ubc_notify_stamp(n, res);
	atomic_inc(&n->count[res][kind]);
	atomic_or(BIT(res), &n->pending);
}

/* Interrupt context. */
void ubc_notify_irq(struct ubc_glue *g)
{
	struct ubc_notify *n = &g->notify;
	unsigned long mask;
	unsigned int res, kind;

	if (!atomic_read(&n->pending))
		return;
	if (ubc_netlink_heard()) {
		mod_delayed_work(system_dfl_wq, &n->work, 0);
		return;
	}
	mask = atomic_xchg(&n->pending, 0);
	for_each_set_bit(res, &mask, UBC_RESOURCES)
		for (kind = 0; kind < UBC_EVENT_KINDS; kind++)
			atomic_set(&n->count[res][kind], 0);
}

/* Moves what was counted to the queues. */
static void ubc_notify_collect(struct ubc_notify *n)
{
	unsigned long mask = atomic_xchg(&n->pending, 0);
	unsigned int res, kind, count;

	for_each_set_bit(res, &mask, UBC_RESOURCES) {
		struct ubc_notify_queue *q = &n->queue[res];

		for (kind = 0; kind < UBC_EVENT_KINDS; kind++) {
			count = atomic_xchg(&n->count[res][kind], 0);
			/* One of them will have the message. */
			if (count && !(q->kinds & BIT(kind))) {
				q->kinds |= BIT(kind);
				count--;
			}
			q->dropped += count;
		}
	}
}

/* How long until the next message may be sent, in jiffies. */
static unsigned long ubc_notify_wait(const struct ubc_notify_queue *q)
{
	unsigned long now = jiffies, free;

	if (q->used < UBC_NOTIFY_RATE)
		return 0;
	/* The oldest was sent anywhere in its jiffy. */
	free = q->sent[q->next] + HZ + 1;
	return time_before(now, free) ? free - now : 0;
}

static void ubc_notify_sent(struct ubc_notify_queue *q)
{
	q->sent[q->next] = jiffies;
	q->next = (q->next + 1) % UBC_NOTIFY_RATE;
	q->used = min(q->used + 1, UBC_NOTIFY_RATE);
	q->dropped = 0;
}

/* Sends what may be sent now; 0, or when there is more to do. */
static unsigned long ubc_notify_flush(struct ubc_glue *g, u32 res)
{
	struct ubc_notify_queue *q = &g->notify.queue[res];
	unsigned long wait;
	unsigned int kind;

	while (q->kinds) {
		wait = ubc_notify_wait(q);
		if (wait)
			return wait;
		kind = __ffs(q->kinds);
		q->kinds &= ~BIT(kind);
		if (ubc_netlink_send(g->ub, res, kind, q->dropped) == -ENOMEM)
			q->dropped++;
		else
			ubc_notify_sent(q);
	}
	return 0;
}

static unsigned long ubc_notify_send(struct ubc_glue *g)
{
	unsigned long wait, next = 0;
	unsigned int res;

	ubc_notify_collect(&g->notify);
	for (res = 0; res < UBC_RESOURCES; res++) {
		wait = ubc_notify_flush(g, res);
		next = min_not_zero(next, wait);
	}
	return next;
}

static void ubc_notify_work(struct work_struct *work)
{
	struct ubc_glue *g = container_of(to_delayed_work(work),
					  struct ubc_glue, notify.work);
	unsigned long next = ubc_notify_send(g);

	if (next)
		queue_delayed_work(system_dfl_wq, &g->notify.work, next);
}

void ubc_notify_init(struct ubc_glue *g)
{
	INIT_DELAYED_WORK(&g->notify.work, ubc_notify_work);
}

/*
 * The UB is about to be freed: sends what is left, as far as the rate allows.
 * Nobody can have its files open any more.
 */
void ubc_notify_end(struct ubc_glue *g)
{
	irq_work_sync(&g->report);
	cancel_delayed_work_sync(&g->notify.work);
	ubc_notify_send(g);
}
