// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of mm/swap_abs/format.c, one function a property. Prints TAP. What
 * must not be read or written lies just outside of what malloc() gave, where
 * ASan sees it.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/align.h>
#include <linux/crc32.h>
#include <linux/math.h>
#include "../../../mm/swap_abs/format.h"
#include "random.h"

#define BLOCK		SWAP_PACKED_BLOCK
#define HEADER		((unsigned int)sizeof(struct swap_object_header))
#define MAX_LENGTH	((unsigned int)SWAP_OBJECT_MAX_LENGTH)
/* Where the segments are on the device, in bytes: more than 32 bits. */
#define START		(0x54321ULL * 512 * BLOCK)

static unsigned int failures;
static u64 rnd = 1;

#define expect(condition) do {							\
	if (!(condition)) {							\
		if (failures++ < 5)						\
			printf("# %s:%d: %s\n", __func__, __LINE__, #condition);	\
	}									\
} while (0)

/* A segment as it would be on the device, and what was put where. */
struct placed {
	unsigned int offset;
	unsigned int slot;
	unsigned int length;
	unsigned int codec;
};

struct image {
	u8 *buf;
	unsigned int size;
	u32 seq;
	struct placed *placed;
	unsigned int nr;
};

static void *alloc(size_t size)
{
	void *p = malloc(size);

	if (!p) {
		perror("malloc");
		exit(2);
	}
	return p;
}

/* Written again after the format, not after the code. */
static u32 checksum(u64 address, const u8 *header, unsigned int length)
{
	u32 crc = crc32c(~0, &(u64){ htole64(address) }, 8);

	return crc32c(crc32c(crc, header, 12), header + HEADER, length);
}

/* Lengths at both ends are as frequent as all others. */
static unsigned int random_length(void)
{
	static const unsigned int edges[] = {
		1, 15, 16, 17, 4063, 4064, 4065, 4079, 4080,
	};

	if (!random_below(&rnd, 4))
		return edges[random_below(&rnd, sizeof(edges) / sizeof(*edges))];
	if (!random_below(&rnd, 2))
		return 1 + random_below(&rnd, 200);
	return 1 + random_below(&rnd, MAX_LENGTH);
}

/*
 * Half of the data is what a walker that has lost its way could take for
 * something else: zero, which is padding, or headers of the same segment. It
 * will be at @address.
 */
static void random_data(u8 *data, unsigned int length, u32 seq, u64 address)
{
	unsigned int i;

	for (i = 0; i < length; i++)
		data[i] = random64(&rnd) >> 56;
	if (random_below(&rnd, 4) == 0)
		memset(data, 0, length);
	if (random_below(&rnd, 4) == 0) {
		struct swap_object_header header = {
			.slot = htole32(1),
			.seq = htole32(seq),
			.length = htole16(1 + random_below(&rnd, MAX_LENGTH)),
			.version = SWAP_OBJECT_VERSION,
		};

		for (i = 0; i + HEADER <= length; i += HEADER)
			memcpy(data + i, &header, HEADER);
	}
	if (length > 2 * HEADER && random_below(&rnd, 4) == 0) {
		/* A whole object inside of this one. */
		data[0] = 2;
		memcpy(data + 4, &(u32){ htole32(seq) }, 4);
		data[8] = 5;
		data[9] = 0;
		data[11] = SWAP_OBJECT_VERSION;
		memcpy(data + 12, &(u32){ htole32(checksum(address, data, 5)) }, 4);
	}
}

static void image_init(struct image *image, unsigned int size, u32 seq)
{
	image->buf = alloc(size);
	image->size = size;
	image->seq = seq;
	image->placed = alloc(size / 2 / HEADER * sizeof(*image->placed));
	image->nr = 0;
}

static void image_free(struct image *image)
{
	free(image->buf);
	free(image->placed);
}

