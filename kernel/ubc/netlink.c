// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "ubc", see include/uapi/linux/ubc.h.
 *
 * It exists in the initial network namespace only (netnsok is not set), and
 * whoever uses it is an administrator of the host: genetlink asks for
 * CAP_NET_ADMIN, ubc_nl_permit() for CAP_SYS_ADMIN, which also control limits
 * through /dev/vzctl.  Both of the opener of the socket and of the sender.
 *
 * Locks: requests other than dumps run under genl_mutex, and take what setting
 * limits and looking up UBs does below it.  Events take no lock.
 */
#include <linux/capability.h>
#include <linux/init.h>
#include <linux/ubc.h>
#include <net/genetlink.h>

#include "netlink.h"
#include "shim.h"

static const struct netlink_range_validation ubc_nl_amount = { .max = LONG_MAX };

static const struct nla_policy ubc_nl_limit_policy[] = {
	[UBC_R_ID]	= NLA_POLICY_MAX(NLA_U32, UBC_RESOURCES - 1),
	[UBC_R_BARRIER]	= NLA_POLICY_FULL_RANGE(NLA_UINT, &ubc_nl_amount),
	[UBC_R_LIMIT]	= NLA_POLICY_FULL_RANGE(NLA_UINT, &ubc_nl_amount),
};

const struct nla_policy ubc_nl_name_policy[UBC_R_ID + 1] = {
	[UBC_R_ID]	= NLA_POLICY_MAX(NLA_U32, UBC_RESOURCES - 1),
};

/* GET of one, RESET_PEAK */
static const struct nla_policy ubc_nl_get_policy[] = {
	[UBC_A_ID]	 = { .type = NLA_U32 },
	[UBC_A_RESOURCE] = NLA_POLICY_NESTED(ubc_nl_name_policy),
};

static const struct nla_policy ubc_nl_dump_policy[] = {
	[UBC_A_ID]	 = { .type = NLA_U32 },
	[UBC_A_SINCE]	 = { .type = NLA_UINT },
	[UBC_A_RESOURCE] = NLA_POLICY_NESTED(ubc_nl_name_policy),
};

static const struct nla_policy ubc_nl_set_policy[] = {
	[UBC_A_ID]	 = { .type = NLA_U32 },
	[UBC_A_RESOURCE] = NLA_POLICY_NESTED(ubc_nl_limit_policy),
};

bool ubc_nl_may(struct sk_buff *skb)
{
	return current_user_ns() == &init_user_ns &&
	       netlink_capable(skb, CAP_SYS_ADMIN);
}

static int ubc_nl_permit(const struct genl_split_ops *ops, struct sk_buff *skb,
			 struct genl_info *info)
{
	return ubc_nl_may(skb) ? 0 : -EPERM;
}

/* The UB that a request names, with a reference. */
struct ubc *ubc_nl_lookup(struct genl_info *info)
{
	struct ubc *ub;

	if (GENL_REQ_ATTR_CHECK(info, UBC_A_ID))
		return ERR_PTR(-EINVAL);
	ub = ubc_lookup(nla_get_u32(info->attrs[UBC_A_ID]));
	if (ub)
		return ub;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[UBC_A_ID],
			    "no such beancounter");
	return ERR_PTR(-ENOENT);
}

static int ubc_nl_parse_limit(struct nlattr *attr, struct ubc_limit *to,
			      struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(ubc_nl_limit_policy)];
	int ret;

	ret = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, attr,
			       ubc_nl_limit_policy, extack);
	if (ret)
		return ret;
	if (NL_REQ_ATTR_CHECK(extack, attr, tb, UBC_R_ID) ||
	    NL_REQ_ATTR_CHECK(extack, attr, tb, UBC_R_BARRIER) ||
	    NL_REQ_ATTR_CHECK(extack, attr, tb, UBC_R_LIMIT))
		return -EINVAL;
	to->res = nla_get_u32(tb[UBC_R_ID]);
	to->barrier = nla_get_uint(tb[UBC_R_BARRIER]);
	to->limit = nla_get_uint(tb[UBC_R_LIMIT]);
	return 0;
}

