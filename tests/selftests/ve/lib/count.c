// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"
#include "ktap.h"
#include "ve.h"

/* Objects of which every VE has at least one. */
static const char *const exact_caches[] = {
	"net_namespace", "pid_namespace", "user_namespace", "uts_namespace",
	"time_namespace",
};

/* The same, but used by the rest of the node as well. */
static const char *const noisy_caches[] = {
	"mnt_cache", "nsproxy", "cred_jar", "task_struct", "signal_cache",
	"sighand_cache", "files_cache", "fs_cache", "mm_struct", "filp", "pid",
	"sock_inode_cache", "UNIX", "UNIX-STREAM", "TCP", "TCPv6", "UDP",
	"pid_2", "cgroup", "key_jar", "ucounts", "shmem_inode_cache",
	"kernfs_node_cache", "names_cache",
};

static char slab_text[256 * 1024];

/*
 * Objects in use in a cache.  /proc/slabinfo counts what sits in per-CPU
 * caches as used, so they are flushed first.  -1: no such cache.
 */
static long cache_objects(const char *name)
{
	char path[128], text[64];
	const char *line = slab_text;
	size_t len = strlen(name);

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	if (!write_file(path, "1")) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects",
			 name);
		if (read_file(path, text, sizeof(text)) > 0)
			return atol(text);
	}
	while (line) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			return atol(line + len);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -1;
}

static void add(struct counts *c, const char *name, long value, int exact)
{
	if (value < 0 || c->n == COUNT_MAX)
		return;
	c->item[c->n].name = name;
	c->item[c->n].value = value;
	c->item[c->n++].exact = exact;
}

static long key_value(const char *path, const char *key)
{
	char text[8192];
	const char *at;

	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, key);
	return at ? atol(at + strlen(key)) : -1;
}

static long lines_of(const char *path)
{
	static char text[512 * 1024];
	const char *p = text;
	long n = 0;

	if (read_file(path, text, sizeof(text)) < 0)
		return -1;
	while ((p = strchr(p, '\n'))) {
		n++;
		p++;
	}
	return n;
}

/* Entries of a directory whose names begin with a digit. */
static long numbers_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	long n = 0;

	if (!dir)
		return -1;
	while ((d = readdir(dir)))
		n += isdigit(d->d_name[0]) != 0;
	closedir(dir);
	return n;
}

/* User processes: kernel threads come and go by themselves. */
static long processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	long n = 0;

	if (!dir)
		return -1;
	while ((d = readdir(dir))) {
		char path[300], text[512];
		unsigned long flags;

		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		if (!isdigit(d->d_name[0]) ||
		    read_file(path, text, sizeof(text)) < 0)
			continue;
		/* Field 9, PF_KTHREAD. */
		if (sscanf(strrchr(text, ')') + 1,
			   " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1)
			n += !(flags & 0x200000);
	}
	closedir(dir);
	return n;
}

/* The memory of a dead network namespace is freed by the death of the next. */
static void flush_net(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(CLONE_NEWNET));
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void take(struct counts *c)
{
	size_t i;

	c->n = 0;
	slab_text[0] = 0;
	read_file("/proc/slabinfo", slab_text, sizeof(slab_text));
	for (i = 0; i < ARRAY_SIZE(exact_caches); i++)
		add(c, exact_caches[i], cache_objects(exact_caches[i]), 1);
	for (i = 0; i < ARRAY_SIZE(noisy_caches); i++)
		add(c, noisy_caches[i], cache_objects(noisy_caches[i]), 0);
	add(c, "mounts", lines_of("/proc/self/mountinfo"), 1);
	add(c, "cgroups", key_value("/sys/fs/cgroup/cgroup.stat",
				    "nr_descendants "), 1);
	add(c, "dying cgroups", key_value("/sys/fs/cgroup/cgroup.stat",
					  "nr_dying_descendants "), 1);
	add(c, "VE cgroups", numbers_in(VE_CGROUP), 1);
	add(c, "UBs", numbers_in("/proc/bc"), 1);
	add(c, "VEs", lines_of("/proc/vz/veinfo"), 1);
	add(c, "processes", processes(), 1);
}

static int same_exact(const struct counts *a, const struct counts *b)
{
	int i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (a->item[i].exact && a->item[i].value != b->item[i].value)
			return 0;
	return a->n == b->n;
}

/* When what was stopped before is gone: two takes in a row agree. */
void counts_take(struct counts *c)
{
	long long until = vz_now_ms() + 10000;
	struct counts last;

	flush_net();
	take(c);
	do {
		last = *c;
		flush_net();
		take(c);
	} while (!same_exact(c, &last) && vz_poll_step(until));
}

static int wrong(const struct counts *a, const struct counts *b, long slack,
		 int note)
{
	int i, bad = 0;

	for (i = 0; i < a->n && i < b->n; i++) {
		long grown = b->item[i].value - a->item[i].value;
		/* Fewer dying cgroups than at the start is fine. */
		int ok = grown < (a->item[i].exact ? 1 : slack);

		if (ok)
			continue;
		bad++;
		if (note)
			vz_note("%s: %ld before, %ld now", a->item[i].name,
				a->item[i].value, b->item[i].value);
	}
	return bad;
}

int counts_compare(const struct counts *before, long slack, int ms)
{
	long long until = vz_now_ms() + ms;
	struct counts now;

	do {
		flush_net();
		take(&now);
		if (!wrong(before, &now, slack, 0))
			return 0;
		/* Cached names and inodes are no leak, but count as one. */
		write_file("/proc/sys/vm/drop_caches", "2");
	} while (vz_poll_step(until));
	return wrong(before, &now, slack, 1);
}