/* Fill the image, chunk by chunk; @flush: some are written before they are full. */
static void image_fill(struct image *image, unsigned int chunk_size, bool flush)
{
	struct swap_chunk_buf chunk;
	unsigned int start = 0, blocks, length;
	u8 data[MAX_LENGTH];

	memset(image->buf, 0xa5, image->size);
	while (start < image->size) {
		unsigned int size = image->size - start;

		if (size > chunk_size)
			size = chunk_size;
		swap_chunk_buf_init(&chunk, image->buf + start, image->seq, START + start, size);
		for (;;) {
			struct placed *placed = &image->placed[image->nr];

			length = random_length();
			if (!swap_chunk_buf_fits(&chunk, length) ||
			    (flush && chunk.used && !random_below(&rnd, 20)))
				break;
			random_data(data, length, image->seq,
				    START + start + chunk.used + HEADER);
			placed->slot = image->nr++;
			placed->length = length;
			placed->codec = random_below(&rnd, 4);
			placed->offset = swap_chunk_buf_append(&chunk, placed->slot, data, length,
							       placed->codec, &blocks) - START;
		}
		start += swap_chunk_buf_end(&chunk);
	}
}

static bool same_object(const struct swap_object *found, const struct placed *placed)
{
	return found->address == START + placed->offset && found->slot == placed->slot &&
	       found->length == placed->length && found->codec == placed->codec;
}

/*
 * Walk the image in parts of @part bytes as a collector does, each read into
 * a buffer of its own, and put what is found into @found.
 */
static unsigned int walk(const struct image *image, unsigned int part,
			 struct placed *found, unsigned int max)
{
	unsigned int pos = 0, nr = 0;

	while (pos < image->size) {
		unsigned int base = pos / BLOCK * BLOCK, at = pos - base;
		unsigned int size = image->size - base;
		struct swap_object object;
		u8 *buf;

		if (size > part)
			size = part;
		buf = alloc(size);
		memcpy(buf, image->buf + base, size);
		while (swap_object_next(buf, size, &at, START + base, image->seq, &object)) {
			unsigned int offset = object.address - START;

			expect(object.address >= START + base);
			expect(offset % SWAP_OBJECT_ALIGN == 0);
			expect(object.data == buf + offset - base + HEADER);
			expect(offset - base + HEADER + object.length <= size);
			expect(at % SWAP_OBJECT_ALIGN == 0);
			expect(!swap_object_check(buf + offset - base, &object, image->seq));
			if (nr < max) {
				found[nr].offset = offset;
				found[nr].slot = object.slot;
				found[nr].length = object.length;
				found[nr].codec = object.codec;
			}
			nr++;
		}
		free(buf);
		expect(base + at >= pos);
		pos = base + at;
		if (base + size == image->size) {
			/* Nothing follows: what seems to begin there has no end. */
			pos += SWAP_OBJECT_ALIGN;
		} else if (at < BLOCK) {
			expect(!"the next part is this one");
			break;
		}
	}
	return nr;
}

static void test_crc32c(void)
{
	u8 data[64];
	unsigned int i, bit;
	u32 crc;

	/* RFC 3720, B.4 */
	memset(data, 0, 32);
	expect(~crc32c(~0, data, 32) == 0x8a9136aa);
	memset(data, 0xff, 32);
	expect(~crc32c(~0, data, 32) == 0x62a8ab43);
	for (i = 0; i < 32; i++)
		data[i] = i;
	expect(~crc32c(~0, data, 32) == 0x46dd794e);
	expect(~crc32c(~0, "123456789", 9) == 0xe3069283);

	/* Bit by bit, from any start, in any two parts. */
	for (i = 0; i < 64; i++) {
		u32 slow = ~0;
		unsigned int j;

		data[i] = random64(&rnd);
		for (j = 0; j <= i; j++) {
			slow ^= data[j];
			for (bit = 0; bit < 8; bit++)
				slow = slow >> 1 ^ (slow & 1 ? 0x82f63b78 : 0);
		}
		crc = crc32c(~0, data, i / 2);
		expect(crc32c(crc, data + i / 2, i + 1 - i / 2) == slow);
	}
}

static void test_size(void)
{
	unsigned int length;

	expect(HEADER == 16);
	expect(MAX_LENGTH == 4080);
	expect(swap_object_size(1) == 32);
	expect(swap_object_size(16) == 32);
	expect(swap_object_size(17) == 48);
	expect(swap_object_size(4064) == 4080);
	expect(swap_object_size(4079) == 4096);
	expect(swap_object_size(4080) == 4096);
	for (length = 1; length <= MAX_LENGTH; length++) {
		expect(swap_object_size(length) % SWAP_OBJECT_ALIGN == 0);
		expect(swap_object_size(length) >= HEADER + length);
		expect(swap_object_size(length) < HEADER + length + SWAP_OBJECT_ALIGN);
	}
}

