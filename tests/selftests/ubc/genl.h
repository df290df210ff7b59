/* SPDX-License-Identifier: GPL-2.0 */
/* A raw client of the generic netlink family "ubc". */
#ifndef VZ_GENL_H
#define VZ_GENL_H

#include <linux/netlink.h>
#include <linux/ubc.h>
#include <stdint.h>

#define GENL_RESOURCES	25
#define GENL_UBS	16

/* One message: an answer to GET, or an event. */
struct genl_ub {
	unsigned int id;
	uint64_t gen, seq, dropped;
	int kind;		/* -1: not there */
	int count;		/* of resources */
	struct genl_row {
		int there;
		uint64_t held, maxheld, barrier, limit, failcnt;
		unsigned int pressure;
	} row[GENL_RESOURCES];
};

struct genl {
	int fd;
	int family;
	unsigned int group;	/* number of the events */
	unsigned int seq;
	/* The request being built. */
	char out[4096];
	int len;
	/* What the kernel said to the last one. */
	int offset;		/* of the bad attribute, or -1 */
	int missing;		/* type of the missing one, or -1 */
	char text[128];
	struct genl_ub ub[GENL_UBS];
	int ubs;
};

/* 0, or -1 and errno: ENOENT if there is no such family. */
int genl_open(struct genl *g);
void genl_close(struct genl *g);
/* 0, or -1 and errno */
int genl_listen(struct genl *g);

/* Build a request, with NLM_F_ACK and @flags. */
void genl_begin(struct genl *g, int cmd, int flags);
int genl_put(struct genl *g, int type, const void *data, int len);
int genl_u32(struct genl *g, int type, uint32_t value);
int genl_uint(struct genl *g, int type, uint64_t value);
int genl_nest(struct genl *g, int type);
void genl_nest_end(struct genl *g, int nest);
/* A resource by name only, or with bounds.  The offset of the nest. */
int genl_name(struct genl *g, uint32_t res);
int genl_limit(struct genl *g, uint32_t res, uint64_t barrier, uint64_t limit);

/* Send it and read all answers; 0, or -1 and errno. */
int genl_call(struct genl *g);
/* GET of one UB, all of it. */
int genl_get(struct genl *g, unsigned int id);
/* The next event of @id within @ms; 0 if there is none. */
int genl_event(struct genl *g, unsigned int id, struct genl_ub *ub, int ms);

#endif
