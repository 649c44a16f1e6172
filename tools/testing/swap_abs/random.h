/* SPDX-License-Identifier: GPL-2.0 */
/* Pseudo-random numbers that repeat when the seed does (xorshift64*). */
#ifndef _SWAP_ABS_RANDOM_H
#define _SWAP_ABS_RANDOM_H

#include <linux/types.h>

/* Spread the bits of a number, so that neighbours make good seeds. */
static inline u64 mix64(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static inline u64 random64(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* 0 to @n - 1 */
static inline u32 random_below(u64 *state, u32 n)
{
	return (random64(state) >> 32) * n >> 32;
}

#endif /* _SWAP_ABS_RANDOM_H */
