// SPDX-License-Identifier: GPL-2.0
/*
 * Make what the fuzzers begin with:
 *
 *	seeds bytes DIRECTORY	segments for fuzz_bytes, whole and damaged
 *	seeds ops DIRECTORY	choices for fuzz_ops
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../../mm/swap_abs/format.h"
#include "random.h"

#define BLOCK	SWAP_PACKED_BLOCK

static u64 rnd = 1;

static void write_file(const char *dir, unsigned int nr, const u8 *data, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed%u", dir, nr);
	f = fopen(path, "w");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void make_bytes(const char *dir)
{
	static const unsigned int longest[] = { 1, 40, 200, 1000, 4080 };
	static u8 file[8 + 16 * BLOCK];
	struct swap_chunk_buf chunk;
	unsigned int nr, i, slot, length, blocks, size, written;
	u8 data[SWAP_OBJECT_MAX_LENGTH];

	for (nr = 0; nr < 40; nr++) {
		size = (1 + nr % 4) * BLOCK;
		memset(file, 0, sizeof(file));
		file[0] = 1 + nr;
		file[4] = nr % 4;
		swap_chunk_buf_init(&chunk, file + 8, 1 + nr, 0, size);
		for (slot = 0; ; slot++) {
			length = 1 + random_below(&rnd, longest[nr / 4 % 5]);
			if (!swap_chunk_buf_fits(&chunk, length))
				break;
			for (i = 0; i < length; i++)
				data[i] = random_below(&rnd, 3);
			swap_chunk_buf_append(&chunk, slot, data, length, slot % 4, &blocks);
		}
		written = swap_chunk_buf_end(&chunk);
		if (nr % 3 == 1)
			file[8 + random_below(&rnd, written)] ^= 0xff;
		if (nr % 3 == 2)
			memset(file + 8 + random_below(&rnd, written / BLOCK) * BLOCK, 0, BLOCK);
		write_file(dir, nr, file, 8 + written);
	}
}

static void make_ops(const char *dir)
{
	unsigned int nr, i, size;
	u8 data[2048];

	for (nr = 0; nr < 40; nr++) {
		size = 64 << nr % 6;
		for (i = 0; i < size; i++)
			data[i] = random64(&rnd) >> 56;
		write_file(dir, nr, data, size);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "bytes")) {
		make_bytes(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "ops")) {
		make_ops(argv[2]);
	} else {
		fprintf(stderr, "usage: seeds bytes|ops DIRECTORY\n");
		return 2;
	}
	return 0;
}
