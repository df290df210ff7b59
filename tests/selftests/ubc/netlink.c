// SPDX-License-Identifier: GPL-2.0
/* Generic netlink family "ubc": reading, setting, and who may. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "genl.h"
#include "ktap.h"

#define ID 8800
#define DUMMY 4

static struct genl g;
static struct ve ve;

static const char *const names[GENL_RESOURCES] = { "kmemsize", "lockedpages",
	"privvmpages", "shmpages", NULL, "numproc", "physpages", "vmguarpages",
	"oomguarpages", "numtcpsock", "numflock", "numpty", "numsiginfo",
	"tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf",
	"numothersock", "dcachesize", "numfile", NULL, NULL, NULL,
	"numiptent", "swappages" };

/* Counters that do not move by themselves in an idle VE. */
static const int quiet[] = { UBC_NUMPROC, UBC_NUMTCPSOCK, UBC_NUMFLOCK,
	UBC_NUMPTY, UBC_NUMSIGINFO, UBC_NUMFILE, UBC_NUMIPTENT,
	UBC_NUMOTHERSOCK, UBC_LOCKEDPAGES };

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void start(void)
{
	check_ok(genl_open(&g));
	ve_start(&ve, ID, NULL);
}

static void stop(void)
{
	drive_stop(&ve);
	genl_close(&g);
}

/* GET says what /proc says. */
static void get_one(void)
{
	uint64_t gen;
	size_t i;
	int r;

	start();
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPTY, 16, 17));
	check_ok(genl_get(&g, ID));
	check_eq(g.ubs, 1);
	check_eq(g.ub[0].id, ID);
	check(g.ub[0].gen > 0 && g.ub[0].seq > 0);
	check_eq(g.ub[0].count, 21);
	for (r = 0; r < GENL_RESOURCES; r++) {
		struct ub_line l;

		check_eq(g.ub[0].row[r].there, !!names[r]);
		if (!names[r])
			continue;
		l = ub_line(ID, names[r]);
		check_eq(g.ub[0].row[r].barrier, l.barrier);
		check_eq(g.ub[0].row[r].limit, l.limit);
		check_eq(g.ub[0].row[r].failcnt, l.failcnt);
		check_eq(g.ub[0].row[r].pressure, 0);
		check(g.ub[0].row[r].maxheld >= g.ub[0].row[r].held);
	}
	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		struct ub_line l = ub_line(ID, names[quiet[i]]);

		check_eq(g.ub[0].row[quiet[i]].held, l.held);
		check_eq(g.ub[0].row[quiet[i]].maxheld, l.maxheld);
	}
	check_eq(g.ub[0].row[UBC_NUMPTY].barrier, 16);
	check_eq(g.ub[0].row[UBC_NUMPTY].limit, 17);
	gen = g.ub[0].gen;

	/* Some resources only; a dummy is never shown. */
	genl_begin(&g, UBC_CMD_GET, 0);
	genl_u32(&g, UBC_A_ID, ID);
	genl_name(&g, UBC_NUMFILE);
	genl_name(&g, DUMMY);
	genl_name(&g, UBC_NUMPTY);
	check_ok(genl_call(&g));
	check_eq(g.ub[0].count, 2);
	check(g.ub[0].row[UBC_NUMFILE].there && g.ub[0].row[UBC_NUMPTY].there);

	/* A new VE of this id has a new UB. */
	drive_stop(&ve);
	check_err(genl_get(&g, ID), ENOENT);
	ve_start(&ve, ID, NULL);
	check_ok(genl_get(&g, ID));
	check(g.ub[0].gen > gen);
	/* The host. */
	check_ok(genl_get(&g, 0));
	check_eq(g.ub[0].gen, 0);
	check_eq(g.ub[0].count, 21);
	check(g.ub[0].row[UBC_NUMPROC].held > 1);
	stop();
}

static int dump(unsigned int id, int res, uint64_t since)
{
	genl_begin(&g, UBC_CMD_GET, NLM_F_DUMP);
	if (id != ~0U)
		genl_u32(&g, UBC_A_ID, id);
	if (res >= 0)
		genl_name(&g, res);
	if (since)
		genl_uint(&g, UBC_A_SINCE, since);
	check_ok(genl_call(&g));
	return g.ubs;
}

