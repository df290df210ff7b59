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

#endif /* _TRACE_UBC_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
