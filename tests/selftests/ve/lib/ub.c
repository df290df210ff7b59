// SPDX-License-Identifier: GPL-2.0
/* Reading beancounters, and uevents of VEs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

int ub_read(unsigned int id, const char *name, struct ub_line *line)
{
	char path[64], text[8192], key[32];
	const char *at;

	memset(line, 0, sizeof(*line));
	snprintf(path, sizeof(path), "/proc/bc/%u/resources", id);
	snprintf(key, sizeof(key), "  %s ", name);
	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, key);
	if (!at)
		return -1;
	return sscanf(at + strlen(key), "%lu %lu %lu %lu %lu", &line->held,
		      &line->maxheld, &line->barrier, &line->limit,
		      &line->failcnt) == 5 ? 0 : -1;
}

static void must_read(unsigned int id, const char *name, struct ub_line *line)
{
	if (ub_read(id, name, line))
		vz_fail(__FILE__, __LINE__, "no %s of UB %u", name, id);
}

unsigned long ub_held(unsigned int id, const char *name)
{
	struct ub_line line;

	must_read(id, name, &line);
	return line.held;
}

unsigned long ub_failcnt(unsigned int id, const char *name)
{
	struct ub_line line;

	must_read(id, name, &line);
	return line.failcnt;
}

int ub_dirs(unsigned int id)
{
	DIR *dir = opendir("/proc/bc");
	struct dirent *d;
	int n = 0;

	check(dir);
	while ((d = readdir(dir))) {
		char *end;

		n += strtoul(d->d_name, &end, 10) == id && end != d->d_name &&
		     (!*end || *end == '-');
	}
	closedir(dir);
	return n;
}

int uevent_socket(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20;
	int fd = check_ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
				 NETLINK_KOBJECT_UEVENT));

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	check_ok(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

/* A uevent is a header and then strings, each ended by a NUL. */
static int has(const char *buf, int len, const char *want)
{
	const char *p = buf;

	while (p < buf + len) {
		if (!strcmp(p, want))
			return 1;
		p += strlen(p) + 1;
	}
	return 0;
}

int uevent_wait(int fd, const char *event, unsigned int id, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long until = vz_now_ms() + ms;
	char buf[4097], name[64], veid[32];

	snprintf(name, sizeof(name), "VE_EVENT=%s", event);
	snprintf(veid, sizeof(veid), "VEID=%u", id);
	while (vz_now_ms() <= until) {
		int n;

		if (poll(&p, 1, 50) != 1)
			continue;
		n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
		if (n <= 0)
			continue;
		buf[n] = 0;
		if (has(buf, n, veid) && has(buf, n, name) &&
		    has(buf, n, "ACTION=change") &&
		    has(buf, n, "DEVNAME=vzctl"))
			return 0;
	}
	return -1;
}