/* What is on the device is fixed, whatever the byte order of the machine. */
static void test_layout(void)
{
	static const u8 want[] = {
		0x78, 0x56, 0x34, 0x12, 0xef, 0xcd, 0xab, 0x89,
		0x09, 0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00,
		'1', '2', '3', '4', '5', '6', '7', '8',
		'9', 0, 0, 0, 0, 0, 0, 0,
	};
	struct swap_chunk_buf chunk;
	u8 *buf = alloc(BLOCK);
	unsigned int blocks;
	u32 crc;

	memset(buf, 0xa5, BLOCK);
	swap_chunk_buf_init(&chunk, buf, 0x89abcdef, 3 * BLOCK, BLOCK);
	expect(swap_chunk_buf_append(&chunk, 0x12345678, "123456789", 9, 2, &blocks) == 3 * BLOCK);
	expect(!memcmp(buf, want, 12));
	expect(!memcmp(buf + 16, want + 16, 16));
	crc = checksum(3 * BLOCK, want, 9);
	expect(buf[12] == (crc & 0xff) && buf[13] == (crc >> 8 & 0xff) &&
	       buf[14] == (crc >> 16 & 0xff) && buf[15] == crc >> 24);
	free(buf);
}

static void test_one_block_chunk(void)
{
	static const unsigned int largest[] = { 4065, 4079, 4080 };
	struct swap_chunk_buf chunk;
	unsigned int i, blocks;
	u8 data[MAX_LENGTH];

	memset(data, 0x5a, sizeof(data));
	for (i = 0; i < sizeof(largest) / sizeof(*largest); i++) {
		u8 *buf = alloc(BLOCK);

		swap_chunk_buf_init(&chunk, buf, 7, 0, BLOCK);
		expect(swap_chunk_buf_fits(&chunk, largest[i]));
		expect(swap_chunk_buf_append(&chunk, 1, data, largest[i], 0, &blocks) == 0);
		expect(blocks == 1);
		expect(chunk.used == BLOCK);
		expect(!swap_chunk_buf_fits(&chunk, 1));
		expect(swap_chunk_buf_end(&chunk) == BLOCK);
		free(buf);
	}
	/* Full but for the smallest object, and that one too. */
	{
		u8 *buf = alloc(BLOCK);

		swap_chunk_buf_init(&chunk, buf, 7, 0, BLOCK);
		swap_chunk_buf_append(&chunk, 1, data, BLOCK - 32 - HEADER, 0, &blocks);
		expect(!swap_chunk_buf_fits(&chunk, 17));
		expect(swap_chunk_buf_fits(&chunk, 16));
		expect(swap_chunk_buf_append(&chunk, 2, data, 1, 0, &blocks) == BLOCK - 32);
		expect(blocks == 0);
		expect(!swap_chunk_buf_fits(&chunk, 1));
		free(buf);
	}
	/* An empty chunk is nothing to write. */
	{
		u8 *buf = alloc(BLOCK);

		swap_chunk_buf_init(&chunk, buf, 7, 0, BLOCK);
		expect(swap_chunk_buf_end(&chunk) == 0);
		free(buf);
	}
}

/* From each place in a block: two blocks at most, the header in one of them. */
static void test_straddle(void)
{
	unsigned int at, length, blocks, want;
	struct swap_chunk_buf chunk;
	u8 *buf = alloc(2 * BLOCK);
	u8 data[MAX_LENGTH];

	memset(data, 0x5a, sizeof(data));
	for (at = 0; at < BLOCK; at += SWAP_OBJECT_ALIGN) {
		for (length = 1; length <= MAX_LENGTH; length += 17) {
			struct swap_object object = {
				.slot = 5, .address = START + at, .length = length, .codec = 3,
			};

			swap_chunk_buf_init(&chunk, buf, 9, START, 2 * BLOCK);
			chunk.used = at;
			expect(swap_chunk_buf_append(&chunk, 5, data, length, 3,
						     &blocks) == START + at);
			expect(at / BLOCK == (at + HEADER - 1) / BLOCK);
			expect((at + HEADER + length - 1) / BLOCK <= 1);
			want = DIV_ROUND_UP(at + swap_object_size(length), BLOCK) -
			       DIV_ROUND_UP(at, BLOCK);
			expect(blocks == want && blocks <= 1);
			expect(!swap_object_check(buf + at, &object, 9));
		}
	}
	free(buf);
}

