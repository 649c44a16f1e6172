// SPDX-License-Identifier: GPL-2.0
/*
 * The format of the packed backend of the swap abstraction; see
 * mm/swap_abs/format.h for what it looks like, and mm/swap_abs/packed.c for who
 * uses it. Also compiled in user space: nothing here may need more than
 * tools/testing/swap_abs/ offers.
 *
 * It owns no state. Callers serialize what they do with a chunk.
 */
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "format.h"

/**
 * swap_object_size - how much of a segment an object takes
 * @length: bytes of data
 *
 * Return: bytes, with header and alignment.
 */
unsigned int swap_object_size(unsigned int length)
{
	return ALIGN(sizeof(struct swap_object_header) + length, SWAP_OBJECT_ALIGN);
}

/**
 * swap_chunk_buf_init - begin to fill a chunk
 * @chunk: what is set up
 * @buf: @size bytes
 * @seq: of the segment
 * @start: where in the segment it will be written, in bytes from the start of the
 *	device, whole blocks
 * @size: how much of the segment, in bytes, whole blocks
 */
void swap_chunk_buf_init(struct swap_chunk_buf *chunk, u8 *buf, u32 seq,
			 u64 start, unsigned int size)
{
	WARN_ON_ONCE(start & (SWAP_PACKED_BLOCK - 1) || size % SWAP_PACKED_BLOCK || !size);
	chunk->buf = buf;
	chunk->start = start;
	chunk->size = size;
	chunk->used = 0;
	chunk->seq = seq;
}

/**
 * swap_chunk_buf_fits - is there room for one more object?
 * @chunk: the chunk
 * @length: bytes of data, at most SWAP_OBJECT_MAX_LENGTH
 *
 * Return: false when the chunk must be ended first. An empty one has room for
 * any object.
 */
bool swap_chunk_buf_fits(const struct swap_chunk_buf *chunk, unsigned int length)
{
	return chunk->used + swap_object_size(length) <= chunk->size;
}

/* Of an object that is, or will be, at @address. */
static u32 swap_object_crc(u64 address, const struct swap_object_header *header,
			   unsigned int length)
{
	__le64 place = cpu_to_le64(address);
	u32 crc = crc32c(~0, &place, sizeof(place));

	crc = crc32c(crc, header, offsetof(struct swap_object_header, crc));
	return crc32c(crc, header + 1, length);
}

/**
 * swap_chunk_buf_append - put an object into a chunk
 * @chunk: a chunk that it fits
 * @slot: the virtual slot
 * @data: what is copied
 * @length: bytes of it, 1 to SWAP_OBJECT_MAX_LENGTH
 * @codec: index of the compressor
 * @blocks: gets how many blocks the object begins, 0 or 1; that many in all
 *	as the chunk will be written
 *
 * Return: where the object will be, in bytes from the start of the device.
 */
u64 swap_chunk_buf_append(struct swap_chunk_buf *chunk, unsigned int slot, const void *data,
			  unsigned int length, unsigned int codec, unsigned int *blocks)
{
	unsigned int offset = chunk->used, size = swap_object_size(length);
	struct swap_object_header *header = (void *)(chunk->buf + offset);
	unsigned int end = sizeof(*header) + length;

	WARN_ON_ONCE(!length || length > SWAP_OBJECT_MAX_LENGTH);
	WARN_ON_ONCE(!swap_chunk_buf_fits(chunk, length));

	header->slot = cpu_to_le32(slot);
	header->seq = cpu_to_le32(chunk->seq);
	header->length = cpu_to_le16(length);
	header->codec = codec;
	header->version = SWAP_OBJECT_VERSION;
	memcpy(header + 1, data, length);
	/* The copy, in case somebody changes the original meanwhile. */
	header->crc = cpu_to_le32(swap_object_crc(chunk->start + offset, header, length));
	/* Nothing of the kernel's memory goes to the device. */
	memset(chunk->buf + offset + end, 0, size - end);

	chunk->used += size;
	*blocks = DIV_ROUND_UP(chunk->used, SWAP_PACKED_BLOCK) -
		  DIV_ROUND_UP(offset, SWAP_PACKED_BLOCK);
	return chunk->start + offset;
}

/**
 * swap_chunk_buf_end - make a chunk ready to be written
 * @chunk: the chunk; nothing is appended to it from now on
 *
 * Return: bytes to write, whole blocks, zero after the last object.
 */
