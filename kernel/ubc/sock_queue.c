// SPDX-License-Identifier: GPL-2.0
/*
 * Socket buffers of protocols that do not account their memory: sk_wmem_alloc
 * and sk_rmem_alloc say what is in use.  No locks are held.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "sock.h"

/* Less than any buffer in use: a few bytes are references of sock_wfree(). */
#define WMEM_IDLE	SKB_TRUESIZE(1)

static int ubc_wmem_pages(const struct sock *sk, int except)
{
	return sk_mem_pages(max(sk_wmem_alloc_get(sk) - except, 0));
}

/* The truesize that alloc_skb_with_frags() comes to, or a little more. */
static int ubc_skb_size(unsigned long head, unsigned long data)
{
	if (!head && !data)	/* pages will be attached later */
		return PAGE_SIZE;
	/* skbuff_small_head has objects of at least this size. */
	head = max(min(head, INT_MAX / 4UL), MAX_TCP_HEADER + L1_CACHE_BYTES);
	data = min(data, INT_MAX / 4UL);
	return kmalloc_size_roundup(SKB_HEAD_ALIGN(head)) + PAGE_ALIGN(data) +
	       SKB_DATA_ALIGN(sizeof(struct sk_buff));
}

/* More than ubc_skb_size(head, 0), which rounds up to less than twice as much. */
#define UBC_SKB_SIZE_MAX(head)						\
	(2 * ((head) + MAX_TCP_HEADER + L1_CACHE_BYTES +		\
	      SKB_HEAD_ALIGN(SMP_CACHE_BYTES)) +			\
	 SKB_DATA_ALIGN(sizeof(struct sk_buff)))

static noinline int ubc_sk_wmem_admit_exactly(struct sock *sk, unsigned long head,
					      unsigned long data, bool again)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	int n, pages, used, size;

	if (ubc_sk_sends_forward(sk))
		return 0;

	used = sk_wmem_alloc_get(sk);
	size = ubc_skb_size(head, data);
	pages = sk_mem_pages(size);
	if (sk->sk_type != SOCK_STREAM &&
	    !ubc_sockbuf_fits(sk->sk_ub, ubc_snd(sk), pages)) {
		ubc_fail(sk->sk_ub, ubc_snd(sk));
		return -ENOBUFS;
	}

	n = sk_mem_pages(used + size) - atomic_read(&b->snd);
	if (n > 0 && used < (int)WMEM_IDLE) {
		ubc_sockbuf_force(sk->sk_ub, ubc_snd(sk), &b->snd, n);
	} else if (n > 0 &&
		   !ubc_sockbuf_charge(sk->sk_ub, ubc_snd(sk), &b->snd, n) &&
		   !ubc_sndbuf_charge(sk->sk_ub, ubc_snd(sk), &b->snd, n, !again)) {
		WRITE_ONCE(b->want, pages);
		return -EAGAIN;
	}
	ubc_sk_granted(sk);
	return 0;
}

/* A small message fits in what the socket has kept. */
int ubc_sk_wmem_admit_slow(struct sock *sk, unsigned long head,
			   unsigned long data, bool again)
{
	int kept = atomic_read(&sk->sk_ubuf.snd);

	if (data || head - 1 >= PAGE_SIZE || READ_ONCE(sk->sk_ubuf.want) ||
	    sk_wmem_alloc_get(sk) + UBC_SKB_SIZE_MAX(head) > kept * PAGE_SIZE ||
	    !ubc_sockbuf_fits(sk->sk_ub, ubc_snd(sk), kept))
		return ubc_sk_wmem_admit_exactly(sk, head, data, again);
	return 0;
}

static noinline void ubc_sk_wmem_adjust(struct sock *sk, int except)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	int need = ubc_wmem_pages(sk, except);

	if (ubc_sockbuf_shrink(sk->sk_ub, ubc_snd(sk), &b->snd, need))
		need = ubc_wmem_pages(sk, except);
	ubc_sockbuf_cover(sk->sk_ub, ubc_snd(sk), &b->snd, need);
}

/*
 * Whoever adds to sk_wmem_alloc comes here and looks at the charge; whoever
 * lowers the charge looks at sk_wmem_alloc again.  One of two that meet sees
 * the other, so the charge is never short for long.
 */
void ubc_sk_wmem_sync_slow(struct sock *sk, int except)
{
	int spare;

	if (ubc_sk_sends_forward(sk))
		return;

	smp_mb__after_atomic();		/* sk_wmem_alloc, then snd */
	spare = atomic_read(&sk->sk_ubuf.snd) - ubc_wmem_pages(sk, except);
	if (spare && !ubc_sockbuf_may_keep(sk->sk_ub, ubc_snd(sk), spare))
		ubc_sk_wmem_adjust(sk, except);
}
EXPORT_SYMBOL_GPL(ubc_sk_wmem_sync_slow);

/* A writer who was refused is told to wait until as much as that fits. */
bool ubc_sk_may_send_slow(const struct sock *sk)
{
	const struct ubc_sockbuf *b = &sk->sk_ubuf;
	int n = READ_ONCE(b->want);

	if (!n)
		return true;
	if (ubc_sk_sends_forward(sk)) {
		if (!READ_ONCE(sk->sk_wmem_queued))
			return true;
	} else {
		if (sk_wmem_alloc_get(sk) < (int)WMEM_IDLE)
			return true;
		n += ubc_wmem_pages(sk, 0) - atomic_read(&b->snd);
	}
	return n <= 0 || ubc_sndbuf_room(sk->sk_ub, ubc_snd(sk), &b->snd, n);
}
EXPORT_SYMBOL_GPL(ubc_sk_may_send_slow);

long ubc_sk_nap_slow(const struct sock *sk)
{
	return READ_ONCE(sk->sk_ubuf.want) ? HZ / 5 : LONG_MAX;
}

/* Receive queues without memory accounting */

bool ubc_sk_rmem_charge_slow(struct sock *sk, int used, int size)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	int n = sk_mem_pages(used + size) - atomic_read(&b->rcv);

	if (sk_has_account(sk) || n <= 0)
		return true;
	/* A dump must be able to go on. */
	if (sk->sk_family == AF_NETLINK && used <= 0) {
		ubc_sockbuf_force(sk->sk_ub, ubc_rcv(sk), &b->rcv, n);
		return true;
	}
	return ubc_sockbuf_charge(sk->sk_ub, ubc_rcv(sk), &b->rcv, n) ||
	       ubc_rcvbuf_charge(sk->sk_ub, ubc_rcv(sk), &b->rcv, n, 0, true);
}
EXPORT_SYMBOL_GPL(ubc_sk_rmem_charge_slow);

/*
 * As ubc_sk_wmem_sync_slow(): also for who has added to sk_rmem_alloc.  What
 * another CPU has charged and not added yet is taken for a page too much, and
 * charged again when it is there, whatever the bounds: so a counter may be above
 * its barrier by a packet for each CPU that delivers at that moment.
 */
void ubc_sk_rmem_sync_slow(struct sock *sk)
{
	struct ubc_sockbuf *b = &sk->sk_ubuf;
	int need;

	if (sk_has_account(sk))
		return;
	smp_mb__after_atomic();		/* sk_rmem_alloc, then rcv */
	need = sk_mem_pages(sk_rmem_alloc_get(sk));
	if (ubc_sockbuf_shrink(sk->sk_ub, ubc_rcv(sk), &b->rcv, need))
		need = sk_mem_pages(sk_rmem_alloc_get(sk));
	ubc_sockbuf_cover(sk->sk_ub, ubc_rcv(sk), &b->rcv, need);
}
