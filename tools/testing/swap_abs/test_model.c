// SPDX-License-Identifier: GPL-2.0
/*
 * The tier against a plain map, with random operations:
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
#include "fail.h"
#include "model.h"
#include "random.h"
#include "word.h"

u64 test_seed;
unsigned long test_step;

/* The word holds what is put into it, to the last bit of each field. */
static void test_word(void)
{
	static const u64 addresses[] = { 0, 16, 4080, 1ULL << 43, (1ULL << 44) - 16 };
	static const unsigned int lengths[] = { 1, 2, 4079, 4080 };
	unsigned int i, j, type, codec;

	for (i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		for (j = 0; j < sizeof(lengths) / sizeof(*lengths); j++) {
			for (type = 0; type < 32; type++) {
				for (codec = 0; codec < 4; codec++) {
					swap_desc_t word = swap_desc_packed(type, addresses[i],
									    lengths[j], codec);
					swap_place_t place = swap_desc_place(word);

					must(swap_desc_same(word, swap_place_word(place)));
					must(swap_desc_tag(word) == SWAP_DESC_PACKED);
					must(swap_desc_tier(word) == (int)type);
					must(swap_desc_address(word) == addresses[i]);
					must(swap_desc_length(word) == lengths[j]);
					must(swap_desc_codec(word) == codec);
					word = swap_desc_set_reserved(swap_desc_set_pinned(word));
					must(swap_desc_is_at(word, place));
				}
			}
		}
	}
}

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
	printf("1..3\n# seed %llu\n", (unsigned long long)test_seed);
	test_word();
	printf("ok 1 - the word holds what is put into it\n");

	choices.random = mix64(test_seed) | 1;
	model_reset();
	while (test_step < operations) {
		model_step(&choices);
		if (test_step % 499 == 0)
			model_check();
		/* Now and then all comes to rest, is read, and begins anew. */
		if (test_step % 100003 == 0) {
			model_finish(&choices);
			if (++round % 2)
				model_reset();
		}
	}
	model_finish(&choices);
	took = now() - start;
	printf("# %lu operations, %.0f a second\n", test_step, test_step / took);
	model_print_stats();
	printf("ok 2 - %lu operations, and the tier is a plain map\n", test_step);
	if (operations >= 1000000 && !model_did_everything()) {
		printf("not ok 3 - each kind of thing happened\n");
		return 1;
	}
	printf("ok 3 - each kind of thing happened\n");
	return 0;
}
