// SPDX-License-Identifier: GPL-2.0
/*
 * A libFuzzer target: the input is the choices of test_model, one or two bytes
 * each. Small numbers of slots and clusters (see the Makefile) let few
 * operations do much.
 */
#include "driver.h"
#include "fuzz.h"
#include "model.h"

u64 test_seed;
unsigned long test_step;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices choices = { .bytes = data, .left = size };

	if (!size)
		return 0;
	test_step = 0;
	model_begin(&choices);
	while (choices.left) {
		model_step();
		if (test_step % 16 == 0)
			model_check();
	}
	model_finish();
	model_end();
	return 0;
}
