// SPDX-License-Identifier: GPL-2.0
/* Counters of things: files, sockets, terminals, processes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "ktap.h"
#include "lib/units.h"

#define ID 8000
#define KEEP 512

static long make_eventfd(long on)
{
	return on ? keep_fd(eventfd(0, EFD_CLOEXEC)) : close_kept();
}

static long make_pipe(long on)
{
	int p[2];

	if (!on)
		return close_kept();
	if (pipe2(p, O_CLOEXEC))
		return -1;
	return keep_fd(p[0]) | keep_fd(p[1]);
}

static long tcp6_socket(long on)
{
	return on ? keep_fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) : close_kept();
}

static long udp_socket(long on)
{
	return on ? keep_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) : close_kept();
}

static long netlink_socket(long on)
{
	return on ? keep_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)) : close_kept();
}

static long unix_pair(long on)
{
	int p[2];

	if (!on)
		return close_kept();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p))
		return -1;
	return keep_fd(p[0]) | keep_fd(p[1]);
}

static pid_t zombies[KEEP];
static int nzombies;

/* A process that is dead but not waited for. */
static long make_zombie(long on)
{
	siginfo_t info;
	pid_t pid;

	if (!on) {
		while (nzombies)
			waitpid(zombies[--nzombies], NULL, 0);
		return 0;
	}
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		_exit(0);
	if (pid < 0)
		return -1;
	check_ok(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	zombies[nzombies++] = pid;
	return 0;
}

static const struct unit numfile_eventfd = {
	"numfile", UB_NUMFILE, make_eventfd, ENFILE, 1 };
static const struct unit numfile_pipe = {
	"numfile", UB_NUMFILE, make_pipe, ENFILE, 2 };
static const struct unit numtcpsock_v6 = {
	"numtcpsock", UB_NUMTCPSOCK, tcp6_socket, ENOBUFS, 1 };
static const struct unit numothersock_pair = {
	"numothersock", UB_NUMOTHERSOCK, unix_pair, ENOMEM, 2 };
static const struct unit numothersock_udp = {
	"numothersock", UB_NUMOTHERSOCK, udp_socket, ENOBUFS, 1 };
static const struct unit numothersock_netlink = {
	"numothersock", UB_NUMOTHERSOCK, netlink_socket, ENOMEM, 1 };
static const struct unit numproc_zombie = {
	"numproc", UB_NUMPROC, make_zombie, ENOMEM, 1 };

/* open(): barrier, errno ENFILE, failcnt, live limits, held 0 after stop. */
static void numfile_open_bounds(void)
{
	drive_hard(ID, &unit_numfile);
}

/* Files that no path leads to count the same. */
static void numfile_eventfd_bounds(void)
{
	drive_hard(ID, &numfile_eventfd);
}

/* A pipe costs two files. */
static void numfile_pipe_bounds(void)
{
	drive_hard(ID, &numfile_pipe);
}

/* socket(AF_INET, SOCK_STREAM): ENOBUFS at the barrier. */
static void numtcpsock_v4_bounds(void)
{
	drive_hard(ID, &unit_numtcpsock);
}

static void numtcpsock_v6_bounds(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	if (ve_call(&ve, tcp6_socket, 1) < 0 && errno == EAFNOSUPPORT) {
		ve_stop(&ve);
		vz_skip("no IPv6 in this kernel");
	}
	drive_stop(&ve);
	drive_hard(ID, &numtcpsock_v6);
}

/* UNIX sockets: ENOMEM. */
static void numothersock_unix_bounds(void)
{
	drive_hard(ID, &unit_numothersock);
}

/* A pair costs two, and is refused as a whole. */
static void numothersock_pair_bounds(void)
{
	drive_hard(ID, &numothersock_pair);
}

/* UDP: ENOBUFS, as every inet socket. */
static void numothersock_udp_bounds(void)
{
	drive_hard(ID, &numothersock_udp);
}

static void numothersock_netlink_bounds(void)
{
	drive_hard(ID, &numothersock_netlink);
}

/* /dev/ptmx: ENOMEM. */
static void numpty_bounds(void)
{
	drive_hard(ID, &unit_numpty);
}

/* fork(): ENOMEM. */
static void numproc_fork_bounds(void)
{
	drive_hard(ID, &unit_numproc);
}

/* Zombies hold their place until reaped. */
static void numproc_zombie_bounds(void)
{
	drive_hard(ID, &numproc_zombie);
}

/* A full VE does not disturb its neighbour. */
static void neighbours(void)
{
	drive_neighbour(ID, &unit_numfile);
	drive_neighbour(ID, &unit_numtcpsock);
	drive_neighbour(ID, &unit_numothersock);
	drive_neighbour(ID, &unit_numpty);
	drive_neighbour(ID, &unit_numproc);
}

/* An idle minimal VE is one process, no TCP socket and no terminal. */
static void idle_is_exact(void)
{
	struct ve ve;

	ve_start(&ve, ID, NULL);
	check_eq(ub_held(ID, "numproc"), 1);
	check_eq(ub_held(ID, "numtcpsock"), 0);
	check_eq(ub_held(ID, "numpty"), 0);
	drive_stop(&ve);
}

static const struct vz_case cases[] = {
	VZ_CASE(idle_is_exact),
	VZ_CASE(numproc_fork_bounds),
	VZ_CASE(numproc_zombie_bounds),
	VZ_CASE(numfile_open_bounds),
	VZ_CASE(numfile_eventfd_bounds),
	VZ_CASE(numfile_pipe_bounds),
	VZ_CASE(numtcpsock_v4_bounds),
	VZ_CASE(numtcpsock_v6_bounds),
	VZ_CASE(numothersock_unix_bounds),
	VZ_CASE(numothersock_pair_bounds),
	VZ_CASE(numothersock_udp_bounds),
	VZ_CASE(numothersock_netlink_bounds),
	VZ_CASE(numpty_bounds),
	VZ_CASE(neighbours),
};
VZ_MAIN(cases)
