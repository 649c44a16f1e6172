/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the packed tier must look like from outside: a plain map from slots to
 * what was stored there last. In one step an operation or a work begins, an I/O
 * ends, or a task goes on. Who calls chooses: random numbers or a fuzzer.
 */
#ifndef _SWAP_ABS_MODEL_H
#define _SWAP_ABS_MODEL_H

#include <linux/types.h>

struct choices;

void model_begin(struct choices *choices);
void model_step(void);
void model_check(void);
void model_finish(void);
void model_end(void);
bool model_did_everything(void);

#endif /* _SWAP_ABS_MODEL_H */
