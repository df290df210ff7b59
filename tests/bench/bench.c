// SPDX-License-Identifier: GPL-2.0
/*
 * bench list                 the rows
 * bench PLACE REPS [ROW...]  count instructions there: host, beside (on the host
 *                            while a VE runs), inside (a VE with all limits set)
 *
 * Each row is measured in a process of its own that has just executed this
 * program ("bench row"), so that it looks the same in every place.  Nothing is
 * written before all is counted: the serial port interrupts.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "drive.h"
#include "ktap.h"
#include "measure.h"
#include "ve.h"

#define VEID		101
#define MAX_ROWS	64
/* The memory file of the results: the one descriptor that goes into a VE. */
#define FD_RESULTS	VE_FD_KTAP
/* A tree of pids is deeper above 4096: each row starts at the same pid. */
#define FIRST_PID	"5000"

struct results {
	uint64_t cal_short, cal_long;
	struct result row[MAX_ROWS];
};

static struct results *results;
static const struct row *rows[MAX_ROWS];
static int nr_rows, nr_reps;
static int chosen[MAX_ROWS], nr_chosen;

static void collect(const struct row *row)
{
	for (; row->name; row++) {
		check(nr_rows < MAX_ROWS);
		rows[nr_rows++] = row;
	}
}

/* All rows, or the named ones. */
static void choose(char **names)
{
	int i, j;

	for (i = 0; i < nr_rows; i++) {
		for (j = 0; names[j] && strcmp(names[j], rows[i]->name); j++)
			;
		if (!names[0] || names[j])
			chosen[nr_chosen++] = i;
	}
}

static void map_results(void)
{
	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, FD_RESULTS, 0);
	check(results != MAP_FAILED);
}

static void make_results(void)
{
	int fd = check_ok(memfd_create("results", 0));

	check_ok(ftruncate(fd, sizeof(*results)));
	check_eq(dup2(fd, FD_RESULTS), FD_RESULTS);
	close(fd);
	map_results();
}

/* bench row NUMBER REPS */
static int row_main(char **argv)
{
	int i = atoi(argv[2]);

	check(i >= 0 && i < nr_rows);
	map_results();
	close(FD_RESULTS);
	measure(rows[i], atoi(argv[3]), &results->row[i]);
	return 0;
}

static void run_row(int i)
{
	static char *const envp[] = { NULL };
	char number[16], reps[16];
	pid_t pid;
	int status;

	check_ok(write_file("/proc/sys/kernel/ns_last_pid", FIRST_PID));
	snprintf(number, sizeof(number), "%d", i);
	snprintf(reps, sizeof(reps), "%d", nr_reps);
	pid = check_ok(fork());
	if (!pid) {
		execle("/proc/self/exe", "bench", "row", number, reps, NULL,
		       envp);
		vz_fail(__FILE__, __LINE__, "exec: errno %d", errno);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	if (!exited(status, 0))
		vz_fail(__FILE__, __LINE__, "%s: status %#x", rows[i]->name,
			status);
}

/* One column, in the place it is about. */
static long column(long unused)
{
	int i;

	check_ok(chdir("/tmp"));
	results->cal_short = calibrate(CAL_SHORT);
	results->cal_long = calibrate(CAL_LONG);
	for (i = 0; i < nr_chosen; i++)
		run_row(chosen[i]);
	return 0;
}

/* Every barrier and limit is a number that no row comes near. */
static void set_limits(const struct ve *ve)
{
	static const unsigned long bytes = 1UL << UB_KMEMSIZE | 0xfUL << 13 |
					   1UL << UB_DCACHESIZE;
	unsigned int res;
	uint64_t bound;

	for (res = 0; res <= UB_SWAPPAGES; res++) {
		bound = bytes >> res & 1 ? 1UL << 30 : 1UL << 20;
		check_ok(vz_ubc(ve->fd, 0, res, bound, bound));
	}
}

static void measure_at(const char *place)
{
	struct ve ve;

	if (!strcmp(place, "host")) {
		column(0);
		return;
	}
	ve_start(&ve, VEID, NULL);
	if (!strcmp(place, "beside")) {
		column(0);
	} else {
		check(!strcmp(place, "inside"));
		set_limits(&ve);
		ve_must(&ve, column, 0);
	}
	ve_stop(&ve);
}

static void print(void)
{
	const struct result *res;
	int i, j;

	printf("calibration %d %lu %d %lu\n", CAL_SHORT,
	       (unsigned long)results->cal_short, CAL_LONG,
	       (unsigned long)results->cal_long);
	for (i = 0; i < nr_chosen; i++) {
		res = &results->row[chosen[i]];
		printf("row %s %u %lu", rows[chosen[i]]->name,
		       rows[chosen[i]]->ops, (unsigned long)res->idle);
		for (j = 0; j < nr_reps; j++)
			printf(" %lu", (unsigned long)res->rep[j]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	int i;

	collect(call_rows);
	collect(file_rows);
	collect(task_rows);
	collect(memory_rows);
	collect(unix_rows);
	collect(inet_rows);
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (i = 0; i < nr_rows; i++)
			puts(rows[i]->name);
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "row"))
		return row_main(argv);
	if (argc < 3)
		return 2;
	nr_reps = atoi(argv[2]);
	check(nr_reps > 0 && nr_reps <= MAX_REPS);
	choose(argv + 3);
	make_results();
	measure_at(argv[1]);
	print();
	return 0;
}