static void dump_all(void)
{
	struct ve other;
	int i;

	start();
	ve_start(&other, ID + 1, NULL);
	check_eq(dump(~0U, -1, 0), 3);
	check_eq(g.ub[0].id, ID + 1);
	check_eq(g.ub[1].id, ID);
	check_eq(g.ub[2].id, 0);
	check(g.ub[0].gen > g.ub[1].gen);
	for (i = 0; i < 3; i++) {
		check_eq(g.ub[i].count, 21);
		check_eq(g.ub[i].seq, g.ub[0].seq);
	}
	check_eq(dump(ID, -1, 0), 1);
	check_eq(g.ub[0].id, ID);
	check_eq(dump(ID + 2, -1, 0), 0);
	check_eq(dump(~0U, UBC_NUMFILE, 0), 3);
	check_eq(g.ub[2].count, 1);
	check(g.ub[2].row[UBC_NUMFILE].there);
	drive_stop(&other);
	check_eq(dump(~0U, -1, 0), 2);
	stop();
}

/* Only what has changed since an earlier answer, whichever that was. */
static void dump_changes(void)
{
	uint64_t seq, first;
	struct ve other;

	start();
	ve_start(&other, ID + 1, NULL);
	check_eq(dump(~0U, -1, 0), 3);
	first = g.ub[0].seq;
	check_eq(dump(~0U, -1, first), 0);

	/* A limit. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPTY, 16, 17));
	check_eq(dump(~0U, -1, first), 1);
	check_eq(g.ub[0].id, ID);
	check_eq(g.ub[0].count, 1);
	check_eq(g.ub[0].row[UBC_NUMPTY].barrier, 16);
	seq = g.ub[0].seq;
	check(seq > first);
	check_eq(dump(~0U, -1, seq), 0);

	/* A refusal. */
	check(ve_call(&other, open_null, 0) >= 0);
	check_ok(vz_ubc(other.fd, 0, UB_NUMFILE, 1, 1));
	check_eq(dump(~0U, -1, seq), 1);
	seq = g.ub[0].seq;
	check_err(ve_call(&other, open_null, 0), ENFILE);
	check_eq(dump(~0U, UBC_NUMPTY, seq), 0);
	check_eq(dump(~0U, -1, seq), 1);
	check_eq(g.ub[0].id, ID + 1);
	check_eq(g.ub[0].row[UBC_NUMFILE].failcnt, 1);
	check_eq(g.ub[0].row[UBC_NUMFILE].pressure, 98);
	seq = g.ub[0].seq;
	check_eq(dump(~0U, -1, seq), 0);

	/* Since the first: both. */
	check_eq(dump(~0U, -1, first), 2);
	check_eq(dump(ID, -1, first), 1);
	check_eq(g.ub[0].count, 1);

	/* A level. */
	check_ok(genl_get(&g, ID));
	seq = g.ub[0].seq;
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPROC, 2, 2));
	check_eq(dump(~0U, -1, seq), 1);
	seq = g.ub[0].seq;
	check_eq(g.ub[0].row[UBC_NUMPROC].pressure, 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMPROC, 1, 1));
	check_eq(dump(~0U, UBC_NUMPROC, seq), 1);
	check_eq(g.ub[0].row[UBC_NUMPROC].pressure, 98);
	drive_stop(&other);
	stop();
}