/* The blocks that objects begin are as many as are written. */
static void test_blocks(void)
{
	unsigned int round, sum, blocks, written;
	struct swap_chunk_buf chunk;
	u8 data[MAX_LENGTH];

	memset(data, 0x5a, sizeof(data));
	for (round = 0; round < 2000; round++) {
		unsigned int size = (1 + random_below(&rnd, 8)) * BLOCK;
		unsigned int left = 1 + random_below(&rnd, 100), length;
		u8 *buf = alloc(size);

		swap_chunk_buf_init(&chunk, buf, 9, BLOCK * random_below(&rnd, 500), size);
		sum = 0;
		while (left-- && swap_chunk_buf_fits(&chunk, length = random_length())) {
			blocks = UINT_MAX;
			swap_chunk_buf_append(&chunk, 5, data, length, 3, &blocks);
			expect(blocks <= 1);
			sum += blocks;
		}
		written = swap_chunk_buf_end(&chunk);
		expect(written % BLOCK == 0);
		expect(written <= size);
		expect(sum * BLOCK == written);
		free(buf);
	}
}

/* Whatever was in the buffer, between objects and behind them it is zero. */
static void test_padding(void)
{
	unsigned int round, i, j;

	for (round = 0; round < 50; round++) {
		struct image image;
		u8 *is_data;

		image_init(&image, 64 * BLOCK, 11);
		is_data = alloc(image.size);
		memset(is_data, 0, image.size);
		image_fill(&image, 16 * BLOCK, true);
		for (i = 0; i < image.nr; i++) {
			for (j = 0; j < HEADER + image.placed[i].length; j++) {
				expect(!is_data[image.placed[i].offset + j]);
				is_data[image.placed[i].offset + j] = 1;
			}
		}
		for (i = 0; i < image.size; i++)
			expect(is_data[i] || !image.buf[i]);
		free(is_data);
		image_free(&image);
	}
}

/* Append, and leave the one object in a buffer that ends where it does. */
static u8 *one_object(unsigned int slot, unsigned int length, unsigned int codec, u32 seq)
{
	u8 *block = alloc(BLOCK), *exact = alloc(HEADER + length), data[MAX_LENGTH];
	struct swap_chunk_buf chunk;
	unsigned int blocks;

	random_data(data, length, seq, START + HEADER);
	swap_chunk_buf_init(&chunk, block, seq, START, BLOCK);
	swap_chunk_buf_append(&chunk, slot, data, length, codec, &blocks);
	expect(!memcmp(block + HEADER, data, length));
	memcpy(exact, block, HEADER + length);
	free(block);
	return exact;
}

static void test_check_bits(void)
{
	static const unsigned int lengths[] = { 1, 16, 100, 4079, 4080 };
	unsigned int i, bit;

	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct swap_object want = {
			.slot = 0x123456, .address = START, .length = lengths[i], .codec = 1,
		};
		u8 *buf = one_object(want.slot, want.length, want.codec, 77);

		expect(!swap_object_check(buf, &want, 77));
		for (bit = 0; bit < 8 * (HEADER + lengths[i]); bit++) {
			buf[bit / 8] ^= 1 << bit % 8;
			expect(swap_object_check(buf, &want, 77) == -EBADMSG);
			buf[bit / 8] ^= 1 << bit % 8;
		}
		expect(!swap_object_check(buf, &want, 77));
		free(buf);
	}
}

