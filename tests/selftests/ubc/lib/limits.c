// SPDX-License-Identifier: GPL-2.0
#include "drive.h"
#include "ktap.h"
#include "limits.h"

#define KB 1024UL
#define MB (1024 * KB)

static const struct {
	const char *name;
	unsigned int res;
	unsigned long barrier, limit;
	int returned;	/* all of it when processes end */
} table[] = {
	{ "kmemsize", UB_KMEMSIZE, 40 * MB, 44 * MB, 0 },
	{ "lockedpages", UB_LOCKEDPAGES, 256, 256, 1 },
	{ "privvmpages", UB_PRIVVMPAGES, 131072, 139264, 1 },
	{ "shmpages", UB_SHMPAGES, 4096, 4096, 1 },
	{ "numproc", UB_NUMPROC, 100, 100, 1 },
	{ "physpages", UB_PHYSPAGES, 0, 16384, 0 },
	{ "vmguarpages", UB_VMGUARPAGES, 33792, UB_MAX, 1 },
	{ "oomguarpages", UB_OOMGUARPAGES, 26112, UB_MAX, 0 },
	{ "numtcpsock", UB_NUMTCPSOCK, 60, 60, 1 },
	{ "numflock", UB_NUMFLOCK, 188, 206, 1 },
	{ "numpty", UB_NUMPTY, 16, 16, 1 },
	{ "numsiginfo", UB_NUMSIGINFO, 256, 256, 1 },
	{ "tcpsndbuf", UB_TCPSNDBUF, 319488, 524288, 1 },
	{ "tcprcvbuf", UB_TCPRCVBUF, 319488, 524288, 1 },
	{ "othersockbuf", UB_OTHERSOCKBUF, 132096, 336896, 1 },
	{ "dgramrcvbuf", UB_DGRAMRCVBUF, 132096, 132096, 1 },
	{ "numothersock", UB_NUMOTHERSOCK, 60, 60, 1 },
	{ "dcachesize", UB_DCACHESIZE, 2359296, 2621440, 0 },
	{ "numfile", UB_NUMFILE, 2048, 2048, 1 },
	{ "numiptent", UB_NUMIPTENT, 128, 128, 1 },
	{ "swappages", UB_SWAPPAGES, 0, 0, 0 },
};

void limits_set(struct ve *ve)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		check_ok(vz_ubc(ve->fd, 0, table[i].res, table[i].barrier, table[i].limit));
}

void limits_lift(struct ve *ve)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		check_ok(vz_ubc(ve->fd, 0, table[i].res, UB_MAX, UB_MAX));
}

void limits_unhurt(unsigned int id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (ub_failcnt(id, table[i].name))
			vz_fail(__FILE__, __LINE__, "UB %u was refused %s", id, table[i].name);
}

void limits_base(unsigned int id, struct idle *base)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		base->held[table[i].res] = ub_held(id, table[i].name);
}

void limits_idle(unsigned int id, const struct idle *base)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned long want = base->held[table[i].res], now = want;
		long long until = vz_now_ms() + 10000;

		if (!table[i].returned)
			continue;
		do
			now = ub_held(id, table[i].name);
		while (now != want && vz_poll_step(until));
		if (now != want)
			vz_fail(__FILE__, __LINE__, "%s of UB %u: %lu held, %lu when idle",
				table[i].name, id, now, want);
	}
}