/* Three changes of which one cannot be made leave all three as they were. */
static void set_is_atomic(void)
{
	static const uint32_t res[3] = { UBC_NUMPTY, UBC_NUMFLOCK, UBC_SHMPAGES };
	int bad, kind, i, at[3];

	start();
	for (i = 0; i < 3; i++)
		check_ok(vz_ubc(ve.fd, 0, res[i], 1000 + i, 2000 + i));
	for (bad = 0; bad < 3; bad++) {
		for (kind = 0; kind < 4; kind++) {
			static const int want[] = { ERANGE, ERANGE, ERANGE, EINVAL };
			int nest;

			genl_begin(&g, UBC_CMD_SET, 0);
			genl_u32(&g, UBC_A_ID, ID);
			for (i = 0; i < 3; i++) {
				uint32_t r = res[i];
				uint64_t barrier = 5, limit = 6;

				if (i == bad && kind == 0)
					r = UBC_RESOURCES;
				if (i == bad && kind == 1)
					barrier = UB_MAX + 1;
				if (i == bad && kind == 2)
					limit = ~0ULL;
				if (i == bad && kind == 3) {
					/* Without a limit. */
					at[i] = nest = genl_nest(&g, UBC_A_RESOURCE);
					genl_u32(&g, UBC_R_ID, r);
					genl_uint(&g, UBC_R_BARRIER, barrier);
					genl_nest_end(&g, nest);
				} else {
					at[i] = genl_limit(&g, r, barrier, limit);
				}
			}
			check_err(genl_call(&g), want[kind]);
			/* It says which: an attribute of it, or what it lacks. */
			if (kind == 3) {
				check_eq(g.missing, UBC_R_LIMIT);
			} else {
				check(g.offset > at[bad]);
				check(bad == 2 || g.offset < at[bad + 1]);
				check(g.text[0]);
			}
			for (i = 0; i < 3; i++) {
				struct ub_line l = ub_line(ID, names[res[i]]);

				check_eq(l.barrier, 1000 + i);
				check_eq(l.limit, 2000 + i);
			}
		}
	}

	/* The same resource twice: the second one is wrong. */
	genl_begin(&g, UBC_CMD_SET, 0);
	genl_u32(&g, UBC_A_ID, ID);
	genl_limit(&g, res[0], 7, 8);
	genl_limit(&g, res[1], 7, 8);
	at[0] = genl_limit(&g, res[0], 9, 9);
	check_err(genl_call(&g), EINVAL);
	check_eq(g.offset, at[0]);
	check(!strcmp(g.text, "resource named twice"));
	check_eq(ub_line(ID, "numpty").barrier, 1000);

	genl_begin(&g, UBC_CMD_SET, 0);
	genl_u32(&g, UBC_A_ID, ID);
	for (i = 0; i < 3; i++)
		genl_limit(&g, res[i], 5 + i, 3 + i);
	check_ok(genl_call(&g));
	for (i = 0; i < 3; i++) {
		check_eq(ub_line(ID, names[res[i]]).barrier, 5 + i);
		check_eq(ub_line(ID, names[res[i]]).limit, 3 + i);
	}
	stop();
}

/* All there are in one message, dummies too, and what is counted elsewhere. */
static void set_all(void)
{
	int r;

	start();
	genl_begin(&g, UBC_CMD_SET, 0);
	genl_u32(&g, UBC_A_ID, ID);
	for (r = GENL_RESOURCES - 1; r >= 0; r--)
		genl_limit(&g, r, 10000000 + r, r % 2 ? UB_MAX : 20000000UL + r);
	check_ok(genl_call(&g));
	for (r = 0; r < GENL_RESOURCES; r++) {
		struct ub_line l;

		if (!names[r])
			continue;
		l = ub_line(ID, names[r]);
		check_eq(l.barrier, 10000000 + r);
		check_eq(l.limit, r % 2 ? UB_MAX : 20000000UL + r);
	}
	/* One more must repeat one. */
	genl_limit(&g, 0, 1, 1);
	check_err(genl_call(&g), EINVAL);
	check_eq(ub_line(ID, "kmemsize").barrier, 10000000);
	stop();
}

static void request(int cmd, int flags)
{
	genl_begin(&g, cmd, flags);
	genl_u32(&g, UBC_A_ID, ID);
}

