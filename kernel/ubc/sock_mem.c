// SPDX-License-Identifier: GPL-2.0
/*
 * Socket buffers of protocols that account their memory in sk_forward_alloc.
 *
 * TCP and SCTP call in here with the socket locked, UDP with the lock of the
 * receive queue held.
 */
#include <linux/tcp.h>
#include <net/tcp.h>

#include "sock.h"

/*
 * What another socket may still need for its next segment, as long as this one
 * has something to read already.  A subflow of MPTCP hardly ever has: what it
 * receives moves on to its connection, so it may use what is kept for others.
 */
static int ubc_sk_segment(const struct sock *sk)
{
	if (!atomic_read(&sk->sk_rmem_alloc))
		return 0;
	return sk_is_tcp(sk) ? SKB_TRUESIZE(tcp_sk(sk)->advmss) : INT_MAX;
}

bool ubc_sk_mem_reserve_slow(struct sock *sk, int pages)
{
	atomic_t *held = &sk->sk_ubuf.snd;

	return ubc_sockbuf_charge(sk->sk_ub, ubc_snd(sk), held, pages) ||
	       ubc_sndbuf_charge(sk->sk_ub, ubc_snd(sk), held, pages, true);
}

bool ubc_sk_mem_charge_slow(struct sock *sk, int pages, int kind)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	bool ok;

	if (kind == SK_MEM_SEND) {
		if (!sk->sk_wmem_queued) {
			ubc_sockbuf_force(sk->sk_ub, ubc_snd(sk), &b->snd,
					  pages);
		} else if (!ubc_sk_mem_reserve_slow(sk, pages)) {
			WRITE_ONCE(b->want, pages);
			return false;
		}
		ubc_sk_granted(sk);
		return true;
	}
	/* TCP makes several attempts: ubc_sk_segment_dropped_slow() counts. */
	ok = ubc_sockbuf_charge(sk->sk_ub, ubc_rcv(sk), &b->rcv, pages) ||
	     ubc_rcvbuf_charge(sk->sk_ub, ubc_rcv(sk), &b->rcv, pages,
			       ubc_sk_segment(sk), !sk_is_tcp(sk));
	b->refused = !ok;
	return ok;
}

void ubc_sk_mem_force_slow(struct sock *sk, int pages, int kind)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;

	if (kind == SK_MEM_SEND) {
		ubc_sockbuf_force(sk->sk_ub, ubc_snd(sk), &b->snd, pages);
		ubc_sk_granted(sk);
	} else {
		ubc_sockbuf_force(sk->sk_ub, ubc_rcv(sk), &b->rcv, pages);
	}
}

void ubc_sk_mem_undo_slow(struct sock *sk, int pages, int kind)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;

	if (kind == SK_MEM_SEND)
		ubc_sockbuf_return(sk->sk_ub, ubc_snd(sk), &b->snd, pages);
	else
		ubc_sockbuf_return(sk->sk_ub, ubc_rcv(sk), &b->rcv, pages);
}

/*
 * Received pages go first, as far as the receive queue does not need them.
 * There may be less than @pages here: a subflow of MPTCP keeps the charge for
 * the part of a page among what it has lent, until it is closed.
 */
void ubc_sk_mem_reduce_slow(struct sock *sk, int pages)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	int spare;

	if (ubc_sk_sends_forward(sk)) {
		spare = atomic_read(&b->rcv) -
			sk_mem_pages(sk_rmem_alloc_get(sk));
		pages -= ubc_sockbuf_return(sk->sk_ub, ubc_rcv(sk), &b->rcv,
					    clamp(spare, 0, pages));
		pages -= ubc_sockbuf_return(sk->sk_ub, ubc_snd(sk), &b->snd,
					    pages);
	}
	ubc_sockbuf_return(sk->sk_ub, ubc_rcv(sk), &b->rcv, pages);
}

/* Pages noted as sent are taken when there are no more noted as received. */
void ubc_sk_mem_lend_slow(struct sock *from, struct sock *to, int pages)
{
	struct ubc_sockbuf *b = &from->sk_ubuf;
	int n;

	n = ubc_sockbuf_return(from->sk_ub, ubc_rcv(from), &b->rcv, pages);
	n += ubc_sockbuf_return(from->sk_ub, ubc_snd(from), &b->snd, pages - n);
	if (n && to->sk_ub)
		ubc_sockbuf_force(to->sk_ub, ubc_rcv(to), &to->sk_ubuf.rcv, n);
}

void ubc_sk_segment_dropped_slow(struct sock *sk)
{
	if (sk->sk_ubuf.refused) {
		sk->sk_ubuf.refused = false;
		ubc_fail(sk->sk_ub, ubc_rcv(sk));
	}
}

/* Before the charge for the socket itself goes, which keeps the UB. */
void ubc_sk_mem_release_slow(struct sock *sk)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;

	ubc_sockbuf_return(sk->sk_ub, ubc_snd(sk), &b->snd, INT_MAX);
	ubc_sockbuf_return(sk->sk_ub, ubc_rcv(sk), &b->rcv, INT_MAX);
}

bool ubc_tcp_under_pressure_slow(const struct sock *sk)
{
	return ubc_tcp_pressure(sk->sk_ub);
}
EXPORT_SYMBOL_GPL(ubc_tcp_under_pressure_slow);

bool ubc_tcp_may_grow_window_slow(const struct sock *sk)
{
	return ubc_tcp_may_grow(sk->sk_ub, READ_ONCE(sk->sk_rcvbuf));
}

void ubc_tcp_orphans_slow(const struct sock *sk, int n)
{
	ubc_tcp_orphans_add(sk->sk_ub, n);
}

bool ubc_tcp_too_many_orphans_slow(const struct sock *sk, int shift)
{
	return ubc_tcp_orphans_many(sk->sk_ub, shift);
}

int ubc_timewait_most = 16536;
int ubc_timewait_part = 384;

/* The socket, which is about to be replaced, keeps its UB meanwhile. */
struct ubc *ubc_timewait_charge_slow(const struct sock *sk)
{
	unsigned int size = sk->sk_prot_creator->twsk_prot->twsk_obj_size;

	if (!ubc_timewait_add(sk->sk_ub, size, READ_ONCE(ubc_timewait_most),
			      READ_ONCE(ubc_timewait_part)))
		return ERR_PTR(-ENOMEM);
	return sk->sk_ub;
}

void ubc_timewait_uncharge_slow(struct ubc *ub)
{
	ubc_timewait_sub(ub);
}
