// SPDX-License-Identifier: GPL-2.0
/* Init of a minimal VE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "ktap.h"

struct msg {
	int op;
	int err;
	long (*fn)(long arg);
	long val;
};

static void send_msg(int fd, const struct msg *m)
{
	ssize_t n;

	do
		n = send(fd, m, sizeof(*m), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

static int recv_msg(int fd, struct msg *m)
{
	ssize_t n;

	do
		n = recv(fd, m, sizeof(*m), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*m) ? m->op : AGENT_EOF;
}

void agent_send(int fd, int op, long (*fn)(long), long arg)
{
	struct msg m = { .op = op, .fn = fn, .val = arg };

	send_msg(fd, &m);
}

int agent_wait(int fd, long *ret)
{
	struct msg m;
	int op = recv_msg(fd, &m);

	if (op == AGENT_DONE && ret) {
		*ret = m.val;
		errno = m.err;
	}
	return op;
}

static long call_forked(const struct msg *m)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -1;
	if (!pid) {
		close(VE_FD_AGENT);
		_exit(m->fn(m->val));
	}
	if (m->op == AGENT_SPAWN)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static void serve(int fd)
{
	struct msg m;

	for (;;) {
		int op = recv_msg(fd, &m);

		if (op == AGENT_EOF)
			return;
		errno = 0;
		m.val = op == AGENT_CALL ? m.fn(m.val) : call_forked(&m);
		m.err = errno;
		m.op = AGENT_DONE;
		send_msg(fd, &m);
	}
}

/* Loopback is part of a working network namespace. */
static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = check_ok(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	check_ok(ioctl(s, SIOCSIFFLAGS, &ifr));
	close(s);
}

void agent_main(int fd, const struct ve_opts *opts, volatile long *shared)
{
	struct msg m;

	/* No descriptor of the host but the socket and the report. */
	check_eq(dup2(fd, VE_FD_AGENT), VE_FD_AGENT);
	check_ok(close_range(3, VE_FD_KTAP - 1, 0));
	check_ok(close_range(VE_FD_AGENT + 1, ~0U, 0));
	fd = VE_FD_AGENT;
	ve_shared = shared;
	check_ok(setsid());
	check_ok(unshare(CLONE_NEWCGROUP));
	if (!opts->bare)
		root_build(opts->root);
	lo_up();
	if (opts->setup)
		opts->setup();
	agent_send(fd, AGENT_READY, NULL, 0);
	if (recv_msg(fd, &m) != AGENT_GO)
		_exit(0);
	agent_send(fd, AGENT_RUNNING, NULL, 0);
	if (opts->init)
		_exit(opts->init());
	serve(fd);
	if (opts->detached)
		for (;;)
			pause();
	_exit(0);
}