static void errors(void)
{
	int at;

	start();
	/* Which beancounter? */
	genl_begin(&g, UBC_CMD_GET, 0);
	check_err(genl_call(&g), EINVAL);
	check_eq(g.missing, UBC_A_ID);
	genl_begin(&g, UBC_CMD_RESET_PEAK, 0);
	check_err(genl_call(&g), EINVAL);
	check_eq(g.missing, UBC_A_ID);
	genl_begin(&g, UBC_CMD_SET, 0);
	genl_limit(&g, UBC_NUMPTY, 1, 1);
	check_err(genl_call(&g), EINVAL);
	check_eq(g.missing, UBC_A_ID);
	genl_begin(&g, UBC_CMD_SET, 0);
	at = genl_u32(&g, UBC_A_ID, ID + 1);
	genl_limit(&g, UBC_NUMPTY, 1, 1);
	check_err(genl_call(&g), ENOENT);
	check_eq(g.offset, at);
	genl_begin(&g, UBC_CMD_RESET_PEAK, 0);
	at = genl_u32(&g, UBC_A_ID, ~0U);
	check_err(genl_call(&g), ENOENT);
	check_eq(g.offset, at);

	/* Which resource? */
	request(UBC_CMD_SET, 0);
	check_err(genl_call(&g), EINVAL);
	check_eq(g.missing, UBC_A_RESOURCE);
	request(UBC_CMD_GET, 0);
	at = genl_name(&g, UBC_RESOURCES);
	check_err(genl_call(&g), ERANGE);
	check(g.offset > at);
	request(UBC_CMD_GET, NLM_F_DUMP);
	genl_name(&g, ~0U);
	check_err(genl_call(&g), ERANGE);
	request(UBC_CMD_RESET_PEAK, 0);
	genl_nest_end(&g, genl_nest(&g, UBC_A_RESOURCE));
	check_err(genl_call(&g), EINVAL);
	check_eq(g.missing, UBC_R_ID);

	/* Attributes where they do not belong, and none of ours. */
	request(UBC_CMD_GET, 0);
	genl_uint(&g, UBC_A_SINCE, 1);
	check_err(genl_call(&g), EINVAL);
	request(UBC_CMD_GET, 0);
	genl_limit(&g, UBC_NUMPTY, 1, 1);
	check_err(genl_call(&g), EINVAL);
	request(UBC_CMD_GET, 0);
	genl_u32(&g, UBC_A_MAX + 1, 0);
	check_err(genl_call(&g), EINVAL);
	request(UBC_CMD_GET, 0);
	genl_put(&g, UBC_A_ID, "", 1);
	check_err(genl_call(&g), EINVAL);

	/* No such requests. */
	request(UBC_CMD_EVENT, 0);
	check_err(genl_call(&g), EOPNOTSUPP);
	request(UBC_CMD_SET, NLM_F_DUMP);
	check_err(genl_call(&g), EOPNOTSUPP);
	request(UBC_CMD_UNSPEC, 0);
	check_err(genl_call(&g), EOPNOTSUPP);
	request(99, 0);
	check_err(genl_call(&g), EOPNOTSUPP);
	check_ok(genl_get(&g, ID));
	check_eq(g.ub[0].row[UBC_NUMPTY].barrier, UB_MAX);
	stop();
}

static long close_fd(long fd)
{
	return close(fd);
}

static void reset_peak(void)
{
	struct ub_line file, proc;
	long fd[20];
	int i;

	start();
	file = ub_line(ID, "numfile");
	for (i = 0; i < 20; i++)
		fd[i] = ve_call(&ve, open_null, 0);
	for (i = 0; i < 20; i++)
		check_eq(ve_call(&ve, close_fd, fd[i]), 0);
	check_soon(ub_held(ID, "numfile") == file.held, 5000);
	check(ub_line(ID, "numfile").maxheld >= file.held + 20);
	proc = ub_line(ID, "numproc");

	/* One of them. */
	request(UBC_CMD_RESET_PEAK, 0);
	genl_name(&g, UBC_NUMFILE);
	check_ok(genl_call(&g));
	check_eq(ub_line(ID, "numfile").maxheld, file.held);
	check_eq(ub_line(ID, "numproc").maxheld, proc.maxheld);
	/* It counts again. */
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 100, 100));
	fd[0] = ve_call(&ve, open_null, 0);
	check_eq(ub_line(ID, "numfile").maxheld, file.held + 1);
	check_eq(ve_call(&ve, close_fd, fd[0]), 0);
	check_soon(ub_held(ID, "numfile") == file.held, 5000);

	/* All, those of the memory cgroup, too. */
	request(UBC_CMD_RESET_PEAK, 0);
	check_ok(genl_call(&g));
	check_ok(genl_get(&g, ID));
	for (i = 0; i < (int)ARRAY_SIZE(quiet); i++)
		check_eq(g.ub[0].row[quiet[i]].maxheld, g.ub[0].row[quiet[i]].held);
	check_eq(g.ub[0].row[UBC_SWAPPAGES].maxheld, g.ub[0].row[UBC_SWAPPAGES].held);
	stop();
}

