// SPDX-License-Identifier: GPL-2.0-only
/*
 * C glue of kernel/ve: what is a macro, an inline or a walk over lists of the
 * core kernel.  Policy and state live in the Rust files.
 *
 * Locks: everything here is called with at most the operation mutex of a VE
 * held; cgroup_mutex, tasklist_lock and uts_sem nest inside it.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/key.h>
#include <linux/kobject.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/proc_fs.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/securebits.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/ubc.h>
#include <linux/utsname.h>
#include <linux/ve.h>
#include <net/net_namespace.h>

#include "cgroup/cgroup-internal.h"

/* As long as ubc_key, and for the same reason. */
DEFINE_STATIC_KEY_DEFERRED_FALSE(ve_key, 60 * HZ);

void ve_key_inc(void)
{
	static_branch_deferred_inc(&ve_key);
}

void ve_key_dec(void)
{
	static_branch_slow_dec_deferred(&ve_key);
}

/* May the caller control VEs: privileged and of the host. */
bool ve_admin(void)
{
	return current_user_ns() == &init_user_ns && capable(CAP_SYS_ADMIN);
}

/* User namespace and credentials of a VE */

void __ve_own_user_ns(struct user_namespace *ns, struct ve *ve)
{
	struct uid_gid_extent ids = {
		.first = 0,
		.lower_first = ve->uid_base,
		.count = VZCTL_ID_RANGE,
	};
	int i;

	ns->uid_map.extent[0] = ids;
	ns->gid_map.extent[0] = ids;
	ns->owner = GLOBAL_ROOT_UID;
	ns->group = GLOBAL_ROOT_GID;
	ns->parent_could_setfcap = true;
	/*
	 * Counts of one VE must not use up those of another: do not charge the
	 * creator, who is the same for all, but make @ns a root of its own.
	 */
	dec_ucount(ns->ucounts, UCOUNT_USER_NAMESPACES);
	ns->ucounts = NULL;
	for (i = 0; i < UCOUNT_COUNTS; i++)
		ns->ucount_max[i] = READ_ONCE(init_user_ns.ucount_max[i]);
	for (i = 0; i < UCOUNT_RLIMIT_COUNTS; i++)
		set_userns_rlimit_max(ns, i, RLIM_INFINITY);
	ve_get(ve);
	ns->ve = ve;
	/* Pairs with the smp_rmb() in map_id_down() and friends. */
	smp_wmb();
	ns->uid_map.nr_extents = 1;
	ns->gid_map.nr_extents = 1;
}

/* Turn @cred, already in the user namespace of @ve, into the VE's root. */
int __ve_init_cred(struct cred *cred, struct ve *ve)
{
	kernel_cap_t caps = { .val = ve->bset };
	kuid_t uid = make_kuid(cred->user_ns, 0);
	kgid_t gid = make_kgid(cred->user_ns, 0);
	struct user_struct *user;

	user = alloc_uid(uid);
	if (!user)
		return -ENOMEM;
	free_uid(cred->user);
	cred->user = user;
	cred->uid = uid;
	cred->euid = uid;
	cred->suid = uid;
	cred->fsuid = uid;
	cred->gid = gid;
	cred->egid = gid;
	cred->sgid = gid;
	cred->fsgid = gid;
	set_groups(cred, kernel_cred()->group_info);

	caps = cap_intersect(caps, CAP_FULL_SET);
	cred->cap_bset = caps;
	cred->cap_permitted = caps;
	cred->cap_effective = caps;
	cred->cap_inheritable = CAP_EMPTY_SET;
	cred->cap_ambient = CAP_EMPTY_SET;
	cred->securebits = SECUREBITS_DEFAULT;
#ifdef CONFIG_KEYS
	/* Possession follows the keyrings: leave the host's behind. */
	key_put(cred->session_keyring);
	cred->session_keyring = NULL;
	key_put(cred->process_keyring);
	cred->process_keyring = NULL;
	key_put(cred->thread_keyring);
	cred->thread_keyring = NULL;
	key_put(cred->request_key_auth);
	cred->request_key_auth = NULL;
#endif
	return 0;
}

void __ve_init_time_offsets(struct timens_offsets *offsets)
{
	struct timespec64 now;

	ktime_get_ts64(&now);
	offsets->monotonic = timespec64_sub((struct timespec64){}, now);
	ktime_get_boottime_ts64(&now);
	offsets->boottime = timespec64_sub((struct timespec64){}, now);
}

/* The first task of a VE */

/*
 * Copy current into the first task of @ve, not yet running.  It returns from
 * the same system call with 0.
 */
struct task_struct *ve_copy_init(struct ve *ve, struct ubc *ub, int cgroup_fd)
{
	struct kernel_clone_args args = {
		.flags		= CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
				  CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
				  CLONE_NEWTIME | CLONE_INTO_CGROUP,
		.exit_signal	= SIGCHLD,
		.cgroup		= cgroup_fd,
		.ve		= ve,
		.ub		= ub,
	};

	return copy_process(NULL, 0, NUMA_NO_NODE, &args);
}

