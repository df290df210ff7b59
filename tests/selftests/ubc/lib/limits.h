/* SPDX-License-Identifier: GPL-2.0 */
/* Bounds for every resource, as a small configuration has them. */
#ifndef VZ_LIMITS_H
#define VZ_LIMITS_H

#include "ve.h"

void limits_set(struct ve *ve);
void limits_lift(struct ve *ve);
/* Nothing was refused, whatever it was. */
void limits_unhurt(unsigned int id);
/*
 * What the UB holds of everything that processes return when they end, which
 * is all but memory; limits_idle() waits until it is that again.
 */
struct idle {
	unsigned long held[25];
};
void limits_base(unsigned int id, struct idle *base);
void limits_idle(unsigned int id, const struct idle *base);

#endif
