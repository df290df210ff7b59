// SPDX-License-Identifier: GPL-2.0
/* What root of one VE cannot do to the host and to other VEs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/io.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "ve.h"

#define ID 7700
#define KEY 0x76657465

static struct ve a, b;

static void start_both(void)
{
	ve_start(&a, ID, NULL);
	ve_start(&b, ID + 1, NULL);
}

static void stop_both(void)
{
	check_eq(ve_state(&a), VZCTL_STATE_RUNNING);
	check_eq(ve_state(&b), VZCTL_STATE_RUNNING);
	ve_stop(&a);
	ve_stop(&b);
}

static long sleeper(long unused)
{
	for (;;)
		pause();
	return unused;
}

static long kill_everybody(long unused)
{
	check_ok(kill(-1, SIGKILL));
	return 0;
}

/* kill(-1, SIGKILL) by root reaches the processes of its own VE only. */
static void kill_all_processes(void)
{
	pid_t sentinel = check_ok(fork());

	if (!sentinel)
		sleeper(0);
	start_both();
	ve_spawn(&a, sleeper, 0);
	ve_spawn(&b, sleeper, 0);
	ve_must(&a, kill_everybody, 0);
	check_soon(ve_nproc(&a) == 2, 5000);	/* init, a zombie */
	check_eq(ve_nproc(&b), 2);
	check_eq(waitpid(sentinel, NULL, WNOHANG), 0);
	stop_both();
	kill(sentinel, SIGKILL);
	waitpid(sentinel, NULL, 0);
}

static long probe_pids(long host_pid)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	char path[64];
	int n = 0;

	check(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] >= '1' && d->d_name[0] <= '9';
	check_eq(n, 2);	/* init and we */
	check_err(kill(host_pid, 0), ESRCH);
	check_err(getsid(host_pid), ESRCH);
	check_err(syscall(SYS_pidfd_open, host_pid, 0), ESRCH);
	check_err(sched_getscheduler(host_pid), ESRCH);
	snprintf(path, sizeof(path), "/proc/%ld", host_pid);
	check_err(access(path, F_OK), ENOENT);
	return 0;
}

/* Processes of the host and of other VEs cannot be seen or named. */
static void processes(void)
{
	start_both();
	ve_must(&a, probe_pids, b.init);
	ve_must(&a, probe_pids, getpid());
	/* The other way round the host sees both. */
	check_ok(kill(a.init, 0));
	check_ok(kill(b.init, 0));
	stop_both();
}

static int in_mountinfo(const char *what)
{
	static char text[256 * 1024];

	check(read_file("/proc/self/mountinfo", text, sizeof(text)) > 0);
	return strstr(text, what) != NULL;
}

static long mount_marker(long unused)
{
	check_ok(mount("vz-marker-a", "/tmp", "tmpfs", 0, NULL));
	check(in_mountinfo("vz-marker-a"));
	return 0;
}

static long sees_marker(long unused)
{
	return in_mountinfo("vz-marker-a") || in_mountinfo("vz-marker-host");
}

/* Mounts of one VE do not show in another, nor on the host. */
static void mounts(void)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/host", test_dir());
	make_dir(dir);
	start_both();
	check_eq(ve_call(&a, mount_marker, 0), 0);
	check_ok(mount("vz-marker-host", dir, "tmpfs", 0, NULL));
	check_eq(ve_call(&b, sees_marker, 0), 0);
	check(!in_mountinfo("vz-marker-a"));
	check_ok(umount(dir));
	stop_both();
}

static long make_ipc(long unused)
{
	check_ok(shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0666));
	check_ok(msgget(KEY, IPC_CREAT | IPC_EXCL | 0666));
	check_ok(semget(KEY, 1, IPC_CREAT | IPC_EXCL | 0666));
	return 0;
}

static long no_ipc(long unused)
{
	check_err(shmget(KEY, 4096, 0), ENOENT);
	check_err(msgget(KEY, 0), ENOENT);
	check_err(semget(KEY, 1, 0), ENOENT);
	return 0;
}

/* The same System V keys name other objects in each VE. */
static void sysv_ipc(void)
{
	start_both();
	ve_must(&a, make_ipc, 0);
	ve_must(&b, no_ipc, 0);
	no_ipc(0);
	ve_must(&b, make_ipc, 0);
	stop_both();
}

