// SPDX-License-Identifier: GPL-2.0
#include "driver.h"
#include "ktap.h"

/* Requests beyond the bound in each pass. */
#define MORE 100

const struct driver drivers[] = {
	{ "fork", .unit = &unit_numproc, .bomb = bomb_fork, .full = { "numproc" } },
	{ "memory", .pass = pass_vm, .bomb = bomb_memory, .full = { "physpages", "oomguarpages" } },
	{ "tcp", .pass = pass_tcp, .full = { "numtcpsock", "tcpsndbuf" } },
	{ "unix", .pass = pass_unix, .full = { "numothersock", "othersockbuf" } },
	{ "netlink", .pass = pass_netlink, .full = { "numothersock", "othersockbuf" } },
	{ "udp", .pass = pass_udp, .full = { "numothersock", "dgramrcvbuf" } },
	{ "file", .unit = &unit_numfile, .full = { "numfile" } },
	{ "dentry", .pass = pass_dentry, .full = { "dcachesize" } },
	{ "pty", .unit = &unit_numpty, .full = { "numpty" } },
	{ "signal", .unit = &unit_numsiginfo, .full = { "numsiginfo" } },
	{ "flock", .unit = &unit_numflock, .full = { "numflock" } },
	{ "nft", .unit = &unit_numiptent, .full = { "numiptent" } },
	{ "tmpfs", .pass = pass_tmpfs, .full = { "shmpages" } },
	{ "mlock", .unit = &unit_lockedpages },
	{ "mmap", .unit = &unit_privvmpages },
	{ "shared", .unit = &unit_shmpages },
	{ "tcpsock", .unit = &unit_numtcpsock },
	{ "othersock", .unit = &unit_numothersock },
	{ "names", .pass = pass_names },
	{ "holes", .pass = pass_holes },
	{ "kmem", .pass = pass_kmem },
	{ "exec", .pass = pass_exec },
	{ "threads", .pass = pass_threads },
};
const int ndrivers = ARRAY_SIZE(drivers);

void driver_pass(long nr)
{
	const struct driver *d = &drivers[nr];
	int i;

	if (d->pass) {
		d->pass();
		return;
	}
	for (i = 0; i < UNITS_MAX && d->unit->make(1) >= 0; i++)
		;
	for (i = 0; i < MORE; i++)
		d->unit->make(1);
	d->unit->make(0);
}

long driver_bomb(long nr)
{
	for (;;) {
		if (drivers[nr].bomb)
			drivers[nr].bomb();
		driver_pass(nr);
	}
	return 0;
}
