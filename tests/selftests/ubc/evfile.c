// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "evfile.h"
#include "ktap.h"

int ev_open(unsigned int id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/bc/%u/events", id);
	return check_ok(open(path, O_RDONLY | O_CLOEXEC));
}

void ev_line(int fd, unsigned long *failcnt, int *pressure)
{
	char buf[4096], *at;
	int len;

	check_eq(lseek(fd, 0, SEEK_SET), 0);
	len = check_ok(read(fd, buf, sizeof(buf) - 1));
	buf[len] = 0;
	at = strstr(buf, "\nnumfile ");
	check(at);
	check_eq(sscanf(at, "\nnumfile %lu %d\n", failcnt, pressure), 2);
}

int ev_news(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLPRI);
}
