/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Control interface of Virtual Environments: /dev/vzctl and VE descriptors.
 *
 * Every argument structure starts with its own size.  A kernel that knows a
 * longer structure accepts a shorter one (missing fields read as zero); a
 * longer one than the kernel knows is accepted only if the surplus is zero
 * (else E2BIG).  Unknown flag bits are EINVAL.  All structures have the same
 * layout for 32-bit and 64-bit callers.
 */
#ifndef _UAPI_LINUX_VZCTL_H
#define _UAPI_LINUX_VZCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VZCTL_IOC_TYPE		'.'

/* Smallest and largest VE id.  0 is the hardware node. */
#define VZCTL_VEID_MIN		1U
#define VZCTL_VEID_MAX		2147483644U

/* Ids of one VE: a slot of VZCTL_ID_RANGE ids starting at slot << 18. */
#define VZCTL_ID_RANGE		262144U

/* States, as reported in vzctl_get.state. */
#define VZCTL_STATE_STARTING	1	/* id reserved, RUN not called yet */
#define VZCTL_STATE_RUNNING	2
#define VZCTL_STATE_FROZEN	3	/* running, but all tasks are frozen */
#define VZCTL_STATE_STOPPING	4	/* init is dead, being taken down */
#define VZCTL_STATE_DEAD	5	/* everything is gone, id is free */

/* Why a VE stopped: vzctl_get.reason.  Ranges leave room for more. */
#define VZCTL_REASON_NONE	0	/* still alive */
#define VZCTL_REASON_ABORTED	1	/* given up before RUN */
#define VZCTL_REASON_EXIT	2	/* init exited; code is its wait status */
#define VZCTL_REASON_HALT	3	/* reboot(2) HALT or POWER_OFF inside */
#define VZCTL_REASON_REBOOT	4	/* reboot(2) RESTART inside */
#define VZCTL_REASON_KILLED	16	/* VZCTL_KILL or the last descriptor */

/*
 * RESERVE (on /dev/vzctl): take the id, create the VE object, its cgroups
 * ve/<id>, ve/<id>/ct and ve/<id>/enter (version 2) and its beancounter.  Returns a VE
 * descriptor (close-on-exec).  When the last descriptor of a VE that is still
 * STARTING is closed, the VE is killed and freed.
 * Errors: EPERM, EINVAL (id), EEXIST (id in use), EBUSY (processes of the host
 * are in a cgroup of that name), ENOMEM.
 */
struct vzctl_reserve {
	__u32	size;
	__u32	veid;
	__u32	flags;		/* 0 */
	__u32	pad;		/* 0 */
};

/* OPEN (on /dev/vzctl): a VE descriptor of an existing VE.  ESRCH if none. */
struct vzctl_open {
	__u32	size;
	__u32	veid;
	__u32	flags;		/* 0 */
	__u32	pad;		/* 0 */
};

/*
 * CREATE2 (on a VE descriptor): fork() into a new VE.  Returns twice: the host
 * pid of the new init in the caller, 0 in the new task, which is pid 1 of the
 * VE, root of its user namespace, member of cgroup ve/<id>/ct, and still
 * has the caller's memory, descriptors, and a private copy of its mount tree.
 * The new task is expected to build the file tree (pivot_root) and to
 * execve() init after the caller has called RUN.
 * Errors: EBUSY (init exists already or state is not STARTING), EINVAL
 * (id range), EEXIST (range overlaps another VE's), EAGAIN, ENOMEM.
 */
struct vzctl_create {
	__u32	size;
	__u32	flags;		/* 0 */
	__u32	uid_base;	/* multiple of VZCTL_ID_RANGE, not 0 */
	__u32	uid_count;	/* VZCTL_ID_RANGE */
	__u64	bset;		/* capability bounding set of the VE */
	__s32	cgroup_fd;	/* open directory of cgroup ve/<id>/ct */
	__u32	pad;		/* 0 */
};

/*
 * SET (on a VE descriptor): data is text of 1 to 64 bytes without control
 * characters and without a final NUL.
 * Errors: EINVAL, EMSGSIZE, EFAULT, ESRCH (stopping; HOSTNAME before CREATE2).
 */
#define VZCTL_SET_OSRELEASE	1	/* kernel release shown by uname(2) */
#define VZCTL_SET_HOSTNAME	2	/* only after CREATE2 */
struct vzctl_set {
	__u32	size;
	__u32	key;
	__u64	data;		/* user pointer */
	__u32	len;
	__u32	pad;		/* 0 */
};

/*
 * ENTER2 (on a VE descriptor): move the caller, a single-threaded process of
 * the host, into all namespaces, the cgroup ve/<id>/enter and the beancounter
 * of the VE, as its root.  The caller keeps its pid; its children have a pid
 * inside.  Fork, exec in the child, and do nothing but wait in the parent.
 * Errors: EBUSY (not running, frozen, or locked and no SKIPLOCK), EINVAL
 * (threads, caller is in a VE), ESRCH (the VE stopped meanwhile), ENOMEM (numproc at its
 * barrier).  A failed call changes nothing.
 */
