/* SPDX-License-Identifier: GPL-2.0 */
/* User beancounters: sockets and their buffers.  Part of <linux/ubc.h>. */
#ifndef _LINUX_UBC_SOCK_H
#define _LINUX_UBC_SOCK_H

#include <linux/ubc.h>

#ifdef CONFIG_UBC

/* numtcpsock, numothersock: the class is a constant of the creating proto */

#define UBC_PROTO_TCP	.ubc_tcp = true,
#define ubc_sock_class(prot) \
	((prot)->ubc_tcp ? UBC_NUMTCPSOCK : UBC_NUMOTHERSOCK)

/* sk_alloc(): kernel sockets are nobody's. */
#define ubc_sock_charge(prot, kern) \
	((kern) ? NULL : ubc_charge_current(ubc_sock_class(prot)))
#define ubc_sock_set(sk, owner)		((sk)->sk_ub = (owner))
#define ubc_sock_clone(sk, prot) \
	ubc_charge((sk)->sk_ub, ubc_sock_class(prot), 1, UBC_HARD)
#define ubc_sock_uncharge(sk, prot) \
	ubc_uncharge((sk)->sk_ub, ubc_sock_class(prot), 1)

/*
 * A socket that nobody owns, and nobody has used yet, was made by the kernel
 * for a user's one, whose owner pays: 0 or -ENOBUFS.
 */
int ubc_sock_own_slow(struct sock *sk, struct ubc *ub);
static inline int ubc_sock_own(struct sock *sk, struct ubc *ub)
{
	return ubc_enabled() && ub ? ubc_sock_own_slow(sk, ub) : 0;
}
#define ubc_sock_owner(sk)		((sk)->sk_ub)

/*
 * tcpsndbuf, tcprcvbuf, othersockbuf, dgramrcvbuf: kernel/ubc/sock.h.
 *
 * Memory that a protocol accounts (sk_forward_alloc) is charged where whole
 * pages are.  Other protocols are charged by what is in use (sk_wmem_alloc,
 * sk_rmem_alloc), rounded up to pages.  What is charged for a socket is in
 * its sk_ubuf and goes back with the socket at the latest.
 */
struct ubc_sockbuf {
	atomic_t	snd;		/* pages charged for what is sent */
	atomic_t	rcv;		/* ... and received */
	atomic_t	pinned;		/* lockedpages, MSG_ZEROCOPY */
	int		want;		/* pages last refused to a writer, or 0 */
	bool		refused;	/* was the last TCP segment? */
};

/* The socket is known to have an owner; any context but NMI. */
int ubc_sk_pin_slow(struct sock *sk, int pages);
void ubc_sk_unpin_slow(struct sock *sk, int pages);
bool ubc_sk_mem_charge_slow(struct sock *sk, int pages, int kind);
bool ubc_sk_mem_reserve_slow(struct sock *sk, int pages);
void ubc_sk_mem_force_slow(struct sock *sk, int pages, int kind);
void ubc_sk_mem_undo_slow(struct sock *sk, int pages, int kind);
void ubc_sk_mem_reduce_slow(struct sock *sk, int pages);
void ubc_sk_mem_lend_slow(struct sock *from, struct sock *to, int pages);
void ubc_sk_segment_dropped_slow(struct sock *sk);
void ubc_sk_mem_release_slow(struct sock *sk);
int ubc_sk_wmem_admit_slow(struct sock *sk, unsigned long head,
			   unsigned long data, bool again);
void ubc_sk_wmem_sync_slow(struct sock *sk, int except);
bool ubc_sk_may_send_slow(const struct sock *sk);
long ubc_sk_nap_slow(const struct sock *sk);
bool ubc_sk_rmem_charge_slow(struct sock *sk, int used, int size);
void ubc_sk_rmem_sync_slow(struct sock *sk);
bool ubc_tcp_under_pressure_slow(const struct sock *sk);
bool ubc_tcp_may_grow_window_slow(const struct sock *sk);
void ubc_tcp_orphans_slow(const struct sock *sk, int n);
bool ubc_tcp_too_many_orphans_slow(const struct sock *sk, int shift);
struct ubc *ubc_timewait_charge_slow(const struct sock *sk);
void ubc_timewait_uncharge_slow(struct ubc *ub);

