// SPDX-License-Identifier: GPL-2.0
/* Things that are a descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "units.h"

static int kept[UNITS_MAX], nkept;

static long keep(int fd)
{
	int slot;

	if (fd < 0)
		return -1;
	slot = __atomic_fetch_add(&nkept, 1, __ATOMIC_SEQ_CST);
	if (slot >= UNITS_MAX) {
		close(fd);
		errno = EOVERFLOW;
		return -1;
	}
	kept[slot] = fd;
	return 0;
}

static long close_all(void)
{
	if (nkept > UNITS_MAX)
		nkept = UNITS_MAX;
	while (nkept)
		close(kept[--nkept]);
	return 0;
}

/* As many descriptors as a process may have at all. */
static void raise_limit(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static long one_file(long on)
{
	if (!nkept)
		raise_limit();
	return on ? keep(open("/dev/null", O_RDONLY | O_CLOEXEC)) : close_all();
}

static long one_tcp(long on)
{
	return on ? keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) :
		close_all();
}

static long one_unix(long on)
{
	return on ? keep(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) :
		close_all();
}

static long one_pty(long on)
{
	return on ? keep(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)) :
		close_all();
}

const struct unit unit_numfile = {
	"numfile", UB_NUMFILE, one_file, ENFILE, 1 };
const struct unit unit_numtcpsock = {
	"numtcpsock", UB_NUMTCPSOCK, one_tcp, ENOBUFS, 1 };
const struct unit unit_numothersock = {
	"numothersock", UB_NUMOTHERSOCK, one_unix, ENOMEM, 1 };
const struct unit unit_numpty = {
	"numpty", UB_NUMPTY, one_pty, ENOMEM, 1 };
