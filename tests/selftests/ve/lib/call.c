// SPDX-License-Identifier: GPL-2.0
/* The calls of linux/vzctl.h, one function each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"
#include "ve.h"

int vz_ctl(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = check_ok(open("/dev/vzctl", O_RDWR | O_CLOEXEC));
	return fd;
}

int vz_reserve(unsigned int id)
{
	struct vzctl_reserve arg = { .size = sizeof(arg), .veid = id };

	return ioctl(vz_ctl(), VZCTL_RESERVE, &arg);
}

int vz_open(unsigned int id)
{
	struct vzctl_open arg = { .size = sizeof(arg), .veid = id };

	return ioctl(vz_ctl(), VZCTL_OPEN, &arg);
}

/* 4095 slots are more than any test has at once. */
unsigned int vz_base(unsigned int id)
{
	return (id % 4095 + 1) * VZCTL_ID_RANGE;
}

int ve_cgroup_fd(unsigned int id)
{
	char path[64];

	snprintf(path, sizeof(path), VE_CGROUP "/%u/ct", id);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int vz_create2(int fd, unsigned int id, uint64_t bset)
{
	struct vzctl_create arg = {
		.size = sizeof(arg),
		.uid_base = vz_base(id),
		.uid_count = VZCTL_ID_RANGE,
		.bset = bset,
	};
	int ret, err;

	arg.cgroup_fd = ve_cgroup_fd(id);
	if (arg.cgroup_fd < 0)
		return -1;
	ret = ioctl(fd, VZCTL_CREATE2, &arg);
	err = errno;
	close(arg.cgroup_fd);
	errno = err;
	return ret;
}

int vz_run(int fd)
{
	return ioctl(fd, VZCTL_RUN);
}

int vz_kill(int fd, int sig)
{
	struct vzctl_kill arg = { .size = sizeof(arg), .signal = sig };

	return ioctl(fd, VZCTL_KILL, &arg);
}

int vz_enter(int fd, unsigned int flags)
{
	struct vzctl_enter arg = { .size = sizeof(arg), .flags = flags };

	return ioctl(fd, VZCTL_ENTER2, &arg);
}

int vz_get(int fd, struct vzctl_get *get)
{
	memset(get, 0, sizeof(*get));
	get->size = sizeof(*get);
	return ioctl(fd, VZCTL_GET, get);
}

int vz_ubc(int fd, unsigned int id, unsigned int res, uint64_t barrier,
	   uint64_t limit)
{
	struct vzctl_ubc arg = {
		.size = sizeof(arg),
		.id = id,
		.resource = res,
		.barrier = barrier,
		.limit = limit,
	};

	return ioctl(fd, VZCTL_UBC, &arg);
}

int vz_set(int fd, unsigned int key, const char *text, unsigned int len)
{
	struct vzctl_set arg = {
		.size = sizeof(arg),
		.key = key,
		.data = (uintptr_t)text,
		.len = len,
	};

	return ioctl(fd, VZCTL_SET, &arg);
}

int ve_exists(unsigned int id)
{
	int fd = vz_open(id);

	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

int ve_cgroup_exists(unsigned int id)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), VE_CGROUP "/%u", id);
	return !stat(path, &st);
}

int read_file(const char *path, char *buf, int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), len = 0, n = 0, err;

	if (fd < 0)
		return -1;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	err = errno;
	close(fd);
	errno = err;
	if (!len && n < 0)
		return -1;
	buf[len] = 0;
	return len;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), n, err;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

void make_dir(const char *path)
{
	check(!mkdir(path, 0755) || errno == EEXIST);
}

const char *test_dir(void)
{
	make_dir("/tmp");
	make_dir("/tmp/vztest");
	return "/tmp/vztest";
}
