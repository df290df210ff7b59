/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log from now on. */
#ifndef VZ_KMSG_H
#define VZ_KMSG_H

int kmsg_open(void);
/*
 * Calls fn(line) for each new line that has @text in it; how many there were.
 * Fails if some were lost, so it has to be called often.
 */
int kmsg_each(int fd, const char *text, void (*fn)(const char *line));
/* Nothing like @text was logged since. */
void kmsg_without(int fd, const char *text);

#endif
