// SPDX-License-Identifier: GPL-2.0
/* Time-wait sockets: how many a VE may have, by number and by memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 9700
#define PORT 7795
#define DIR "/proc/sys/ubc/"
#define NUMBER DIR "tcp_max_tw_buckets_ub"
#define PART DIR "tcp_max_tw_kmem_fraction"

static void want(const char *path, const char *text)
{
	char got[64];

	check(read_file(path, got, sizeof(got)) > 0);
	check(!strcmp(got, text));
}

static void values(void)
{
	want(NUMBER, "16536\n");
	want(PART, "384\n");
	check_err(write_file(NUMBER, "-1"), EINVAL);
	check_err(write_file(PART, "-1"), EINVAL);
	check_err(write_file(PART, "1025"), EINVAL);
	want(NUMBER, "16536\n");
	want(PART, "384\n");
	check_ok(write_file(PART, "1024"));
	want(PART, "1024\n");
	check_ok(write_file(PART, "384"));
}

/* Connects and closes @n times; this end is the one that has to wait. */
static long connections(long n)
{
	int one = 1, s = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_in a = drive_local(PORT);

	check_ok(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	check_ok(bind(s, (struct sockaddr *)&a, sizeof(a)));
	check_ok(listen(s, 8));
	while (n--) {
		int c = check_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		char byte;
		int p;

		check_ok(connect(c, (struct sockaddr *)&a, sizeof(a)));
		p = check_ok(accept4(s, NULL, NULL, SOCK_CLOEXEC));
		check_ok(close(c));
		/* Closed at the same time, both would wait. */
		check_eq(read(p, &byte, 1), 0);
		check_ok(close(p));
	}
	return close(s);
}

static long in_use(long unused)
{
	char text[4096], *at;
	long n;

	check(read_file("/proc/net/sockstat", text, sizeof(text)) > 0);
	at = strstr(text, " tw ");
	check(at);
	check_eq(sscanf(at, " tw %ld", &n), 1);
	return n;
}

/* The value below the name in the two lines of TcpExt. */
static long overflows(long unused)
{
	static char text[32768];
	char *name, *value, *names = text, *values;

	check(read_file("/proc/net/netstat", text, sizeof(text)) > 0);
	values = strchr(text, '\n');
	check(values);
	*values++ = 0;
	while ((name = strsep(&names, " ")) && (value = strsep(&values, " ")))
		if (!strcmp(name, "TCPTimeWaitOverflow"))
			return strtol(value, NULL, 10);
	return -1;
}

/* Makes @n more: so many wait then, and so many have been closed without. */
static void make(struct ve *ve, long n, long waiting, long refused)
{
	check_eq(ve_call(ve, connections, n), 0);
	check_soon(ve_call(ve, in_use, 0) == waiting &&
		   ve_call(ve, overflows, 0) == refused, 5000);
	check_eq(ve_call(ve, in_use, 0), waiting);
}

/* Exactly as many as there may be wait, the others are closed without. */
static void number(void)
{
	struct ve a, b;

	check_ok(write_file(NUMBER, "5"));
	ve_start(&a, ID, NULL);
	ve_start(&b, ID + 1, NULL);
	make(&a, 5, 5, 0);
	make(&a, 3, 5, 3);
	/* Another UB has its own. */
	make(&b, 5, 5, 0);
	/* Changed while they are there. */
	check_ok(write_file(NUMBER, "7"));
	make(&a, 3, 7, 4);
	check_ok(write_file(NUMBER, "16536"));
	make(&a, 3, 10, 4);
	/* They go with the VE and keep no UB. */
	drive_stop(&b);
	drive_stop(&a);
}

/* A part of the limit of kmemsize, which is far above what is held. */
#define KMEM (16L << 20)

static void memory(void)
{
	char text[64];
	struct ve ve;
	long fit;

	check(read_file("/sys/kernel/slab/tw_sock_TCP/object_size", text, sizeof(text)) > 0);
	fit = KMEM / 1024 / atol(text);
	check(fit > 10 && fit < 200);
	ve_start(&ve, ID, NULL);
	check_ok(write_file(PART, "0"));
	make(&ve, 2, 0, 2);
	/* Without a limit any part is enough. */
	check_ok(write_file(PART, "1"));
	make(&ve, 2, 2, 2);
	check_ok(vz_ubc(ve.fd, 0, UB_KMEMSIZE, UB_MAX, KMEM));
	make(&ve, fit, fit, 4);
	check_eq(ub_failcnt(ID, "kmemsize"), 0);
	check_ok(write_file(PART, "384"));
	make(&ve, 2, fit + 2, 4);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(values),
	VZ_CASE(number),
	VZ_CASE(memory),
};
VZ_MAIN(cases)
