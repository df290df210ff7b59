// SPDX-License-Identifier: GPL-2.0
/*
 * The recount: what every UB holds, from the objects that exist.
 *
 * Reading /sys/kernel/debug/ubc/recount walks tasks, signals, locks and inodes
 * where the kernel lists them, and all pages of the machine and of swap for
 * slabs and folios.  Files, address spaces, sockets, ptys and rules have no
 * list of all: they are linked here from when they are made until they are
 * freed, if somebody pays for them.
 * (Linked to something that is never freed, an object cannot be found by
 * kmemleak: so not those of the host.)  Who pays is read from the object when
 * it is counted.  recount.rs adds up and compares with the counters.
 *
 * Nothing is stopped meanwhile: the numbers agree when nothing changes.
 *
 * ubc_link_lock is taken with interrupts off, in any context but NMI, and
 * nests in anything; nothing is taken inside of it.
 */
#include <linux/cgroup.h>
#include <linux/debugfs.h>
#include <linux/memcontrol.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/ubc.h>

#include "recount.h"
#include "shim.h"

static DEFINE_SPINLOCK(ubc_link_lock);
static struct hlist_head ubc_links[UBC_KINDS];

/* Once for each object, before ubc_untrack_link(). */
void ubc_track_link(struct hlist_node *link, enum ubc_kind kind,
		    const struct ubc *owner)
{
	unsigned long flags;

	INIT_HLIST_NODE(link);
	if (!owner)
		return;
	spin_lock_irqsave(&ubc_link_lock, flags);
	hlist_add_head(link, &ubc_links[kind]);
	spin_unlock_irqrestore(&ubc_link_lock, flags);
}
EXPORT_SYMBOL_GPL(ubc_track_link);

/* @link may also be all zero. */
void ubc_untrack_link(struct hlist_node *link)
{
	unsigned long flags;

	if (hlist_unhashed(link))
		return;
	spin_lock_irqsave(&ubc_link_lock, flags);
	hlist_del_init(link);
	spin_unlock_irqrestore(&ubc_link_lock, flags);
}
EXPORT_SYMBOL_GPL(ubc_untrack_link);

void ubc_recount_each(struct ubc_recount *rc, enum ubc_kind kind,
		      void (*count)(struct ubc_recount *rc,
				    struct hlist_node *link))
{
	struct hlist_node *link;

	spin_lock_irq(&ubc_link_lock);
	hlist_for_each(link, &ubc_links[kind])
		count(rc, link);
	spin_unlock_irq(&ubc_link_lock);
}

void ubc_recount_walk(struct ubc_recount *rc)
{
	ubc_recount_tasks(rc);
	ubc_recount_memory(rc);
	ubc_recount_files(rc);
	ubc_recount_net(rc);
	ubc_recount_dcache(rc);
	ubc_recount_pages(rc);
}

/*
 * kmemsize, in bytes: what the memory cgroup counts for itself, less what it
 * had when the UB was bound to it, which nobody pays for.
 */
static s64 ubc_memcg_kmem(struct mem_cgroup *memcg)
{
	css_rstat_flush(&memcg->css);
	return (s64)memcg_page_state(memcg, MEMCG_KMEM) << PAGE_SHIFT;
}

void ubc_recount_bound(struct ubc_glue *g, struct mem_cgroup *memcg)
{
	g->kmem_base = ubc_memcg_kmem(memcg);
}

/* When the UB has left the cgroup it pays for nothing there. */
static bool ubc_glue_pays(struct ubc_glue *g)
{
	return ubc_glue_bound(g) && READ_ONCE(g->memcg->ub) == g->ub;
}

void ubc_glue_recount(struct ubc_glue *g, struct ubc_memory *m)
{
	struct mem_cgroup *memcg;
	s64 kmem;

	*m = (struct ubc_memory){ };
	if (!ubc_glue_pays(g))
		return;
	memcg = g->memcg;
	kmem = ubc_memcg_kmem(memcg);
	m->kmem = kmem - g->kmem_base;
	m->kernel = (kmem >> PAGE_SHIFT) + memcg_page_state(memcg, MEMCG_SOCK);
	m->phys = page_counter_read(&memcg->memory);
	m->swap = page_counter_read(&memcg->swap);
}

/* Pages; more would wrap the counters above. */
#define UBC_SKEW_MAX	S32_MAX

/* A wrong number of pages or, if negative, of pages too few. */
int ubc_glue_skew(struct ubc_glue *g, bool swap, s64 n)
{
	struct page_counter *c;

	if (!ubc_glue_pays(g))
		return -EINVAL;
	c = swap ? &g->memcg->swap : &g->memcg->memory;
	if (n > UBC_SKEW_MAX || n < -(s64)page_counter_read(c))
		return -EINVAL;
	if (n >= 0)
		page_counter_charge(c, n);
	else
		page_counter_uncharge(c, -n);
	return 0;
}

/* debugfs */

static int ubc_recount_seq(struct seq_file *m, void *v)
{
	return ubc_recount_show(m);
}

static int ubc_recount_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, ubc_recount_seq, NULL, SZ_64K);
}

static const struct file_operations ubc_recount_fops = {
	.owner		= THIS_MODULE,
	.open		= ubc_recount_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* "ID RESOURCE N": a wrong count for tests of the recount. */
static ssize_t ubc_skew_write(struct file *file, const char __user *buf,
			      size_t len, loff_t *pos)
{
	char text[64], name[16];
	u32 id;
	s64 n;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, len))
		return -EFAULT;
	text[len] = 0;
	if (sscanf(text, "%u %15s %lld", &id, name, &n) != 3)
		return -EINVAL;
	return ubc_recount_skew(id, name, n) ?: (ssize_t)len;
}

static const struct file_operations ubc_skew_fops = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.write		= ubc_skew_write,
};

static int __init ubc_recount_init(void)
{
	struct dentry *dir = debugfs_create_dir("ubc", NULL);

	debugfs_create_file("recount", 0400, dir, NULL, &ubc_recount_fops);
	debugfs_create_file("skew", 0200, dir, NULL, &ubc_skew_fops);
	return 0;
}
late_initcall(ubc_recount_init);
