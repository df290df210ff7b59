// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel has made for the socket of a user is charged like that one.
 *
 * No locks; a socket is given an owner before anybody else can find it.
 */
#include "sock.h"

int ubc_sock_own_slow(struct sock *sk, struct ubc *ub)
{
	if (WARN_ON_ONCE(sk->sk_ub))
		return 0;
	if (ubc_charge_slow(ub, ubc_sock_class(sk->sk_prot_creator), 1, UBC_HARD))
		return -ENOBUFS;
	ubc_sock_set(sk, ub);
	ubc_track(UBC_SOCKS, sk, ub);
	return 0;
}
EXPORT_SYMBOL_GPL(ubc_sock_own_slow);
