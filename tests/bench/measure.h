/* SPDX-License-Identifier: GPL-2.0 */
/* Counting the instructions of a row. */
#ifndef VZ_MEASURE_H
#define VZ_MEASURE_H

#include <stdint.h>

#include "bench.h"

#define MAX_REPS	101

/* Lengths of the calibrated loop: well below a tick. */
#define CAL_SHORT	100000
#define CAL_LONG	300000

struct result {
	uint64_t idle;		/* of USER_HZ, over all repetitions */
	uint64_t rep[MAX_REPS];	/* instructions */
};

/* Instructions between two looks at the counter around 2 * @n of them. */
uint64_t calibrate(unsigned long n);

/* What is in the allocators' way meanwhile, and more for each repetition. */
void ballast_start(void);
void ballast_more(void);
void ballast_stop(void);

/* Sets up the row, warms it up, and fills @res. */
void measure(const struct row *row, int reps, struct result *res);

#endif
