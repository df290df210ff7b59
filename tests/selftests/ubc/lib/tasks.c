// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "tasks.h"
#include "ve.h"

void tasks_each(unsigned int id, void (*fn)(pid_t pid))
{
	char path[96], text[8192], *line, *next;

	snprintf(path, sizeof(path), VE_CGROUP "/%u/ct/cgroup.procs", id);
	check(read_file(path, text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		fn(atoi(line));
}

static void show(pid_t pid)
{
	char path[64], stack[4096], *line, *next;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	if (read_file(path, stack, sizeof(stack)) <= 0)
		return;
	vz_note("task %d:", pid);
	for (line = strtok_r(stack, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		vz_note("  %s", line);
}

void tasks_show(unsigned int id)
{
	tasks_each(id, show);
}
