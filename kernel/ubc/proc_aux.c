// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/bc/ID/{precharge,vmaux,nodeinfo}: what a container's memory cgroup
 * and its per-CPU stock say beyond the counters.
 */
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/ubc.h>
#include <linux/vmstat.h>

#include "shim.h"

static int ubc_precharge_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;

	ubc_show_precharge(m, g->ub);
	return 0;
}

static void ubc_aux_line(struct seq_file *m, const char *name,
			 unsigned long value)
{
	seq_printf(m, "\t%-20s %21lu\n", name, value);
}

/* Pages, except for the events swapin and swapout, which are also of pages. */
static int ubc_vmaux_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;
	struct mem_cgroup *memcg = g->memcg;
	unsigned long swap = page_counter_read(&memcg->swap);

	mem_cgroup_flush_stats(memcg);
	ubc_aux_line(m, "tmpfs_respages", memcg_page_state(memcg, NR_SHMEM));
	ubc_aux_line(m, "swapin", memcg_events(memcg, PSWPIN));
	ubc_aux_line(m, "swapout", memcg_events(memcg, PSWPOUT));
	/* There is no second swap in RAM: zswap belongs to the host. */
	ubc_aux_line(m, "vswapin", 0);
	ubc_aux_line(m, "vswapout", 0);
	ubc_aux_line(m, "ram", page_counter_read(&memcg->memory));
	ubc_aux_line(m, "shadow", 0);
	ubc_aux_line(m, "swap", swap);
	ubc_aux_line(m, "swap_entries", swap);
	ubc_aux_line(m, "hugetlb", 0);
	return 0;
}

static int ubc_nodeinfo_show(struct seq_file *m, void *v)
{
	static const struct {
		const char *name;
		enum node_stat_item item;
	} lru[] = {
		{ "Active(anon):", NR_ACTIVE_ANON },
		{ "Inactive(anon):", NR_INACTIVE_ANON },
		{ "Active(file):", NR_ACTIVE_FILE },
		{ "Inactive(file):", NR_INACTIVE_FILE },
		{ "Unevictable:", NR_UNEVICTABLE },
	};
	struct ubc_glue *g = m->private;
	unsigned int i;
	int nid;

	mem_cgroup_flush_stats(g->memcg);
	for_each_node_state(nid, N_MEMORY) {
		struct lruvec *lruvec = mem_cgroup_lruvec(g->memcg,
							  NODE_DATA(nid));

		for (i = 0; i < ARRAY_SIZE(lru); i++)
			seq_printf(m, "Node %d %-16s %12lu kB\n", nid,
				   lru[i].name,
				   lruvec_page_state(lruvec, lru[i].item) <<
					(PAGE_SHIFT - 10));
	}
	return 0;
}

static int ubc_aux_open(struct inode *inode, struct file *file,
			int (*show)(struct seq_file *m, void *v), bool bound)
{
	struct ubc_glue *g = pde_data(inode);
	int ret = ubc_may_open();

	if (ret)
		return ret;
	/* The host's, and one whose owner has not got that far. */
	if (bound && !ubc_glue_bound(g))
		return -ENODATA;
	return single_open(file, show, g);
}

#define UBC_AUX_OPS(name, bound)					\
static int ubc_##name##_open(struct inode *inode, struct file *file)	\
{									\
	return ubc_aux_open(inode, file, ubc_##name##_show, bound);	\
}									\
static const struct proc_ops ubc_##name##_ops = {			\
	.proc_open	= ubc_##name##_open,				\
	.proc_read	= seq_read,					\
	.proc_lseek	= seq_lseek,					\
	.proc_release	= single_release,				\
}

UBC_AUX_OPS(precharge, false);
UBC_AUX_OPS(vmaux, true);
UBC_AUX_OPS(nodeinfo, true);

bool ubc_proc_aux(struct ubc_glue *g, struct proc_dir_entry *dir)
{
	return proc_create_data("precharge", 0400, dir, &ubc_precharge_ops, g) &&
	       proc_create_data("vmaux", 0400, dir, &ubc_vmaux_ops, g) &&
	       proc_create_data("nodeinfo", 0400, dir, &ubc_nodeinfo_ops, g);
}
