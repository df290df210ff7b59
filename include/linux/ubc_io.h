/* SPDX-License-Identifier: GPL-2.0 */
/* User beancounters: file I/O.  Part of <linux/ubc.h>. */
#ifndef _LINUX_UBC_IO_H
#define _LINUX_UBC_IO_H

#include <linux/cleanup.h>
#include <linux/ubc.h>

/*
 * Shown in /proc/bc/ID/ioacct (kernel/ubc/io.c).  Nothing of this is limited
 * or given back.
 */
enum ubc_io {
	UBC_IO_READ,		/* bytes that a task has read from a device */
	UBC_IO_WRITE,		/* bytes of page cache written back */
	UBC_IO_DIRTY,		/* bytes that a task has made dirty */
	UBC_IO_CANCEL,		/* of these, no need to write any more */
	UBC_IO_SYNC,		/* calls that have begun */
	UBC_IO_FSYNC,
	UBC_IO_FDATASYNC,
	UBC_IO_RANGE_SYNC,
	UBC_IO_SYNC_DONE,	/* calls that have returned, in the same order */
	UBC_IO_FSYNC_DONE,
	UBC_IO_FDATASYNC_DONE,
	UBC_IO_RANGE_SYNC_DONE,
	UBC_IOS,
	UBC_IO_SYNC_KINDS = UBC_IO_SYNC_DONE - UBC_IO_SYNC,
};

struct bdi_writeback;
struct folio;

#ifdef CONFIG_UBC

/* Any context. */
void ubc_io_slow(struct ubc *ub, enum ubc_io what, unsigned long n);
void ubc_folio_written_slow(struct folio *folio, unsigned long pages);
void ubc_dirty_ratios_slow(const struct bdi_writeback *wb, unsigned long *ratio,
			   unsigned long *bg_ratio);

/* To whoever acts. */
static inline void ubc_io(enum ubc_io what, size_t bytes)
{
	struct ubc *ub = ubc_current();

	if (ub)
		ubc_io_slow(ub, what, bytes);
}

/* To whoever pays for the page cache; the folio is locked. */
static inline void ubc_folio_written(struct folio *folio, unsigned long pages)
{
	if (ubc_enabled())
		ubc_folio_written_slow(folio, pages);
}

/* For the memory cgroup of @wb; per PAGE_SIZE, unchanged if it has no UB. */
static inline void ubc_dirty_ratios(const struct bdi_writeback *wb,
				    unsigned long *ratio,
				    unsigned long *bg_ratio)
{
	if (IS_ENABLED(CONFIG_CGROUP_WRITEBACK) && ubc_enabled())
		ubc_dirty_ratios_slow(wb, ratio, bg_ratio);
}

/* Around a call; a task keeps its UB meanwhile. */
struct ubc_sync {
	struct ubc *ub;
	enum ubc_io kind;
};

static inline struct ubc_sync ubc_sync_begin(enum ubc_io kind)
{
	struct ubc_sync sync = { .ub = ubc_current(), .kind = kind };

	if (sync.ub)
		ubc_io_slow(sync.ub, kind, 1);
	return sync;
}

static inline void ubc_sync_end(const struct ubc_sync *sync)
{
	if (sync->ub)
		ubc_io_slow(sync->ub, sync->kind + UBC_IO_SYNC_KINDS, 1);
}

DEFINE_CLASS(ubc_sync, struct ubc_sync, ubc_sync_end(&_T),
	     ubc_sync_begin(kind), enum ubc_io kind)

#else /* !CONFIG_UBC */

static inline void ubc_io(enum ubc_io what, size_t bytes) { }
static inline void ubc_folio_written(struct folio *folio,
				     unsigned long pages) { }
static inline void ubc_dirty_ratios(const struct bdi_writeback *wb,
				    unsigned long *ratio,
				    unsigned long *bg_ratio) { }
DEFINE_CLASS(ubc_sync, int, (void)_T, kind, enum ubc_io kind)

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_IO_H */
