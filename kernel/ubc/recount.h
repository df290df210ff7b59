/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _UBC_RECOUNT_H
#define _UBC_RECOUNT_H

#include <linux/list.h>

#include "glue.h"

/* recount.c: calls @count for each object of this kind, interrupts off. */
void ubc_recount_each(struct ubc_recount *rc, enum ubc_kind kind,
		      void (*count)(struct ubc_recount *rc,
				    struct hlist_node *link));

/* recount_walk.c, recount_net.c */
void ubc_recount_tasks(struct ubc_recount *rc);
void ubc_recount_memory(struct ubc_recount *rc);
void ubc_recount_files(struct ubc_recount *rc);
void ubc_recount_dcache(struct ubc_recount *rc);
void ubc_recount_pages(struct ubc_recount *rc);
#ifdef CONFIG_NET
void ubc_recount_net(struct ubc_recount *rc);
#else
static inline void ubc_recount_net(struct ubc_recount *rc) { }
#endif

#endif /* _UBC_RECOUNT_H */
