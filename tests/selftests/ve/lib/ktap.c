// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "recount.h"
#include "ve.h"

#define EXIT_FAIL	1
#define EXIT_SKIP	4
#define LINE		1024

static int out = 1;
static int kmsg = -1;

/* One write per line, so that lines of several processes do not mix. */
static void emit(const char *prefix, const char *fmt, va_list ap)
{
	char buf[LINE];
	int n = snprintf(buf, sizeof(buf), "%s", prefix);

	n += vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);
	if (n > LINE - 2)
		n = LINE - 2;
	buf[n++] = '\n';
	if (write(out, buf, n) != n)
		_exit(EXIT_FAIL);
}

__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

void vz_note(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	emit("# ", fmt, ap);
	va_end(ap);
	errno = saved;
}

void vz_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("# SKIP ", fmt, ap);
	va_end(ap);
	_exit(EXIT_SKIP);
}

void vz_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char prefix[128];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "# %s:%d: ", base ? base + 1 : file,
		 line);
	va_start(ap, fmt);
	emit(prefix, fmt, ap);
	va_end(ap);
	_exit(EXIT_FAIL);
}

long vz_scaled(long n)
{
	const char *s = getenv("VZ_SCALE");
	long scale = s ? atol(s) : 10;

	if (scale < 1)
		scale = 1;
	return n / scale ? n / scale : 1;
}

long long vz_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int vz_poll_step(long long until)
{
	struct timespec ts = { 0, 5000000 };

	if (vz_now_ms() > until)
		return 0;
	nanosleep(&ts, NULL);
	return 1;
}

/* True if a line of the kernel log is one that a good kernel never prints. */
static int is_splat(const char *line)
{
	static const char *const bad[] = {
		"WARNING: ", "BUG: ", "BUG at", "INFO: possible", "INFO: task ",
		"possible recursive", "possible circular", "suspicious RCU",
		"inconsistent lock", "self-detected stall", "detected stalls",
		"unreferenced object", "general protection", "Oops",
		"rust_kernel: panicked", "refcount_t:", "KASAN", "UBSAN",
		"held lock freed", "sleeping function called",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(line, bad[i]))
			return 1;
	return 0;
}

/* Number of such lines since the last call. */
static int new_splats(void)
{
	char line[8192];
	int found = 0;
	ssize_t n;

	if (kmsg < 0)
		return 0;
	for (;;) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return found;
		line[n] = 0;
		if (!is_splat(line))
			continue;
		line[strcspn(line, "\n")] = 0;
		vz_note("kernel: %s", line);
		found++;
	}
}

void vz_dump_tasks(void)
{
	if (write_file("/proc/sysrq-trigger", "t"))
		vz_note("no stacks: errno %d", errno);
}

/* Waits for the case; its status, or -1 when its time is up. */
static int wait_case(pid_t pid, unsigned int timeout)
{
	long long until = vz_now_ms() + timeout * 1000LL;
	int status;

	for (;;) {
		pid_t r = waitpid(-1, &status, WNOHANG | __WALL);

		if (r == pid)
			return status;
		/* Orphans of the case, such as init of a VE, come to us. */
		if (r > 0)
			continue;
		if (r < 0 || !vz_poll_step(until))
			return -1;
	}
}

/* Reaps what the case left; all of it is dead or dying. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

static int run_case(const struct vz_case *c)
{
	int status, left, bad;
	pid_t pid;

	new_splats();
	pid = fork();
	if (pid < 0)
		return EXIT_FAIL;
	if (!pid) {
		setpgid(0, 0);
		c->run();
		_exit(0);
	}
	setpgid(pid, pid);
	status = wait_case(pid, c->timeout ? c->timeout : 120);
	if (status == -1)
		vz_dump_tasks();
	if (status == -1)
		vz_note("timed out after %u s", c->timeout ? c->timeout : 120);
	kill(-pid, SIGKILL);
	left = ve_kill_all(status == 0 ? 5000 : 0);
	reap_all();
	bad = recount_check(RECOUNT_ALL);
	bad += new_splats();
	if (status != -1 && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_SKIP)
		return bad ? EXIT_FAIL : EXIT_SKIP;
	if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		if (status != -1 && WIFSIGNALED(status))
			vz_note("killed by signal %d", WTERMSIG(status));
		return EXIT_FAIL;
	}
	if (left)
		vz_note("%d VE(s) still there at the end", left);
	return left || bad ? EXIT_FAIL : 0;
}

static int wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return 1;
	return argc < 2;
}

int vz_main(const struct vz_case *cases, size_t count, int argc, char **argv)
{
	const char *path = getenv("KTAP");
	int nr = 0, failed = 0, planned = 0;
	size_t i;

	if (path) {
		out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			   0644);
		if (out < 0) {
			perror(path);
			return EXIT_FAIL;
		}
	}
	/* Above what tests count and close. */
	out = fcntl(out, F_DUPFD_CLOEXEC, VE_FD_KTAP);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < count; i++)
		planned += wanted(cases[i].name, argc, argv);
	say("KTAP version 1");
	say("1..%d", planned);
	for (i = 0; i < count; i++) {
		const char *skip;
		int ret;

		if (!wanted(cases[i].name, argc, argv))
			continue;
		ret = run_case(&cases[i]);
		failed += ret == EXIT_FAIL;
		skip = "";
		if (ret == EXIT_SKIP)
			skip = " # SKIP";
		say("%s %d %s%s", ret == EXIT_FAIL ? "not ok" : "ok", ++nr,
		    cases[i].name, skip);
	}
	return failed ? EXIT_FAIL : 0;
}
