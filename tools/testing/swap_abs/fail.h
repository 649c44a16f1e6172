/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a test ends that found something: a line that says where in the test and
 * where in the source, and abort(), which a fuzzer takes for a finding.
 */
#ifndef _SWAP_ABS_FAIL_H
#define _SWAP_ABS_FAIL_H

#include <stdio.h>
#include <stdlib.h>
#include <linux/types.h>

/* Where the test is: set by who drives it. */
extern u64 test_seed;
extern unsigned long test_step;

#define must(condition) do {							\
	if (!(condition)) {							\
		fprintf(stderr, "FAILED: %s:%d: %s: %s (seed %llu, step %lu)\n",	\
			__FILE__, __LINE__, __func__, #condition,		\
			(unsigned long long)test_seed, test_step);		\
		abort();							\
	}									\
} while (0)

#endif /* _SWAP_ABS_FAIL_H */
