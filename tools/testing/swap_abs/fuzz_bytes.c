// SPDX-License-Identifier: GPL-2.0
/*
 * A libFuzzer target: the input is what a device gives, for swap_object_next() and
 * swap_object_check(). Whatever it is, they end, stay in the buffer (which is what
 * malloc() gave, so that ASan sees it), and what they find holds.
 *
 * The first eight bytes: the seq of the segment (4), flags, where to begin, a
 * slot. With FLAG_REPAIR each header that could be one gets the checksum that is
 * right, which a fuzzer does not guess.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/crc32.h>
#include "../../../mm/swap_abs/format.h"
#include "fuzz.h"

#define BLOCK		SWAP_PACKED_BLOCK
#define HEADER		((unsigned int)sizeof(struct swap_object_header))
#define PREFIX		8U
#define MAX_SIZE	(64 * BLOCK)

/* Where the input is on the device, in bytes. */
#define START		0x9876543210000ULL

#define FLAG_REPAIR	1
#define FLAG_SEQ	2	/* headers that could be one get the seq */

#define must(condition) do {							\
	if (!(condition))							\
		__builtin_trap();						\
} while (0)

static u32 get32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static void put32(u8 *p, u32 value)
{
	p[0] = value;
	p[1] = value >> 8;
	p[2] = value >> 16;
	p[3] = value >> 24;
}

/* Written again after the format, not after the code. */
static u32 checksum(u64 address, const u8 *header, unsigned int length)
{
	u8 place[8];
	u32 crc;

	put32(place, address);
	put32(place + 4, address >> 32);
	crc = crc32c(~0, place, 8);
	return crc32c(crc32c(crc, header, 12), header + HEADER, length);
}

static void repair(u8 *buf, unsigned int size, u32 seq, unsigned int flags)
{
	unsigned int i, length;

	/* Backwards, as an object may be in the data of an earlier one. */
	for (i = size / 16 * 16; i; ) {
		u8 *header = buf + (i -= 16);

		length = header[8] | header[9] << 8;
		if (header[11] != SWAP_OBJECT_VERSION || i + HEADER + length > size)
			continue;
		if (flags & FLAG_SEQ)
			put32(header + 4, seq);
		put32(header + 12, checksum(START + i, header, length));
	}
}

/* What is found is what the format says, and check agrees. */
static void verify(const u8 *buf, unsigned int size, u64 base, u32 seq,
		   const struct swap_object *found)
{
	const u8 *header = buf + (found->address - base);
	struct swap_object other = *found;

	must(found->address >= base && found->address % 16 == 0);
	must(found->length >= 1 && found->length <= 4080);
	must(found->address - base + HEADER + found->length <= size);
	must(found->data == header + HEADER);
	must(get32(header) == found->slot && get32(header + 4) == seq);
	must((header[8] | header[9] << 8) == (int)found->length);
	must(header[10] == found->codec && header[11] == SWAP_OBJECT_VERSION);
	must(get32(header + 12) == checksum(found->address, header, found->length));

	must(!swap_object_check(header, found, seq));
	must(swap_object_check(header, found, seq + 1) == -EBADMSG);
	other.slot++;
	must(swap_object_check(header, &other, seq) == -EBADMSG);
	other = *found;
	other.address += 16;
	must(swap_object_check(header, &other, seq) == -EBADMSG);
	other = *found;
	other.codec ^= 1;
	must(swap_object_check(header, &other, seq) == -EBADMSG);
	other = *found;
	other.length--;
	must(swap_object_check(header, &other, seq) == -EBADMSG);
}

static u32 add(u32 sum, unsigned int offset, unsigned int slot, const u8 *data,
	       unsigned int length)
{
	sum = crc32c(sum, &offset, sizeof(offset));
	sum = crc32c(sum, &slot, sizeof(slot));
	return crc32c(sum, data, length);
}

/* What must be found: whatever is whole, and is not in something that was found. */
static u32 reference(const u8 *image, unsigned int size, unsigned int pos, u32 seq)
{
	unsigned int length;
	u32 sum = ~0;

	for (; pos + HEADER <= size; pos += 16) {
		const u8 *header = image + pos;

		length = header[8] | header[9] << 8;
		if (header[11] != 1 || get32(header + 4) != seq || !length || length > 4080 ||
		    pos + HEADER + length > size ||
		    get32(header + 12) != checksum(START + pos, header, length))
			continue;
		sum = add(sum, pos, get32(header), header + HEADER, length);
		pos += (length + 15) / 16 * 16;
	}
	return sum;
}

/* In parts of @part bytes; returns a sum over what was found. */
static u32 walk(const u8 *image, unsigned int size, unsigned int pos, unsigned int part,
		u32 seq)
{
	unsigned int steps = 0;
	u32 sum = ~0;

	while (pos < size) {
		unsigned int base = pos / BLOCK * BLOCK, at = pos - base, was = at;
		unsigned int here = size - base < part ? size - base : part;
		struct swap_object found;
		u8 *buf = malloc(here);

		must(buf);
		memcpy(buf, image + base, here);
		while (swap_object_next(buf, here, &at, START + base, seq, &found)) {
			must(found.address - START - base >= was);
			must(at >= found.address - START - base + HEADER + found.length);
			was = at;
			verify(buf, here, START + base, seq, &found);
			sum = add(sum, found.address - START, found.slot, found.data, found.length);
			must(steps++ < size / 16);
		}
		free(buf);
		must(at >= was);
		must(base + here == size || at >= BLOCK);
		pos = base + at;
		if (base + here == size)
			pos += SWAP_OBJECT_ALIGN;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int flags, pos, length;
	struct swap_object want;
	u32 seq, whole;
	u8 *buf;

	if (size < PREFIX + HEADER + 1 || size > PREFIX + MAX_SIZE)
		return 0;
	seq = get32(data);
	flags = data[4];
	pos = data[5] * SWAP_OBJECT_ALIGN;
	want.slot = data[6];
	want.codec = data[7];
	data += PREFIX;
	size -= PREFIX;

	/* check: the length is the descriptor's, which is what was read. */
	length = size - HEADER < 4080 ? size - HEADER : 4080;
	buf = malloc(HEADER + length);
	must(buf);
	memcpy(buf, data, HEADER + length);
	want.length = length;
	want.address = START;
	if (!swap_object_check(buf, &want, seq))
		must(get32(buf + 12) == checksum(START, buf, length) && get32(buf) == want.slot);
	free(buf);

	buf = malloc(size);
	must(buf);
	memcpy(buf, data, size);
	if (flags & FLAG_REPAIR)
		repair(buf, size, seq, flags);
	/* In parts or at once, the same is found. */
	whole = reference(buf, size, pos, seq);
	must(walk(buf, size, pos, MAX_SIZE, seq) == whole);
	must(walk(buf, size, pos, 2 * BLOCK, seq) == whole);
	must(walk(buf, size, pos, 3 * BLOCK, seq) == whole);
	free(buf);
	return 0;
}