/* The pid of @p, which has not run yet; notes its namespace in @ve. */
struct pid *ve_get_init_pid(struct task_struct *p, struct ve *ve)
{
	struct pid *pid = get_task_pid(p, PIDTYPE_PID);

	ve->pid_ns = ns_of_pid(pid);
	return pid;
}

/* What the host's limits and habits leave on a task does not enter a VE. */
static void ve_reset_task(struct task_struct *p)
{
	struct rlimit *rlim = p->signal->rlim;

	task_lock(p->group_leader);
	memcpy(rlim, init_task.signal->rlim, sizeof(p->signal->rlim));
	rlim[RLIMIT_NOFILE].rlim_max = 1048576;
	rlim[RLIMIT_NPROC] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	rlim[RLIMIT_SIGPENDING] = rlim[RLIMIT_NPROC];
	rlim[RLIMIT_MSGQUEUE].rlim_max = RLIM_INFINITY;
	rlim[RLIMIT_MEMLOCK].rlim_max = RLIM_INFINITY;
	task_unlock(p->group_leader);
	p->signal->oom_score_adj = 0;
	p->signal->oom_score_adj_min = 0;
	if (!rt_or_dl_task_policy(p))
		set_user_nice(p, 0);
}

void ve_wake_init(struct task_struct *p)
{
	ve_reset_task(p);
	if (IS_ENABLED(CONFIG_LRU_GEN_WALKS_MMU)) {
		task_lock(p);
		lru_gen_add_mm(p->mm);
		task_unlock(p);
	}
	wake_up_new_task(p);
}

static int ve_attach_current(struct cgroup *cgrp)
{
	int ret = -ESRCH;

	cgroup_lock();
	cgroup_attach_lock(CGRP_ATTACH_LOCK_GLOBAL, NULL);
	if (!cgroup_is_dead(cgrp))
		ret = cgroup_attach_task(cgrp, current, true);
	cgroup_attach_unlock(CGRP_ATTACH_LOCK_GLOBAL, NULL);
	cgroup_unlock();
	return ret;
}

/* Move current into the namespaces and the cgroup of a VE, as its root. */
int ve_enter(struct ve *ve, struct pid *init, struct cgroup *cgrp)
{
	struct cgroup *old;
	int ret;

	if (!thread_group_empty(current) || current->fs->users != 1)
		return -EINVAL;

	rcu_read_lock();
	old = task_dfl_cgroup(current);
	cgroup_get(old);
	rcu_read_unlock();
	ret = ve_attach_current(cgrp);
	if (!ret) {
		ret = ve_setns(ve, init);
		if (ret)
			ve_attach_current(old);
	}
	cgroup_put(old);
	if (ret)
		return ret;
	/* commit_creds() leaves a sysctl's choice here; only OFF is safe. */
	task_exec_state_set_dumpable(TASK_DUMPABLE_OFF);
	ve_reset_task(current);
	return 0;
}

/* Send SIGKILL to every live task of @ve and count them. */
unsigned int ve_kill_members(struct ve *ve)
{
	struct task_struct *g, *t;
	unsigned int n = 0;

	rcu_read_lock();
	read_lock(&tasklist_lock);
	for_each_process_thread(g, t) {
		if (t->exit_state || (t->flags & PF_KTHREAD) ||
		    __task_cred(t)->user_ns->ve != ve)
			continue;
		n++;
		if (!__fatal_signal_pending(t))
			do_send_sig_info(SIGKILL, SEND_SIG_PRIV, t, PIDTYPE_TGID);
	}
	read_unlock(&tasklist_lock);
	rcu_read_unlock();
	return n;
}

int ve_kill_init(struct pid *init, int sig)
{
	return kill_pid_info(sig, SEND_SIG_NOINFO, init);
}

bool ve_current_dying(void)
{
	return fatal_signal_pending(current);
}

u64 ve_boottime_ns(void)
{
	return ktime_get_boottime_ns();
}

unsigned int ve_nproc(struct pid *init)
{
	return READ_ONCE(ns_of_pid(init)->pid_allocated) & ~PIDNS_ADDING;
}

unsigned int ve_host_nproc(void)
{
	return READ_ONCE(init_pid_ns.pid_allocated) & ~PIDNS_ADDING;
}

int ve_set_uts(struct pid *init, bool release, const char *text)
{
	struct uts_namespace *ns = NULL;
	struct task_struct *p;

	rcu_read_lock();
	p = pid_task(init, PIDTYPE_PID);
	if (p) {
		task_lock(p);
		if (p->nsproxy) {
			ns = p->nsproxy->uts_ns;
			get_uts_ns(ns);
		}
		task_unlock(p);
	}
	rcu_read_unlock();
	if (!ns)
		return -ESRCH;

	down_write(&uts_sem);
	if (release)
		strscpy_pad(ns->name.release, text);
	else
		strscpy_pad(ns->name.nodename, text);
	up_write(&uts_sem);
	put_uts_ns(ns);
	return 0;
}

/* Control groups */

/*
 * Make ve/@veid (limits of the host), ve/@veid/ct (root of the VE's cgroup
 * namespace) and ve/@veid/enter (for tasks that enter from the host).  Each
 * level that counts pressure costs every context switch: only the last does.
 */
