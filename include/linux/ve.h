/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual Environments: what the rest of the kernel sees.
 *
 * A VE is a user namespace plus what it owns: &user_namespace.ve names the
 * owner of everything whose user namespace it is, NULL is the host.  Every hook
 * sits behind ve_key, which is on while any &struct ve exists, and a minute longer.
 */
#ifndef _LINUX_VE_H
#define _LINUX_VE_H

#include <linux/jump_label_ratelimit.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <uapi/linux/vzctl.h>

struct cgroup;
struct cred;
struct miscdevice;
struct pid;
struct seq_file;
struct ubc;

/**
 * struct ve - the identity of a VE, the head of the Rust object
 * @veid:	its number, unique among living VEs
 * @uid_base:	first host id of its id range
 * @serial:	unique for ever
 * @bset:	capabilities its root has
 * @pid_ns:	its root pid namespace, for comparison only
 *
 * @veid and @serial never change.  The others are written once, before any
 * user namespace points here, and never change after that.
 */
struct ve {
	u32			veid;
	u32			uid_base;
	u64			serial;
	u64			bset;
	struct pid_namespace	*pid_ns;
};

#ifdef CONFIG_VE
extern struct static_key_false_deferred ve_key;

/* kernel/ve, Rust: a reference more, a reference less (may sleep). */
void ve_get(struct ve *ve);
void ve_put(struct ve *ve);
/* kernel/ve, Rust: the init of @ve, current, is dying. */
void ve_init_dying(struct ve *ve, int wait_status, int reboot);
/* kernel/ve, Rust: contents of /proc/vz/veinfo. */
int ve_veinfo_show(struct seq_file *m, void *unused);
/* kernel/ve, Rust: may a VE see the entry @name of /proc, or of @dir in it? */
bool ve_proc_allowed(const char *dir, const char *name);

/* kernel/ve/shim.c */
/* /proc/PID/status: the lines envID and VPid. */
void ve_proc_status(struct seq_file *m, struct task_struct *p, struct pid *pid);
int __ve_init_cred(struct cred *cred, struct ve *ve);
void __ve_own_user_ns(struct user_namespace *ns, struct ve *ve);
void __ve_init_time_offsets(struct timens_offsets *offsets);

/* The VE that owns @ns, NULL for the host. */
static inline struct ve *ve_of_user_ns(const struct user_namespace *ns)
{
	return static_branch_unlikely(&ve_key.key) ? ns->ve : NULL;
}

/* create_user_ns(): a nested user namespace belongs to its parent's VE. */
static inline void ve_inherit_user_ns(struct user_namespace *ns)
{
	struct ve *ve = ve_of_user_ns(ns->parent);

	if (ve)
		ve_get(ve);
	ns->ve = ve;
}

/* create_user_ns() for the first user namespace of @ve, if there is a @ve. */
static inline void ve_own_user_ns(struct user_namespace *ns, struct ve *ve)
{
	if (unlikely(ve))
		__ve_own_user_ns(ns, ve);
	else
		ve_inherit_user_ns(ns);
}

static inline int ve_init_cred(struct cred *cred, struct ve *ve)
{
	return unlikely(ve) ? __ve_init_cred(cred, ve) : 0;
}

/* free_user_ns(): the last use of @ns; an owner implies that the key is on. */
static inline void ve_disown_user_ns(struct user_namespace *ns)
{
	if (static_branch_unlikely(&ve_key.key) && ns->ve)
		ve_put(ns->ve);
}

/* zap_pid_ns_processes(): the init of @ns dies. */
static inline void ve_pid_ns_dying(struct pid_namespace *ns, int wait_status)
{
	struct ve *ve = ve_of_user_ns(ns->user_ns);

	if (ve && ve->pid_ns == ns)
		ve_init_dying(ve, wait_status, ns->reboot);
}

/* clone_time_ns(): the clocks of a VE start at zero. */
static inline void ve_init_time_offsets(struct user_namespace *user_ns,
					struct time_namespace *old,
					struct timens_offsets *offsets)
{
	if (ve_of_user_ns(user_ns) && old == &init_time_ns)
		__ve_init_time_offsets(offsets);
}

