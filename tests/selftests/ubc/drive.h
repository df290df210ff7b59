/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drive one beancounter to its bounds.  A unit is made and kept by init of
 * the VE (fn(1) makes one, fn(0) frees all made so far).
 */
#ifndef VZ_DRIVE_H
#define VZ_DRIVE_H

#include <netinet/in.h>

#include "count.h"
#include "ve.h"

/* Resource ids of VZCTL_UBC. */
enum {
	UB_KMEMSIZE, UB_LOCKEDPAGES, UB_PRIVVMPAGES, UB_SHMPAGES,
	UB_NUMPROC = 5, UB_PHYSPAGES, UB_VMGUARPAGES, UB_OOMGUARPAGES,
	UB_NUMTCPSOCK, UB_NUMFLOCK, UB_NUMPTY, UB_NUMSIGINFO,
	UB_TCPSNDBUF, UB_TCPRCVBUF, UB_OTHERSOCKBUF, UB_DGRAMRCVBUF,
	UB_NUMOTHERSOCK, UB_DCACHESIZE, UB_NUMFILE,
	UB_NUMIPTENT = 23, UB_SWAPPAGES,
};

#define UB_MAX 0x7fffffffffffffffUL

struct unit {
	const char *name;
	unsigned int res;
	long (*make)(long on);	/* >= 0, or -1 and errno */
	int err;		/* expected errno of a refusal */
	int cost;		/* what one unit holds */
};

/*
 * The whole life of a counter that refuses at its barrier: N units fit, each
 * further one fails with the errno and adds 1 to failcnt, held and maxheld are
 * exact, freeing gives everything back, limits change while in use, the limit
 * itself is never reached, and the counter is 0 and gone after stop.
 */
void drive_hard(unsigned int id, const struct unit *unit);
/* Two VEs: the other one is not disturbed by a full counter. */
void drive_neighbour(unsigned int id, const struct unit *unit);
/* Freezes the VE meanwhile: all counters are what the objects add up to. */
void drive_recount(struct ve *ve);
/* Recounts, stops the VE and checks that its UB drains and disappears. */
void drive_stop(struct ve *ve);
/* Starts a VE that holds nothing of a resource. */
void drive_start(struct ve *ve, unsigned int id, const char *name);
/* The line, which must be there. */
struct ub_line ub_line(unsigned int id, const char *name);
/* Held comes to this soon (some objects are freed late), failcnt is this. */
void ub_want(unsigned int id, const char *name, unsigned long held,
	     unsigned long failcnt);
/* What is held once that has stood still for a moment. */
unsigned long ub_settled(unsigned int id, const char *name);
/*
 * @threads threads of a VE make units at once with room for @room: exactly
 * that many succeed, failcnt is the number of failures.
 */
void drive_threads(unsigned int id, const struct unit *unit, int room);
/* If set: called with 1 before these start, and with 0 when all are through. */
extern void (*drive_beside)(int on);

/* For units that are descriptors: @fd, or -1 and errno; any thread. */
long keep_fd(int fd);
long close_kept(void);

/* A port of loopback. */
struct sockaddr_in drive_local(int port);

#endif
