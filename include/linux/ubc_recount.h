/* SPDX-License-Identifier: GPL-2.0 */
/* User beancounters: the recount.  Part of <linux/ubc.h>. */
#ifndef _LINUX_UBC_RECOUNT_H
#define _LINUX_UBC_RECOUNT_H

#include <linux/ubc.h>

/*
 * CONFIG_UBC_DEBUG: the recount (kernel/ubc/recount.c).  Objects that nothing
 * lists have a field ub_link, and are linked while somebody pays for them.
 */
enum ubc_kind {
	UBC_FILES,
	UBC_MMS,
	UBC_PINS,
	UBC_PTYS,
	UBC_SOCKS,
	UBC_XTABLES,
	UBC_EBTABLES,
	UBC_NFTRULES,
	UBC_KINDS,
};

#ifdef CONFIG_UBC_DEBUG

struct hlist_node;
struct ubc_recount;

/* Where an object is made: @owner is who pays, or NULL. */
#define ubc_track(kind, obj, owner) \
	ubc_track_link(&(obj)->ub_link, kind, owner)
/* Where it is freed. */
#define ubc_untrack(obj)	ubc_untrack_link(&(obj)->ub_link)

void ubc_track_link(struct hlist_node *link, enum ubc_kind kind,
		    const struct ubc *owner);
void ubc_untrack_link(struct hlist_node *link);

/* Any context; @ub is only compared with those there are, and may be gone. */
void ubc_recount_add(struct ubc_recount *rc, const struct ubc *ub,
		     enum ubc_resource res, unsigned long n);

/* What others recount for it. */
#ifdef CONFIG_FILE_LOCKING
void ubc_recount_locks(struct ubc_recount *rc);
#else
static inline void ubc_recount_locks(struct ubc_recount *rc) { }
#endif

#else /* !CONFIG_UBC_DEBUG */

#define ubc_track(...)		do { } while (0)
#define ubc_untrack(...)	do { } while (0)

#endif /* CONFIG_UBC_DEBUG */

#endif /* _LINUX_UBC_RECOUNT_H */
