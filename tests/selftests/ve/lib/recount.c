// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"
#include "recount.h"
#include "ve.h"

#define DIR "/sys/kernel/debug/ubc/"
#define HEADER "ID GEN resource held recounted\n"
#define NOTED 32

static char text[256 * 1024];

int recount_there(void)
{
	return !access(DIR "recount", F_OK);
}

/* Calls @fn for each line. */
static void each(void (*fn)(const struct recount_line *l, void *arg), void *arg)
{
	const char *at = text + strlen(HEADER);
	struct recount_line l;

	if (read_file(DIR "recount", text, sizeof(text)) < 0)
		vz_fail(__FILE__, __LINE__, "recount: errno %d", errno);
	check(!strncmp(text, HEADER, strlen(HEADER)));
	while (*at) {
		check_eq(sscanf(at, "%u %llu %15s %ld %ld", &l.id, &l.gen,
				l.name, &l.held, &l.recounted), 5);
		fn(&l, arg);
		at = strchr(at, '\n');
		check(at++);
	}
}

struct diff {
	unsigned int id;	/* or all */
	struct recount_line *line;
	int n, max;
};

static void differs(const struct recount_line *l, void *arg)
{
	struct diff *d = arg;

	if (l->held == l->recounted || (d->id && l->id != d->id))
		return;
	if (d->n < d->max)
		d->line[d->n] = *l;
	d->n++;
}

int recount_diff(unsigned int id, struct recount_line *line, int max)
{
	struct diff d = { id, line, 0, max };

	each(differs, &d);
	return d.n;
}

struct find {
	unsigned int id;
	const char *name;
	struct recount_line line;
};

/* The newest UB is the last. */
static void found(const struct recount_line *l, void *arg)
{
	struct find *f = arg;

	if (l->id == f->id && !strcmp(l->name, f->name))
		f->line = *l;
}

struct recount_line recount_line(unsigned int id, const char *name)
{
	struct find f = { .id = id, .name = name };

	each(found, &f);
	return f.line;
}

int recount_check(unsigned int id)
{
	long long until = vz_now_ms() + 10000;
	struct recount_line diff[NOTED];
	int i, n;

	if (!recount_there())
		return 0;
	do
		n = recount_diff(id, diff, NOTED);
	while (n && vz_poll_step(until));
	for (i = 0; i < n && i < NOTED; i++)
		vz_note("recount: UB %u-%llu %s: held %ld, there are %ld",
			diff[i].id, diff[i].gen, diff[i].name, diff[i].held,
			diff[i].recounted);
	return n;
}

int recount_skew(unsigned int id, const char *name, long n)
{
	char line[64];

	snprintf(line, sizeof(line), "%u %s %ld\n", id, name, n);
	return write_file(DIR "skew", line);
}
