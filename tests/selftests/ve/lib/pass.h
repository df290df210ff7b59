/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptors that go from one process to another. */
#ifndef VZ_PASS_H
#define VZ_PASS_H

#include "ve.h"

/* By SCM_RIGHTS over a UNIX socket: -1 and errno. */
int fd_send(int sock, int fd);
int fd_recv(int sock, int flags);
/* A descriptor for init of the VE: its number there. */
int ve_give(struct ve *ve, int fd);

#endif
