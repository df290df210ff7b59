// SPDX-License-Identifier: GPL-2.0
/* Files of a tmpfs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

#define NAME	"file"
#define PAGE	4096

static int file = -1;

static void file_setup(void)
{
	file = check_ok(open(NAME, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

static void file_cleanup(void)
{
	close(file);
	check_ok(unlink(NAME));
}

static void open_run(unsigned int ops)
{
	while (ops--)
		close(check_ok(open(NAME, O_RDONLY | O_CLOEXEC)));
}

static void stat_run(unsigned int ops)
{
	struct stat st;

	while (ops--)
		check_ok(stat(NAME, &st));
}

static void flock_run(unsigned int ops)
{
	while (ops--) {
		check_ok(flock(file, LOCK_EX));
		check_ok(flock(file, LOCK_UN));
	}
}

static void create_run(unsigned int ops)
{
	static char page[PAGE];
	int fd;

	while (ops--) {
		fd = check_ok(open("new", O_CREAT | O_EXCL | O_WRONLY, 0600));
		check_eq(write(fd, page, PAGE), PAGE);
		close(fd);
		check_ok(unlink("new"));
	}
}

const struct row file_rows[] = {
	{ "open+close", 10000, file_setup, open_run, file_cleanup },
	{ "stat", 20000, file_setup, stat_run, file_cleanup },
	{ "flock", 10000, file_setup, flock_run, file_cleanup },
	{ "create+write+unlink", 2000, NULL, create_run, NULL },
	{ },
};
