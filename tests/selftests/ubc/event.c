// SPDX-License-Identifier: GPL-2.0
/* Who hears of a refusal: /proc/PID/ubc_last and the events files. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "evfile.h"
#include "ktap.h"

#define ID 8700

static long open_null(long unused)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int read_last(pid_t pid, char *buf, int size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ubc_last", pid);
	return read_file(path, buf, size);
}

/* The last refusal, in the format tools parse. */
static void last_refusal(void)
{
	unsigned long held, sec, nsec;
	char buf[512], want[256];
	struct timespec before, after;
	struct ve ve;
	char *time;

	ve_start(&ve, ID, NULL);
	check_eq(read_last(ve.init, buf, sizeof(buf)), 0);
	held = ub_held(ID, "numfile");
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held, held + 10));
	clock_gettime(CLOCK_MONOTONIC, &before);
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	clock_gettime(CLOCK_MONOTONIC, &after);
	check(read_last(ve.init, buf, sizeof(buf)) > 0);
	snprintf(want, sizeof(want),
		 "resource:\tnumfile\nrequested:\t1\nheld:\t%lu\nbound:\t%lu\nseverity:\tbarrier\n",
		 held, held);
	check(!strncmp(buf, want, strlen(want)));
	time = buf + strlen(want);
	check_eq(sscanf(time, "time:\t%lu.%9lu\n", &sec, &nsec), 2);
	check_eq(strlen(strchr(time, '.') + 1), 10);
	check(sec >= (unsigned long)before.tv_sec && sec <= (unsigned long)after.tv_sec);
	/* A child begins without one, and so does the test itself. */
	check_eq(read_last(getpid(), buf, sizeof(buf)), 0);
	drive_stop(&ve);
}

static void events_poll(void)
{
	unsigned long held, failcnt;
	struct ve ve;
	int fd, i, pressure;

	ve_start(&ve, ID, NULL);
	fd = ev_open(ID);
	ev_line(fd, &failcnt, &pressure);
	check_eq(failcnt, 0);
	check_eq(pressure, 0);
	check(!ev_news(fd, 0));
	for (i = 0; i < 100; i++)
		check(ve_call(&ve, open_null, 0) >= 0);
	held = ub_held(ID, "numfile");
	check(held >= 100);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held, held));
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	check(ev_news(fd, 5000));
	check(ev_news(fd, 0));
	ev_line(fd, &failcnt, &pressure);
	check_eq(failcnt, 1);
	check_eq(pressure, 98);
	check(!ev_news(fd, 0));
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, held * 100 / 76, UB_MAX));
	ev_line(fd, &failcnt, &pressure);
	check_eq(pressure, 75);
	/* The VE goes while somebody has the file open. */
	drive_stop(&ve);
	close(fd);
}

static struct ve ve;

static const char *const names[] = { "kmemsize", "lockedpages",
	"privvmpages", "shmpages", "numproc", "physpages", "vmguarpages",
	"oomguarpages", "numtcpsock", "numflock", "numpty", "numsiginfo",
	"tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf",
	"numothersock", "dcachesize", "numfile", "numiptent", "swappages" };

#define OWN "/proc/vz/ubc_events"

/* Its mode, its owner, and who may open it. */
static long own_as_user(long unused)
{
	struct stat st;

	check_ok(stat(OWN, &st));
	check_eq(st.st_mode, S_IFREG | 0400);
	check_eq(st.st_uid, 0);
	check_eq(st.st_gid, 0);
	check_ok(setgid(1000));
	check_ok(setuid(1000));
	check_err(open(OWN, O_RDONLY), EACCES);
	return 0;
}

/* One line "name failcnt pressure" for each resource and nothing else. */
static long own_format(long unused)
{
	char text[2048], want[2048] = "";
	size_t i;

	check(read_file(OWN, text, sizeof(text)) > 0);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		sprintf(want + strlen(want), "%s %d %d\n", names[i],
			strcmp(names[i], "numflock") ? 0 : 1,
			strcmp(names[i], "numflock") ? 0 : 98);
	check(!strcmp(text, want));
	return 0;
}

static long own_lock(long unused)
{
	static int fd = -1;
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (fd < 0)
		fd = check_ok(open("/tmp/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	else
		l.l_start = 10;
	return fcntl(fd, F_SETLK, &l);
}

/* Waits for news, and reads: the same as on the host. */
static long own_poll(long unused)
{
	int fd = check_ok(open(OWN, O_RDONLY | O_CLOEXEC)), pressure, i;
	unsigned long failcnt;

	ev_line(fd, &failcnt, &pressure);
	for (i = 1; i <= 3; i++) {
		check(!ev_news(fd, 0));
		ve_shared[0] = i;
		check(ev_news(fd, 10000));
		ev_line(fd, &failcnt, &pressure);
		ve_shared[1] = failcnt;
		ve_shared[2] = pressure;
		ve_shared[3] = i;
	}
	pause();
	return 0;
}

static void step(int i, unsigned long failcnt, int pressure)
{
	check_soon(ve.shared[3] == i, 10000);
	check_eq(ve.shared[1], failcnt);
	check_eq(ve.shared[2], pressure);
	if (i < 3)
		check_soon(ve.shared[0] == i + 1, 10000);
}

static int listed(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int n = 0;

	check(dir);
	while ((d = readdir(dir)))
		n += !strcmp(d->d_name, name);
	closedir(dir);
	return n;
}

static long own_listed(long unused)
{
	return listed("/proc/vz", "ubc_events");
}

/* /proc/vz/ubc_events is there in a VE, for its own UB, and only there. */
static void own_events(void)
{
	struct ve other;
	char path[64];

	check_err(access(OWN, F_OK), ENOENT);
	ve_start(&ve, ID, NULL);
	ve_start(&other, ID + 1, NULL);
	check_err(access(OWN, F_OK), ENOENT);
	check_eq(listed("/proc/vz", "ubc_events"), 0);
	check_eq(ve_call(&ve, own_listed, 0), 1);
	/* The VE's instance shows it to the host, who has no UB to show. */
	snprintf(path, sizeof(path), "/proc/%d/root%s", ve.init, OWN);
	check_ok(access(path, F_OK));
	check_err(open(path, O_RDONLY), ENOENT);
	ve_must(&ve, own_as_user, 0);

	check_eq(ve_call(&ve, own_lock, 0), 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFLOCK, 1, 1));
	check_err(ve_call(&ve, own_lock, 0), ENOLCK);
	ve_must(&ve, own_format, 0);
	check(exited(check_ok(ve_enter(&ve, 0, own_format, 0)), 0));

	ve_spawn(&ve, own_poll, 0);
	check_soon(ve.shared[0] == 1, 10000);
	/* Not its own. */
	check_ok(vz_ubc(other.fd, 0, UB_NUMFILE, 0, 0));
	check_err(ve_call(&other, open_null, 0), ENFILE);
	usleep(200000);
	check_eq(ve.shared[3], 0);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, 1, 1));
	step(1, 0, 98);
	check_err(ve_call(&ve, open_null, 0), ENFILE);
	step(2, 1, 98);
	check_ok(vz_ubc(ve.fd, 0, UB_NUMFILE, UB_MAX, UB_MAX));
	step(3, 1, 0);
	drive_stop(&other);
	/* The VE goes while its file is open. */
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(last_refusal),
	VZ_CASE(events_poll),
	VZ_CASE(own_events),
};
VZ_MAIN(cases)
