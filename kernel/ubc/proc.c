// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/user_beancounters and /proc/bc: registration, permissions, iteration.
 * The lines themselves are printed by show.rs.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/ubc.h>

#include "shim.h"

static struct proc_dir_entry *ubc_proc_root;

/*
 * The position is a creation number counted down from the newest UB, so UBs
 * that come and go between two reads neither repeat nor hide others.
 */
#define UBC_POS_MAX	((loff_t)1 << 62)

struct ubc_iter {
	/* The only UB its reader may see; NULL on the host. */
	struct ubc *own;
	enum ubc_table table;
};

/* Opening is decided by the opener, also for a reader that got it passed. */
int ubc_may_open(void)
{
	struct user_namespace *ns = current_user_ns();

	/* A user namespace on the host owns no beancounter. */
	if (!current->ub)
		ns = &init_user_ns;
	if (!ns_capable(ns, CAP_DAC_OVERRIDE) ||
	    !ns_capable(ns, CAP_DAC_READ_SEARCH))
		return -EACCES;
	return 0;
}

static void *ubc_seq_at(struct ubc_iter *it, loff_t *pos)
{
	struct ubc *ub;

	if (*pos > UBC_POS_MAX)
		return NULL;
	if (it->own) {
		if (*pos > 1)
			return NULL;
		*pos = 1;
		ubc_get(it->own);
		return it->own;
	}
	ub = ubc_lookup_older(UBC_POS_MAX - *pos);
	if (ub)
		*pos = UBC_POS_MAX - ubc_generation(ub);
	return ub;
}

static void *ubc_seq_start(struct seq_file *m, loff_t *pos)
{
	if (!*pos)
		return SEQ_START_TOKEN;
	return ubc_seq_at(m->private, pos);
}

static void ubc_seq_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		ubc_put(v);
}

static void *ubc_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	ubc_seq_stop(m, v);
	++*pos;
	return ubc_seq_at(m->private, pos);
}

static int ubc_seq_show(struct seq_file *m, void *v)
{
	struct ubc_iter *it = m->private;

	if (v == SEQ_START_TOKEN)
		ubc_show_header(m);
	else
		ubc_show(m, v, it->table);
	return 0;
}

static const struct seq_operations ubc_seq_ops = {
	.start	= ubc_seq_start,
	.next	= ubc_seq_next,
	.stop	= ubc_seq_stop,
	.show	= ubc_seq_show,
};

static int ubc_list_open(struct inode *inode, struct file *file)
{
	struct ubc_iter *it;
	int ret = ubc_may_open();

	if (ret)
		return ret;
	it = __seq_open_private(file, &ubc_seq_ops, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->table = (unsigned long)pde_data(inode);
	it->own = current->ub;
	if (it->own)
		ubc_get(it->own);
	return 0;
}

static int ubc_list_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct ubc_iter *it = m->private;

	if (it->own)
		ubc_put(it->own);
	return seq_release_private(inode, file);
}

static const struct proc_ops ubc_list_ops = {
	.proc_open	= ubc_list_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_release	= ubc_list_release,
};

static int ubc_one_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;

	ubc_show(m, g->ub, UBC_TABLE_BARE);
	return 0;
}

/* remove_proc_subtree() waits for openers, so the UB outlives the file. */
static int ubc_one_open(struct inode *inode, struct file *file)
{
	int ret = ubc_may_open();

	return ret ?: single_open(file, ubc_one_show, pde_data(inode));
}

static const struct proc_ops ubc_one_ops = {
	.proc_open	= ubc_one_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_release	= single_release,
};

static const struct proc_ops ubc_events_ops = {
	.proc_open	= ubc_events_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_poll	= ubc_events_poll,
	.proc_release	= single_release,
};

static int ubc_proc_dir(struct ubc_glue *g, const char *name)
{
	struct proc_dir_entry *dir;

	dir = proc_mkdir_mode(name, 0500, ubc_proc_root);
	if (!dir)
		return -ENOMEM;
	if (!proc_create_data("resources", 0400, dir, &ubc_one_ops, g) ||
	    !proc_create_data("events", 0400, dir, &ubc_events_ops, g) ||
	    !ubc_proc_aux(g, dir)) {
		proc_remove(dir);
		return -ENOMEM;
	}
	g->dir = dir;
	return 0;
}

int ubc_glue_proc_add(struct ubc_glue *g, u32 id)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", id);
	return ubc_proc_dir(g, name);
}

int ubc_glue_proc_add_drained(struct ubc_glue *g, u32 id, u64 gen)
{
	char name[40];

	snprintf(name, sizeof(name), "%u-%llu", id, gen);
	return ubc_proc_dir(g, name);
}

void ubc_glue_proc_del(struct ubc_glue *g)
{
	if (!g->dir)
		return;
	proc_remove(g->dir);
	g->dir = NULL;
	ubc_event_end(g);
}

/* The last lines of /proc/PID/status. */
void ubc_proc_status(struct seq_file *m, struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct ubc *ub;

	rcu_read_lock();
	ub = READ_ONCE(task->ub);
	seq_put_decimal_ull(m, "TaskUB:\t", ub ? ubc_id(ub) : 0);
	rcu_read_unlock();
	if (mm) {
		seq_put_decimal_ull(m, "\nMMUB:\t", mm->ub ? ubc_id(mm->ub) : 0);
		seq_putc(m, '\n');
		mmput(mm);
	} else {
		seq_puts(m, "\nMMUB:\tN/A\n");
	}
}

int ubc_proc_init(void)
{
	ubc_proc_root = proc_mkdir_mode("bc", 0500, NULL);
	if (!ubc_proc_root)
		return -ENOMEM;
	if (!proc_create_data("resources", 0400, ubc_proc_root, &ubc_list_ops,
			      (void *)UBC_TABLE_BC) ||
	    !proc_create_data("user_beancounters", 0400, NULL, &ubc_list_ops,
			      (void *)UBC_TABLE_ALL)) {
		proc_remove(ubc_proc_root);
		return -ENOMEM;
	}
	return 0;
}