#define VZCTL_ENTER_SKIPLOCK	1U
struct vzctl_enter {
	__u32	size;
	__u32	flags;
};

/* KILL (on a VE descriptor): signal to init.  ESRCH when there is none. */
struct vzctl_kill {
	__u32	size;
	__u32	signal;
};

/*
 * GET (on a VE descriptor): fills as many bytes as the caller's size names and
 * leaves size as it is.
 */
#define VZCTL_GET_LOCKED	1U
struct vzctl_get {
	__u32	size;
	__u32	veid;
	__u32	state;
	__u32	flags;		/* VZCTL_GET_* */
	__u64	serial;		/* never reused, counts from 1 */
	__s32	init_pid;	/* host pid, 0 if none */
	__u32	nproc;		/* pids allocated in the VE's pid namespace */
	__u64	start_time;	/* CLOCK_BOOTTIME ns at RUN, 0 before */
	__u32	uid_base;
	__u32	uid_count;
	__u32	reason;		/* VZCTL_REASON_* */
	__s32	code;		/* wait status of init once it is dead */
};

/*
 * UBC (on a VE descriptor: that VE's beancounter, id must be 0; on
 * /dev/vzctl: by id, 0 is the host's): set barrier and limit of one resource.
 * Values above LONG_MAX: EINVAL.  LONG_MAX means unlimited.
 */
struct vzctl_ubc {
	__u32	size;
	__u32	id;
	__u32	resource;
	__u32	pad;		/* 0 */
	__u64	barrier;
	__u64	limit;
};

/*
 * UBCS (on the same descriptors as UBC): set barrier and limit of up to
 * VZCTL_UBCS_MAX resources, each named once: all of them, or none.
 * Errors: EINVAL; wrong is the index of the first limit that is out of range
 * or names a resource again, or VZCTL_UBCS_NONE if it is not because of one.
 */
#define VZCTL_UBCS_MAX		25U
#define VZCTL_UBCS_NONE		0xffffffffU
struct vzctl_limit {
	__u32	resource;
	__u32	pad;		/* 0 */
	__u64	barrier;
	__u64	limit;
};

struct vzctl_ubcs {
	__u32	size;
	__u32	id;
	__u64	limits;		/* user pointer to struct vzctl_limit */
	__u32	count;		/* from 1 on */
	__u32	wrong;		/* set by every call that returns EINVAL */
};

#define VZCTL_RESERVE	_IOW(VZCTL_IOC_TYPE, 32, struct vzctl_reserve)
#define VZCTL_OPEN	_IOW(VZCTL_IOC_TYPE, 33, struct vzctl_open)
#define VZCTL_CREATE2	_IOW(VZCTL_IOC_TYPE, 34, struct vzctl_create)
#define VZCTL_SET	_IOW(VZCTL_IOC_TYPE, 35, struct vzctl_set)
/* RUN: STARTING -> RUNNING; EBUSY in any other state, ESRCH without init. */
#define VZCTL_RUN	_IO(VZCTL_IOC_TYPE, 36)
#define VZCTL_ENTER2	_IOW(VZCTL_IOC_TYPE, 37, struct vzctl_enter)
#define VZCTL_KILL	_IOW(VZCTL_IOC_TYPE, 38, struct vzctl_kill)
/* LOCK makes ENTER2 fail with EBUSY unless SKIPLOCK; EALREADY if it is so. */
#define VZCTL_LOCK	_IO(VZCTL_IOC_TYPE, 39)
#define VZCTL_UNLOCK	_IO(VZCTL_IOC_TYPE, 40)
#define VZCTL_GET	_IOWR(VZCTL_IOC_TYPE, 41, struct vzctl_get)
/* FREEZE waits (killably) until all tasks are frozen.  EBUSY if not running. */
#define VZCTL_FREEZE	_IO(VZCTL_IOC_TYPE, 42)
#define VZCTL_THAW	_IO(VZCTL_IOC_TYPE, 43)
#define VZCTL_UBC	_IOW(VZCTL_IOC_TYPE, 44, struct vzctl_ubc)
#define VZCTL_UBCS	_IOWR(VZCTL_IOC_TYPE, 45, struct vzctl_ubcs)

/*
 * poll() on a VE descriptor: POLLPRI after a state change that no GET on this
 * descriptor has seen yet, POLLHUP when the VE is DEAD.
 *
 * Events: uevents of the vzctl misc device, action "change", with the
 * variables VE_EVENT=start|stop|reboot, VEID=<id>, VE_SERIAL=<serial>.
 * A stop or reboot event is sent after everything of the VE is gone and the
 * id is free.
 */

#endif /* _UAPI_LINUX_VZCTL_H */
