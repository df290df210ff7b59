// SPDX-License-Identifier: GPL-2.0
/* Processes: switching between them, making and ending them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "ktap.h"

extern const char nop_image[], nop_end[];

/* A program of three instructions (nop.S), carried by this one. */
asm(".section .rodata\n"
	"nop_image:\n"
	".incbin \"" NOP "\"\n"
	"nop_end:\n"
	".previous");

static int mine = -1;
static pid_t peer;

void echo_start(int fd, int theirs)
{
	char c;

	mine = fd;
	peer = check_ok(fork());
	if (peer)
		return;
	close(mine);
	while (read(theirs, &c, 1) == 1 && write(theirs, &c, 1) == 1)
		;
	_exit(0);
}

void echo_run(unsigned int ops)
{
	char c = 'x';

	while (ops--) {
		check_eq(write(mine, &c, 1), 1);
		check_eq(read(mine, &c, 1), 1);
	}
}

void echo_stop(void)
{
	check_ok(kill(peer, SIGKILL));
	check_eq(waitpid(peer, NULL, 0), peer);
	close(mine);
}

/* A pipe is one way: there are two, and an end of each per process. */
static int there[2], back[2];

static void pipe_setup(void)
{
	char c;

	check_ok(pipe(there));
	check_ok(pipe(back));
	peer = check_ok(fork());
	if (peer)
		return;
	while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
		;
	_exit(0);
}

static void pipe_run(unsigned int ops)
{
	char c = 'x';

	while (ops--) {
		check_eq(write(there[1], &c, 1), 1);
		check_eq(read(back[0], &c, 1), 1);
	}
}

static void await(pid_t pid, int code)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), code);
}

static void fork_run(unsigned int ops)
{
	pid_t pid;

	while (ops--) {
		pid = check_ok(fork());
		if (!pid)
			_exit(7);
		await(pid, 7);
	}
}

static void exec_setup(void)
{
	int fd = check_ok(open("nop", O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	ssize_t size = nop_end - nop_image;

	check_eq(write(fd, nop_image, size), size);
	close(fd);
}

static void exec_run(unsigned int ops)
{
	static char *const argv[] = { "nop", NULL };
	static char *const envp[] = { NULL };
	pid_t pid;

	while (ops--) {
		pid = check_ok(fork());
		if (!pid) {
			execve("nop", argv, envp);
			_exit(1);
		}
		await(pid, 0);
	}
}

static void exec_cleanup(void)
{
	check_ok(unlink("nop"));
}

const struct row task_rows[] = {
	{ "pipe-rtt", 2000, pipe_setup, pipe_run, echo_stop },
	{ "fork+exit", 500, NULL, fork_run, NULL },
	{ "fork+exec", 300, exec_setup, exec_run, exec_cleanup },
	{ },
};
