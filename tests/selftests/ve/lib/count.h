/* SPDX-License-Identifier: GPL-2.0 */
/* Counts of what a stopped VE must not leave on the node. */
#ifndef VZ_COUNT_H
#define VZ_COUNT_H

#define COUNT_MAX 48

struct counts {
	int n;
	struct {
		const char *name;
		long value;
		int exact;	/* else some growth is noise */
	} item[COUNT_MAX];
};

/* What is there now; waits a little for what is on its way out. */
void counts_take(struct counts *c);
/*
 * Waits until every exact count is back and the others have grown by less
 * than @slack: 0, or the number of counts still wrong, each one noted.
 */
int counts_compare(const struct counts *before, long slack, int ms);

/* A beancounter line; all zero (and -1 returned) if there is none. */
struct ub_line {
	unsigned long held, maxheld, barrier, limit, failcnt;
};
int ub_read(unsigned int id, const char *name, struct ub_line *line);
unsigned long ub_held(unsigned int id, const char *name);
unsigned long ub_failcnt(unsigned int id, const char *name);
/* Entries of /proc/bc that are UBs (ID or ID-GEN) with this id. */
int ub_dirs(unsigned int id);

/* Uevents: a socket from before what is waited for. */
int uevent_socket(void);
/* Waits for VE_EVENT=@event of @id, at most @ms; 0 or -1. */
int uevent_wait(int fd, const char *event, unsigned int id, int ms);

#endif
