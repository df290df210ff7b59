// SPDX-License-Identifier: GPL-2.0
/* Processes and programs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"

#define THREADS 8

/* Another program: this one, which has no such case and so does nothing. */
void pass_exec(void)
{
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		if (null < 0)
			_exit(1);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl("/proc/self/exe", "test", "none of the cases", NULL);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void *nothing(void *unused)
{
	return unused;
}

void pass_threads(void)
{
	pthread_t t[THREADS];
	int i, n = 0;

	for (i = 0; i < THREADS; i++)
		if (!pthread_create(&t[n], NULL, nothing, NULL))
			n++;
	while (n)
		pthread_join(t[--n], NULL);
}

void bomb_fork(void)
{
	for (;;)
		fork();
}
