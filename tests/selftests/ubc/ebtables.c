// SPDX-License-Identifier: GPL-2.0
/* numiptent: rules of ebtables, whose table is replaced as a whole. */
#define _GNU_SOURCE
/* Before <linux/in.h>, which knows it. */
#include <netinet/in.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_bridge/ebtables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 9300
#define RULE	(sizeof(struct ebt_entry) + sizeof(struct ebt_standard_target))

static struct ve ve;

/* A rule that does nothing. */
static void rule(char *at)
{
	struct ebt_entry *e = (void *)at;
	struct ebt_standard_target *t = (void *)e->elems;

	e->bitmask = EBT_ENTRY_OR_ENTRIES | EBT_NOPROTO;
	e->watchers_offset = sizeof(*e);
	e->target_offset = sizeof(*e);
	e->next_offset = RULE;
	strcpy(t->target.u.name, EBT_STANDARD_TARGET);
	t->target.target_size = sizeof(*t) - sizeof(t->target);
	t->verdict = EBT_CONTINUE;
}

/* The filter table with @n rules in FORWARD; 0, or -1 and errno. */
static long load(long n)
{
	static const int hooks[] = { NF_BR_LOCAL_IN, NF_BR_FORWARD, NF_BR_LOCAL_OUT };
	static const char *const names[] = { "INPUT", "FORWARD", "OUTPUT" };
	struct ebt_replace r = { .name = "filter", .nentries = n };
	char *at;
	int fd, i, err;
	long k;

	r.entries_size = 3 * sizeof(struct ebt_entries) + n * RULE;
	r.entries = calloc(1, r.entries_size);
	check(r.entries);
	at = r.entries;
	for (i = 0; i < 3; i++) {
		struct ebt_entries *chain = (void *)at;

		r.valid_hooks |= 1 << hooks[i];
		r.hook_entry[hooks[i]] = chain;
		strcpy(chain->name, names[i]);
		chain->policy = EBT_ACCEPT;
		chain->counter_offset = i == 2 ? n : 0;
		chain->nentries = i == 1 ? n : 0;
		at += sizeof(*chain);
		for (k = 0; k < chain->nentries; k++, at += RULE)
			rule(at);
	}
	fd = check_ok(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
	err = setsockopt(fd, IPPROTO_IP, EBT_SO_SET_ENTRIES, &r,
			 sizeof(r) + r.entries_size) ? errno : 0;
	close(fd);
	free(r.entries);
	errno = err;
	return err ? -1 : 0;
}

/* The difference is charged, at the limit; an empty table costs nothing. */
static void table(void)
{
	drive_start(&ve, ID, "numiptent");
	check_eq(ve_call(&ve, load, 0), 0);
	ub_want(ID, "numiptent", 0, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMIPTENT, 1, 10));
	check_eq(ve_call(&ve, load, 6), 0);
	ub_want(ID, "numiptent", 6, 0);
	check_err(ve_call(&ve, load, 11), ENOMEM);
	ub_want(ID, "numiptent", 6, 1);
	check_eq(ve_call(&ve, load, 10), 0);
	ub_want(ID, "numiptent", 10, 1);
	/* The same size again, at the limit. */
	check_eq(ve_call(&ve, load, 10), 0);
	ub_want(ID, "numiptent", 10, 1);
	check_eq(ub_line(ID, "numiptent").maxheld, 10);
	check_eq(ve_call(&ve, load, 3), 0);
	ub_want(ID, "numiptent", 3, 1);
	check_eq(ve_call(&ve, load, 0), 0);
	ub_want(ID, "numiptent", 0, 1);
	check_eq(ve_call(&ve, load, 4), 0);
	ub_want(ID, "numiptent", 4, 1);
	/* Stopped with rules loaded. */
	drive_stop(&ve);
}

/* Says it has @n rules, and has none. */
static long load_wrong(long n)
{
	struct ebt_replace r = { .name = "filter", .nentries = n,
		.entries_size = sizeof(struct ebt_entries) };
	int fd, err;

	r.entries = calloc(1, r.entries_size);
	fd = check_ok(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
	err = setsockopt(fd, IPPROTO_IP, EBT_SO_SET_ENTRIES, &r,
			 sizeof(r) + r.entries_size) ? errno : 0;
	close(fd);
	free(r.entries);
	errno = err;
	return err ? -1 : 0;
}

static void failed_replace(void)
{
	drive_start(&ve, ID, "numiptent");
	check_eq(ve_call(&ve, load, 5), 0);
	check_err(ve_call(&ve, load_wrong, 9), EINVAL);
	ub_want(ID, "numiptent", 5, 0);
	check_eq(ve_call(&ve, load, 0), 0);
	ub_want(ID, "numiptent", 0, 0);
	drive_stop(&ve);
}

/* Who entered loads for the VE. */
static void entered(void)
{
	drive_start(&ve, ID, "numiptent");
	check(exited(check_ok(ve_enter(&ve, 0, load, 7)), 0));
	ub_want(ID, "numiptent", 7, 0);
	check_eq(ve_call(&ve, load, 2), 0);
	ub_want(ID, "numiptent", 2, 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(table),
	VZ_CASE(failed_replace),
	VZ_CASE(entered),
};
VZ_MAIN(cases)