unsigned int swap_chunk_buf_end(struct swap_chunk_buf *chunk)
{
	unsigned int size = ALIGN(chunk->used, SWAP_PACKED_BLOCK);

	memset(chunk->buf + chunk->used, 0, size - chunk->used);
	return size;
}

/**
 * swap_object_check - is this the object that a descriptor says?
 * @buf: what was read from the place: the header, and all of the data
 * @want: slot, address, length and codec that the descriptor has
 * @seq: of the segment
 *
 * Nothing that was read is believed before it has been compared; the length
 * comes from the descriptor alone.
 *
 * Return: 0, or -EBADMSG when it is not.
 */
int swap_object_check(const void *buf, const struct swap_object *want, u32 seq)
{
	const struct swap_object_header *header = buf;

	if (header->version != SWAP_OBJECT_VERSION ||
	    le32_to_cpu(header->seq) != seq ||
	    le32_to_cpu(header->slot) != want->slot ||
	    le16_to_cpu(header->length) != want->length ||
	    header->codec != want->codec)
		return -EBADMSG;
	if (le32_to_cpu(header->crc) != swap_object_crc(want->address, header, want->length))
		return -EBADMSG;
	return 0;
}

/**
 * swap_object_next - find the next whole object in a part of a segment
 * @buf: what was read, from a block's start on
 * @size: bytes of it, two blocks at least, but for the last part of a segment
 * @pos: where to go on, in bytes from @buf, a multiple of SWAP_OBJECT_ALIGN; moved
 *	behind the object. With false it is where the next part must begin at the
 *	latest: an object may begin there whose end was not read. When no part
 *	follows, what seems to begin there is damaged or forged, and the search
 *	goes on SWAP_OBJECT_ALIGN behind it
 * @base: where @buf begins, in bytes from the start of the device
 * @seq: of the segment
 * @found: the object, with a checksum that is right
 *
 * What can't be an object is stepped over, so that one bad block hides nothing
 * but what is in it. Padding too is stepped over like that, and not taken for
 * the end of a block: behind a bad block @pos may be inside of an object, whose
 * data can look like padding.
 *
 * Return: true with @found, or false at the end.
 */
bool swap_object_next(const void *buf, unsigned int size, unsigned int *pos,
		      u64 base, u32 seq, struct swap_object *found)
{
	const struct swap_object_header *header;
	unsigned int length;

	for (; *pos + sizeof(*header) <= size; *pos += SWAP_OBJECT_ALIGN) {
		header = buf + *pos;
		length = le16_to_cpu(header->length);
		if (header->version != SWAP_OBJECT_VERSION || !length ||
		    length > SWAP_OBJECT_MAX_LENGTH || le32_to_cpu(header->seq) != seq)
			continue;
		if (*pos + sizeof(*header) + length > size)
			return false;
		if (le32_to_cpu(header->crc) != swap_object_crc(base + *pos, header, length))
			continue;

		found->address = base + *pos;
		found->slot = le32_to_cpu(header->slot);
		found->length = length;
		found->codec = header->codec;
		found->data = header + 1;
		*pos += swap_object_size(length);
		return true;
	}
	return false;
}

/**
 * swap_victim_benefit - how much is gained by collecting a segment
 * @live: bytes in use of it
 * @size: bytes that it has
 * @age: how long ago it was filled, in any unit of which 2^32 are as good as
 *	for ever
 *
 * Space gained by age over what it costs, (1 - u) * age / (u + 1/8): u of a
 * segment is written again, and what is old goes on living. Rosenblum and
 * Ousterhout, "The Design and Implementation of a Log-Structured File System",
 * 1992, have 1 + u, as the whole segment is read; but that is done when the
 * device has nothing else to do, and wears nothing. An eighth for it is the
 * best of what was tried at a use of 0.7 with tools/testing/swap_abs/sim.c.
 *
 * Return: a figure that is larger for a better victim.
 */
u64 swap_victim_benefit(unsigned int live, unsigned int size, unsigned long age)
{
	u64 gain;

	if (live >= size)
		return 0;
	/* Eight at most with 28 bits behind the point, and 32 of age: it fits. */
	gain = div_u64((u64)(size - live) << 28, live + size / 8 + 1);
	return gain * (min_t(unsigned long, age, ~0U) + 1ULL);
}
