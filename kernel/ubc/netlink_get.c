// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "ubc": what a UB holds, and what of it has changed.
 *
 * Locks: ubc_read() looks up other UBs if asked about the host.  A dump runs
 * without genl_mutex; between two messages it holds nothing but a number.
 */
#include <linux/bits.h>
#include <linux/ubc.h>
#include <net/genetlink.h>

#include "netlink.h"
#include "shim.h"

#define UBC_NL_ALL	GENMASK(UBC_RESOURCES - 1, 0)
#define UBC_NL_DUMMIES	(BIT(4) | BIT(20) | BIT(21) | BIT(22))

/* The resources that a request names, or all if it names none. */
int ubc_nl_resources(const struct genl_info *info, unsigned long *mask)
{
	struct nlattr *tb[UBC_R_ID + 1], *attr;
	int rem, ret;

	*mask = 0;
	nlmsg_for_each_attr_type(attr, UBC_A_RESOURCE, info->nlhdr, GENL_HDRLEN,
				 rem) {
		ret = nla_parse_nested(tb, UBC_R_ID, attr,
				       ubc_nl_name_policy, info->extack);
		if (ret)
			return ret;
		if (NL_REQ_ATTR_CHECK(info->extack, attr, tb, UBC_R_ID))
			return -EINVAL;
		*mask |= BIT(nla_get_u32(tb[UBC_R_ID]));
	}
	if (!*mask)
		*mask = UBC_NL_ALL;
	return 0;
}

int ubc_nl_put_row(struct sk_buff *skb, struct ubc *ub, u32 res)
{
	struct nlattr *nest = nla_nest_start(skb, UBC_A_RESOURCE);
	struct ubc_row row = { };

	ubc_read(ub, res, &row);
	if (!nest || nla_put_u32(skb, UBC_R_ID, res) ||
	    nla_put_uint(skb, UBC_R_HELD, row.held) ||
	    nla_put_uint(skb, UBC_R_MAXHELD, row.maxheld) ||
	    nla_put_uint(skb, UBC_R_BARRIER, row.barrier) ||
	    nla_put_uint(skb, UBC_R_LIMIT, row.limit) ||
	    nla_put_uint(skb, UBC_R_FAILCNT, row.failcnt) ||
	    nla_put_u32(skb, UBC_R_PRESSURE, ubc_pressure(ub, res)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* What was asked for, of whom, and what of it is wanted. */
struct ubc_nl_query {
	u64 seq;
	u64 since;
	unsigned long mask;
	/* Dumps: the next UB is not newer than that. */
	u64 gen;
	u32 id;
	bool one;
	bool done;
};

/* One message; 0 also if there is nothing to tell. */
static int ubc_nl_put_ub(struct sk_buff *skb, struct ubc *ub, u32 portid,
			 u32 seq, int flags, const struct ubc_nl_query *query)
{
	unsigned long mask = query->mask & ~UBC_NL_DUMMIES;
	struct ubc_glue *g = ubc_glue_of(ub);
	unsigned int res;
	bool any = false;
	void *head;

	head = genlmsg_put(skb, portid, seq, &ubc_nl_family, flags, UBC_CMD_GET);
	if (!head || nla_put_u32(skb, UBC_A_ID, ubc_id(ub)) ||
	    nla_put_uint(skb, UBC_A_GEN, ubc_generation(ub)) ||
	    nla_put_uint(skb, UBC_A_SEQ, query->seq))
		goto full;
	ubc_look(ub);
	for_each_set_bit(res, &mask, UBC_RESOURCES) {
		if (!ubc_notify_changed(g, res, query->since))
			continue;
		if (ubc_nl_put_row(skb, ub, res))
			goto full;
		any = true;
	}
	if (any || !query->since)
		genlmsg_end(skb, head);
	else
		genlmsg_cancel(skb, head);
	return 0;
full:
	if (head)
		genlmsg_cancel(skb, head);
	return -EMSGSIZE;
}

int ubc_nl_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ubc_nl_query query = { .seq = ubc_notify_epoch() };
	struct sk_buff *msg;
	struct ubc *ub;
	int ret;

	ret = ubc_nl_resources(info, &query.mask);
	if (ret)
		return ret;
	ub = ubc_nl_lookup(info);
	if (IS_ERR(ub))
		return PTR_ERR(ub);
	ret = -ENOMEM;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		goto put;
	ret = ubc_nl_put_ub(msg, ub, info->snd_portid, info->snd_seq, 0, &query);
	if (ret)
		nlmsg_free(msg);
	else
		ret = genlmsg_reply(msg, info);
put:
	ubc_put(ub);
	return ret;
}

int ubc_nl_dump_start(struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct ubc_nl_query *query = (void *)cb->ctx;

	BUILD_BUG_ON(sizeof(*query) > sizeof(cb->ctx));
	if (!ubc_nl_may(cb->skb))
		return -EPERM;
	*query = (struct ubc_nl_query){
		.seq	= ubc_notify_epoch(),
		.gen	= U64_MAX,
	};
	if (info->attrs[UBC_A_ID]) {
		query->one = true;
		query->id = nla_get_u32(info->attrs[UBC_A_ID]);
	}
	if (info->attrs[UBC_A_SINCE])
		query->since = nla_get_uint(info->attrs[UBC_A_SINCE]);
	return ubc_nl_resources(info, &query->mask);
}

int ubc_nl_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ubc_nl_query *query = (void *)cb->ctx;
	struct ubc *ub;
	int ret = 0;

	while (!query->done && (ub = ubc_lookup_older(query->gen))) {
		query->gen = ubc_generation(ub);
		if (!query->one || ubc_id(ub) == query->id)
			ret = ubc_nl_put_ub(skb, ub, NETLINK_CB(cb->skb).portid,
					    cb->nlh->nlmsg_seq, NLM_F_MULTI,
					    query);
		ubc_put(ub);
		if (ret)
			return skb->len ?: ret;
		/* The host is the last. */
		query->done = !query->gen--;
	}
	return skb->len;
}
