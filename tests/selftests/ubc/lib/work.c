// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#define PG 4096L
#define PAGES 64
#define TEXT 1024
#define FILE_SIZE (4 * PG)
/* Waiting that long for a packet of one's own is a failure. */
#define PATIENCE 30

static int do_fork(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(17);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 17 ? 0 : -1;
}

static int do_open(void)
{
	int i, fd;

	for (i = 0; i < 10; i++) {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0 || close(fd))
			return -1;
	}
	return 0;
}

static int do_mmap(void)
{
	volatile char *p = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i, bad = 0;

	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < PAGES; i++) {
		bad |= p[i * PG];
		p[i * PG] = i + 1;
	}
	for (i = 0; i < PAGES; i++)
		bad |= p[i * PG] != i + 1;
	return munmap((void *)p, PAGES * PG) || bad ? -1 : 0;
}

/* A socket of loopback; its address in @a. */
static int inet(int type, struct sockaddr_in *a)
{
	struct timeval tv = { .tv_sec = PATIENCE };
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	if (bind(fd, (void *)a, len) || getsockname(fd, (void *)a, &len) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What is sent at one end comes out of the other. */
static int pass_on(int from, int to)
{
	char out[TEXT], in[TEXT];
	static unsigned char nr;

	memset(out, ++nr, sizeof(out));
	if (send(from, out, TEXT, MSG_NOSIGNAL) != TEXT ||
	    recv(to, in, TEXT, MSG_WAITALL) != TEXT)
		return -1;
	return memcmp(in, out, TEXT) ? -1 : 0;
}

static int do_udp(void)
{
	struct sockaddr_in a, b;
	int s = inet(SOCK_DGRAM, &a), t = inet(SOCK_DGRAM, &b), ret = -1;

	if (s >= 0 && t >= 0 && !connect(s, (void *)&b, sizeof(b)) &&
	    !connect(t, (void *)&a, sizeof(a)))
		ret = pass_on(s, t) || pass_on(t, s) ? -1 : 0;
	if (s >= 0)
		close(s);
	if (t >= 0)
		close(t);
	return ret;
}

static int do_tcp(void)
{
	struct linger reset = { 1, 0 };
	struct sockaddr_in a, b;
	int l = inet(SOCK_STREAM, &a), s = inet(SOCK_STREAM, &b), t = -1, ret = -1;

	if (l >= 0 && s >= 0 && !listen(l, 1) && !connect(s, (void *)&a, sizeof(a)))
		t = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (t >= 0) {
		ret = pass_on(s, t) || pass_on(t, s) ? -1 : 0;
		setsockopt(t, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(t);
	}
	if (s >= 0)
		close(s);
	if (l >= 0)
		close(l);
	return ret;
}

static int do_file(void)
{
	static char out[FILE_SIZE], in[FILE_SIZE];
	static unsigned char nr;
	char path[32];
	int fd, ret = -1;

	snprintf(path, sizeof(path), "/tmp/work.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	memset(out, ++nr, sizeof(out));
	if (write(fd, out, FILE_SIZE) == FILE_SIZE &&
	    pread(fd, in, FILE_SIZE, 0) == FILE_SIZE && !memcmp(in, out, FILE_SIZE))
		ret = 0;
	return close(fd) || unlink(path) ? -1 : ret;
}

static const struct {
	const char *name;
	int (*step)(void);
} steps[] = {
	{ "fork", do_fork }, { "open", do_open }, { "mmap", do_mmap },
	{ "udp", do_udp }, { "tcp", do_tcp }, { "file", do_file },
};
#define NSTEPS ((long)(sizeof(steps) / sizeof(steps[0])))

const char *work_step(long step)
{
	return step >= 0 && step < NSTEPS ? steps[step].name : "?";
}

static long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

void work(volatile struct work *w)
{
	for (;;) {
		long start = now_ns(), i;

		for (i = 0; i < NSTEPS; i++) {
			errno = 0;
			if (!steps[i].step())
				continue;
			if (!w->failed) {
				w->step = i;
				w->err = errno;
			}
			w->failed++;
		}
		w->ns += now_ns() - start;
		w->rounds++;
	}
}
