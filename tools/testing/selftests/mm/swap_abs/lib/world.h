/* SPDX-License-Identifier: GPL-2.0 */
/* The functions that a test calls at its begin and its end. */
#ifndef SWAP_ABS_LIB_WORLD_H
#define SWAP_ABS_LIB_WORLD_H

#include <stdbool.h>

/*
 * The upper bound of one test. It is far above the usual time because debug
 * kernels are slow.
 */
#define SA_TIMEOUT	900

/* Tell whether this is User Mode Linux */
bool sa_is_uml(void);
/* Tell whether the mode is full, not quick */
bool sa_is_full(void);
/* Tell whether all of the machine may run out of memory */
bool sa_is_dedicated(void);
/* Return how many seconds a soak test lasts */
int sa_seconds(int otherwise);

/* The needs of a test, for sa_begin() and sa_check_needs() */
#define SA_NEED_LAYER	0x01	/* vm.swap_abs, on or off */
#define SA_NEED_DEV	0x02	/* one block device */
#define SA_NEED_DEVS	0x04	/* two of them */
#define SA_NEED_ZSWAP	0x08	/* zswap, on or off */
#define SA_NEED_LIMITS	0x10	/* limits of cgroups for tiers */
#define SA_NEED_DEBUGFS	0x20	/* the layer's directory in debugfs */
#define SA_NEED_THP	0x40	/* transparent huge pages */
#define SA_NEED_PACKED	0x80	/* the packed format; the series brings it in part 2 */
#define SA_NEED_STATES	0x100	/* states of tiers; the series brings them in part 3 */
/*
 * Return a message about the first need that is not met, or NULL if all are met
 */
const char *sa_check_needs(unsigned int what);

/*
 * Undo the changes of an earlier test (layer off, zswap off, no swap, no
 * cgroup), then check whether tests can run. Return NULL, or the reason why
 * they can't.
 */
const char *sa_setup(void);
void sa_reset(void);
/*
 * Begin a fixture: call sa_setup(), set the layer on or off, and check the
 * SA_NEED_* bits. The test then runs in a cgroup of its own without limits, and
 * its memory is locked, so that the kernel swaps only the memory that the test
 * maps later. Return NULL, or the reason why the test can't run.
 */
const char *sa_begin(bool on, unsigned int needs);
/*
 * Begin with a place to swap to: zswap without a device (with the layer), zswap
 * in front of the first device (without the layer), or the first device alone.
 */
const char *sa_begin_backed(bool on, bool zswap);
/*
 * End a fixture: call sa_reset(), and return the number of violations that the
 * kernel found before that
 */
long long sa_end(void);

#endif