/* fn(sk, ...) if the socket has an owner, else @none (or nothing). */
#define ubc_sk_ask(sk, none, fn, ...)					\
({									\
	typeof(sk) sk_ = (sk);						\
	ubc_enabled() && sk_->sk_ub ? fn(sk_, ##__VA_ARGS__) : (none);	\
})
#define ubc_sk_tell(sk, fn, ...)					\
({									\
	typeof(sk) sk_ = (sk);						\
	if (ubc_enabled() && sk_->sk_ub)				\
		fn(sk_, ##__VA_ARGS__);					\
})

/* __sk_mem_raise_allocated(): false is a refusal. */
#define ubc_sk_mem_charge(sk, pages, kind) \
	ubc_sk_ask(sk, true, ubc_sk_mem_charge_slow, pages, kind)
/* SO_RESERVE_MEM */
#define ubc_sk_mem_reserve(sk, pages) \
	ubc_sk_ask(sk, true, ubc_sk_mem_reserve_slow, pages)
/* Cannot fail. */
#define ubc_sk_mem_force(sk, pages, kind) \
	ubc_sk_tell(sk, ubc_sk_mem_force_slow, pages, kind)
/* Gives back what was just charged. */
#define ubc_sk_mem_undo(sk, pages, kind) \
	ubc_sk_tell(sk, ubc_sk_mem_undo_slow, pages, kind)
/* __sk_mem_reduce_allocated() does not know what the pages were for. */
#define ubc_sk_mem_reduce(sk, pages) \
	ubc_sk_tell(sk, ubc_sk_mem_reduce_slow, pages)
/* MPTCP: forward memory of a subflow becomes that of its connection. */
#define ubc_sk_mem_lend(from, to, pages) \
	ubc_sk_tell(from, ubc_sk_mem_lend_slow, to, pages)
/* The end of all attempts to find room for a TCP segment. */
#define ubc_sk_segment_dropped(sk) \
	ubc_sk_tell(sk, ubc_sk_segment_dropped_slow)
/* A socket is copied with everything in it; the copy has no charge yet. */
#define ubc_sk_mem_init(sk)	((sk)->sk_ubuf = (struct ubc_sockbuf){ })
/* The socket is being freed. */
#define ubc_sk_mem_release(sk)	ubc_sk_tell(sk, ubc_sk_mem_release_slow)

/*
 * Before a buffer of @head linear and @data paged bytes is allocated: 0,
 * -EAGAIN, or -ENOBUFS if there will never be room.  @again: a retry.
 */
#define ubc_sk_wmem_admit(sk, head, data, again) \
	ubc_sk_ask(sk, 0, ubc_sk_wmem_admit_slow, head, data, again)
/* sk_wmem_alloc has changed; @except bytes of it are about to go. */
#define ubc_sk_wmem_sync(sk, except) \
	ubc_sk_tell(sk, ubc_sk_wmem_sync_slow, except)
/* Does poll agree with what a writer was told? */
#define ubc_sk_may_send(sk)	ubc_sk_ask(sk, true, ubc_sk_may_send_slow)
/* A refused writer is not woken by others: how long it may sleep. */
#define ubc_sk_nap(sk)		ubc_sk_ask(sk, LONG_MAX, ubc_sk_nap_slow)

/* @size more bytes in the receive queue, which has @used. */
#define ubc_sk_rmem_charge(sk, used, size) \
	ubc_sk_ask(sk, true, ubc_sk_rmem_charge_slow, used, size)
/* sk_rmem_alloc has changed. */
#define ubc_sk_rmem_sync(sk)	ubc_sk_tell(sk, ubc_sk_rmem_sync_slow)

/* lockedpages: pages of a user that are sent in place; 0 or -ENOBUFS. */
#define ubc_sk_pin(sk, pages)	ubc_sk_ask(sk, 0, ubc_sk_pin_slow, pages)
#define ubc_sk_unpin(sk, pages)	ubc_sk_tell(sk, ubc_sk_unpin_slow, pages)

/* TCP: is tcprcvbuf short, and may this socket's window grow nevertheless? */
#define ubc_tcp_under_pressure(sk) \
	ubc_sk_ask(sk, false, ubc_tcp_under_pressure_slow)
#define ubc_tcp_may_grow_window(sk) \
	ubc_sk_ask(sk, true, ubc_tcp_may_grow_window_slow)
/* The socket is (@n is 1) or is no more (-1) one without a file. */
#define ubc_tcp_orphans(sk, n)	ubc_sk_tell(sk, ubc_tcp_orphans_slow, n)
/* Its owner has too many of them, counting each 2^@shift times. */
#define ubc_tcp_too_many_orphans(sk, shift) \
	ubc_sk_ask(sk, false, ubc_tcp_too_many_orphans_slow, shift)

/* A time-wait socket for @sk: its UB, NULL (host) or ERR_PTR(-ENOMEM). */
#define ubc_timewait_charge(sk) \
	ubc_sk_ask(sk, NULL, ubc_timewait_charge_slow)

static inline void ubc_timewait_uncharge(struct ubc *ub)
{
	if (ubc_enabled() && ub)
		ubc_timewait_uncharge_slow(ub);
}

#else /* !CONFIG_UBC */

#define UBC_PROTO_TCP

static inline enum ubc_resource ubc_sock_class(const struct proto *prot)
{
	return UBC_NUMOTHERSOCK;
}
static inline struct ubc *ubc_sock_charge(const struct proto *prot, int kern)
{
	return NULL;
}
static inline void ubc_sock_set(struct sock *sk, struct ubc *ub) { }
static inline int ubc_sock_clone(const struct sock *sk, const struct proto *prot)
{
	return 0;
}
static inline void ubc_sock_uncharge(const struct sock *sk,
				     const struct proto *prot) { }

static inline int ubc_sock_own(struct sock *sk, struct ubc *ub)
{
	return 0;
}
static inline struct ubc *ubc_sock_owner(const struct sock *sk)
{
	return NULL;
}
static inline int ubc_sk_pin(struct sock *sk, int pages)
{
	return 0;
}
static inline void ubc_sk_unpin(struct sock *sk, int pages) { }

static inline bool ubc_sk_mem_charge(struct sock *sk, int pages, int kind)
{
	return true;
}

static inline bool ubc_sk_mem_reserve(struct sock *sk, int pages)
{
	return true;
}

static inline void ubc_sk_mem_force(struct sock *sk, int pages, int kind) { }

static inline void ubc_sk_mem_undo(struct sock *sk, int pages, int kind) { }

static inline void ubc_sk_mem_reduce(struct sock *sk, int pages) { }

static inline void ubc_sk_mem_lend(struct sock *from, struct sock *to,
				   int pages) { }

static inline void ubc_sk_segment_dropped(struct sock *sk) { }

static inline void ubc_sk_mem_init(struct sock *sk) { }

static inline void ubc_sk_mem_release(struct sock *sk) { }

static inline int ubc_sk_wmem_admit(struct sock *sk, unsigned long head,
				    unsigned long data, bool again)
{
	return 0;
}

static inline void ubc_sk_wmem_sync(struct sock *sk, int except) { }

static inline bool ubc_sk_may_send(const struct sock *sk) { return true; }

static inline long ubc_sk_nap(const struct sock *sk)
{
	return LONG_MAX;
}

static inline bool ubc_sk_rmem_charge(struct sock *sk, int used, int size)
{
	return true;
}

static inline void ubc_sk_rmem_sync(struct sock *sk) { }

static inline bool ubc_tcp_under_pressure(const struct sock *sk)
{
	return false;
}

static inline bool ubc_tcp_may_grow_window(const struct sock *sk)
{
	return true;
}

static inline void ubc_tcp_orphans(const struct sock *sk, int n) { }

static inline bool ubc_tcp_too_many_orphans(const struct sock *sk, int shift)
{
	return false;
}

static inline struct ubc *ubc_timewait_charge(const struct sock *sk)
{
	return NULL;
}
static inline void ubc_timewait_uncharge(struct ubc *ub) { }

#endif /* CONFIG_UBC */

#endif /* _LINUX_UBC_SOCK_H */
