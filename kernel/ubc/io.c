// SPDX-License-Identifier: GPL-2.0
/*
 * What a UB reads and writes: /proc/bc/ID/ioacct.
 *
 * The counters are per CPU and belong to struct ubc_glue: they are as old as
 * the UB and stay until it is freed, also after its owner has gone.  They are
 * changed in any context but NMI, with one instruction, by whoever acts or,
 * for what is written back, by whoever writes; the sum of all CPUs counts.
 */
#include <linux/memcontrol.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/ubc.h>

#include "proc_aux.h"
#include "shim.h"

struct ubc_io_stat {
	unsigned long n[UBC_IOS];
};

int ubc_io_init(struct ubc_glue *g)
{
	g->io = alloc_percpu(struct ubc_io_stat);
	return g->io ? 0 : -ENOMEM;
}

void ubc_io_free(struct ubc_glue *g)
{
	free_percpu(g->io);
}

void ubc_io_slow(struct ubc *ub, enum ubc_io what, unsigned long n)
{
	this_cpu_add(ubc_glue_of(ub)->io->n[what], n);
}
EXPORT_SYMBOL_GPL(ubc_io_slow);

/* The UB is kept by the rules of kmem.c. */
void ubc_folio_written_slow(struct folio *folio, unsigned long pages)
{
	struct obj_cgroup *objcg = folio_objcg(folio);
	struct ubc *ub;

	if (!objcg)
		return;
	rcu_read_lock();
	ub = READ_ONCE(objcg->ub);
	if (ub)
		ubc_io_slow(ub, UBC_IO_WRITE, pages << PAGE_SHIFT);
	rcu_read_unlock();
}

static unsigned long ubc_io_sum(struct ubc_glue *g, enum ubc_io what)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(g->io, cpu)->n[what]);
	return sum;
}

int ubc_ioacct_show(struct seq_file *m, void *v)
{
	static const char *const kinds[UBC_IO_SYNC_KINDS] = {
		"syncs", "fsyncs", "fdatasyncs", "range_syncs",
	};
	unsigned long done[UBC_IO_SYNC_KINDS], begun[UBC_IO_SYNC_KINDS];
	struct ubc_glue *g = m->private;
	unsigned long dirty = 0;
	char name[24];
	int i;

	for (i = 0; i < UBC_IO_SYNC_KINDS; i++)
		begun[i] = ubc_io_sum(g, UBC_IO_SYNC + i);
	/* What returns meanwhile is not active, nor is what begins. */
	smp_rmb();
	for (i = 0; i < UBC_IO_SYNC_KINDS; i++)
		done[i] = ubc_io_sum(g, UBC_IO_SYNC_DONE + i);
	if (ubc_glue_bound(g)) {
		css_rstat_flush(&g->memcg->css);
		dirty = memcg_page_state(g->memcg, NR_FILE_DIRTY);
	}

	ubc_aux_line(m, "read", ubc_io_sum(g, UBC_IO_READ));
	ubc_aux_line(m, "write", ubc_io_sum(g, UBC_IO_WRITE));
	ubc_aux_line(m, "dirty", ubc_io_sum(g, UBC_IO_DIRTY));
	ubc_aux_line(m, "cancel", ubc_io_sum(g, UBC_IO_CANCEL));
	/* Every page that gets dirty is seen. */
	ubc_aux_line(m, "missed", 0);
	for (i = 0; i < UBC_IO_SYNC_KINDS; i++) {
		snprintf(name, sizeof(name), "%s_total", kinds[i]);
		ubc_aux_line(m, name, begun[i]);
	}
	for (i = 0; i < UBC_IO_SYNC_KINDS; i++) {
		snprintf(name, sizeof(name), "%s_active", kinds[i]);
		ubc_aux_line(m, name,
			     begun[i] > done[i] ? begun[i] - done[i] : 0);
	}
	ubc_aux_line(m, "io_pbs", dirty);
	/* FUSE counts nothing by UB. */
	ubc_aux_line(m, "fuse_requests", 0);
	ubc_aux_line(m, "fuse_bytes", 0);
	return 0;
}