int ve_cgroup_create(u32 veid, struct cgroup **outer, struct cgroup **inner,
		     struct cgroup **enter)
{
	struct cgroup *top, *old;
	char name[12], path[24];
	int ret;

	snprintf(name, sizeof(name), "%u", veid);
	snprintf(path, sizeof(path), "/ve/%u", veid);

	top = cgroup_get_from_path("/ve");
	if (IS_ERR(top)) {
		top = cgroup_kernel_mkdir(NULL, "ve");
		if (IS_ERR(top))
			return PTR_ERR(top);
		cgroup_kernel_pressure_off(top);
	}
	ret = cgroup_kernel_enable(top);
	if (ret)
		goto put_top;

	/* An empty tree of that name may be a leftover of a busy removal. */
	old = cgroup_get_from_path(path);
	if (!IS_ERR(old)) {
		ret = cgroup_kernel_destroy(old);
		cgroup_put(old);
		if (ret)
			goto put_top;
	}
	*outer = cgroup_kernel_mkdir(top, name);
	if (IS_ERR(*outer)) {
		ret = PTR_ERR(*outer);
		goto put_top;
	}
	cgroup_kernel_pressure_off(*outer);
	ret = cgroup_kernel_enable(*outer);
	if (ret)
		goto destroy;
	*inner = cgroup_kernel_mkdir(*outer, "ct");
	if (IS_ERR(*inner)) {
		ret = PTR_ERR(*inner);
		goto destroy;
	}
	*enter = cgroup_kernel_mkdir(*outer, "enter");
	if (!IS_ERR(*enter))
		goto put_top;
	ret = PTR_ERR(*enter);
	cgroup_put(*inner);
destroy:
	cgroup_kernel_destroy(*outer);
	cgroup_put(*outer);
put_top:
	cgroup_put(top);
	return ret;
}

void ve_cgroup_get(struct cgroup *cgrp)
{
	cgroup_get(cgrp);
}

void ve_cgroup_put(struct cgroup *cgrp)
{
	cgroup_put(cgrp);
}

bool ve_cgroup_is_fd(struct cgroup *cgrp, int fd)
{
	struct cgroup *named = cgroup_v1v2_get_from_fd(fd);

	if (IS_ERR(named))
		return false;
	cgroup_put(named);
	return named == cgrp;
}

void ve_cgroup_freeze(struct cgroup *cgrp, bool freeze)
{
	cgroup_lock();
	if (!cgroup_is_dead(cgrp))
		cgroup_freeze(cgrp, freeze);
	cgroup_unlock();
}

bool ve_cgroup_frozen(struct cgroup *cgrp)
{
	return test_bit(CGRP_FROZEN, &cgrp->flags);
}

/* Events and /proc */

static struct device *ve_device;

void ve_uevent_device(struct miscdevice *misc)
{
	ve_device = misc->this_device;
}

void ve_uevent(const char *event, u32 veid, u64 serial)
{
	char name[24], id[24], ser[40];
	char *env[] = { name, id, ser, NULL };

	snprintf(name, sizeof(name), "VE_EVENT=%s", event);
	snprintf(id, sizeof(id), "VEID=%u", veid);
	snprintf(ser, sizeof(ser), "VE_SERIAL=%llu", serial);
	kobject_uevent_env(&ve_device->kobj, KOBJ_CHANGE, env);
}

void ve_proc_status(struct seq_file *m, struct task_struct *p, struct pid *pid)
{
	u32 veid = 0;
	pid_t vpid = pid_nr(pid);
	struct ve *ve;
	unsigned int i;

	rcu_read_lock();
	ve = ve_of_user_ns(__task_cred(p)->user_ns);
	if (ve) {
		veid = ve->veid;
		vpid = 0;
		for (i = 1; i <= pid->level; i++)
			if (pid->numbers[i].ns == ve->pid_ns)
				vpid = pid->numbers[i].nr;
	}
	rcu_read_unlock();
	seq_printf(m, "envID:\t%u\nVPid:\t%d\n", veid, vpid);
}

/* The VE that owns the procfs instance @m is read from, NULL for the host. */
struct ve *ve_of_seq(struct seq_file *m)
{
	return ve_of_user_ns(file_inode(m->file)->i_sb->s_user_ns);
}

static int ve_version_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%s\n", init_uts_ns.name.release);
	return 0;
}

/* That it is there tells tools that physpages and swappages have limits. */
static int ve_vswap_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "Version: 1.0\n");
	return 0;
}

int ve_proc_init(void)
{
	struct proc_dir_entry *dir = proc_mkdir("vz", NULL);

	if (!dir || !proc_create_single("version", 0444, dir, ve_version_show) ||
	    !proc_create_single("veinfo", 0400, dir, ve_veinfo_show) ||
	    !proc_create_single("vswap", 0400, dir, ve_vswap_show) ||
	    !proc_mkdir("beancounter", dir) ||
	    !proc_create("ubc_events", 0400, dir, &ubc_own_events_ops)) {
		proc_remove(dir);
		return -ENOMEM;
	}
	return 0;
}
