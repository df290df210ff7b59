/* SPDX-License-Identifier: GPL-2.0 */
/* The files of /proc/bc/ID; their private data is struct ubc_glue. */
#ifndef _UBC_PROC_AUX_H
#define _UBC_PROC_AUX_H

struct seq_file;

/* proc_aux.c */
void ubc_aux_line(struct seq_file *m, const char *name, unsigned long value);

/* io.c */
int ubc_ioacct_show(struct seq_file *m, void *v);
/* meminfo.c: bound */
int ubc_meminfo_show(struct seq_file *m, void *v);
/* proc_slab.c, proc_dcache.c */
int ubc_slabinfo_show(struct seq_file *m, void *v);
int ubc_dcacheinfo_show(struct seq_file *m, void *v);

#endif /* _UBC_PROC_AUX_H */
