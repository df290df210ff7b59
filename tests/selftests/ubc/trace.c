// SPDX-License-Identifier: GPL-2.0
/* Trace events: one line for each thing that happens to a UB. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"

#define ID 9100	/* state() has it, too */
#define DIR "/tmp/vztrace"

/* How many lines of @event have this text? */
__attribute__((format(printf, 2, 3)))
static int traced(const char *event, const char *fmt, ...)
{
	static char text[1 << 20];
	char want[256];
	char *at, *end;
	va_list ap;
	int n = 0;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	check(read_file(DIR "/trace", text, sizeof(text)) >= 0);
	for (at = text; (end = strchr(at, '\n')); at = end + 1) {
		*end = 0;
		n += strstr(at, event) && strstr(at, want);
	}
	return n;
}

static struct ve ve;

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long make_file(long unused)
{
	return open("/tmp/kept", O_CREAT | O_RDWR | O_CLOEXEC, 0600) < 0;
}

static long nothing(long unused)
{
	return 0;
}

static void start(void)
{
	check(!mkdir(DIR, 0700) || errno == EEXIST);
	check_ok(mount("tracefs", DIR, "tracefs", 0, NULL));
	/* That empties it. */
	close(check_ok(open(DIR "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC)));
	check_ok(write_file(DIR "/events/ubc/enable", "1"));
	ve_start(&ve, ID, NULL);
}

static void stop(void)
{
	check_ok(write_file(DIR "/events/ubc/enable", "0"));
	check_ok(umount(DIR));
}

static void use(void)
{
	unsigned long held;
	int i;

	start();
	held = ub_held(ID, "numfile");
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held + 10, held + 20));
	check_eq(traced("ubc_limit:", "id=%d res=numfile barrier=%lu limit=%lu",
			ID, held + 10, held + 20), 1);
	for (i = 0; i < 10; i++)
		check(ve_call(&ve, open_null, 0) >= 0);
	check_eq(traced("ubc_pressure:", "id=%d res=numfile level=98 held=%lu bound=%lu",
			ID, held + 10, held + 10), 1);
	check_eq(traced("ubc_charge_fail:", "id=%d", ID), 0);
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	check_eq(traced("ubc_charge_fail:", "id=%d res=numfile n=1 held=%lu bound=%lu by=barrier",
			ID, held + 10, held + 10), 1);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, UB_MAX, UB_MAX));
	check_eq(traced("ubc_pressure:", "id=%d res=numfile level=0 held=", ID), 1);
	check_eq(traced("ubc_attach:", "from=0 to=%d", ID), 0);
	check(exited(check_ok(ve_enter(&ve, 0, nothing, 0)), 0));
	check_eq(traced("ubc_attach:", "from=0 to=%d", ID), 1);
	drive_stop(&ve);
	stop();
}

static int state(const char *name)
{
	return traced("ubc_state: id=9100 ", "state=%s", name);
}

/* A file that outlives its VE leaves its dentry and inode to the host. */
static void life(void)
{
	char path[64];
	int fd;

	start();
	check_eq(ve_call(&ve, make_file, 0), 0);
	check_eq(state("created"), 1);
	check_eq(state("bound"), 1);
	check_eq(state("dying"), 0);
	snprintf(path, sizeof(path), "/proc/%d/root/tmp/kept", ve.init);
	fd = check_ok(open(path, O_RDONLY | O_CLOEXEC));
	ve_stop(&ve);
	check_soon(traced("ubc_transfer:", "id=%d gen=", ID) >= 1, 10000);
	check_eq(traced("ubc_transfer:", "res=dcachesize residue="), 1);
	check_eq(traced("ubc_transfer:", "residue=0"), 0);
	check_eq(state("dying"), 1);
	check_eq(state("freed"), 0);
	close(fd);
	check_soon(!ub_dirs(ID), 20000);
	check_soon(state("freed") == 1, 5000);
	stop();
}

static const struct vz_case cases[] = {
	VZ_CASE(use),
	VZ_CASE(life),
};
VZ_MAIN(cases)
