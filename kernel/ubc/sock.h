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

#endif /* _UBC_SOCK_H */
