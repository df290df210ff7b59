/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VZ_DISK_H
#define VZ_DISK_H

/* A disk in memory with nothing in the page cache; gone when it is closed. */
int disk_new(long size);

#endif
