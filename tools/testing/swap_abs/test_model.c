// SPDX-License-Identifier: GPL-2.0
/*
 * The packed tier against a plain map, with random operations:
 *
 *	test_model [operations [seed]]
 *
 * Everything is a function of the seed. Prints TAP; what goes wrong is one line
 * on stderr, and abort().
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <linux/types.h>
#include "driver.h"
#include "model.h"

u64 test_seed;
unsigned long test_step;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	struct choices choices = { };
	double start = now(), took;
	unsigned long round = 0;

	test_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..2\n# seed %llu\n", (unsigned long long)test_seed);

	choices.random = mix64(test_seed) | 1;
	model_begin(&choices);
	while (test_step < operations) {
		model_step();
		if (test_step % 499 == 0)
			model_check();
		/* Now and then all comes to rest, is read, and begins anew. */
		if (test_step % 100003 == 0) {
			model_finish();
			if (++round % 2) {
				model_end();
				model_begin(&choices);
			}
		}
	}
	model_finish();
	model_end();
	took = now() - start;
	printf("# %lu operations, %.0f a second\n", test_step, test_step / took);
	printf("ok 1 - %lu operations, and the tier is a plain map\n", test_step);
	if (!model_did_everything() && operations >= 500000) {
		printf("not ok 2 - each kind of thing happened\n");
		return 1;
	}
	printf("ok 2 - each kind of thing happened\n");
	return 0;
}
