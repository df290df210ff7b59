// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/sys/ubc, for root of the node only.  A container sees the names, and
 * may neither read nor write them, whatever its root is mapped to.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "shim.h"
#include "sock.h"

/* A write of some values only leaves the others.  Outermost of our locks. */
static DEFINE_MUTEX(ubc_precharge_lock);

static bool ubc_sysctl_allowed(int write)
{
	return current_user_ns() == &init_user_ns &&
	       (!write || capable(CAP_SYS_RESOURCE));
}

static int ubc_precharge_handler(const struct ctl_table *table, int write,
				 void *buffer, size_t *lenp, loff_t *ppos)
{
	int values[UBC_RESOURCES];
	const struct ctl_table local = {
		.procname	= table->procname,
		.data		= values,
		.maxlen		= sizeof(values),
		.mode		= table->mode,
	};
	size_t len = *lenp;
	int ret;

	if (!ubc_sysctl_allowed(write))
		return -EPERM;
	mutex_lock(&ubc_precharge_lock);
	ubc_precharge_get(values);
	ret = proc_dointvec(&local, write, buffer, lenp, ppos);
	/* A page is all that is looked at. */
	if (!ret && write && (*lenp != len || len >= PAGE_SIZE))
		ret = -EINVAL;
	if (!ret && write)
		ret = ubc_precharge_set(values);
	mutex_unlock(&ubc_precharge_lock);
	return ret;
}

static int __maybe_unused
ubc_int_handler(const struct ctl_table *table, int write, void *buffer,
		size_t *lenp, loff_t *ppos)
{
	if (!ubc_sysctl_allowed(write))
		return -EPERM;
	return proc_dointvec_minmax(table, write, buffer, lenp, ppos);
}

#ifdef CONFIG_NET
static int ubc_1024 = 1024;
#endif

static const struct ctl_table ubc_sysctls[] = {
	{
		.procname	= "resource_precharge",
		.maxlen		= UBC_RESOURCES * sizeof(int),
		.mode		= 0600,
		.proc_handler	= ubc_precharge_handler,
	},
#ifdef CONFIG_CGROUP_WRITEBACK
	{
		.procname	= "dirty_ratio",
		.data		= &ubc_dirty_ratio,
		.maxlen		= sizeof(int),
		.mode		= 0600,
		.proc_handler	= ubc_int_handler,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE_HUNDRED,
	},
	{
		.procname	= "dirty_background_ratio",
		.data		= &ubc_dirty_background_ratio,
		.maxlen		= sizeof(int),
		.mode		= 0600,
		.proc_handler	= ubc_int_handler,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE_HUNDRED,
	},
#endif
#ifdef CONFIG_NET
	{
		.procname	= "tcp_max_tw_buckets_ub",
		.data		= &ubc_timewait_most,
		.maxlen		= sizeof(int),
		.mode		= 0600,
		.proc_handler	= ubc_int_handler,
		.extra1		= SYSCTL_ZERO,
	},
	{
		.procname	= "tcp_max_tw_kmem_fraction",
		.data		= &ubc_timewait_part,
		.maxlen		= sizeof(int),
		.mode		= 0600,
		.proc_handler	= ubc_int_handler,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &ubc_1024,
	},
#endif
};

static int __init ubc_sysctl_init(void)
{
	register_sysctl_init("ubc", ubc_sysctls);
	return 0;
}
late_initcall(ubc_sysctl_init);
