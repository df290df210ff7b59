/* SPDX-License-Identifier: GPL-2.0 */
/* Protocol between a test and init of its VE; used by the library only. */
#ifndef VZ_AGENT_H
#define VZ_AGENT_H

#include "ve.h"

enum {
	AGENT_EOF,
	AGENT_READY,	/* the root tree is built */
	AGENT_GO,
	AGENT_RUNNING,
	AGENT_CALL,
	AGENT_FORK,
	AGENT_SPAWN,
	AGENT_DONE,
};

void agent_send(int fd, int op, long (*fn)(long), long arg);
/* The next message: its op; *ret and errno from AGENT_DONE. */
int agent_wait(int fd, long *ret);
void agent_main(int fd, const struct ve_opts *opts, volatile long *shared)
	 __attribute__((noreturn));

/* The root tree of the VE, made in its own mount namespace. */
void root_build(const char *root);

#endif
