/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that use up a resource.  A pass takes all there is, asks for some
 * more and gives everything back.  It ignores every error and never waits for
 * anything, so it may run where memory allocations fail.  It expects bounds:
 * without them it takes what the machine has.
 */
#ifndef VZ_DRIVER_H
#define VZ_DRIVER_H

#include "units.h"

struct driver {
	const char *name;
	void (*pass)(void);
	const struct unit *unit;	/* or this one, instead of a pass */
	void (*bomb)(void);		/* for ever, if passes are too tame */
	/* What a hostile VE is refused; none: it is no bomb. */
	const char *full[2];
};

extern const struct driver drivers[];
extern const int ndrivers;

/* A pass of drivers[nr]. */
void driver_pass(long nr);
/* drivers[nr] for ever. */
long driver_bomb(long nr);

/* pass_net.c */
void pass_tcp(void);
void pass_udp(void);
void pass_unix(void);
void pass_netlink(void);
/* pass_fs.c */
void pass_dentry(void);
void pass_tmpfs(void);
void pass_names(void);
/* pass_mem.c */
void pass_vm(void);
void pass_holes(void);
void pass_kmem(void);
void bomb_memory(void);
/* pass_task.c */
void pass_exec(void);
void pass_threads(void);
void bomb_fork(void);

#endif
