// SPDX-License-Identifier: GPL-2.0
/*
 * What a socket charges beside its buffers: itself, if the kernel has made it
 * for the socket of a user, and memory of the user that it sends in place.
 *
 * No locks; a socket is given an owner before anybody else can find it.
 */
#include "sock.h"

int ubc_sock_own_slow(struct sock *sk, struct ubc *ub)
{
	if (WARN_ON_ONCE(sk->sk_ub))
		return 0;
	if (ubc_count(ub, ubc_sock_class(sk->sk_prot_creator), 1, UBC_HARD))
		return -ENOBUFS;
	ubc_sock_set(sk, ub);
	ubc_track(UBC_SOCKS, sk, ub);
	return 0;
}
EXPORT_SYMBOL_GPL(ubc_sock_own_slow);

/* The charge ends before the socket does: who sends holds a reference to it. */
int ubc_sk_pin_slow(struct sock *sk, int pages)
{
	if (ubc_count(sk->sk_ub, UBC_LOCKEDPAGES, pages, UBC_HARD))
		return -ENOBUFS;
	atomic_add(pages, &sk->sk_ubuf.pinned);
	return 0;
}

void ubc_sk_unpin_slow(struct sock *sk, int pages)
{
	atomic_sub(pages, &sk->sk_ubuf.pinned);
	ubc_uncount(sk->sk_ub, UBC_LOCKEDPAGES, pages);
}