/* A whole object, but not the one that the descriptor says. */
static void test_check_other(void)
{
	struct swap_object want = {
		.slot = 10, .address = START, .length = 100, .codec = 1,
	};
	struct swap_object other;
	u8 *buf = one_object(want.slot, 100, want.codec, 77);

	expect(!swap_object_check(buf, &want, 77));
	expect(swap_object_check(buf, &want, 76) == -EBADMSG);
	expect(swap_object_check(buf, &want, 0) == -EBADMSG);
	expect(swap_object_check(buf, &want, 77 + 0x10000) == -EBADMSG);
	other = want;
	other.slot = 11;
	expect(swap_object_check(buf, &other, 77) == -EBADMSG);
	other = want;
	other.codec = 0;
	expect(swap_object_check(buf, &other, 77) == -EBADMSG);
	other = want;
	other.length = 99;
	expect(swap_object_check(buf, &other, 77) == -EBADMSG);
	free(buf);

	/* The length is believed of the descriptor only: nothing behind is read. */
	want.length = 101;
	buf = one_object(10, 101, 1, 77);
	want.length = 1;
	buf = realloc(buf, HEADER + 1);
	expect(swap_object_check(buf, &want, 77) == -EBADMSG);
	free(buf);
}

/* A whole object of the same segment and slot, where another one should be. */
static void test_other_place(void)
{
	static const u64 places[] = {
		START - 16, START + 16, START - BLOCK, START + BLOCK, START + 512 * BLOCK,
		START + (1ULL << 32), START - (1ULL << 32), START + (1ULL << 40), 0,
	};
	struct swap_object want = { .slot = 10, .length = 100, .codec = 1 };
	u8 *buf = one_object(want.slot, want.length, want.codec, 77);
	struct swap_object object;
	unsigned int i, pos;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		want.address = places[i];
		expect(swap_object_check(buf, &want, 77) == -EBADMSG);
		pos = 0;
		while (swap_object_next(buf, HEADER + 100, &pos, places[i], 77, &object))
			expect(object.address != places[i]);
	}
	want.address = START;
	expect(!swap_object_check(buf, &want, 77));
	free(buf);
}

/* The checksum is over what surrounds it too. */
static void test_check_version(void)
{
	struct swap_object want = {
		.slot = 10, .address = START, .length = 100, .codec = 1,
	};
	u8 *buf = one_object(want.slot, want.length, want.codec, 77);
	unsigned int version;
	struct swap_object object;
	unsigned int pos;
	bool found;

	for (version = 0; version < 256; version++) {
		buf[11] = version;
		memcpy(buf + 12, &(u32){ htole32(checksum(START, buf, 100)) }, 4);
		expect(!swap_object_check(buf, &want, 77) == (version == SWAP_OBJECT_VERSION));
		pos = 0;
		found = swap_object_next(buf, HEADER + 100, &pos, START, 77, &object) &&
			object.address == START;
		expect(found == (version == SWAP_OBJECT_VERSION));
	}
	free(buf);
}

static void test_next_finds_all(void)
{
	static const unsigned int parts[] = { 2, 3, 8, 64 };
	unsigned int round, i, j;

	for (round = 0; round < 100; round++) {
		struct placed *found;
		struct image image;
		unsigned int nr;

		image_init(&image, 64 * BLOCK, 1000 + round);
		image_fill(&image, (1 + random_below(&rnd, 64)) * BLOCK, round % 2);
		found = alloc(image.nr * sizeof(*found));
		for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
			nr = walk(&image, parts[i] * BLOCK, found, image.nr);
			expect(nr == image.nr);
			for (j = 0; j < image.nr && nr == image.nr; j++)
				expect(!memcmp(&found[j], &image.placed[j], sizeof(*found)));
		}
		image.seq++;
		expect(walk(&image, 8 * BLOCK, found, image.nr) == 0);
		free(found);
		image_free(&image);
	}
}

/*
 * Only what has a byte in one of the bad blocks may be missing. What is found
 * and was not put there is in the data of an object whose header is gone.
 */
static void expect_all_but(const struct image *image, const bool *bad)
{
	struct placed *found = alloc(image->nr * sizeof(*found));
	unsigned int nr = walk(image, 8 * BLOCK, found, image->nr), i, k = 0;

	expect(nr <= image->nr);
	for (i = 0; i < image->nr; i++) {
		const struct placed *p = &image->placed[i];
		unsigned int end = p->offset + HEADER + p->length;
		bool hit = k < nr && !memcmp(&found[k], p, sizeof(*p));

		if (hit)
			k++;
		expect(hit || bad[p->offset / BLOCK] || bad[(end - 1) / BLOCK]);
		while (k < nr && found[k].offset < end) {
			expect(!hit && found[k].offset > p->offset &&
			       found[k].offset + HEADER + found[k].length <= end);
			k++;
		}
	}
	expect(nr == k);
	free(found);
}

