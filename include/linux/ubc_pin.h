/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User beancounters: pinned memory.  Part of <linux/ubc.h>.
 *
 * lockedpages is what locked_vm of an mm counts (ubc_mm.h), and what an object
 * pins that may outlive the mm: buffers registered with io_uring or AF_XDP,
 * ring buffers of perf, secret memory, buffers of a socket that are sent in
 * place.  Each such object, or socket, notes how much it has charged.
 */
#ifndef _LINUX_UBC_PIN_H
#define _LINUX_UBC_PIN_H

#include <linux/ubc.h>

#ifdef CONFIG_UBC

/* The object is made: whoever acts pays for it until ubc_pins_exit(). */
static inline void ubc_pins_init(struct ubc_pins *pins)
{
	pins->ub = ubc_current();
	if (!pins->ub)
		return;
	/* There may be nothing charged: it holds a reference. */
	ubc_get(pins->ub);
	ubc_track(UBC_PINS, pins, pins->ub);
}

/* 0 or -ENOMEM. */
static inline int ubc_pins_charge(struct ubc_pins *pins, unsigned long pages)
{
	if (!ubc_enabled() || !pins || !pins->ub)
		return 0;
	if (ubc_charge_slow(pins->ub, UBC_LOCKEDPAGES, pages, UBC_HARD))
		return -ENOMEM;
	atomic_long_add(pages, &pins->pages);
	return 0;
}

static inline void ubc_pins_uncharge(struct ubc_pins *pins, unsigned long pages)
{
	if (!ubc_enabled() || !pins || !pins->ub || !pages)
		return;
	atomic_long_sub(pages, &pins->pages);
	ubc_uncharge_slow(pins->ub, UBC_LOCKEDPAGES, pages);
}

/* Any context but NMI; what is still charged goes back. */
static inline void ubc_pins_exit(struct ubc_pins *pins)
{
	struct ubc *ub = pins->ub;

	if (!ub)
		return;
	ubc_untrack(pins);
	ubc_pins_uncharge(pins, atomic_long_read(&pins->pages));
	pins->ub = NULL;
	ubc_put(ub);
}

#else /* !CONFIG_UBC */

static inline void ubc_pins_init(struct ubc_pins *pins) { }
static inline int ubc_pins_charge(struct ubc_pins *pins, unsigned long pages)
{
	return 0;
}
static inline void ubc_pins_uncharge(struct ubc_pins *pins,
				     unsigned long pages) { }
static inline void ubc_pins_exit(struct ubc_pins *pins) { }

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_PIN_H */
