// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft.h"
#include "units.h"

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

/* The first error that the kernel has answered with; 0 if there is none. */
static int answer(int fd)
{
	char reply[8192];
	int len, err = 0;

	/* A transaction is over, and all of it answered, when it is sent. */
	while ((len = recv(fd, reply, sizeof(reply), MSG_DONTWAIT)) > 0) {
		struct nlmsghdr *h = (void *)reply;

		for (; NLMSG_OK(h, (unsigned int)len); h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == NLMSG_ERROR && !err)
				err = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
	}
	if (len < 0 && errno != EAGAIN && !err)
		err = errno;
	return err;
}

static long commit(void)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	int fd, err;

	message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end();
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return -1;
	if (sendto(fd, batch.data, batch.len, 0, (void *)&to, sizeof(to)) == batch.len)
		err = answer(fd);
	else
		err = errno;
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

long nft_chain(long unused)
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

long nft_rules(long n)
{
	begin();
	while (n--)
		rule();
	return commit();
}

long nft_flush(long unused)
{
	begin();
	nft(NFT_MSG_DELRULE, 0);
	name(NFTA_RULE_TABLE, "t");
	name(NFTA_RULE_CHAIN, "c");
	end();
	return commit();
}

static long one_rule(long on)
{
	static int ready;

	if (!ready && nft_chain(0))
		return -1;
	ready = 1;
	return on ? nft_rules(1) : nft_flush(0);
}

const struct unit unit_numiptent = {
	"numiptent", UB_NUMIPTENT, one_rule, ENOMEM, 1 };
