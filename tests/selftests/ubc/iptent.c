// SPDX-License-Identifier: GPL-2.0
/* numiptent: rules, made through nf_tables and through iptables' own door. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/nft.h"

#define ID 8600

static struct ve ve;

/* The limit refuses, not the barrier; a failed transaction leaves nothing. */
static void nft_bounds(void)
{
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, nft_chain, 0), 0);
	ub_want(ID, "numiptent", 0, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMIPTENT, 1, 10));
	check_eq(ve_call(&ve, nft_rules, 8), 0);
	ub_want(ID, "numiptent", 8, 0);
	check_err(ve_call(&ve, nft_rules, 3), ENOMEM);
	check_soon(ub_held(ID, "numiptent") == 8, 5000);
	check(ub_failcnt(ID, "numiptent") >= 1);
	check_eq(ve_call(&ve, nft_rules, 2), 0);
	check_soon(ub_held(ID, "numiptent") == 10, 5000);
	check_eq(ub_line(ID, "numiptent").maxheld, 10);
	check_eq(ve_call(&ve, nft_flush, 0), 0);
	check_soon(ub_held(ID, "numiptent") == 0, 5000);
	check_eq(ve_call(&ve, nft_rules, 10), 0);
	/* Stopped with rules loaded. */
	drive_stop(&ve);
}

static struct ipt_getinfo info;
static struct ipt_get_entries *entries;

static int filter(void)
{
	socklen_t len = sizeof(info);
	int fd = check_ok(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));

	memset(&info, 0, sizeof(info));
	strcpy(info.name, "filter");
	if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static long open_table(long unused)
{
	int fd = filter();

	if (fd < 0)
		return -1;
	close(fd);
	return info.num_entries;
}

/* Appends @n empty rules in front of the built-in entry of OUTPUT. */
static long append(long n)
{
	struct xt_counters counters[64];
	struct ipt_replace *r;
	struct ipt_entry *first;
	int fd = filter(), i, size, at, err;
	socklen_t len;

	check(fd >= 0);
	len = sizeof(*entries) + info.size;
	entries = calloc(1, len);
	strcpy(entries->name, "filter");
	entries->size = info.size;
	check_ok(getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &len));
	at = info.hook_entry[NF_INET_LOCAL_OUT];
	first = (void *)((char *)entries->entrytable + at);
	size = first->next_offset;
	r = calloc(1, sizeof(*r) + info.size + n * size);
	strcpy(r->name, "filter");
	r->valid_hooks = info.valid_hooks;
	r->num_entries = info.num_entries + n;
	r->size = info.size + n * size;
	memcpy(r->hook_entry, info.hook_entry, sizeof(r->hook_entry));
	memcpy(r->underflow, info.underflow, sizeof(r->underflow));
	r->underflow[NF_INET_LOCAL_OUT] += n * size;
	r->num_counters = info.num_entries;
	r->counters = counters;
	memcpy(r->entries, entries->entrytable, at);
	for (i = 0; i <= n; i++)
		memcpy((char *)r->entries + at + i * size, first, size);
	memcpy((char *)r->entries + at + (n + 1) * size, (char *)first + size,
	       info.size - at - size);
	err = setsockopt(fd, IPPROTO_IP, IPT_SO_SET_REPLACE, r, sizeof(*r) + r->size) ?
		errno : 0;
	free(r);
	free(entries);
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

/* A table pays for its built-in entries too, and for the difference after. */
static void ipt_table(void)
{
	ve_start(&ve, ID, NULL);
	check_eq(ve_call(&ve, open_table, 0), 4);
	ub_want(ID, "numiptent", 4, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMIPTENT, 1, 10));
	check_eq(ve_call(&ve, append, 5), 0);
	ub_want(ID, "numiptent", 9, 0);
	check_err(ve_call(&ve, append, 2), ENOMEM);
	ub_want(ID, "numiptent", 9, 1);
	check_eq(ve_call(&ve, append, 1), 0);
	ub_want(ID, "numiptent", 10, 1);
	/* The same size again, at the limit. */
	check_eq(ve_call(&ve, append, 0), 0);
	ub_want(ID, "numiptent", 10, 1);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(nft_bounds),
	VZ_CASE(ipt_table),
};
VZ_MAIN(cases)
