// SPDX-License-Identifier: GPL-2.0
/*
 * How much of the memory of a UB may be dirty: domain_dirty_limits() of the
 * memory cgroup with ratios of its own.
 */
#include <linux/backing-dev-defs.h>
#include <linux/memcontrol.h>
#include <linux/ubc.h>

#include "shim.h"

int ubc_dirty_ratio = 50;
int ubc_dirty_background_ratio = 30;

/*
 * @wb keeps its memory cgroup and those above it; which UB that is does not
 * matter.
 */
void ubc_dirty_ratios_slow(const struct bdi_writeback *wb, unsigned long *ratio,
			   unsigned long *bg_ratio)
{
	struct mem_cgroup *memcg = mem_cgroup_from_css(wb->memcg_css);

	while (memcg && !READ_ONCE(memcg->ub))
		memcg = parent_mem_cgroup(memcg);
	if (!memcg)
		return;
	*ratio = READ_ONCE(ubc_dirty_ratio) * PAGE_SIZE / 100;
	*bg_ratio = READ_ONCE(ubc_dirty_background_ratio) * PAGE_SIZE / 100;
}
