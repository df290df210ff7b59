/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User beancounters: resources, and the generic netlink family "ubc".
 *
 * The family exists in the initial network namespace only, and everything in
 * it needs CAP_NET_ADMIN and CAP_SYS_ADMIN of the initial user namespace.
 *
 * Attributes called "uint" have 4 or 8 bytes.  Amounts are in the unit of the
 * resource; LONG_MAX means unlimited.
 */
#ifndef _UAPI_LINUX_UBC_H
#define _UAPI_LINUX_UBC_H

/* The unnamed ids up to UBC_NUMIPTENT are dummies. */
enum ubc_resource {
	UBC_KMEMSIZE		= 0,	/* bytes */
	UBC_LOCKEDPAGES		= 1,	/* pages */
	UBC_PRIVVMPAGES		= 2,	/* pages */
	UBC_SHMPAGES		= 3,	/* pages */
	UBC_NUMPROC		= 5,	/* tasks */
	UBC_PHYSPAGES		= 6,	/* pages */
	UBC_VMGUARPAGES		= 7,	/* pages */
	UBC_OOMGUARPAGES	= 8,	/* pages */
	UBC_NUMTCPSOCK		= 9,	/* sockets */
	UBC_NUMFLOCK		= 10,	/* locks */
	UBC_NUMPTY		= 11,	/* pairs */
	UBC_NUMSIGINFO		= 12,	/* records */
	UBC_TCPSNDBUF		= 13,	/* bytes */
	UBC_TCPRCVBUF		= 14,	/* bytes */
	UBC_OTHERSOCKBUF	= 15,	/* bytes */
	UBC_DGRAMRCVBUF		= 16,	/* bytes */
	UBC_NUMOTHERSOCK	= 17,	/* sockets */
	UBC_DCACHESIZE		= 18,	/* bytes */
	UBC_NUMFILE		= 19,	/* files */
	UBC_NUMIPTENT		= 23,	/* rules */
	UBC_SWAPPAGES		= 24,	/* pages */
	UBC_RESOURCES		= 25,
};

#define UBC_GENL_NAME		"ubc"
#define UBC_GENL_VERSION	1
#define UBC_GENL_EVENTS		"events"	/* multicast group */

enum ubc_cmd {
	UBC_CMD_UNSPEC,
	/*
	 * One beancounter (ID), or with NLM_F_DUMP all living ones, the newest
	 * first, or that of ID.  RESOURCE with R_ID, any
	 * number of them: these resources only.  SINCE, dump only: only
	 * resources whose failcnt, bounds or pressure may have changed since
	 * the answer that had this SEQ, and beancounters that have such.
	 * Answers: ID, GEN, SEQ, and RESOURCE for each resource with all of
	 * R_*.
	 */
	UBC_CMD_GET,
	/*
	 * ID and one or more RESOURCE with R_ID, R_BARRIER and R_LIMIT, each
	 * resource once.  Sets all of them, or none and says which is wrong.
	 */
	UBC_CMD_SET,
	/*
	 * ID, and RESOURCE with R_ID for each resource whose maxheld shall
	 * start again from held; no RESOURCE: all resources.
	 */
	UBC_CMD_RESET_PEAK,
	/*
	 * Sent to the group: ID, GEN, KIND, one RESOURCE with all of R_*, as
	 * they are when it is sent.  At most 10 per second and resource of a
	 * beancounter; events beyond that, and those that happened before one
	 * of their kind could be sent, are counted in DROPPED of the next.
	 */
	UBC_CMD_EVENT,

	__UBC_CMD_MAX,
};

enum ubc_attr {
	UBC_A_UNSPEC,
	UBC_A_ID,		/* u32 */
	UBC_A_GEN,		/* uint: counts beancounters since boot */
	UBC_A_SEQ,		/* uint: for SINCE in a later request */
	UBC_A_SINCE,		/* uint */
	UBC_A_RESOURCE,		/* nest of UBC_R_* */
	UBC_A_KIND,		/* u32: enum ubc_event_kind */
	UBC_A_DROPPED,		/* uint: not there if 0 */

	__UBC_A_MAX,
	UBC_A_MAX = __UBC_A_MAX - 1,
};

enum ubc_resource_attr {
	UBC_R_UNSPEC,
	UBC_R_ID,		/* u32: enum ubc_resource */
	UBC_R_HELD,		/* uint */
	UBC_R_MAXHELD,		/* uint */
	UBC_R_BARRIER,		/* uint */
	UBC_R_LIMIT,		/* uint */
	UBC_R_FAILCNT,		/* uint */
	UBC_R_PRESSURE,		/* u32: percent, 0, 75, 90 or 98 */

	__UBC_R_MAX,
	UBC_R_MAX = __UBC_R_MAX - 1,
};

enum ubc_event_kind {
	UBC_EVENT_FAIL		= 0,	/* a request was refused */
	UBC_EVENT_PRESSURE	= 1,	/* R_PRESSURE is another one */
	UBC_EVENT_OOM		= 2,	/* an OOM killed a process */
	UBC_EVENT_LIMIT		= 3,	/* barrier and limit were set */
};

#endif /* _UAPI_LINUX_UBC_H */
