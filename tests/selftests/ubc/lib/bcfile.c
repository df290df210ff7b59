// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bcfile.h"
#include "ktap.h"
#include "ve.h"

#define MB (1L << 20)

char *bc_file(unsigned int id, const char *name)
{
	static char text[65536];
	char path[64];
	int n;

	snprintf(path, sizeof(path), "/proc/bc/%u/%s", id, name);
	n = check_ok(read_file(path, text, sizeof(text)));
	check(n < (int)sizeof(text) - 1);
	return text;
}

long bc_slab(unsigned int id, const char *name)
{
	char *line, *rest = bc_file(id, "slabinfo");
	long result = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		char cache[64], text[96];
		long n;

		check_eq(sscanf(line, "%63[^:]: %ld", cache, &n), 2);
		snprintf(text, sizeof(text), "%s: %ld", cache, n);
		check(!strcmp(line, text));
		check(n > 0);
		if (!strcmp(cache, name))
			result += n;
	}
	return result;
}

long fill_tmpfs(long n)
{
	static char buf[MB];
	int fd = check_ok(open("/tmp/fill", O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	while (n--)
		check_eq(write(fd, buf, MB), MB);
	return close(fd);
}
