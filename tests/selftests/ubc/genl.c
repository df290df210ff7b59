// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "genl.h"
#include "ktap.h"

static char in[1 << 16];

/* Attributes from @from to @end, each given to the loop's body. */
#define each_attr(a, from, end)						\
	for (struct nlattr *a = (void *)(from);				\
	     (char *)a + NLA_HDRLEN <= (char *)(end) && a->nla_len;	\
	     a = (void *)((char *)a + NLA_ALIGN(a->nla_len)))
#define attr_data(a)	((void *)((char *)(a) + NLA_HDRLEN))
#define attr_end(a)	((char *)(a) + (a)->nla_len)
#define attr_type(a)	((a)->nla_type & NLA_TYPE_MASK)

static uint64_t number(const struct nlattr *a)
{
	uint64_t value = 0;
	int len = a->nla_len - NLA_HDRLEN;

	check(len == 4 || len == 8);
	memcpy(&value, attr_data(a), len);
	return value;
}

/* Requests */

void genl_begin(struct genl *g, int cmd, int flags)
{
	struct nlmsghdr *h = (void *)g->out;
	struct genlmsghdr *gh = NLMSG_DATA(h);

	memset(g->out, 0, sizeof(g->out));
	h->nlmsg_type = g->family;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++g->seq;
	gh->cmd = cmd;
	gh->version = UBC_GENL_VERSION;
	g->len = NLMSG_LENGTH(GENL_HDRLEN);
}

int genl_put(struct genl *g, int type, const void *data, int len)
{
	struct nlattr *a = (void *)(g->out + g->len);
	int at = g->len;

	check(at + NLA_HDRLEN + NLA_ALIGN(len) <= (int)sizeof(g->out));
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy(attr_data(a), data, len);
	g->len += NLA_HDRLEN + NLA_ALIGN(len);
	return at;
}

int genl_u32(struct genl *g, int type, uint32_t value)
{
	return genl_put(g, type, &value, sizeof(value));
}

int genl_uint(struct genl *g, int type, uint64_t value)
{
	if (value <= UINT32_MAX)
		return genl_u32(g, type, value);
	return genl_put(g, type, &value, sizeof(value));
}

int genl_nest(struct genl *g, int type)
{
	return genl_put(g, type | NLA_F_NESTED, "", 0);
}

void genl_nest_end(struct genl *g, int nest)
{
	((struct nlattr *)(g->out + nest))->nla_len = g->len - nest;
}

int genl_name(struct genl *g, uint32_t res)
{
	int nest = genl_nest(g, UBC_A_RESOURCE);

	genl_u32(g, UBC_R_ID, res);
	genl_nest_end(g, nest);
	return nest;
}

int genl_limit(struct genl *g, uint32_t res, uint64_t barrier, uint64_t limit)
{
	int nest = genl_nest(g, UBC_A_RESOURCE);

	genl_u32(g, UBC_R_ID, res);
	genl_uint(g, UBC_R_BARRIER, barrier);
	genl_uint(g, UBC_R_LIMIT, limit);
	genl_nest_end(g, nest);
	return nest;
}

/* Answers */

static void parse_row(struct genl_ub *ub, const struct nlattr *nest)
{
	struct genl_row row = { .there = 1 };
	unsigned int id = ~0, seen = 0;

	each_attr(a, attr_data(nest), attr_end(nest)) {
		seen |= 1 << attr_type(a);
		switch (attr_type(a)) {
		case UBC_R_ID:
			id = number(a);
			break;
		case UBC_R_HELD:
			row.held = number(a);
			break;
		case UBC_R_MAXHELD:
			row.maxheld = number(a);
			break;
		case UBC_R_BARRIER:
			row.barrier = number(a);
			break;
		case UBC_R_LIMIT:
			row.limit = number(a);
			break;
		case UBC_R_FAILCNT:
			row.failcnt = number(a);
			break;
		case UBC_R_PRESSURE:
			row.pressure = number(a);
			break;
		}
	}
	/* Every attribute, and none that this program does not know. */
	check_eq(seen, (1 << (UBC_R_MAX + 1)) - 2);
	check(id < GENL_RESOURCES && !ub->row[id].there);
	ub->row[id] = row;
	ub->count++;
}

static void parse(const struct nlmsghdr *h, int cmd, struct genl_ub *ub)
{
	struct genlmsghdr *gh = NLMSG_DATA(h);

	check_eq(gh->cmd, cmd);
	check_eq(gh->version, UBC_GENL_VERSION);
	memset(ub, 0, sizeof(*ub));
	ub->kind = -1;
	each_attr(a, (char *)gh + GENL_HDRLEN, (char *)h + h->nlmsg_len) {
		switch (attr_type(a)) {
		case UBC_A_ID:
			ub->id = number(a);
			break;
		case UBC_A_GEN:
			ub->gen = number(a);
			break;
		case UBC_A_SEQ:
			ub->seq = number(a);
			break;
		case UBC_A_KIND:
			ub->kind = number(a);
			break;
		case UBC_A_DROPPED:
			ub->dropped = number(a);
			check(ub->dropped);
			break;
		case UBC_A_RESOURCE:
			parse_row(ub, a);
			break;
		default:
			vz_fail(__FILE__, __LINE__, "attribute %d", attr_type(a));
		}
	}
}