/* proc_get_inode(): entries of the host's root belong to the VE's root. */
static inline kuid_t ve_proc_uid(struct user_namespace *ns, kuid_t uid)
{
	if (ve_of_user_ns(ns) && uid_eq(uid, GLOBAL_ROOT_UID))
		return make_kuid(ns, 0);
	return uid;
}

static inline kgid_t ve_proc_gid(struct user_namespace *ns, kgid_t gid)
{
	if (ve_of_user_ns(ns) && gid_eq(gid, GLOBAL_ROOT_GID))
		return make_kgid(ns, 0);
	return gid;
}

/*
 * procfs lookup and readdir: does the instance of @user_ns show the entry @name
 * of the directory @dir, which is NULL for the root?  @ve_only: the host's does
 * not.
 */
static inline bool ve_proc_visible(struct user_namespace *user_ns, bool ve_only,
				   const char *dir, const char *name)
{
	return ve_of_user_ns(user_ns) ? ve_proc_allowed(dir, name) : !ve_only;
}

/* Services for kernel/ve itself. */

/* kernel/cgroup/cgroup.c */
struct cgroup *cgroup_kernel_mkdir(struct cgroup *parent, const char *name);
int cgroup_kernel_enable(struct cgroup *cgrp);
void cgroup_kernel_pressure_off(struct cgroup *cgrp);
int cgroup_kernel_destroy(struct cgroup *cgrp);
/* kernel/nsproxy.c */
int ve_setns(struct ve *ve, struct pid *init);
/* fs/namespace.c */
void flush_delayed_mntput(void);
/* kernel/ve/shim.c */
int ve_cgroup_create(u32 veid, struct cgroup **outer, struct cgroup **inner,
		     struct cgroup **enter);
void ve_cgroup_get(struct cgroup *cgrp);
void ve_cgroup_put(struct cgroup *cgrp);
bool ve_cgroup_is_fd(struct cgroup *cgrp, int fd);
void ve_cgroup_freeze(struct cgroup *cgrp, bool freeze);
bool ve_cgroup_frozen(struct cgroup *cgrp);
struct task_struct *ve_copy_init(struct ve *ve, struct ubc *ub, int cgroup_fd);
struct pid *ve_get_init_pid(struct task_struct *p, struct ve *ve);
void ve_wake_init(struct task_struct *p);
int ve_enter(struct ve *ve, struct pid *init, struct cgroup *cgrp);
unsigned int ve_kill_members(struct ve *ve);
int ve_set_uts(struct pid *init, bool release, const char *text);
unsigned int ve_nproc(struct pid *init);
int ve_kill_init(struct pid *init, int sig);
unsigned int ve_host_nproc(void);
bool ve_current_dying(void);
u64 ve_boottime_ns(void);
void ve_uevent_device(struct miscdevice *misc);
void ve_uevent(const char *event, u32 veid, u64 serial);
int ve_proc_init(void);
void ve_key_inc(void);
void ve_key_dec(void);
bool ve_admin(void);
struct ve *ve_of_seq(struct seq_file *m);
#else
static inline void ve_own_user_ns(struct user_namespace *ns, struct ve *ve) { }
static inline int ve_init_cred(struct cred *cred, struct ve *ve)
{
	return 0;
}

static inline void ve_disown_user_ns(struct user_namespace *ns) { }
static inline void ve_pid_ns_dying(struct pid_namespace *ns, int wait_status) { }
static inline void ve_init_time_offsets(struct user_namespace *user_ns,
					struct time_namespace *old,
					struct timens_offsets *offsets) { }
static inline kuid_t ve_proc_uid(struct user_namespace *ns, kuid_t uid)
{
	return uid;
}

static inline kgid_t ve_proc_gid(struct user_namespace *ns, kgid_t gid)
{
	return gid;
}

static inline bool ve_proc_visible(struct user_namespace *user_ns, bool ve_only,
				   const char *dir, const char *name)
{
	return !ve_only;
}

static inline void ve_proc_status(struct seq_file *m, struct task_struct *p,
				  struct pid *pid) { }
#endif /* CONFIG_VE */

#endif /* _LINUX_VE_H */
