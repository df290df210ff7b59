// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/bc/ID/meminfo: /proc/meminfo as a container sees it, with its limits
 * for the sizes of RAM and swap and its memory cgroup for what is in use.
 *
 * All lines of the kernel's own file are there, in its order and format; what
 * a memory cgroup does not count is 0.
 */
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/page_counter.h>
#include <linux/seq_file.h>
#include <linux/swap.h>
#include <linux/ubc.h>
#include <linux/vmalloc.h>

#include "proc_aux.h"
#include "shim.h"

static void ubc_kb(struct seq_file *m, const char *name, unsigned long pages)
{
	seq_printf(m, "%-16s%8lu kB\n", name, pages << (PAGE_SHIFT - 10));
}

static unsigned long ubc_stat(struct mem_cgroup *memcg, int item)
{
	return memcg_page_state(memcg, item);
}

/* For those that count bytes. */
static unsigned long ubc_stat_b(struct mem_cgroup *memcg, int item)
{
	return memcg_page_state(memcg, item) >> PAGE_SHIFT;
}

static unsigned long ubc_swapcache(struct mem_cgroup *memcg)
{
#ifdef CONFIG_SWAP
	return ubc_stat(memcg, NR_SWAPCACHE);
#else
	return 0;
#endif
}

static unsigned long ubc_less(unsigned long a, unsigned long b)
{
	return a > b ? a - b : 0;
}

static void ubc_meminfo_ram(struct seq_file *m, struct mem_cgroup *memcg)
{
	unsigned long total = min(READ_ONCE(memcg->memory.max),
				  totalram_pages());
	unsigned long free = ubc_less(total,
				      page_counter_read(&memcg->memory));
	unsigned long anon[2] = { ubc_stat(memcg, NR_ACTIVE_ANON),
				  ubc_stat(memcg, NR_INACTIVE_ANON) };
	unsigned long file[2] = { ubc_stat(memcg, NR_ACTIVE_FILE),
				  ubc_stat(memcg, NR_INACTIVE_FILE) };
	unsigned long available = free + file[0] + file[1] +
				  ubc_stat_b(memcg, NR_SLAB_RECLAIMABLE_B);

	ubc_kb(m, "MemTotal:", total);
	ubc_kb(m, "MemFree:", free);
	ubc_kb(m, "MemAvailable:", min(available, total));
	ubc_kb(m, "Buffers:", 0);
	ubc_kb(m, "Cached:", ubc_less(ubc_stat(memcg, NR_FILE_PAGES),
				      ubc_swapcache(memcg)));
	ubc_kb(m, "SwapCached:", ubc_swapcache(memcg));
	ubc_kb(m, "Active:", anon[0] + file[0]);
	ubc_kb(m, "Inactive:", anon[1] + file[1]);
	ubc_kb(m, "Active(anon):", anon[0]);
	ubc_kb(m, "Inactive(anon):", anon[1]);
	ubc_kb(m, "Active(file):", file[0]);
	ubc_kb(m, "Inactive(file):", file[1]);
	ubc_kb(m, "Unevictable:", ubc_stat(memcg, NR_UNEVICTABLE));
	ubc_kb(m, "Mlocked:", 0);
}

static void ubc_meminfo_swap(struct seq_file *m, struct mem_cgroup *memcg)
{
	unsigned long there = IS_ENABLED(CONFIG_SWAP) ?
			      max(total_swap_pages, 0L) : 0;
	unsigned long total = min(READ_ONCE(memcg->swap.max), there);

	ubc_kb(m, "SwapTotal:", total);
	ubc_kb(m, "SwapFree:", ubc_less(total, page_counter_read(&memcg->swap)));
#ifdef CONFIG_ZSWAP
	ubc_kb(m, "Zswap:", ubc_stat_b(memcg, MEMCG_ZSWAP_B));
	ubc_kb(m, "Zswapped:", ubc_stat(memcg, MEMCG_ZSWAPPED));
#endif
}

