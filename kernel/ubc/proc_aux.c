// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/bc/ID beside the counters: how the files are opened, and those that
 * only say what is in the memory cgroup and the per-CPU stock of a UB.
 */
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/ubc.h>
#include <linux/vmstat.h>

#include "proc_aux.h"
#include "shim.h"

static int ubc_precharge_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;

	ubc_show_precharge(m, g->ub);
	return 0;
}

void ubc_aux_line(struct seq_file *m, const char *name, unsigned long value)
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

/* Of whom there is something to say. */
enum ubc_aux_who {
	UBC_AUX_ALL,
	UBC_AUX_UB,	/* not of the host, which nothing is counted for */
	UBC_AUX_BOUND,	/* and not before a memory cgroup has been bound */
};

static int ubc_aux_open(struct inode *inode, struct file *file,
			int (*show)(struct seq_file *m, void *v),
			enum ubc_aux_who who, size_t size)
{
	struct ubc_glue *g = pde_data(inode);
	int ret = ubc_may_open();

	if (ret)
		return ret;
	if ((who == UBC_AUX_UB && !ubc_generation(g->ub)) ||
	    (who == UBC_AUX_BOUND && !ubc_glue_bound(g)))
		return -ENODATA;
	return single_open_size(file, show, g, size);
}

/* @size is how much a read gets at least; with more it is done again. */
#define UBC_AUX_OPS(name, who, size)					\
static int ubc_##name##_open(struct inode *inode, struct file *file)	\
{									\
	return ubc_aux_open(inode, file, ubc_##name##_show, who, size);	\
}									\
static const struct proc_ops ubc_##name##_ops = {			\
	.proc_open	= ubc_##name##_open,				\
	.proc_read	= seq_read,					\
	.proc_lseek	= seq_lseek,					\
	.proc_release	= single_release,				\
}

UBC_AUX_OPS(precharge, UBC_AUX_ALL, SZ_4K);
UBC_AUX_OPS(vmaux, UBC_AUX_BOUND, SZ_4K);
UBC_AUX_OPS(nodeinfo, UBC_AUX_BOUND, SZ_4K);
UBC_AUX_OPS(ioacct, UBC_AUX_UB, SZ_4K);
UBC_AUX_OPS(meminfo, UBC_AUX_BOUND, SZ_4K);
UBC_AUX_OPS(slabinfo, UBC_AUX_UB, SZ_64K);
UBC_AUX_OPS(dcacheinfo, UBC_AUX_UB, SZ_64K);

static const struct {
	const char *name;
	const struct proc_ops *ops;
} ubc_aux_files[] = {
	{ "precharge", &ubc_precharge_ops },
	{ "vmaux", &ubc_vmaux_ops },
	{ "nodeinfo", &ubc_nodeinfo_ops },
	{ "ioacct", &ubc_ioacct_ops },
	{ "meminfo", &ubc_meminfo_ops },
	{ "slabinfo", &ubc_slabinfo_ops },
	{ "dcacheinfo", &ubc_dcacheinfo_ops },
};

bool ubc_proc_aux(struct ubc_glue *g, struct proc_dir_entry *dir)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubc_aux_files); i++)
		if (!proc_create_data(ubc_aux_files[i].name, 0400, dir,
				      ubc_aux_files[i].ops, g))
			return false;
	return true;
}
