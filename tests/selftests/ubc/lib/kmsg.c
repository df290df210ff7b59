// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "ktap.h"

int kmsg_open(void)
{
	int fd = check_ok(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	check_ok(lseek(fd, 0, SEEK_END));
	return fd;
}

int kmsg_each(int fd, const char *text, void (*fn)(const char *line))
{
	char line[8192];
	ssize_t len;
	int n = 0;

	while ((len = read(fd, line, sizeof(line) - 1)) > 0) {
		line[len] = 0;
		if (!strstr(line, text))
			continue;
		line[strcspn(line, "\n")] = 0;
		n++;
		fn(line);
	}
	check_eq(errno, EAGAIN);
	return n;
}

static void unwanted(const char *line)
{
	vz_fail(__FILE__, __LINE__, "logged: %s", line);
}

void kmsg_without(int fd, const char *text)
{
	kmsg_each(fd, text, unwanted);
	close(fd);
}
