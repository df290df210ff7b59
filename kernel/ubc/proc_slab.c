// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/bc/ID/slabinfo: how many objects of each slab cache a UB pays for.
 *
 * memcg_walk_slabs() looks at all pages, under slab_mutex.
 */
#include <linux/seq_file.h>
#include <linux/ubc.h>

#include "proc_aux.h"
#include "shim.h"

struct ubc_slabinfo {
	struct ubc_slab_walk walk;
	const struct ubc *ub;
	struct seq_file *m;
};

static void ubc_slabinfo_object(struct ubc_slab_walk *walk,
				struct ubc_slab_cache *cache, const void *obj,
				const struct ubc *ub)
{
	struct ubc_slabinfo *info = container_of(walk, typeof(*info), walk);

	if (ub == info->ub)
		cache->count++;
}

static void ubc_slabinfo_cache(struct ubc_slab_walk *walk,
			       const struct ubc_slab_cache *cache)
{
	struct ubc_slabinfo *info = container_of(walk, typeof(*info), walk);

	if (cache->count)
		seq_printf(info->m, "%s: %lu\n", cache->name, cache->count);
}

int ubc_slabinfo_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;
	struct ubc_slabinfo info = {
		.walk.object = ubc_slabinfo_object,
		.walk.cache = ubc_slabinfo_cache,
		.ub = g->ub,
		.m = m,
	};

	return memcg_walk_slabs(&info.walk);
}
