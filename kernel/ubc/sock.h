/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Socket buffers: which resource a socket is charged to.
 *
 * There are two ways to know what a socket uses.  Protocols with accounting
 * (TCP, UDP, SCTP) move whole pages in and out of sk_forward_alloc: their
 * charge follows these (sock_mem.c).  All others are followed by
 * sk_wmem_alloc and sk_rmem_alloc, which also covers the many places that
 * change them directly (sock_queue.c).  UDP is of the first kind when it
 * receives, of the second when it sends.
 *
 * A socket with nothing outstanding may always send.  So one that was refused
 * has data in flight, and will be told when it is gone: nobody has to keep a
 * list of waiting sockets, and poll stays right.
 *
 * Any context but NMI.  The numbers in sk_ubuf are atomic, because senders of
 * the second kind and receive queues are not under the socket lock.
 */
#ifndef _UBC_SOCK_H
#define _UBC_SOCK_H

#include <net/sock.h>

#include "glue.h"

/* Time-wait sockets of a UB: their number, and part of kmemsize of 1024. */
extern int ubc_timewait_most, ubc_timewait_part;

static inline bool ubc_sk_is_tcp(const struct sock *sk)
{
	return sk->sk_prot_creator->ubc_tcp;
}

static inline enum ubc_resource ubc_snd(const struct sock *sk)
{
	return ubc_sk_is_tcp(sk) ? UBC_TCPSNDBUF : UBC_OTHERSOCKBUF;
}

static inline enum ubc_resource ubc_rcv(const struct sock *sk)
{
	if (ubc_sk_is_tcp(sk))
		return UBC_TCPRCVBUF;
	return sk->sk_family == AF_NETLINK ? UBC_OTHERSOCKBUF : UBC_DGRAMRCVBUF;
}

/* Is what it sends in sk_forward_alloc and not in sk_wmem_alloc? */
static inline bool ubc_sk_sends_forward(const struct sock *sk)
{
	return ubc_sk_is_tcp(sk) || sock_flag(sk, SOCK_USE_WRITE_QUEUE);
}

/* The writer was not refused last time. */
static inline void ubc_sk_granted(struct sock *sk)
{
	if (READ_ONCE(sk->sk_ubuf.want))
		WRITE_ONCE(sk->sk_ubuf.want, 0);
}

/*
 * What a socket has charged: @held is a field of its sk_ubuf.  All sizes are
 * pages.  Pages are charged before @held is raised and returned after it was
 * lowered, so it never exceeds what is charged.
 */

/* Pages a socket may keep while there is plenty, to spare the shared counter. */
#define UBC_SOCKBUF_SPARE	2

/* Few pages, and so little in use that what idle sockets keep does not matter? */
static inline bool ubc_sockbuf_may_keep(const struct ubc *ub,
					enum ubc_resource res, int spare)
{
	const struct ubc_counter *c = &ub->counter[res];

	return spare > 0 && spare <= UBC_SOCKBUF_SPARE &&
	       READ_ONCE(c->held) <= READ_ONCE(c->barrier) / 8;
}

/* Can @n pages ever be charged? */
static inline bool ubc_sockbuf_fits(const struct ubc *ub, enum ubc_resource res,
				    int n)
{
	return (s64)n << PAGE_SHIFT <= READ_ONCE(ub->counter[res].limit);
}

/* Within the barrier everybody is served; beyond it the engine decides. */
static inline bool ubc_sockbuf_charge(struct ubc *ub, enum ubc_resource res,
				      atomic_t *held, int n)
{
	const struct ubc_counter *c = &ub->counter[res];

	if (READ_ONCE(c->limit) < READ_ONCE(c->barrier) ||
	    !ubc_quick_charge(ub, res, (unsigned long)n << PAGE_SHIFT, UBC_HARD))
		return false;
	atomic_add(n, held);
	return true;
}

/* Whatever the bounds. */
static inline void ubc_sockbuf_force(struct ubc *ub, enum ubc_resource res,
				     atomic_t *held, int n)
{
	ubc_count(ub, res, (unsigned long)n << PAGE_SHIFT, UBC_FORCE);
	atomic_add(n, held);
}

/* Charges what is in use already. */
static inline void ubc_sockbuf_cover(struct ubc *ub, enum ubc_resource res,
				     atomic_t *held, int need)
{
	int old = atomic_read(held);

	while (old < need) {
		unsigned long n = (unsigned long)(need - old) << PAGE_SHIFT;

		ubc_count(ub, res, n, UBC_FORCE);
		if (atomic_try_cmpxchg(held, &old, need))
			return;
		ubc_uncount(ub, res, n);
	}
}

/* Gives back @n pages or what there is; how many. */
static inline int ubc_sockbuf_return(struct ubc *ub, enum ubc_resource res,
				     atomic_t *held, int n)
{
	int old = atomic_read(held), less;

	do {
		less = min(n, old);
		if (less <= 0)
			return 0;
	} while (!atomic_try_cmpxchg(held, &old, old - less));
	ubc_uncount(ub, res, (unsigned long)less << PAGE_SHIFT);
	return less;
}

/*
 * Gives back what is above @need, unless it is little and there is plenty.
 * Fully ordered if it changes anything.
 */
static inline bool ubc_sockbuf_shrink(struct ubc *ub, enum ubc_resource res,
				      atomic_t *held, int need)
{
	int old = atomic_read(held);

	while (old > need && !ubc_sockbuf_may_keep(ub, res, old - need)) {
		if (atomic_try_cmpxchg(held, &old, need)) {
			ubc_uncount(ub, res,
				    (unsigned long)(old - need) << PAGE_SHIFT);
			return true;
		}
	}
	return false;
}

#endif /* _UBC_SOCK_H */
