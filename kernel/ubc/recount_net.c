// SPDX-License-Identifier: GPL-2.0
/*
 * Recount sockets, their buffers, and the rules of packet filters.
 *
 * Task context; no locks but that of the list.
 */
#include <linux/mm.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_bridge/ebtables.h>
#include <net/netfilter/nf_tables.h>
#include <net/sock.h>

#include "recount.h"
#include "sock.h"

static unsigned long ubc_sockbuf_bytes(int pages)
{
	return (unsigned long)pages << PAGE_SHIFT;
}

/* What it has charged, or should have for what is in its receive queue. */
static int ubc_recount_rcv(struct sock *sk)
{
	int noted = atomic_read(&sk->sk_ubuf.rcv);

	if (sk_has_account(sk))
		return noted;
	return max(noted, sk_mem_pages(sk_rmem_alloc_get(sk)));
}

static void ubc_recount_sock(struct ubc_recount *rc, struct hlist_node *link)
{
	struct sock *sk = hlist_entry(link, struct sock, ub_link);

	ubc_recount_add(rc, sk->sk_ub, ubc_sock_class(sk->sk_prot_creator), 1);
	ubc_recount_add(rc, sk->sk_ub, ubc_snd(sk),
			ubc_sockbuf_bytes(atomic_read(&sk->sk_ubuf.snd)));
	ubc_recount_add(rc, sk->sk_ub, ubc_rcv(sk),
			ubc_sockbuf_bytes(ubc_recount_rcv(sk)));
	ubc_recount_add(rc, sk->sk_ub, UBC_LOCKEDPAGES,
			atomic_read(&sk->sk_ubuf.pinned));
}

/* A table that was replaced has no payer any more. */
static void ubc_recount_xtable(struct ubc_recount *rc, struct hlist_node *link)
{
	struct xt_table_info *info = hlist_entry(link, struct xt_table_info,
						 ub_link);

	ubc_recount_add(rc, info->ub, UBC_NUMIPTENT, info->number);
}

static void ubc_recount_ebtable(struct ubc_recount *rc, struct hlist_node *link)
{
	struct ebt_table_info *info = hlist_entry(link, struct ebt_table_info,
						  ub_link);

	ubc_recount_add(rc, info->ub, UBC_NUMIPTENT, info->nentries);
}

static void ubc_recount_nft(struct ubc_recount *rc, struct hlist_node *link)
{
	struct nft_rule *rule = hlist_entry(link, struct nft_rule, ub_link);

	ubc_recount_add(rc, rule->ub, UBC_NUMIPTENT, 1);
}

/* numtcpsock, numothersock, the four buffers, lockedpages, numiptent */
void ubc_recount_net(struct ubc_recount *rc)
{
	ubc_recount_each(rc, UBC_SOCKS, ubc_recount_sock);
	ubc_recount_each(rc, UBC_XTABLES, ubc_recount_xtable);
	ubc_recount_each(rc, UBC_EBTABLES, ubc_recount_ebtable);
	ubc_recount_each(rc, UBC_NFTRULES, ubc_recount_nft);
}
