/* SPDX-License-Identifier: GPL-2.0 */
/* Loads that use every resource at once; for ve_call() and ve_spawn(). */
#ifndef VZ_LOAD_H
#define VZ_LOAD_H

/* Makes some of everything.  What does not go with the process is left. */
long load_make(long unused);
/* ... and gives it back, the packet filter rules excepted. */
long load_drop(long unused);
/* Rules: three more of them; load_make() makes none. */
long load_rules(long unused);
/* Makes so many pages of its own, and has them swapped out. */
long load_swap(long pages);
/* load_make(), tells by ve_shared[1] = 1, and waits for ever. */
long load_hold(long unused);
/* Makes and drops for ever; ve_shared[0] counts.  Refusals are a failure. */
long load_churn(long unused);

#endif
