/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tier must look like from outside: a plain map from slots to what was
 * stored there last. One step is one operation, of a process, of reclaim, of a
 * mover or of the device, chosen by who calls: random numbers or a fuzzer.
 */
#ifndef _SWAP_ABS_MODEL_H
#define _SWAP_ABS_MODEL_H

#include <linux/types.h>

/* Where choices come from: @bytes until they are used up, else @random. */
struct choices {
	const u8 *bytes;
	size_t left;
	u64 random;
};

void model_reset(void);
void model_step(struct choices *choices);
void model_check(void);
void model_finish(struct choices *choices);
void model_print_stats(void);
bool model_did_everything(void);

#endif /* _SWAP_ABS_MODEL_H */
