/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page contents that can be verified.
 */
#ifndef SWAP_ABS_LIB_PATTERN_H
#define SWAP_ABS_LIB_PATTERN_H

#include <linux/types.h>
#include <stddef.h>

#define SA_PAGE		4096UL
#define SA_MIB		0x100000UL
#define SA_MIB_PAGES	(SA_MIB / SA_PAGE)

enum sa_pat {
	SA_ZERO,	/* all zero */
	SA_REPEAT,	/* one word repeated, the word tells page and generation */
	SA_TEXT,	/* words and numbers, compresses 2:1 to 3:1 */
	SA_MIXED,	/* by page: any of the others, or half and half */
	SA_RANDOM,	/* does not compress */
	SA_NPAT
};

extern const char * const sa_pat_name[SA_NPAT];

/* Write what the page with number @idx has in generation @gen */
void sa_fill_page(void *page, enum sa_pat pat, __u64 seed, __u32 idx, __u32 gen);
/*
 * Return 0, or -1 after a log line with the first wrong byte and the page that
 * it belongs to
 */
int sa_check_page(const void *page, enum sa_pat pat, __u64 seed, __u32 idx, __u32 gen);

__u64 sa_rand(__u64 *state);
/*
 * Return the numbers 0 to n - 1 in random order, for free(); or NULL if there
 * is no memory
 */
size_t *sa_shuffled_order(size_t n, __u64 seed);
/* Compare doubles for qsort() */
int sa_compare_doubles(const void *a, const void *b);

#endif
