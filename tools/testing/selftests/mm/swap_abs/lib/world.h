/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test begins and ends with.
 */
#ifndef SWAP_ABS_LIB_WORLD_H
#define SWAP_ABS_LIB_WORLD_H

#include <stdbool.h>

/* Upper bound of one test, not its usual time: debug kernels are slow. */
#define SA_TIMEOUT	900

/* Tell whether this is User Mode Linux */
bool sa_uml(void);
/* Tell whether the mode is full, not quick */
bool sa_full(void);
/* Tell whether all of the machine may run out of memory */
bool sa_dedicated(void);
/* Return how long a soak lasts */
int sa_seconds(int otherwise);

/* What a test may need, for sa_begin() and sa_need() */
#define SA_NEED_LAYER	0x01	/* vm.swap_abs, on or off */
#define SA_NEED_DEV	0x02	/* one block device */
#define SA_NEED_DEVS	0x04	/* two of them */
#define SA_NEED_ZSWAP	0x08	/* zswap, on or off */
#define SA_NEED_LIMITS	0x10	/* limits of cgroups for tiers */
#define SA_NEED_DEBUGFS	0x20	/* the layer's directory in debugfs */
#define SA_NEED_THP	0x40	/* transparent huge pages */
/* Return why the first of these that is missing is missed; NULL: all are there */
const char *sa_need(unsigned int what);

/*
 * Undo whatever an earlier test left (layer off, zswap off, no swap, no cgroup), then
 * look whether tests can run. Return NULL, or why they cannot.
 */
const char *sa_setup(void);
void sa_reset(void);
/*
 * Begin a fixture: sa_setup(), then the layer on or off, then look for SA_NEED_*. From
 * here on the test is in a cgroup of its own, without limits, and what memory it has is
 * locked: what is swapped is what the test maps from now on. Return NULL, or why not.
 */
const char *sa_begin(bool on, unsigned int needs);
/*
 * Begin with something to swap to: zswap and no device (with the layer), or zswap in
 * front of the first device (without), or the device alone.
 */
const char *sa_begin_backed(bool on, bool zswap);
/* End a fixture: return the violations that the kernel finds, after sa_reset() */
long long sa_end(void);

#endif
