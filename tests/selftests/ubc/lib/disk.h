/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VZ_DISK_H
#define VZ_DISK_H

/*
 * A disk in memory of the caller's with nothing in the page cache; gone when it
 * is closed.
 */
int disk_new(long size);
/*
 * The same that nobody has written to before, so that its writeback belongs to
 * the cgroup of the first who does; disk_free() is the last who closes it.
 */
int disk_fresh(long size);
void disk_free(int fd);

#endif