/* Who may: nobody below root of the host with both capabilities. */

static void refused(int open_first)
{
	if (open_first)
		check_ok(genl_open(&g));
	check_err(genl_get(&g, ID), EPERM);
	genl_begin(&g, UBC_CMD_GET, NLM_F_DUMP);
	check_err(genl_call(&g), EPERM);
	request(UBC_CMD_SET, 0);
	genl_limit(&g, UBC_NUMPTY, 1, 1);
	check_err(genl_call(&g), EPERM);
	request(UBC_CMD_RESET_PEAK, 0);
	check_err(genl_call(&g), EPERM);
	check_err(genl_listen(&g), EPERM);
}

static void keep_only(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { };

	if (cap >= 0)
		d[cap / 32].effective = d[cap / 32].permitted = 1U << (cap % 32);
	check_ok(syscall(SYS_capset, &h, d));
}

static void unprivileged(void)
{
	static const int caps[] = { -1, CAP_NET_ADMIN, CAP_SYS_ADMIN };
	int status, own;
	size_t i;

	start();
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		/* With a socket of its own, and with one that root opened. */
		for (own = 0; own < 2; own++) {
			pid_t pid = check_ok(fork());

			if (!pid) {
				keep_only(caps[i]);
				refused(own);
				_exit(0);
			}
			check_eq(waitpid(pid, &status, 0), pid);
			check(exited(status, 0));
		}
	}
	if (!check_ok(fork())) {
		check_ok(setgid(1000));
		check_ok(setuid(1000));
		refused(1);
		_exit(0);
	}
	check(wait(&status) > 0);
	check(exited(status, 0));
	check_eq(ub_line(ID, "numpty").barrier, UB_MAX);
	check_ok(genl_get(&g, ID));
	stop();
}

/* In a VE: there is no such family, under its name or its number. */
static long none_inside(long unused)
{
	int family = g.family, all = 1;
	unsigned int group = g.group;
	struct genl_ub ub;

	check_err(genl_open(&g), ENOENT);
	g.fd = check_ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	g.family = family;
	g.group = group;
	check_err(genl_get(&g, ID), ENOENT);
	genl_begin(&g, UBC_CMD_GET, NLM_F_DUMP);
	check_err(genl_call(&g), ENOENT);
	request(UBC_CMD_SET, 0);
	genl_limit(&g, UBC_NUMPTY, 1, 1);
	check_err(genl_call(&g), ENOENT);
	/* A number may be joined, but nothing comes. */
	if (genl_listen(&g))
		check(errno == EINVAL || errno == ENOENT);
	check_ok(setsockopt(g.fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &all,
			    sizeof(all)));
	ve_shared[0] = 1;
	check(!genl_event(&g, ID, &ub, 1000));
	ve_shared[1] = 1;
	return 0;
}

static void inside(void)
{
	int i;

	start();
	/* Somebody has to listen, or nothing is sent. */
	check_ok(genl_listen(&g));
	ve_spawn(&ve, none_inside, 0);
	check_soon(ve.shared[0] == 1, 10000);
	for (i = 0; i < 5; i++)
		check_ok(vz_ubc(ve.fd, 0, UB_NUMPTY, 16, 17 + i));
	check_soon(ve.shared[1] == 1, 10000);
	check_eq(ub_line(ID, "numpty").barrier, 16);
	stop();
}

static const struct vz_case cases[] = {
	VZ_CASE(get_one),
	VZ_CASE(dump_all),
	VZ_CASE(dump_changes),
	VZ_CASE(set_is_atomic),
	VZ_CASE(set_all),
	VZ_CASE(errors),
	VZ_CASE(reset_peak),
	VZ_CASE(unprivileged),
	VZ_CASE(inside),
};
VZ_MAIN(cases)
