// SPDX-License-Identifier: GPL-2.0
/* Names and files. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"

#define FILES 300
#define LINKS 20000
#define HELD 500
#define ABSENT 1000
#define MORE 20
#define CHUNK 65536L

static char dir[24];

static const char *file(int nr)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/a_rather_long_name_%d", dir, nr);
	return path;
}

static int create(int nr)
{
	int fd = open(file(nr), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int another_name(int nr)
{
	char old[64];

	strcpy(old, file(0));
	return link(old, file(nr));
}

/* Names that are looked up and not there, names that are, descriptors of them. */
void pass_dentry(void)
{
	static int held[HELD];
	int n = 0, i, nheld = 0;
	char path[64];

	snprintf(dir, sizeof(dir), "/tmp/d.%d", getpid());
	mkdir(dir, 0700);
	for (i = 0; i < ABSENT; i++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/no_file_has_that_name_%d", i);
		access(path, F_OK);
	}
	while (n < FILES && !create(n))
		n++;
	/* Another name is much cheaper than another file, for us. */
	while (n < LINKS && !another_name(n))
		n++;
	for (i = 0; i < n && nheld < HELD; i++) {
		held[nheld] = open(file(i), O_PATH | O_CLOEXEC);
		nheld += held[nheld] >= 0;
	}
	for (i = 0; i < MORE; i++)
		if (i & 1 ? create(n + i) : another_name(n + i))
			access(file(n + i), F_OK);
	while (nheld)
		close(held[--nheld]);
	for (i = 0; i < n + MORE; i++)
		unlink(file(i));
	rmdir(dir);
}

/* Fills the file system, twice. */
void pass_tmpfs(void)
{
	static const char data[CHUNK];
	char path[24];
	int fd, i, tries = 2 * MORE;
	long at = 0;

	snprintf(path, sizeof(path), "/tmp/t.%d", getpid());
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	unlink(path);
	for (i = 0; i < 2; i++) {
		while (tries > (1 - i) * MORE) {
			long n = pwrite(fd, data, CHUNK, at);

			if (n > 0)
				at += n;
			else
				tries--;
		}
		ftruncate(fd, 0);
		at = 0;
	}
	close(fd);
}

/* Everything else that is done with names. */
void pass_names(void)
{
	char a[64], b[64];
	struct dirent *d;
	struct stat st;
	DIR *list;
	int i;

	snprintf(dir, sizeof(dir), "/tmp/n.%d", getpid());
	mkdir(dir, 0700);
	for (i = 0; i < MORE; i++) {
		create(i);
		snprintf(a, sizeof(a), "%s/s%d", dir, i);
		symlink(file(i), a);
		stat(a, &st);
		snprintf(b, sizeof(b), "%s/l%d", dir, i);
		link(file(i), b);
		rename(b, a);
		mkdir(b, 0700);
		mkfifo(b, 0600);
	}
	list = opendir(dir);
	while (list && (d = readdir(list)))
		if (unlinkat(dirfd(list), d->d_name, 0))
			unlinkat(dirfd(list), d->d_name, AT_REMOVEDIR);
	if (list)
		closedir(list);
	list = opendir("/proc/self");
	while (list && (d = readdir(list)))
		fstatat(dirfd(list), d->d_name, &st, 0);
	if (list)
		closedir(list);
	rmdir(dir);
}
