/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the netlink family share. */
#ifndef _UBC_NETLINK_H
#define _UBC_NETLINK_H

#include <linux/ubc.h>
#include <net/genetlink.h>

/* netlink.c */
extern struct genl_family ubc_nl_family;
extern const struct nla_policy ubc_nl_name_policy[UBC_R_ID + 1];
bool ubc_nl_may(struct sk_buff *skb);
struct ubc *ubc_nl_lookup(struct genl_info *info);

/* netlink_get.c */
int ubc_nl_resources(const struct genl_info *info, unsigned long *mask);
int ubc_nl_put_row(struct sk_buff *skb, struct ubc *ub, u32 res);
int ubc_nl_get(struct sk_buff *skb, struct genl_info *info);
int ubc_nl_dump_start(struct netlink_callback *cb);
int ubc_nl_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _UBC_NETLINK_H */
