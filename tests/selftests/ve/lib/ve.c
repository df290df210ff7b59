// SPDX-License-Identifier: GPL-2.0
/* Start, use and stop a minimal VE. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "ktap.h"
#include "ve.h"

volatile long *ve_shared;

/* What the tools do: the inner cgroup belongs to root of the VE. */
static void delegate_cgroup(unsigned int id)
{
	static const char *const files[] = { "", "/cgroup.procs",
		"/cgroup.threads", "/cgroup.subtree_control" };
	unsigned int i;
	char path[96];

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), VE_CGROUP "/%u/ct%s", id,
			 files[i]);
		check_ok(chown(path, vz_base(id), vz_base(id)));
	}
}

void ve_start(struct ve *ve, unsigned int id, const struct ve_opts *opts)
{
	static const struct ve_opts none;
	int sp[2];

	if (!opts)
		opts = &none;
	memset(ve, 0, sizeof(*ve));
	ve->id = id;
	ve->base = vz_base(id);
	ve->shared = mmap(NULL, VE_SHARED * sizeof(long),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	check(ve->shared != MAP_FAILED);
	memset((void *)ve->shared, 0, VE_SHARED * sizeof(long));
	test_dir();
	ve->fd = check_ok(vz_reserve(id));
	delegate_cgroup(id);
	if (opts->reserved)
		opts->reserved(id, ve->fd);
	check_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp));
	ve->init = check_ok(vz_create2(ve->fd, id,
				       opts->bset ? opts->bset : VE_BSET));
	if (!ve->init)
		agent_main(sp[1], opts, ve->shared);
	close(sp[1]);
	ve->agent = sp[0];
	check_eq(agent_wait(ve->agent, NULL), AGENT_READY);
	if (!opts->no_run)
		ve_go(ve);
}

void ve_go(struct ve *ve)
{
	check_ok(vz_run(ve->fd));
	agent_send(ve->agent, AGENT_GO, NULL, 0);
	check_eq(agent_wait(ve->agent, NULL), AGENT_RUNNING);
}

unsigned int ve_state(struct ve *ve)
{
	struct vzctl_get get;

	check_ok(vz_get(ve->fd, &get));
	return get.state;
}

void ve_wait_dead(struct ve *ve, int ms, struct vzctl_get *get)
{
	struct pollfd p = { .fd = ve->fd, .events = 0 };
	struct vzctl_get local;
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	check_ok(vz_get(ve->fd, get ? get : &local));
	if (r != 1)
		vz_fail(__FILE__, __LINE__,
			"VE %u not dead after %d ms (state %u)", ve->id, ms,
			get ? get->state : local.state);
	check(p.revents & POLLHUP);
	check_eq(get ? get->state : local.state, VZCTL_STATE_DEAD);
}

void ve_close(struct ve *ve)
{
	close(ve->agent);
	close(ve->fd);
	/* Init is our child if we started it. */
	waitpid(ve->init, NULL, WNOHANG);
	munmap((void *)ve->shared, VE_SHARED * sizeof(long));
	ve->fd = -1;
}

void ve_stop(struct ve *ve)
{
	check(!vz_kill(ve->fd, SIGKILL) || errno == ESRCH);
	ve_wait_dead(ve, 20000, NULL);
	ve_close(ve);
}

unsigned int ve_nproc(struct ve *ve)
{
	struct vzctl_get get;

	check_ok(vz_get(ve->fd, &get));
	return get.nproc;
}

static long request(struct ve *ve, int op, long (*fn)(long), long arg)
{
	long ret;

	agent_send(ve->agent, op, fn, arg);
	if (agent_wait(ve->agent, &ret) != AGENT_DONE)
		vz_fail(__FILE__, __LINE__, "the agent of VE %u is gone",
			ve->id);
	return ret;
}

long ve_call(struct ve *ve, long (*fn)(long), long arg)
{
	return request(ve, AGENT_CALL, fn, arg);
}

int ve_fork(struct ve *ve, long (*fn)(long), long arg)
{
	return request(ve, AGENT_FORK, fn, arg);
}

pid_t ve_spawn(struct ve *ve, long (*fn)(long), long arg)
{
	return check_ok(request(ve, AGENT_SPAWN, fn, arg));
}

int exited(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

void ve_must(struct ve *ve, long (*fn)(long), long arg)
{
	int status = ve_fork(ve, fn, arg);

	if (!exited(status, 0))
		vz_fail(__FILE__, __LINE__, "in VE %u: status %#x", ve->id,
			status);
}

int ve_enter(struct ve *ve, unsigned int flags, long (*fn)(long), long arg)
{
	volatile long *res = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	long r[2];

	check(res != MAP_FAILED);
	pid = check_ok(fork());
	if (!pid) {
		int status;

		ve_shared = ve->shared;
		res[0] = vz_enter(ve->fd, flags);
		res[1] = errno;
		if (res[0])
			_exit(1);
		pid = check_ok(fork());
		if (!pid)
			_exit(fn(arg));
		while (waitpid(pid, &status, 0) < 0)
			check(errno == EINTR);
		res[1] = status;
		_exit(0);
	}
	res[0] = 1;
	check_eq(waitpid(pid, NULL, 0), pid);
	r[0] = res[0];
	r[1] = res[1];
	munmap((void *)res, 4096);
	if (!r[0])
		return r[1];
	errno = r[1];
	return -1;
}

/* One pass over the VEs that have a cgroup: how many there are. */
static int each_ve(int do_kill)
{
	DIR *dir = opendir(VE_CGROUP);
	struct dirent *d;
	int n = 0;

	if (!dir)
		return 0;
	while ((d = readdir(dir))) {
		unsigned int id = strtoul(d->d_name, NULL, 10);
		struct pollfd p = { .fd = -1 };
		int fd;

		if (!id)
			continue;
		n++;
		if (!do_kill)
			continue;
		fd = vz_open(id);
		if (fd < 0)
			continue;
		vz_note("killing VE %u", id);
		/* One without init goes with its descriptors. */
		p.fd = fd;
		if (!vz_kill(fd, SIGKILL) && poll(&p, 1, 10000) != 1)
			vz_note("VE %u does not die", id);
		close(fd);
	}
	closedir(dir);
	return n;
}

int ve_kill_all(int grace)
{
	long long until = vz_now_ms() + grace;
	int left;

	while ((left = each_ve(0)))
		if (!vz_poll_step(until))
			break;
	if (!left)
		return 0;
	each_ve(1);
	until = vz_now_ms() + 20000;
	while (each_ve(0) && vz_poll_step(until))
		;
	return left;
}
