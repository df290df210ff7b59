/* SPDX-License-Identifier: GPL-2.0 */
/* The processes of a VE, by their pids on the host. */
#ifndef VZ_TASKS_H
#define VZ_TASKS_H

#include <sys/types.h>

void tasks_each(unsigned int id, void (*fn)(pid_t pid));
/* Notes where in the kernel they are: why something does not end. */
void tasks_show(unsigned int id);

#endif