/* Some blocks never arrived: what was there before is not found. */
static void test_next_stale(void)
{
	unsigned int round, block;

	for (round = 0; round < 50; round++) {
		struct image old, image;
		bool lost[64];

		image_init(&old, 64 * BLOCK, 2 * round + 1);
		image_init(&image, 64 * BLOCK, 2 * round + 2);
		image_fill(&old, 8 * BLOCK, true);
		image_fill(&image, 8 * BLOCK, true);
		for (block = 0; block < 64; block++) {
			lost[block] = !random_below(&rnd, 5);
			if (lost[block])
				memcpy(image.buf + block * BLOCK, old.buf + block * BLOCK, BLOCK);
		}
		expect_all_but(&image, lost);
		image_free(&old);
		image_free(&image);
	}
}

/*
 * Damage of any kind hides what lies in the damaged block, and nothing else.
 * What is found nevertheless is right.
 */
static void test_next_damaged(void)
{
	unsigned int round, i, j;

	for (round = 0; round < 400; round++) {
		unsigned int kind = round % 5;
		struct image image;
		bool bad[64] = { };

		image_init(&image, 64 * BLOCK, 5000 + round);
		image_fill(&image, 16 * BLOCK, true);
		for (i = 0; i < 64; i++) {
			u8 *block = image.buf + i * BLOCK;

			if (random_below(&rnd, 6))
				continue;
			bad[i] = true;
			switch (kind) {
			case 0:
				memset(block, 0, BLOCK);
				break;
			case 1:
				memset(block, 0xff, BLOCK);
				break;
			case 2:
				for (j = 0; j < BLOCK; j++)
					block[j] = random64(&rnd);
				break;
			case 3:
				block[random_below(&rnd, BLOCK)] ^= 1 << random_below(&rnd, 8);
				break;
			case 4:
				/* Lengths of headers: longer, shorter, none, impossible. */
				for (j = 0; j < image.nr; j++) {
					if (image.placed[j].offset / BLOCK == i) {
						u8 *at = image.buf + image.placed[j].offset;

						at[8] = random64(&rnd);
						at[9] = random_below(&rnd, 20);
					}
				}
				break;
			}
		}
		expect_all_but(&image, bad);
		image_free(&image);
	}
}

/* Headers that lie: no byte outside of the buffer is looked at for them. */
static void test_next_forged(void)
{
	unsigned int length, pos;
	struct swap_object object;

	for (length = 0; length < 65536; length += length < 40 || length > 4070 ? 1 : 61) {
		unsigned int size = ALIGN(HEADER + length, SWAP_OBJECT_ALIGN);
		u8 *buf = alloc(size);

		memset(buf, 0, size);
		buf[4] = 1;
		buf[8] = length;
		buf[9] = length >> 8;
		buf[11] = SWAP_OBJECT_VERSION;
		memcpy(buf + 12, &(u32){ htole32(checksum(START, buf, length)) }, 4);
		pos = 0;
		expect(swap_object_next(buf, size, &pos, START, 1, &object) ==
		       (length && length <= MAX_LENGTH));
		/* One byte is missing of it. */
		pos = 0;
		if (length && size == HEADER + length) {
			u8 *less = alloc(size - 1);

			memcpy(less, buf, size - 1);
			expect(!swap_object_next(less, size - 1, &pos, START, 1, &object));
			expect(length > MAX_LENGTH || pos == 0);
			free(less);
		}
		free(buf);
		if (length > 4200)
			break;
	}
}

/* With false, the next part that begins in the block of @pos misses nothing. */
static void test_next_carry(void)
{
	struct swap_object object;
	struct image image;
	unsigned int i, pos;

	image_init(&image, 64 * BLOCK, 3);
	image_fill(&image, 64 * BLOCK, false);
	for (i = 0; i < image.nr; i++) {
		const struct placed *p = &image.placed[i];
		unsigned int last = (p->offset + HEADER + p->length - 1) / BLOCK;

		if (last == p->offset / BLOCK)
			continue;
		pos = p->offset;
		expect(!swap_object_next(image.buf, last * BLOCK, &pos, START, 3, &object));
		expect(pos == p->offset);
		expect(swap_object_next(image.buf, (last + 1) * BLOCK, &pos, START, 3, &object));
		expect(same_object(&object, p));
	}
	image_free(&image);
}

