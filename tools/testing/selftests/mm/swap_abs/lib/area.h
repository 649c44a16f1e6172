/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Areas of memory with pages that can be verified, functions that tell where
 * their pages are, and functions that push them out.
 */
#ifndef SWAP_ABS_LIB_AREA_H
#define SWAP_ABS_LIB_AREA_H

#include <stdbool.h>

#include "pattern.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

/* --- areas ---------------------------------------------------------------- */

struct sa_area {
	unsigned char *p;
	size_t n;			/* pages */
	enum sa_pat pat;
	__u64 seed;
	__u32 gen;
};

/* Map n pages of private anonymous memory, as small pages, aligned to 2 MiB */
int sa_area_map(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed);
void sa_area_unmap(struct sa_area *a);
void sa_area_fill(struct sa_area *a);
/* Read a byte of each page, in order */
void sa_area_touch(const struct sa_area *a);
/* Return how many pages differ from what sa_area_fill() wrote */
size_t sa_area_check(const struct sa_area *a);
/*
 * Fill the area page by page and push the pages out, until a number of the
 * device's tier reaches @value, and end the area there. Return the size of the
 * area in pages, or 0 if the area was too small.
 */
size_t sa_area_fill_until(struct sa_area *a, const char *device, const char *file,
			  long long value);

/*
 * An area whose pages are replaced one by one; each page has its own generation
 */
struct sa_set {
	struct sa_area a;
	__u32 *gens;
	__u64 rnd;
	size_t bad;			/* pages that were wrong */
	size_t refused;			/* rounds in which some pages did not go out at once */
	size_t missed;			/* pages that did not go out within some seconds */
};

/* Make a set from a filled area */
int sa_set_make(struct sa_set *set, const struct sa_area *a);
/* Rewrite @nr random pages of the set, and push all pages out */
void sa_set_rewrite(struct sa_set *set, size_t nr);
/* Return how many pages are wrong now */
size_t sa_set_check(const struct sa_set *set);

/* --- pages and page tables ------------------------------------------------ */

#define SA_PM_SWAP	0x4000000000000000ULL
#define SA_PM_PRESENT	0x8000000000000000ULL
#define SA_PM_ENTRY	0x007fffffffffffffULL

/* Read /proc/self/pagemap for n pages */
int sa_pagemap(const void *addr, size_t n, __u64 *map);
size_t sa_nr_swapped(const void *addr, size_t n);
/* Return how many of the swapped pages are also in the swap cache */
size_t sa_nr_in_cache(const void *addr, size_t n);
size_t sa_nr_present(const void *addr, size_t n);
/* Push pages out until no more pages go out; return how many are swapped */
size_t sa_pageout(void *addr, size_t n);
/*
 * Return a field of the mapping of addr in /proc/self/smaps in bytes, or
 * -ENOENT
 */
long long sa_smaps_field(const void *addr, const char *field);
/* Tell whether a read of a byte at @p raises SIGBUS */
bool sa_raises_sigbus(const void *p);

#endif
