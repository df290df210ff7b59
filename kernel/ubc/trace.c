// SPDX-License-Identifier: GPL-2.0
/* Trace events of what happens on the Rust side.  Any context. */
#include <linux/ubc.h>

#include "shim.h"

#define CREATE_TRACE_POINTS
#include <trace/events/ubc.h>

void ubc_glue_trace_state(struct ubc_glue *g, enum ubc_state state)
{
	trace_ubc_state(ubc_id(g->ub), ubc_generation(g->ub), state);
}

void ubc_glue_trace_transfer(struct ubc_glue *g, u32 res, unsigned long residue)
{
	trace_ubc_transfer(ubc_id(g->ub), ubc_generation(g->ub), res, residue);
}
