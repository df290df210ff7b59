/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VZ_SWAPDEV_H
#define VZ_SWAPDEV_H

/* Makes sure there is swap; -1 if that is not possible here. */
int swap_on(void);
/* Takes away what swap_on() made. */
void swap_off(void);

#endif
