/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One more of a thing of the calling process.  make(1) fails with the errno of
 * the unit if the thing is refused, make(0) frees all; both may fail with
 * anything else if memory allocations do.  The process that ends frees all but
 * rules.
 */
#ifndef VZ_UNITS_H
#define VZ_UNITS_H

#include "drive.h"

/* More than one process makes of these. */
#define UNITS_MAX 4096

/* Any number of threads may make these. */
extern const struct unit unit_numfile, unit_numtcpsock, unit_numothersock,
	unit_numpty, unit_numproc, unit_numsiginfo, unit_numflock,
	unit_privvmpages;
/* One at a time. */
extern const struct unit unit_lockedpages, unit_shmpages, unit_numiptent;

/* All of these, NULL is the end. */
extern const struct unit *const all_units[];

#endif
