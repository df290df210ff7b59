/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ubc

#if !defined(_TRACE_UBC_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_UBC_H

#include <linux/tracepoint.h>
#include <linux/ubc.h>

/* One refused charge, in the units of the resource. */
TRACE_EVENT(ubc_charge_fail,

	TP_PROTO(u32 id, u32 res, unsigned long n, unsigned long held,
		 unsigned long bound, u32 severity),

	TP_ARGS(id, res, n, held, bound, severity),

	TP_STRUCT__entry(
		__field(u32,		id)
		__field(u32,		res)
		__field(u32,		severity)
		__field(unsigned long,	n)
		__field(unsigned long,	held)
		__field(unsigned long,	bound)
	),

	TP_fast_assign(
		__entry->id		= id;
		__entry->res		= res;
		__entry->severity	= severity;
		__entry->n		= n;
		__entry->held		= held;
		__entry->bound		= bound;
	),

	TP_printk("id=%u res=%s n=%lu held=%lu bound=%lu by=%s",
		  __entry->id, ubc_resource_name(__entry->res), __entry->n,
		  __entry->held, __entry->bound,
		  __entry->severity == UBC_HARD ? "barrier" : "limit")
);

/* A resource has got to another level of its bound: 0, 75, 90 or 98 percent. */
TRACE_EVENT(ubc_pressure,

	TP_PROTO(u32 id, u32 res, u32 level, unsigned long held,
		 unsigned long bound),

	TP_ARGS(id, res, level, held, bound),

	TP_STRUCT__entry(
		__field(u32,		id)
		__field(u32,		res)
		__field(u32,		level)
		__field(unsigned long,	held)
		__field(unsigned long,	bound)
	),

	TP_fast_assign(
		__entry->id		= id;
		__entry->res		= res;
		__entry->level		= level;
		__entry->held		= held;
		__entry->bound		= bound;
	),

	TP_printk("id=%u res=%s level=%u held=%lu bound=%lu",
		  __entry->id, ubc_resource_name(__entry->res), __entry->level,
		  __entry->held, __entry->bound)
);

/* New bounds of a resource. */
TRACE_EVENT(ubc_limit,

	TP_PROTO(u32 id, u32 res, unsigned long barrier, unsigned long limit),

	TP_ARGS(id, res, barrier, limit),

	TP_STRUCT__entry(
		__field(u32,		id)
		__field(u32,		res)
		__field(unsigned long,	barrier)
		__field(unsigned long,	limit)
	),

	TP_fast_assign(
		__entry->id		= id;
		__entry->res		= res;
		__entry->barrier	= barrier;
		__entry->limit		= limit;
	),

	TP_printk("id=%u res=%s barrier=%lu limit=%lu",
		  __entry->id, ubc_resource_name(__entry->res),
		  __entry->barrier, __entry->limit)
);

/* The current task pays to another UB from now on; 0 is the host. */
TRACE_EVENT(ubc_attach,

	TP_PROTO(u32 from, u32 to),

	TP_ARGS(from, to),

	TP_STRUCT__entry(
		__field(u32,	from)
		__field(u32,	to)
	),

	TP_fast_assign(
		__entry->from	= from;
		__entry->to	= to;
	),

	TP_printk("from=%u to=%u", __entry->from, __entry->to)
);

TRACE_DEFINE_ENUM(UBC_CREATED);
TRACE_DEFINE_ENUM(UBC_BOUND);
TRACE_DEFINE_ENUM(UBC_DYING);
TRACE_DEFINE_ENUM(UBC_FREED);

/* A step in the life of a UB. */
TRACE_EVENT(ubc_state,

	TP_PROTO(u32 id, u64 gen, u32 state),

	TP_ARGS(id, gen, state),

	TP_STRUCT__entry(
		__field(u64,	gen)
		__field(u32,	id)
		__field(u32,	state)
	),

	TP_fast_assign(
		__entry->gen	= gen;
		__entry->id	= id;
		__entry->state	= state;
	),

	TP_printk("id=%u gen=%llu state=%s", __entry->id, __entry->gen,
		  __print_symbolic(__entry->state,
				   { UBC_CREATED,	"created" },
				   { UBC_BOUND,		"bound" },
				   { UBC_DYING,		"dying" },
				   { UBC_FREED,		"freed" }))
);

/* What the host takes over from a UB whose owner is gone. */
TRACE_EVENT(ubc_transfer,

	TP_PROTO(u32 id, u64 gen, u32 res, unsigned long residue),

	TP_ARGS(id, gen, res, residue),

	TP_STRUCT__entry(
		__field(u64,		gen)
		__field(u32,		id)
		__field(u32,		res)
		__field(unsigned long,	residue)
	),

	TP_fast_assign(
		__entry->gen		= gen;
		__entry->id		= id;
		__entry->res		= res;
		__entry->residue	= residue;
	),

	TP_printk("id=%u gen=%llu res=%s residue=%lu", __entry->id,
		  __entry->gen, ubc_resource_name(__entry->res),
		  __entry->residue)
);

#endif /* _TRACE_UBC_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
