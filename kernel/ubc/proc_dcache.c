// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/bc/ID/dcacheinfo: on which file systems a UB has dentries and inodes.
 *
 * There is no list of the dentries or inodes of a UB.  So:
 *
 * 1. All superblocks are put into a table.  Their root dentry tells which cache
 *    has the dentries, and its inode in which cache, and where in an object of
 *    it, the inodes of such a file system are.
 * 2. memcg_walk_slabs() finds all objects that the UB pays for.  In those of
 *    the known caches the pointer to the superblock is read like memory that
 *    may not be there, and only looked up in the table.
 *
 * An object is thus never used, and a superblock only under its s_umount.  What
 * changes meanwhile may be counted with another file system or with none: the
 * last line, which also has objects whose cache the root inode is not from.
 *
 * Locks: s_umount of each superblock, shared, if it is free and the superblock
 * ready: who mounts may take for ever.  What is left out is in the last line,
 * too.  The walk takes slab_mutex after that, without any of them.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/kdev_t.h>
#include <linux/list.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/ubc.h>
#include <linux/uaccess.h>

#include "proc_aux.h"
#include "shim.h"

#define UBC_SB_BITS	8

struct ubc_use {
	unsigned long dentries, dentry_bytes, inodes, inode_bytes;
};

/* One superblock, as it was when it was found. */
struct ubc_sb_use {
	struct hlist_node hash;
	struct list_head list;
	const struct super_block *sb;	/* may be gone: never followed */
	dev_t dev;
	char type[24];
	struct ubc_use use;
};

/* Where the inodes of a cache are. */
struct ubc_inode_cache {
	struct list_head list;
	const struct kmem_cache *cache;	/* may be gone, too */
	int offset;
};

/* Lives on the heap for one read. */
struct ubc_dcacheinfo {
	struct ubc_slab_walk walk;
	const struct ubc *ub;
	const struct kmem_cache *dentry_cache;
	int dentry_offset;
	int error;
	struct list_head supers, inode_caches;
	struct hlist_head hash[1 << UBC_SB_BITS];
	struct ubc_use other;
};

static struct ubc_inode_cache *
ubc_inode_cache_find(struct ubc_dcacheinfo *info,
		     const struct kmem_cache *cache)
{
	struct ubc_inode_cache *c;

	list_for_each_entry(c, &info->inode_caches, list)
		if (c->cache == cache)
			return c;
	return NULL;
}

/* The superblock's s_umount is held: so its root stays. */
static int ubc_dcacheinfo_learn(struct ubc_dcacheinfo *info,
				const struct dentry *root)
{
	const struct kmem_cache *cache;
	struct ubc_inode_cache *c;
	int offset;

	offset = memcg_slab_of(root, &cache);
	if (offset >= 0) {
		info->dentry_cache = cache;
		info->dentry_offset = offset;
	}
	offset = memcg_slab_of(d_inode(root), &cache);
	if (offset < 0 || ubc_inode_cache_find(info, cache))
		return 0;
	c = kmalloc_obj(*c, GFP_NOFS);
	if (!c)
		return -ENOMEM;
	c->cache = cache;
	c->offset = offset;
	list_add_tail(&c->list, &info->inode_caches);
	return 0;
}

static void ubc_dcacheinfo_super(struct super_block *sb, void *arg)
{
	struct ubc_dcacheinfo *info = arg;
	struct ubc_sb_use *s;

	if (info->error || !sb->s_root)
		return;
	s = kzalloc_obj(*s, GFP_NOFS);
	if (!s) {
		info->error = -ENOMEM;
		return;
	}
	s->sb = sb;
	s->dev = sb->s_dev;
	strscpy(s->type, sb->s_type->name);
	list_add_tail(&s->list, &info->supers);
	hlist_add_head(&s->hash, &info->hash[hash_ptr(sb, UBC_SB_BITS)]);
	info->error = ubc_dcacheinfo_learn(info, sb->s_root);
}

static struct ubc_use *ubc_dcacheinfo_use(struct ubc_dcacheinfo *info,
					  const struct super_block *sb)
{
	struct ubc_sb_use *s;

	hlist_for_each_entry(s, &info->hash[hash_ptr(sb, UBC_SB_BITS)], hash)
		if (s->sb == sb)
			return &s->use;
	return &info->other;
}

static void ubc_dcacheinfo_object(struct ubc_slab_walk *walk,
				  struct ubc_slab_cache *cache,
				  const void *obj, const struct ubc *ub)
{
	struct ubc_dcacheinfo *info = container_of(walk, typeof(*info), walk);
	/* What dcachesize was charged. */
	unsigned long bytes = cache->size + sizeof(struct obj_cgroup *);
	const struct ubc_inode_cache *c;
	struct super_block *sb = NULL;
	const struct dentry *dentry;
	const struct inode *inode;
	struct ubc_use *use;

	if (ub != info->ub || !ubc_is_dcache(cache->flags))
		return;
	if (cache->cache == info->dentry_cache) {
		dentry = obj + info->dentry_offset;
		if (get_kernel_nofault(sb, &dentry->d_sb))
			sb = NULL;
		use = ubc_dcacheinfo_use(info, sb);
		use->dentries++;
		use->dentry_bytes += bytes;
		return;
	}
	c = ubc_inode_cache_find(info, cache->cache);
	if (c) {
		inode = obj + c->offset;
		if (get_kernel_nofault(sb, &inode->i_sb))
			sb = NULL;
	}
	use = ubc_dcacheinfo_use(info, sb);
	use->inodes++;
	use->inode_bytes += bytes;
}

static void ubc_dcacheinfo_line(struct seq_file *m, dev_t dev,
				const char *type, const struct ubc_use *use)
{
	if (use->dentries || use->inodes)
		seq_printf(m, "%u:%u %s %lu %lu %lu %lu\n", MAJOR(dev),
			   MINOR(dev), type, use->dentries, use->dentry_bytes,
			   use->inodes, use->inode_bytes);
}

static void ubc_dcacheinfo_free(struct ubc_dcacheinfo *info)
{
	struct ubc_inode_cache *c, *cn;
	struct ubc_sb_use *s, *sn;

	list_for_each_entry_safe(s, sn, &info->supers, list)
		kfree(s);
	list_for_each_entry_safe(c, cn, &info->inode_caches, list)
		kfree(c);
	kfree(info);
}

int ubc_dcacheinfo_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;
	struct ubc_dcacheinfo *info;
	struct ubc_sb_use *s;
	int ret;

	info = kzalloc_obj(*info);
	if (!info)
		return -ENOMEM;
	info->walk.object = ubc_dcacheinfo_object;
	info->ub = g->ub;
	INIT_LIST_HEAD(&info->supers);
	INIT_LIST_HEAD(&info->inode_caches);
	iterate_supers_trylock(ubc_dcacheinfo_super, info);
	ret = info->error ?: memcg_walk_slabs(&info->walk);
	if (!ret) {
		list_for_each_entry(s, &info->supers, list)
			ubc_dcacheinfo_line(m, s->dev, s->type, &s->use);
		ubc_dcacheinfo_line(m, 0, "-", &info->other);
	}
	ubc_dcacheinfo_free(info);
	return ret;
}