static long abstract_socket(long do_bind)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 8;
	int s = check_ok(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	memcpy(addr.sun_path, "\0vztest", 8);
	if (do_bind) {
		check_ok(bind(s, (struct sockaddr *)&addr, len));
		check_ok(listen(s, 1));
		return 0;
	}
	check_err(connect(s, (struct sockaddr *)&addr, len), ECONNREFUSED);
	close(s);
	return 0;
}

/* Abstract unix sockets are per VE. */
static void abstract_sockets(void)
{
	start_both();
	check_eq(ve_call(&a, abstract_socket, 1), 0);
	check_eq(ve_call(&b, abstract_socket, 0), 0);
	abstract_socket(0);
	check_eq(ve_call(&b, abstract_socket, 1), 0);
	stop_both();
}

static long set_name(long unused)
{
	check_ok(sethostname("changed-by-a", 12));
	check_ok(setdomainname("dom-a", 5));
	return 0;
}

static long name_is_a(long unused)
{
	struct utsname u;

	check_ok(uname(&u));
	return !strcmp(u.nodename, "changed-by-a") ||
	       !strcmp(u.domainname, "dom-a");
}

/* sethostname() changes the own VE only. */
static void hostname(void)
{
	start_both();
	ve_must(&a, set_name, 0);
	check_eq(ve_call(&a, name_is_a, 0), 1);
	check_eq(ve_call(&b, name_is_a, 0), 0);
	check_eq(name_is_a(0), 0);
	stop_both();
}

static long probe_files(long unused)
{
	static const char secret[] = "/tmp/vztest/secret";
	static const char public[] = "/tmp/vztest/public";
	struct stat st;

	check_err(open(secret, O_RDONLY), EACCES);
	check_err(open(secret, O_WRONLY), EACCES);
	check_err(truncate(secret, 0), EACCES);
	check_err(chown(secret, 0, 0), EPERM);
	check_err(chmod(secret, 0666), EPERM);
	check_err(unlink(secret), EACCES);
	check_err(open(public, O_WRONLY), EACCES);
	check_err(mkdir("/tmp/vztest/dir", 0700), EACCES);
	check_ok(close(open(public, O_RDONLY)));
	/* Ids of the host are nobody's inside. */
	check_ok(stat(secret, &st));
	check_eq(st.st_uid, 65534);
	return 0;
}

/* Even with the host's tree in sight its root's files are out of reach. */
static void host_files(void)
{
	struct ve_opts opts = { .bare = 1 };

	test_dir();
	unlink("/tmp/vztest/secret");
	unlink("/tmp/vztest/public");
	close(check_ok(creat("/tmp/vztest/secret", 0600)));
	close(check_ok(creat("/tmp/vztest/public", 0644)));
	ve_start(&a, ID, &opts);
	ve_must(&a, probe_files, 0);
	ve_stop(&a);
	unlink("/tmp/vztest/secret");
	unlink("/tmp/vztest/public");
}

static long write_sysctls(long unused)
{
	static const char *const files[] = {
		"kernel/core_pattern", "kernel/sysrq", "kernel/panic",
		"kernel/printk", "kernel/modprobe", "kernel/hotplug",
		"kernel/randomize_va_space", "kernel/threads-max",
		"kernel/dmesg_restrict", "kernel/ngroups_max",
		"vm/drop_caches", "vm/overcommit_memory", "vm/swappiness",
		"vm/panic_on_oom", "vm/min_free_kbytes", "fs/file-max",
		"fs/nr_open", "fs/suid_dumpable", "fs/protected_symlinks",
		"fs/inotify/max_user_instances",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		char path[96];

		snprintf(path, sizeof(path), "/proc/sys/%s", files[i]);
		errno = 0;
		if (open(path, O_WRONLY) >= 0 ||
		    (errno != EACCES && errno != EPERM && errno != ENOENT))
			vz_fail(__FILE__, __LINE__, "%s: errno %d", path,
				errno);
	}
	return 0;
}

/* Sysctls of the whole node cannot be written. */
static void sysctls(void)
{
	ve_start(&a, ID, NULL);
	ve_must(&a, write_sysctls, 0);
	ve_stop(&a);
}

