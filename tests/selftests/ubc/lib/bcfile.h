/* SPDX-License-Identifier: GPL-2.0 */
/* Files of /proc/bc/ID, and something for them to show. */
#ifndef VZ_BCFILE_H
#define VZ_BCFILE_H

/* All of it, until the next call. */
char *bc_file(unsigned int id, const char *name);
/* Objects of one cache, 0 if there is no line; all lines are looked at. */
long bc_slab(unsigned int id, const char *name);
/* In a VE: a file of @n MiB in /tmp; 0 or -1. */
long fill_tmpfs(long n);

#endif
