// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls of earlier beancounter kernels, for tools made for those.
 * Everything here can be done through /dev/vzctl and /proc as well.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/syscalls.h>
#include <linux/ubc.h>
#include <linux/user_namespace.h>

#include "glue.h"

/* ubstat(): what is asked for, and in the low half of READ_ONE of what. */
#define UBSTAT_READ_ONE		0x010000
#define UBSTAT_READ_ALL		0x020000
#define UBSTAT_READ_FULL	0x030000
#define UBSTAT_UBLIST		0x040000
#define UBSTAT_UBPARMNUM	0x050000
#define UBSTAT_GETTIME		0x060000
#define UBSTAT_FUNC(f)		((f) & 0xf0000)
#define UBSTAT_RES(f)		((f) & 0x0ffff)

/* The longs of 32-bit programs. */
#define UBC_COMPAT_LONG_MAX	0x7fffffffUL

/* A container is told nothing and changes nothing here. */
static bool ubc_on_host(void)
{
	return current_user_ns() == &init_user_ns;
}

SYSCALL_DEFINE0(getluid)
{
	return current->ub ? ubc_id(current->ub) : 0;
}

SYSCALL_DEFINE1(setluid, uid_t, id)
{
	if (id == (uid_t)-1)
		return -EINVAL;
	if (!ubc_on_host() || !capable(CAP_SETUID))
		return -EPERM;
	return ubc_attach_current_id(id);
}

/*
 * Bounds up to @max, the LONG_MAX of the caller, which means unlimited.  They
 * have been read: that EFAULT comes first is ABI.
 */
static int ubc_setublimit(u32 id, unsigned long res, unsigned long barrier,
			  unsigned long limit, unsigned long max)
{
	if (!ubc_on_host() || !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (res >= UBC_RESOURCES || barrier > max || limit > max)
		return -EINVAL;
	return ubc_set_limit_id(id, res, barrier == max ? LONG_MAX : barrier,
				limit == max ? LONG_MAX : limit);
}

SYSCALL_DEFINE3(setublimit, uid_t, id, unsigned long, res,
		const unsigned long __user *, limits)
{
	unsigned long lim[2];

	if (copy_from_user(lim, limits, sizeof(lim)))
		return -EFAULT;
	return ubc_setublimit(id, res, lim[0], lim[1], LONG_MAX);
}

/* Appends to a user buffer as long as there is room. */
struct ubstat_out {
	void __user *at;
	long room;
	bool compat;
};

static int ubstat_word(const struct ubstat_out *out)
{
	return out->compat ? sizeof(u32) : sizeof(unsigned long);
}

static int ubstat_put(struct ubstat_out *out, unsigned long value)
{
	int word = ubstat_word(out), ret;

	if (out->room < word)
		return -EINVAL;
	if (out->compat)
		ret = put_user((u32)value, (u32 __user *)out->at);
	else
		ret = put_user(value, (unsigned long __user *)out->at);
	out->at += word;
	out->room -= word;
	return ret;
}

/* What does not fit into a long of the caller is as good as unlimited. */
static int ubstat_put_amount(struct ubstat_out *out, unsigned long value)
{
	return ubstat_put(out, out->compat ? min(value, UBC_COMPAT_LONG_MAX) : value);
}

static int ubstat_row(struct ubstat_out *out, const struct ubc_row *row, bool full)
{
	const unsigned long all[] = { row->barrier, row->limit, row->held,
		row->maxheld, 0, row->failcnt, 0, 0 };
	const unsigned long some[] = { row->maxheld, row->failcnt };
	const unsigned long *from = full ? all : some;
	int i, ret = 0;

	for (i = 0; !ret && i < (full ? ARRAY_SIZE(all) : ARRAY_SIZE(some)); i++)
		ret = ubstat_put_amount(out, from[i]);
	return ret;
}

/* One interval has no end here: it is from boot until now. */
static int ubstat_read(struct ubstat_out *out, unsigned long id, u32 from,
		       u32 to, bool full)
{
	struct ubc_row row;
	u32 res;
	int ret;

	if (id > U32_MAX)
		return -ESRCH;
	ret = ubstat_put(out, 0);
	if (!ret)
		ret = ubstat_put(out, ktime_get_seconds());
	for (res = from; !ret && res < to; res++) {
		ret = ubc_read_id(id, res, &row);
		if (!ret)
			ret = ubstat_row(out, &row, full);
	}
	return ret;
}

/* From the newest to the host; the number of ids that fitted in. */
static long ubstat_list(struct ubstat_out *out)
{
	struct ubc *ub;
	u64 gen = U64_MAX;
	long n = 0;
	int ret;

	while (out->room >= ubstat_word(out) && (ub = ubc_lookup_older(gen))) {
		gen = ubc_generation(ub);
		ret = ubstat_put(out, ubc_id(ub));
		ubc_put(ub);
		if (ret)
			return ret;
		n++;
		if (!gen--)
			break;
	}
	return n;
}

static long ubc_ubstat(struct ubstat_out out, int func, unsigned long id)
{
	u32 res = UBSTAT_RES(func);
	int ret;

	if (!ubc_on_host() ||
	    (!capable(CAP_DAC_OVERRIDE) && !capable(CAP_DAC_READ_SEARCH)))
		return -EPERM;
	if (func & ~0xfffff || out.room & (ubstat_word(&out) - 1))
		return -EINVAL;
	switch (UBSTAT_FUNC(func)) {
	case UBSTAT_UBPARMNUM:
		return UBC_RESOURCES;
	case UBSTAT_UBLIST:
		return ubstat_list(&out);
	case UBSTAT_GETTIME:
		ret = ubstat_put(&out, ktime_get_seconds());
		break;
	case UBSTAT_READ_ONE:
		if (res >= UBC_RESOURCES)
			return -EINVAL;
		ret = ubstat_read(&out, id, res, res + 1, false);
		break;
	case UBSTAT_READ_ALL:
		ret = ubstat_read(&out, id, 0, UBC_RESOURCES, false);
		break;
	case UBSTAT_READ_FULL:
		ret = ubstat_read(&out, id, 0, UBC_RESOURCES, true);
		break;
	default:
		ret = -EINVAL;
	}
	return ret;
}

SYSCALL_DEFINE5(ubstat, int, func, unsigned long, id, unsigned long, notify,
		void __user *, buf, long, size)
{
	struct ubstat_out out = { .at = buf, .room = size };

	return ubc_ubstat(out, func, id);
}

#ifdef CONFIG_COMPAT

COMPAT_SYSCALL_DEFINE3(setublimit, uid_t, id, compat_ulong_t, res,
		       const compat_ulong_t __user *, limits)
{
	compat_ulong_t lim[2];

	if (copy_from_user(lim, limits, sizeof(lim)))
		return -EFAULT;
	return ubc_setublimit(id, res, lim[0], lim[1], UBC_COMPAT_LONG_MAX);
}

COMPAT_SYSCALL_DEFINE5(ubstat, int, func, compat_ulong_t, id,
		       compat_ulong_t, notify, void __user *, buf,
		       compat_long_t, size)
{
	struct ubstat_out out = { .at = buf, .room = size, .compat = true };

	return ubc_ubstat(out, func, id);
}

#endif /* CONFIG_COMPAT */
