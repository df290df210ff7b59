// SPDX-License-Identifier: GPL-2.0
/*
 * Who hears of a refusal: the task that asked, a tracepoint, the log if it
 * broke something, and whoever polls an events file.  The last two hear of a
 * change of pressure, too.
 */
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/proc_fs.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/seqlock.h>
#include <linux/timekeeping.h>
#include <linux/ubc.h>
#include <trace/events/ubc.h>

#include "shim.h"

/*
 * One queue for all UBs: a poller may stay on it longer than the UB whose
 * file it has open.
 */
static DECLARE_WAIT_QUEUE_HEAD(ubc_events_wait);

static void ubc_note_task(u32 res, unsigned long n, unsigned long held,
			  unsigned long bound, u32 severity)
{
	struct ubc_refusal *r = &current->ub_last;

	preempt_disable();
	raw_write_seqcount_begin(&r->seq);
	r->res = res;
	r->severity = severity;
	r->n = n;
	r->held = held;
	r->bound = bound;
	r->time = ktime_get_mono_fast_ns();
	raw_write_seqcount_end(&r->seq);
	preempt_enable();
}

/* The rest is done later. */
static void ubc_glue_changed(struct ubc_glue *g, u32 res,
			     enum ubc_event_kind kind)
{
	/* Limits are not in the events file. */
	if (kind != UBC_EVENT_LIMIT)
		atomic_inc(&g->events);
	ubc_notify_event(g, res, kind);
	irq_work_queue(&g->report);
}

/* Any context but NMI, with anything locked. */
void ubc_glue_refused(struct ubc_glue *g, u32 res, unsigned long n,
		      unsigned long held, unsigned long bound, u32 severity)
{
	trace_ubc_charge_fail(ubc_id(g->ub), res, n, held, bound, severity);
	if (in_task() && READ_ONCE(current->ub) == g->ub)
		ubc_note_task(res, n, held, bound, severity);
	if (severity == UBC_SOFT)
		atomic_or(BIT(res), &g->refused);
	ubc_glue_changed(g, res, UBC_EVENT_FAIL);
}

/* A failcnt has grown: that of oomguarpages counts what an OOM killed. */
void ubc_glue_failed(struct ubc_glue *g, u32 res)
{
	ubc_glue_changed(g, res, res == UBC_OOMGUARPAGES ? UBC_EVENT_OOM :
							   UBC_EVENT_FAIL);
}

/* Any context: kmemsize is charged in NMI, too. */
void ubc_glue_pressure(struct ubc_glue *g, u32 res, unsigned long level,
		       unsigned long held, unsigned long bound)
{
	trace_ubc_pressure(ubc_id(g->ub), res, level, held, bound);
	ubc_glue_changed(g, res, UBC_EVENT_PRESSURE);
}

void ubc_glue_limited(struct ubc_glue *g, u32 res, unsigned long barrier,
		      unsigned long limit)
{
	trace_ubc_limit(ubc_id(g->ub), res, barrier, limit);
	ubc_glue_changed(g, res, UBC_EVENT_LIMIT);
}

void ubc_event_irq(struct irq_work *work)
{
	struct ubc_glue *g = container_of(work, struct ubc_glue, report);
	unsigned long mask = atomic_xchg(&g->refused, 0);
	unsigned int res;

	for_each_set_bit(res, &mask, UBC_RESOURCES)
		if (__ratelimit(&g->ratelimit))
			pr_info("Fatal resource shortage: %s, UB %u.\n",
				ubc_resource_name(res), ubc_id(g->ub));
	wake_up_all(&ubc_events_wait);
	ubc_notify_irq(g);
}

/* The file is gone: nobody is to wait for it. */
void ubc_event_end(struct ubc_glue *g)
{
	wake_up_all(&ubc_events_wait);
}

static int ubc_events_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;

	ubc_look(g->ub);
	/* What comes after this is news. */
	m->poll_event = atomic_read_acquire(&g->events);
	ubc_show_events(m, g->ub);
	return 0;
}

int ubc_events_open(struct inode *inode, struct file *file)
{
	struct ubc_glue *g = pde_data(inode);
	int ret = ubc_may_open() ?: single_open(file, ubc_events_show, g);
	struct seq_file *m;

	if (ret)
		return ret;
	m = file->private_data;
	m->poll_event = atomic_read(&g->events);
	return 0;
}

__poll_t ubc_events_poll(struct file *file, poll_table *wait)
{
	struct seq_file *m = file->private_data;
	struct ubc_glue *g = m->private;

	poll_wait(file, &ubc_events_wait, wait);
	if (m->poll_event != atomic_read(&g->events))
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLPRI;
	return EPOLLIN | EPOLLRDNORM;
}

static int ubc_own_events_open(struct inode *inode, struct file *file)
{
	struct ubc *ub = current->ub;
	struct seq_file *m;
	int ret = ubc_may_open();

	if (ret)
		return ret;
	/* A process of the host that looks into a container's /proc. */
	if (!ub)
		return -ENOENT;
	ret = single_open(file, ubc_events_show, ubc_glue_of(ub));
	if (ret)
		return ret;
	/* Put by ubc_own_events_release(): the file may outlive the task. */
	ubc_get(ub);
	m = file->private_data;
	m->poll_event = atomic_read(&ubc_glue_of(ub)->events);
	return 0;
}

static int ubc_own_events_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct ubc_glue *g = m->private;
	struct ubc *ub = g->ub;
	int ret = single_release(inode, file);

	ubc_put(ub);
	return ret;
}

const struct proc_ops ubc_own_events_ops = {
	.proc_flags	= PROC_ENTRY_VE,
	.proc_open	= ubc_own_events_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_poll	= ubc_events_poll,
	.proc_release	= ubc_own_events_release,
};

/* /proc/PID/ubc_last */
int proc_pid_ubc_last(struct seq_file *m, struct pid_namespace *ns,
		      struct pid *pid, struct task_struct *task)
{
	struct ubc_refusal *last = &task->ub_last, r;
	unsigned int seq;
	u32 ns_part;

	do {
		seq = raw_read_seqcount_begin(&last->seq);
		r = *last;
	} while (read_seqcount_retry(&last->seq, seq));
	if (!r.time)
		return 0;
	r.time = div_u64_rem(r.time, NSEC_PER_SEC, &ns_part);
	seq_printf(m, "resource:\t%s\nrequested:\t%lu\nheld:\t%lu\nbound:\t%lu\nseverity:\t%s\ntime:\t%llu.%09u\n",
		   ubc_resource_name(r.res), r.n, r.held, r.bound,
		   r.severity == UBC_HARD ? "barrier" : "limit", r.time, ns_part);
	return 0;
}