static void test_benefit_monotone(void)
{
	static const unsigned long ages[] = {
		0, 1, 2, 3, 10, 100, 1000, 1000000, 0xfffffffdUL, 0xfffffffeUL,
		0xffffffffUL, 0x100000000UL, 0x100000001UL, 1UL << 43, 1UL << 48,
		1UL << 62, ULONG_MAX - 1, ULONG_MAX,
	};
	const unsigned int size = 512 * BLOCK, nr = sizeof(ages) / sizeof(*ages);
	unsigned int live, i;

	for (i = 0; i < nr; i++) {
		expect(swap_victim_benefit(size, size, ages[i]) == 0);
		expect(swap_victim_benefit(size + 16, size, ages[i]) == 0);
		for (live = 0; live < size; live += 16 * 61) {
			u64 now = swap_victim_benefit(live, size, ages[i]);

			expect(now > 0);
			expect(now > swap_victim_benefit(live + 16 * 61, size, ages[i]));
			if (i)
				expect(now >= swap_victim_benefit(live, size, ages[i - 1]));
			/* Up to a day in milliseconds, at least, it matters how old. */
			if (i && ages[i] <= 86400000)
				expect(now > swap_victim_benefit(live, size, ages[i - 1]));
		}
	}
}

/* The order is that of the formula. */
static void test_benefit_formula(void)
{
	const unsigned int size = 512 * BLOCK;
	unsigned int round;

	for (round = 0; round < 100000; round++) {
		unsigned int live[2], i;
		unsigned long age[2];
		u64 benefit[2];
		double want[2];

		for (i = 0; i < 2; i++) {
			live[i] = random_below(&rnd, size / 16) * 16;
			age[i] = random_below(&rnd, 2) ? random_below(&rnd, 8) :
							 random_below(&rnd, 100000000);
			want[i] = (double)(size - live[i]) * (age[i] + 1.0) /
				  (live[i] + size / 8.0);
			benefit[i] = swap_victim_benefit(live[i], size, age[i]);
		}
		if (want[0] > want[1] * 1.0001)
			expect(benefit[0] > benefit[1]);
	}
}

/* test_pack [-x]: -x stops at the first test that fails. */
int main(int argc, char **argv)
{
	static const struct {
		void (*run)(void);
		const char *what;
	} tests[] = {
		{ test_crc32c, "crc32c of the shim is crc32c" },
		{ test_size, "size: header and alignment, lengths 1 to 4080" },
		{ test_layout, "the bytes on the device are what they are said to be" },
		{ test_one_block_chunk, "an empty chunk of one block takes any object" },
		{ test_straddle, "an object lies in two blocks at most, wherever it begins" },
		{ test_blocks, "the blocks of the objects sum up to what is written" },
		{ test_padding, "no stale byte is written" },
		{ test_check_bits, "check refuses every flipped bit" },
		{ test_check_other, "check refuses another segment, slot, codec or length" },
		{ test_other_place, "check and next refuse what was written for another place" },
		{ test_check_version, "check and next refuse every other version" },
		{ test_next_finds_all, "next finds what was appended, in parts of any size" },
		{ test_next_stale, "next does not find what was there before" },
		{ test_next_damaged, "a damaged block hides nothing but what is in it" },
		{ test_next_forged, "next stays in the buffer whatever a header says" },
		{ test_next_carry, "next goes on where the end of an object was not read" },
		{ test_benefit_monotone, "benefit falls with live bytes, rises with age" },
		{ test_benefit_formula, "benefit orders as the formula does" },
	};
	unsigned int i, nr = sizeof(tests) / sizeof(*tests), bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", nr);
	for (i = 0; i < nr; i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %u - %s\n", failures ? "not " : "", i + 1, tests[i].what);
		if (failures)
			bad++;
		if (bad && argc > 1 && !strcmp(argv[1], "-x"))
			return 1;
	}
	return bad ? 1 : 0;
}
