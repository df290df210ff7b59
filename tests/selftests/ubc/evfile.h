/* SPDX-License-Identifier: GPL-2.0 */
/* Events files: /proc/bc/ID/events and /proc/vz/ubc_events. */
#ifndef VZ_EVFILE_H
#define VZ_EVFILE_H

/* The file of a UB on the host. */
int ev_open(unsigned int id);
/* Reads from the start: the line of numfile. */
void ev_line(int fd, unsigned long *failcnt, int *pressure);
/* Does poll() report news within @ms? */
int ev_news(int fd, int ms);

#endif
