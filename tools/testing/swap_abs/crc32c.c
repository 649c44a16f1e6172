// SPDX-License-Identifier: GPL-2.0
/*
 * crc32c() for user space, eight bytes at a time. As in the kernel, it neither
 * begins nor ends with an inversion.
 */
#include <linux/crc32.h>
#include <endian.h>
#include <string.h>

#define POLYNOMIAL	0x82f63b78U

static u32 table[8][256];

static void __attribute__((constructor)) crc32c_init(void)
{
	unsigned int i, j;

	for (i = 0; i < 256; i++) {
		u32 crc = i;

		for (j = 0; j < 8; j++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			table[j][i] = table[j - 1][i] >> 8 ^ table[0][table[j - 1][i] & 0xff];
}

u32 crc32c(u32 crc, const void *p, size_t len)
{
	const u8 *byte = p;

	for (; len >= 8; len -= 8, byte += 8) {
		u64 word;

		memcpy(&word, byte, sizeof(word));
		word = le64toh(word) ^ crc;
		crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^
		      table[5][word >> 16 & 0xff] ^ table[4][word >> 24 & 0xff] ^
		      table[3][word >> 32 & 0xff] ^ table[2][word >> 40 & 0xff] ^
		      table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
	}
	while (len--)
		crc = crc >> 8 ^ table[0][(crc ^ *byte++) & 0xff];
	return crc;
}