static long make_nodes(long unused)
{
	check_err(mknod("/tmp/sda", S_IFBLK | 0600, makedev(8, 0)), EPERM);
	check_err(mknod("/tmp/loop", S_IFBLK | 0600, makedev(7, 0)), EPERM);
	check_err(mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)), EPERM);
	check_err(mknod("/tmp/kmsg", S_IFCHR | 0600, makedev(1, 11)), EPERM);
	check_err(mknod("/tmp/vzctl", S_IFCHR | 0600, makedev(10, 125)), EPERM);
	check_ok(mknod("/tmp/fifo", S_IFIFO | 0600, 0));
	check_err(access("/dev/vzctl", F_OK), ENOENT);
	return 0;
}

/* mknod() of disks and of kernel memory is EPERM. */
static void device_nodes(void)
{
	ve_start(&a, ID, NULL);
	ve_must(&a, make_nodes, 0);
	ve_stop(&a);
}

/* Refused for lack of privilege, or not in this kernel at all. */
static void want_refused(long ret, const char *what)
{
	if (ret != -1 || (errno != EPERM && errno != ENOSYS))
		vz_fail(__FILE__, __LINE__, "%s: %ld errno %d", what, ret,
			errno);
}

static long privileged_calls(long unused)
{
	static const char *const types[] = { "ext4", "debugfs", "tracefs",
		"securityfs", "configfs", "devtmpfs", "pstore" };
	struct timeval tv = { 1, 0 };
	size_t i;

	check_eq(prctl(PR_CAPBSET_READ, 16), 0);	/* SYS_MODULE */
	check_eq(prctl(PR_CAPBSET_READ, 17), 0);	/* SYS_RAWIO */
	check_eq(prctl(PR_CAPBSET_READ, 20), 0);	/* SYS_PACCT */
	check_eq(prctl(PR_CAPBSET_READ, 25), 0);	/* SYS_TIME */
	check_eq(prctl(PR_CAPBSET_READ, 39), 0);	/* BPF */
	check_err(settimeofday(&tv, NULL), EPERM);
	want_refused(syscall(SYS_init_module, "", 0, ""), "init_module");
	want_refused(syscall(SYS_delete_module, "x", 0), "delete_module");
	want_refused(iopl(3), "iopl");
	want_refused(swapon("/tmp", 0), "swapon");
	want_refused(acct(NULL), "acct");
	want_refused(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load");
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		errno = 0;
		if (!mount("/dev/null", "/tmp", types[i], 0, NULL) ||
		    (errno != EPERM && errno != ENODEV && errno != EACCES &&
		     errno != ENOTBLK))
			vz_fail(__FILE__, __LINE__, "mount %s: errno %d",
				types[i], errno);
	}
	return 0;
}

static long privileged_nested(long unused)
{
	check_ok(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	want_refused(syscall(SYS_init_module, "", 0, ""), "init_module");
	want_refused(iopl(3), "iopl");
	return 0;
}

/* Capabilities over the node: none, also from a nested user namespace. */
static void capabilities(void)
{
	ve_start(&a, ID, NULL);
	ve_must(&a, privileged_calls, 0);
	ve_must(&a, privileged_nested, 0);
	ve_stop(&a);
}

static long exhaust_inotify(long max)
{
	int n = 0;

	while (inotify_init1(IN_CLOEXEC) >= 0)
		n++;
	check_eq(errno, EMFILE);
	check_eq(n, max);
	ve_shared[0] = 1;
	for (;;)
		pause();
	return 0;
}

static long one_inotify(long unused)
{
	close(check_ok(inotify_init1(IN_CLOEXEC)));
	return 0;
}

/* A VE that exhausts its inotify instances does not disturb others. */
static void user_counts(void)
{
	char text[64];
	long max;

	check(read_file("/proc/sys/fs/inotify/max_user_instances", text,
			sizeof(text)) > 0);
	max = atol(text);
	check(max < 800);
	start_both();
	ve_spawn(&a, exhaust_inotify, max);
	check_soon(a.shared[0], 10000);
	ve_must(&b, one_inotify, 0);
	one_inotify(0);
	stop_both();
}

static const struct vz_case cases[] = {
	VZ_CASE(kill_all_processes),
	VZ_CASE(processes),
	VZ_CASE(mounts),
	VZ_CASE(sysv_ipc),
	VZ_CASE(abstract_sockets),
	VZ_CASE(hostname),
	VZ_CASE(host_files),
	VZ_CASE(sysctls),
	VZ_CASE(device_nodes),
	VZ_CASE(capabilities),
	VZ_CASE(user_counts),
};
VZ_MAIN(cases)