static void ubc_meminfo_use(struct seq_file *m, struct mem_cgroup *memcg)
{
	unsigned long reclaimable = ubc_stat_b(memcg, NR_SLAB_RECLAIMABLE_B);
	unsigned long other = ubc_stat_b(memcg, NR_SLAB_UNRECLAIMABLE_B);

	ubc_kb(m, "Dirty:", ubc_stat(memcg, NR_FILE_DIRTY));
	ubc_kb(m, "Writeback:", ubc_stat(memcg, NR_WRITEBACK));
	ubc_kb(m, "AnonPages:", ubc_stat(memcg, NR_ANON_MAPPED));
	ubc_kb(m, "Mapped:", ubc_stat(memcg, NR_FILE_MAPPED));
	ubc_kb(m, "Shmem:", ubc_stat(memcg, NR_SHMEM));
	ubc_kb(m, "KReclaimable:", reclaimable);
	ubc_kb(m, "Slab:", reclaimable + other);
	ubc_kb(m, "SReclaimable:", reclaimable);
	ubc_kb(m, "SUnreclaim:", other);
	seq_printf(m, "%-16s%8lu kB\n", "KernelStack:",
		   ubc_stat(memcg, NR_KERNEL_STACK_KB));
#ifdef CONFIG_SHADOW_CALL_STACK
	ubc_kb(m, "ShadowCallStack:", 0);
#endif
	ubc_kb(m, "PageTables:", ubc_stat(memcg, NR_PAGETABLE));
	ubc_kb(m, "SecPageTables:", ubc_stat(memcg, NR_SECONDARY_PAGETABLE));
	ubc_kb(m, "NFS_Unstable:", 0);
	ubc_kb(m, "Bounce:", 0);
	ubc_kb(m, "WritebackTmp:", 0);
}

/* Address space: privvmpages is what may be written to. */
static void ubc_meminfo_vm(struct seq_file *m, struct ubc_glue *g)
{
	struct ubc_row row;

	ubc_read(g->ub, UBC_PRIVVMPAGES, &row);
	/* 0 is also "none". */
	ubc_kb(m, "CommitLimit:", row.limit < LONG_MAX ? row.limit : 0);
	ubc_kb(m, "Committed_AS:", row.held);
	ubc_kb(m, "VmallocTotal:", (unsigned long)VMALLOC_TOTAL >> PAGE_SHIFT);
	ubc_kb(m, "VmallocUsed:", ubc_stat(g->memcg, NR_VMALLOC));
	ubc_kb(m, "VmallocChunk:", 0);
	ubc_kb(m, "Percpu:", ubc_stat_b(g->memcg, MEMCG_PERCPU_B));
}

/* Lines that depend on the configuration. */
static void ubc_meminfo_rest(struct seq_file *m, struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMORY_FAILURE
	seq_puts(m, "HardwareCorrupted:     0 kB\n");
#endif
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	ubc_kb(m, "AnonHugePages:", ubc_stat(memcg, NR_ANON_THPS));
	ubc_kb(m, "ShmemHugePages:", ubc_stat(memcg, NR_SHMEM_THPS));
	ubc_kb(m, "ShmemPmdMapped:", 0);
	ubc_kb(m, "FileHugePages:", ubc_stat(memcg, NR_FILE_THPS));
	ubc_kb(m, "FilePmdMapped:", 0);
#endif
#ifdef CONFIG_CMA
	ubc_kb(m, "CmaTotal:", 0);
	ubc_kb(m, "CmaFree:", 0);
#endif
#ifdef CONFIG_UNACCEPTED_MEMORY
	ubc_kb(m, "Unaccepted:", 0);
#endif
	ubc_kb(m, "Balloon:", 0);
	ubc_kb(m, "GPUActive:", 0);
	ubc_kb(m, "GPUReclaim:", 0);
#ifdef CONFIG_HUGETLB_PAGE
	if (hugepages_supported()) {
		seq_puts(m, "HugePages_Total:       0\n");
		seq_puts(m, "HugePages_Free:        0\n");
		seq_puts(m, "HugePages_Rsvd:        0\n");
		seq_puts(m, "HugePages_Surp:        0\n");
		ubc_kb(m, "Hugepagesize:", huge_page_size(&default_hstate) >>
					   PAGE_SHIFT);
		ubc_kb(m, "Hugetlb:", 0);
	}
#endif
#ifdef CONFIG_X86_64
	ubc_kb(m, "DirectMap4k:", 0);
	ubc_kb(m, "DirectMap2M:", 0);
	if (direct_gbpages)
		ubc_kb(m, "DirectMap1G:", 0);
#endif
}

int ubc_meminfo_show(struct seq_file *m, void *v)
{
	struct ubc_glue *g = m->private;

	css_rstat_flush(&g->memcg->css);
	ubc_meminfo_ram(m, g->memcg);
	ubc_meminfo_swap(m, g->memcg);
	ubc_meminfo_use(m, g->memcg);
	ubc_meminfo_vm(m, g);
	ubc_meminfo_rest(m, g->memcg);
	return 0;
}
