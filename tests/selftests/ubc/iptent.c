// SPDX-License-Identifier: GPL-2.0
/* numiptent: rules, made through nf_tables and through iptables' own door. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 8600

/* A batch of netfilter messages. */
static struct {
	char data[8192];
	int len;
	struct nlmsghdr *open;
} batch;

static void message(int type, int flags, int family, int res)
{
	struct nfgenmsg *nf;

	batch.open = (struct nlmsghdr *)(batch.data + batch.len);
	memset(batch.open, 0, NLMSG_LENGTH(sizeof(*nf)));
	batch.open->nlmsg_len = NLMSG_LENGTH(sizeof(*nf));
	batch.open->nlmsg_type = type;
	batch.open->nlmsg_flags = NLM_F_REQUEST | flags;
	nf = NLMSG_DATA(batch.open);
	nf->nfgen_family = family;
	nf->res_id = htons(res);
}

static void name(int type, const char *text)
{
	struct nlattr *a = (void *)((char *)batch.open + NLMSG_ALIGN(batch.open->nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + strlen(text) + 1;
	memset(a + 1, 0, NLA_ALIGN(strlen(text) + 1));
	strcpy((char *)(a + 1), text);
	batch.open->nlmsg_len = NLMSG_ALIGN(batch.open->nlmsg_len) + NLA_ALIGN(a->nla_len);
}

static void end(void)
{
	batch.len += NLMSG_ALIGN(batch.open->nlmsg_len);
}

static void nft(int type, int flags)
{
	message((NFNL_SUBSYS_NFTABLES << 8) | type, flags, NFPROTO_INET, 0);
}

/* Sends the batch; the first error it met as errno. */
static long commit(void)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_usec = 300000 };
	char reply[8192];
	int fd, len, err = 0;

	message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end();
	fd = check_ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	check_eq(sendto(fd, batch.data, batch.len, 0, (void *)&to, sizeof(to)), batch.len);
	while ((len = recv(fd, reply, sizeof(reply), 0)) > 0) {
		struct nlmsghdr *h = (void *)reply;

		for (; NLMSG_OK(h, (unsigned int)len); h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == NLMSG_ERROR && !err)
				err = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
	}
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static void begin(void)
{
	batch.len = 0;
	message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end();
}

static void rule(void)
{
	nft(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	name(NFTA_RULE_TABLE, "t");
	name(NFTA_RULE_CHAIN, "c");
	end();
}

static long make_chain(long unused)
{
	begin();
	nft(NFT_MSG_NEWTABLE, NLM_F_CREATE);
	name(NFTA_TABLE_NAME, "t");
	end();
	nft(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	name(NFTA_CHAIN_TABLE, "t");
	name(NFTA_CHAIN_NAME, "c");
	end();
	return commit();
}

/* @n rules in one transaction: all of them or none. */
static long make_rules(long n)
{
	begin();
	while (n--)
		rule();
	return commit();
}

static long flush(long unused)
{
	begin();
	nft(NFT_MSG_DELRULE, 0);
	name(NFTA_RULE_TABLE, "t");
	name(NFTA_RULE_CHAIN, "c");
	end();
	return commit();
}

static struct ve ve;

/* The limit refuses, not the barrier; a failed transaction leaves nothing. */
static void nft_rules(void)
{
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, make_chain, 0), 0);
	ub_want(ID, "numiptent", 0, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMIPTENT, 1, 10));
	check_eq(ve_call(&ve, make_rules, 8), 0);
	ub_want(ID, "numiptent", 8, 0);
	check_err(ve_call(&ve, make_rules, 3), ENOMEM);
	check_soon(ub_held(ID, "numiptent") == 8, 5000);
	check(ub_failcnt(ID, "numiptent") >= 1);
	check_eq(ve_call(&ve, make_rules, 2), 0);
	check_soon(ub_held(ID, "numiptent") == 10, 5000);
	check_eq(ub_line(ID, "numiptent").maxheld, 10);
	check_eq(ve_call(&ve, flush, 0), 0);
	check_soon(ub_held(ID, "numiptent") == 0, 5000);
	check_eq(ve_call(&ve, make_rules, 10), 0);
	/* Stopped with rules loaded. */
	drive_stop(&ve);
}

static struct ipt_getinfo info;
static struct ipt_get_entries *entries;

static int filter(void)
{
	socklen_t len = sizeof(info);
	int fd = check_ok(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));

	memset(&info, 0, sizeof(info));
	strcpy(info.name, "filter");
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static long open_table(long unused)
{
	int fd = filter();

	if (fd < 0)
		return -1;
	close(fd);
	return info.num_entries;
}

/* Appends @n empty rules in front of the built-in entry of OUTPUT. */
static long append(long n)
{
	struct xt_counters counters[64];
	struct ipt_replace *r;
	struct ipt_entry *first;
	int fd = filter(), i, size, at, err;
	socklen_t len;

	check(fd >= 0);
	len = sizeof(*entries) + info.size;
	entries = calloc(1, len);
	strcpy(entries->name, "filter");
	entries->size = info.size;
	check_ok(getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &len));
	at = info.hook_entry[NF_INET_LOCAL_OUT];
	first = (void *)((char *)entries->entrytable + at);
	size = first->next_offset;
	r = calloc(1, sizeof(*r) + info.size + n * size);
	strcpy(r->name, "filter");
	r->valid_hooks = info.valid_hooks;
	r->num_entries = info.num_entries + n;
	r->size = info.size + n * size;
	memcpy(r->hook_entry, info.hook_entry, sizeof(r->hook_entry));
	memcpy(r->underflow, info.underflow, sizeof(r->underflow));
	r->underflow[NF_INET_LOCAL_OUT] += n * size;
	r->num_counters = info.num_entries;
	r->counters = counters;
	memcpy(r->entries, entries->entrytable, at);
	for (i = 0; i <= n; i++)
		memcpy((char *)r->entries + at + i * size, first, size);
	memcpy((char *)r->entries + at + (n + 1) * size, (char *)first + size,
	       info.size - at - size);
	err = setsockopt(fd, IPPROTO_IP, IPT_SO_SET_REPLACE, r, sizeof(*r) + r->size) ?
		errno : 0;
	free(r);
	free(entries);
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

/* A table pays for its built-in entries too, and for the difference after. */
static void ipt_table(void)
{
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, open_table, 0), 4);
	ub_want(ID, "numiptent", 4, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMIPTENT, 1, 10));
	check_eq(ve_call(&ve, append, 5), 0);
	ub_want(ID, "numiptent", 9, 0);
	check_err(ve_call(&ve, append, 2), ENOMEM);
	ub_want(ID, "numiptent", 9, 1);
	check_eq(ve_call(&ve, append, 1), 0);
	ub_want(ID, "numiptent", 10, 1);
	/* The same size again, at the limit. */
	check_eq(ve_call(&ve, append, 0), 0);
	ub_want(ID, "numiptent", 10, 1);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(nft_rules),
	VZ_CASE(ipt_table),
};
VZ_MAIN(cases)