static int ubc_nl_set(struct sk_buff *skb, struct genl_info *info)
{
	/* One more than there are resources must name one twice. */
	struct ubc_limit limits[UBC_RESOURCES + 1];
	struct nlattr *attrs[ARRAY_SIZE(limits)], *attr;
	u32 n = 0, wrong = 0;
	struct ubc *ub;
	int rem, ret;

	if (GENL_REQ_ATTR_CHECK(info, UBC_A_RESOURCE))
		return -EINVAL;
	nlmsg_for_each_attr_type(attr, UBC_A_RESOURCE, info->nlhdr, GENL_HDRLEN,
				 rem) {
		if (n == ARRAY_SIZE(limits))
			break;
		attrs[n] = attr;
		ret = ubc_nl_parse_limit(attr, &limits[n++], info->extack);
		if (ret)
			return ret;
	}
	ub = ubc_nl_lookup(info);
	if (IS_ERR(ub))
		return PTR_ERR(ub);
	ret = ubc_set_limits(ub, limits, n, &wrong);
	if (ret)
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[wrong],
				    "resource named twice");
	ubc_put(ub);
	return ret;
}

static int ubc_nl_reset_peak(struct sk_buff *skb, struct genl_info *info)
{
	unsigned long mask;
	unsigned int res;
	struct ubc *ub;
	int ret;

	ret = ubc_nl_resources(info, &mask);
	if (ret)
		return ret;
	ub = ubc_nl_lookup(info);
	if (IS_ERR(ub))
		return PTR_ERR(ub);
	for_each_set_bit(res, &mask, UBC_RESOURCES)
		ubc_reset_peak(ub, res);
	ubc_put(ub);
	return 0;
}

/* Events */

/* Any context but NMI. */
bool ubc_netlink_heard(void)
{
	return genl_has_listeners(&ubc_nl_family, &init_net, 0);
}

/* May sleep.  -ENOMEM: no message. */
int ubc_netlink_send(struct ubc *ub, u32 res, enum ubc_event_kind kind,
		     unsigned long dropped)
{
	struct sk_buff *msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *head;

	if (!msg)
		return -ENOMEM;
	head = genlmsg_put(msg, 0, 0, &ubc_nl_family, 0, UBC_CMD_EVENT);
	if (!head || nla_put_u32(msg, UBC_A_ID, ubc_id(ub)) ||
	    nla_put_uint(msg, UBC_A_GEN, ubc_generation(ub)) ||
	    nla_put_u32(msg, UBC_A_KIND, kind) ||
	    (dropped && nla_put_uint(msg, UBC_A_DROPPED, dropped)) ||
	    ubc_nl_put_row(msg, ub, res)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	genlmsg_end(msg, head);
	return genlmsg_multicast(&ubc_nl_family, msg, 0, 0, GFP_KERNEL);
}

static const struct genl_split_ops ubc_nl_ops[] = {
	{
		.cmd		= UBC_CMD_GET,
		.pre_doit	= ubc_nl_permit,
		.doit		= ubc_nl_get,
		.policy		= ubc_nl_get_policy,
		.maxattr	= ARRAY_SIZE(ubc_nl_get_policy) - 1,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= UBC_CMD_GET,
		.start		= ubc_nl_dump_start,
		.dumpit		= ubc_nl_dump,
		.policy		= ubc_nl_dump_policy,
		.maxattr	= ARRAY_SIZE(ubc_nl_dump_policy) - 1,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= UBC_CMD_SET,
		.pre_doit	= ubc_nl_permit,
		.doit		= ubc_nl_set,
		.policy		= ubc_nl_set_policy,
		.maxattr	= ARRAY_SIZE(ubc_nl_set_policy) - 1,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= UBC_CMD_RESET_PEAK,
		.pre_doit	= ubc_nl_permit,
		.doit		= ubc_nl_reset_peak,
		.policy		= ubc_nl_get_policy,
		.maxattr	= ARRAY_SIZE(ubc_nl_get_policy) - 1,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group ubc_nl_groups[] = {
	{
		.name	= UBC_GENL_EVENTS,
		.flags	= GENL_MCAST_CAP_NET_ADMIN | GENL_MCAST_CAP_SYS_ADMIN,
	},
};

struct genl_family ubc_nl_family __ro_after_init = {
	.name		= UBC_GENL_NAME,
	.version	= UBC_GENL_VERSION,
	.split_ops	= ubc_nl_ops,
	.n_split_ops	= ARRAY_SIZE(ubc_nl_ops),
	.mcgrps		= ubc_nl_groups,
	.n_mcgrps	= ARRAY_SIZE(ubc_nl_groups),
	.module		= THIS_MODULE,
};

static int __init ubc_nl_init(void)
{
	return genl_register_family(&ubc_nl_family);
}
device_initcall(ubc_nl_init);
