/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The on-device layout of the packed backend, and the arithmetic of packing:
 * how objects lie in a segment, how a segment is filled chunk by chunk, and
 * which segment is best collected. This file uses no locks, no I/O and nothing
 * of the kernel but types, so that it also compiles in user space, where
 * tools/testing/swap_abs/ tests it.
 *
 * A segment is one cluster of a swap device. Objects are appended to it one
 * after another. They are aligned to 16 bytes and may straddle blocks::
 *
 *	|<------------- block ------------>|<------------- block -----...
 *	| header | data  |pad| header | data...       |pad| header |...
 *
 * The fields are little endian on the device. Only descriptors in RAM say where
 * objects are, so nothing on the device is of use after a reboot; but after
 * hibernation all objects must be as they were. Header and data together fit
 * one block, so an object lies in two blocks at most. A chunk is written at
 * once. It has whole blocks, with zeroes after the last object. An object does
 * not straddle chunks, and no block is written twice in the life of a segment.
 */
#ifndef _MM_SWAP_ABS_FORMAT_H
#define _MM_SWAP_ABS_FORMAT_H

#include <linux/types.h>

#define SWAP_PACKED_BLOCK		4096U
#define SWAP_OBJECT_ALIGN		16U
#define SWAP_OBJECT_VERSION	1

/**
 * struct swap_object_header - what precedes an object on the device
 * @slot: the virtual slot whose data the object is; a hint, which the
 *	descriptor of the slot must confirm by pointing to this object
 * @seq: sequence number of the segment, which differs from that of what the
 *	device had at this place before, so that a write that never arrived is
 *	noticed
 * @length: bytes of data that follow
 * @codec: index of the compressor
 * @version: SWAP_OBJECT_VERSION; zero in padding, which is thus no header
 * @crc: crc32c of the place of the object on the device (__le64, in bytes), of
 *	the fields above and of the data, so that a write that went elsewhere is
 *	noticed, too
 */
struct swap_object_header {
	__le32 slot;
	__le32 seq;
	__le16 length;
	u8 codec;
	u8 version;
	__le32 crc;
};

#define SWAP_OBJECT_MAX_LENGTH						\
	(SWAP_PACKED_BLOCK - sizeof(struct swap_object_header))

/*
 * Tell whether data of @length bytes is worth packing. Longer data takes no
 * less capacity packed than raw, see swap_segment_pages().
 */
static inline bool swap_object_is_worth(unsigned int length)
{
	return length + sizeof(struct swap_object_header) + SWAP_OBJECT_ALIGN <=
	       SWAP_PACKED_BLOCK / 12 * 11;
}

/**
 * struct swap_object - an object that was found on the device
 * @address: place of the header, in bytes from the start of the device
 * @slot: the virtual slot that the header names
 * @length: bytes of data
 * @codec: index of the compressor
 * @data: the data, in the buffer that was searched
 */
struct swap_object {
	u64 address;
	unsigned int slot;
	unsigned int length;
	unsigned int codec;
	const void *data;
};

/**
 * struct swap_chunk_buf - part of a segment that is being filled in RAM
 * @buf: buffer of @size bytes
 * @start: place where the buffer will be written, in bytes from the start of
 *	the device, a multiple of the block size
 * @size: bytes that fit, a multiple of the block size
 * @used: bytes appended so far
 * @seq: sequence number of the segment
 *
 * The caller serializes what it does with one of these.
 */
struct swap_chunk_buf {
	u8 *buf;
	u64 start;
	unsigned int size;
	unsigned int used;
	u32 seq;
};

unsigned int swap_object_size(unsigned int length);
void swap_chunk_buf_init(struct swap_chunk_buf *chunk, u8 *buf, u32 seq,
			 u64 start, unsigned int size);
bool swap_chunk_buf_fits(const struct swap_chunk_buf *chunk,
			 unsigned int length);
u64 swap_chunk_buf_append(struct swap_chunk_buf *chunk, unsigned int slot,
			  const void *data, unsigned int length,
			  unsigned int codec, unsigned int *blocks);
unsigned int swap_chunk_buf_end(struct swap_chunk_buf *chunk);
int swap_object_check(const void *buf, const struct swap_object *want, u32 seq);
bool swap_object_next(const void *buf, unsigned int size, unsigned int *pos,
		      u64 base, u32 seq, struct swap_object *found);
u64 swap_victim_benefit(unsigned int live, unsigned int size,
			unsigned long age);

#endif /* _MM_SWAP_ABS_FORMAT_H */
