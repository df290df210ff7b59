// SPDX-License-Identifier: GPL-2.0
/*
 * maxheld of what a memory cgroup counts: its watermark, which memory.peak
 * shows, too.
 */
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/ubc.h>

#include "shim.h"

/*
 * Bound, may sleep.  Who has reset memory.peak for an open file reads the
 * larger of a value of its own and the local watermark: keep what that was.
 */
void ubc_glue_reset_peak(struct ubc_glue *g, bool swap)
{
	struct mem_cgroup *memcg = g->memcg;
	struct page_counter *c = swap ? &memcg->swap : &memcg->memory;
	struct list_head *readers = swap ? &memcg->swap_peaks :
					   &memcg->memory_peaks;
	struct cgroup_of_peak *reader;

	spin_lock(&memcg->peaks_lock);
	list_for_each_entry(reader, readers, list)
		WRITE_ONCE(reader->value, max(reader->value,
					      READ_ONCE(c->local_watermark)));
	page_counter_reset_watermark(c);
	spin_unlock(&memcg->peaks_lock);
}
