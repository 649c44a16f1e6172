// SPDX-License-Identifier: GPL-2.0
/*
 * The on-device layout of the packed backend of the swap abstraction.
 * mm/swap_abs/format.h describes it, and the files of the packed backend use
 * it. This file also compiles in user space, so it must not need more than
 * tools/testing/swap_abs/ offers.
 *
 * It owns no state. The callers serialize what they do with a chunk.
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

/*
 * Return how many bytes of a segment an object with @length bytes of data
 * takes, with header and alignment.
 */
unsigned int swap_object_size(unsigned int length)
{
	return ALIGN(sizeof(struct swap_object_header) + length,
		     SWAP_OBJECT_ALIGN);
}

/*
 * Begin to fill a part of a segment in @buf, which has @size bytes. It will be
 * written at @start, in bytes from the start of the device. Both are multiples
 * of the block size.
 */
void swap_chunk_buf_init(struct swap_chunk_buf *chunk, u8 *buf, u32 seq,
			 u64 start, unsigned int size)
{
	WARN_ON_ONCE(start & (SWAP_PACKED_BLOCK - 1) ||
		     size % SWAP_PACKED_BLOCK || !size);
	chunk->buf = buf;
	chunk->start = start;
	chunk->size = size;
	chunk->used = 0;
	chunk->seq = seq;
}

/*
 * Tell whether one more object fits. If not, the chunk must be ended first. An
 * empty chunk has room for any object of at most SWAP_OBJECT_MAX_LENGTH bytes
 * of data.
 */
bool swap_chunk_buf_fits(const struct swap_chunk_buf *chunk,
			 unsigned int length)
{
	return chunk->used + swap_object_size(length) <= chunk->size;
}

/* Return the checksum of an object that is, or will be, at @address. */
static u32 swap_object_crc(u64 address, const struct swap_object_header *header,
			   unsigned int length)
{
	__le64 place = cpu_to_le64(address);
	u32 crc = crc32c(~0, &place, sizeof(place));

	crc = crc32c(crc, header, offsetof(struct swap_object_header, crc));
	return crc32c(crc, header + 1, length);
}

/*
 * Append an object to a chunk that it fits. Its data has 1 to
 * SWAP_OBJECT_MAX_LENGTH bytes and is copied. @blocks gets the number of blocks
 * that the object begins, 0 or 1; their sum is the number of blocks that the
 * chunk will have when it is written. Return where the object will be, in bytes
 * from the start of the device.
 */
u64 swap_chunk_buf_append(struct swap_chunk_buf *chunk, unsigned int slot,
			  const void *data, unsigned int length,
			  unsigned int codec, unsigned int *blocks)
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
	/*
	 * Compute the checksum of the copy, because the original may change at
	 * the same time.
	 */
	header->crc = cpu_to_le32(swap_object_crc(chunk->start + offset, header,
						  length));
	/*
	 * Zero the padding, so that nothing of the kernel's memory goes to the
	 * device.
	 */
	memset(chunk->buf + offset + end, 0, size - end);

	chunk->used += size;
	*blocks = DIV_ROUND_UP(chunk->used, SWAP_PACKED_BLOCK) -
		  DIV_ROUND_UP(offset, SWAP_PACKED_BLOCK);
	return chunk->start + offset;
}

/*
 * Make a chunk ready to be written; nothing may be appended to it after that.
 * Return how many bytes to write: whole blocks, with zeroes after the last
 * object.
 */
unsigned int swap_chunk_buf_end(struct swap_chunk_buf *chunk)
{
	unsigned int size = ALIGN(chunk->used, SWAP_PACKED_BLOCK);

	memset(chunk->buf + chunk->used, 0, size - chunk->used);
	return size;
}

/*
 * Check that @buf has the object that a descriptor says: @buf is what was read
 * from its place, the header and all of the data, and @want is what the
 * descriptor says. Nothing that was read is believed before it has been
 * compared, and the length comes from the descriptor alone. Return 0, or
 * -EBADMSG when it is another object or a damaged one.
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
	if (le32_to_cpu(header->crc) !=
	    swap_object_crc(want->address, header, want->length))
		return -EBADMSG;
	return 0;
}

/*
 * Find the next whole object in a part of a segment. The part begins at @base,
 * in bytes from the start of the device and a multiple of the block size, and
 * @buf has @size bytes of it: at least two blocks, except for the last part of
 * a segment. The search begins at @pos, in bytes from @buf, a multiple of
 * SWAP_OBJECT_ALIGN.
 *
 * Return true with the object in @found, whose checksum is right, and with @pos
 * behind it. Return false when there is no other whole object. Then @pos is
 * where the next part must begin at the latest, because an object may begin
 * there whose end was not read. If no part follows, what seems to begin there
 * is damaged or forged, and the search must go on SWAP_OBJECT_ALIGN bytes
 * behind it.
 *
 * What can't be an object is stepped over, so that one bad block hides nothing
 * but what is in it. Padding is stepped over in the same way, and is not taken
 * for the end of a block: behind a bad block @pos may be inside of an object,
 * whose data can look like padding.
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
		    length > SWAP_OBJECT_MAX_LENGTH ||
		    le32_to_cpu(header->seq) != seq)
			continue;
		if (*pos + sizeof(*header) + length > size)
			return false;
		if (le32_to_cpu(header->crc) !=
		    swap_object_crc(base + *pos, header, length))
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

/*
 * Return how much is gained by collecting a segment of @size bytes of which
 * @live are in use; a larger figure is a better victim. @age says how long ago
 * the segment was filled, in any unit, provided that 2^32 units are as good as
 * for ever.
 *
 * The figure is the space that is gained, multiplied by its age and divided by
 * the cost: (1 - u) * age / (u + 1/8). A share u of the segment is written
 * again, and the age counts because old data goes on living. Rosenblum and
 * Ousterhout, "The Design and Implementation of a Log-Structured File System",
 * 1992, divide by 1 + u, because they count that the whole segment is read.
 * This read is done when the device has nothing else to do, and wears nothing.
 * An eighth for it was the best value of those that
 * tools/testing/swap_abs/sim.c tried at a use of 0.7.
 */
u64 swap_victim_benefit(unsigned int live, unsigned int size, unsigned long age)
{
	u64 gain;

	if (live >= size)
		return 0;
	/*
	 * The quotient is at most eight with 28 bits behind the point, and the
	 * age has 32 bits, so that the product fits.
	 */
	gain = div_u64((u64)(size - live) << 28, live + size / 8 + 1);
	return gain * (min_t(unsigned long, age, ~0U) + 1ULL);
}