/* The end of a request; its error. */
static int parse_end(struct genl *g, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const char *from = (char *)(e + 1);

	/* A request that was wrong comes back with its error. */
	if (h->nlmsg_type == NLMSG_ERROR && !(h->nlmsg_flags & NLM_F_CAPPED))
		from += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if (h->nlmsg_type == NLMSG_DONE)
		from = (char *)NLMSG_DATA(h) + sizeof(int);
	if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
		each_attr(a, from, (char *)h + h->nlmsg_len) {
			if (attr_type(a) == NLMSGERR_ATTR_OFFS)
				g->offset = number(a);
			else if (attr_type(a) == NLMSGERR_ATTR_MISS_TYPE)
				g->missing = number(a);
			else if (attr_type(a) == NLMSGERR_ATTR_MSG)
				snprintf(g->text, sizeof(g->text), "%s",
					 (char *)attr_data(a));
		}
	}
	return -e->error;
}

static int receive(struct genl *g, int *err)
{
	int len = check_ok(recv(g->fd, in, sizeof(in), 0));
	struct nlmsghdr *h = (void *)in;

	for (; NLMSG_OK(h, (unsigned int)len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_seq != g->seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			*err = parse_end(g, h);
			return 1;
		}
		check(g->ubs < GENL_UBS);
		parse(h, UBC_CMD_GET, &g->ub[g->ubs++]);
	}
	return 0;
}

int genl_call(struct genl *g)
{
	struct nlmsghdr *h = (void *)g->out;
	int err = 0;

	h->nlmsg_len = g->len;
	g->offset = -1;
	g->missing = -1;
	g->text[0] = 0;
	g->ubs = 0;
	check_eq(send(g->fd, g->out, g->len, 0), g->len);
	while (!receive(g, &err))
		;
	errno = err;
	return err ? -1 : 0;
}

int genl_get(struct genl *g, unsigned int id)
{
	genl_begin(g, UBC_CMD_GET, 0);
	genl_u32(g, UBC_A_ID, id);
	return genl_call(g);
}

/* Events */

int genl_event(struct genl *g, unsigned int id, struct genl_ub *ub, int ms)
{
	long long until = vz_now_ms() + ms;

	for (;;) {
		struct pollfd p = { .fd = g->fd, .events = POLLIN };
		long long left = until - vz_now_ms();
		struct nlmsghdr *h = (void *)in;
		int len;

		if (poll(&p, 1, left < 0 ? 0 : left) < 1)
			return 0;
		/* One message a datagram. */
		len = check_ok(recv(g->fd, in, sizeof(in), 0));
		check(NLMSG_OK(h, (unsigned int)len));
		check_eq(h->nlmsg_type, g->family);
		parse(h, UBC_CMD_EVENT, ub);
		check_eq(ub->count, 1);
		if (ub->id == id)
			return 1;
	}
}

int genl_listen(struct genl *g)
{
	return setsockopt(g->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g->group,
			  sizeof(g->group));
}

/* The family */

static void parse_groups(struct genl *g, const struct nlattr *groups)
{
	each_attr(one, attr_data(groups), attr_end(groups)) {
		const char *name = "";
		unsigned int id = 0;

		each_attr(a, attr_data(one), attr_end(one)) {
			if (attr_type(a) == CTRL_ATTR_MCAST_GRP_NAME)
				name = attr_data(a);
			else if (attr_type(a) == CTRL_ATTR_MCAST_GRP_ID)
				id = number(a);
		}
		if (!strcmp(name, UBC_GENL_EVENTS))
			g->group = id;
	}
}

static uint16_t short_of(const struct nlattr *a)
{
	uint16_t value;

	memcpy(&value, attr_data(a), sizeof(value));
	return value;
}

int genl_open(struct genl *g)
{
	struct nlmsghdr *h = (void *)in;
	struct genlmsghdr *gh = NLMSG_DATA(h);
	int one = 1, len;

	memset(g, 0, sizeof(*g));
	g->fd = check_ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	check_ok(setsockopt(g->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)));
	check_ok(setsockopt(g->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)));
	g->family = GENL_ID_CTRL;
	genl_begin(g, CTRL_CMD_GETFAMILY, 0);
	genl_put(g, CTRL_ATTR_FAMILY_NAME, UBC_GENL_NAME, sizeof(UBC_GENL_NAME));
	((struct nlmsghdr *)g->out)->nlmsg_len = g->len;
	((struct nlmsghdr *)g->out)->nlmsg_flags = NLM_F_REQUEST;
	check_eq(send(g->fd, g->out, g->len, 0), g->len);
	len = check_ok(recv(g->fd, in, sizeof(in), 0));
	check(NLMSG_OK(h, (unsigned int)len));
	if (h->nlmsg_type == NLMSG_ERROR) {
		int err = -((struct nlmsgerr *)NLMSG_DATA(h))->error;

		close(g->fd);
		errno = err;
		return -1;
	}
	each_attr(a, (char *)gh + GENL_HDRLEN, (char *)h + h->nlmsg_len) {
		if (attr_type(a) == CTRL_ATTR_FAMILY_ID)
			g->family = short_of(a);
		else if (attr_type(a) == CTRL_ATTR_MCAST_GROUPS)
			parse_groups(g, a);
	}
	check(g->group);
	return 0;
}

void genl_close(struct genl *g)
{
	close(g->fd);
}
