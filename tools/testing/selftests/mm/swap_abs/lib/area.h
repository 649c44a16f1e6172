/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Areas of memory with pages that can be verified, where their pages are, and how to
 * push them out.
 */
#ifndef SWAP_ABS_LIB_AREA_H
#define SWAP_ABS_LIB_AREA_H

#include <stdbool.h>

#include "pattern.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

/* --- areas --------------------------------------------------------------- */

struct sa_area {
	unsigned char *p;
	size_t n;			/* pages */
	enum sa_pat pat;
	__u64 seed;
	__u32 gen;
};

/* Map n pages of private anonymous memory, small pages only, 2 MiB aligned */
int sa_area_map(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed);
void sa_area_unmap(struct sa_area *a);
void sa_area_fill(struct sa_area *a);
/* Return how many pages are not what sa_area_fill() wrote */
size_t sa_area_check(const struct sa_area *a);
/*
 * Fill the area page by page and push that out, until a number of the device's tier has
 * grown so large, and let the area end there. Return its pages, or 0 when the area was
 * too small for that.
 */
size_t sa_area_fill_until(struct sa_area *a, const char *device, const char *file,
			  long long value);

/* Pages of an area that are replaced one by one, and have a generation each */
struct sa_set {
	struct sa_area a;
	__u32 *gens;
	__u64 rnd;
	size_t bad;			/* pages that were wrong */
	size_t refused;			/* rounds after which some did not go out at once */
	size_t missed;			/* pages that did not go out in some seconds, either */
};

/* Make a set of an area that has been filled */
int sa_set_make(struct sa_set *set, const struct sa_area *a);
/* Rewrite so many pages, anywhere in the set, and push all out */
void sa_set_rewrite(struct sa_set *set, size_t nr);
/* Return how many pages are wrong now */
size_t sa_set_check(const struct sa_set *set);

/* --- pages and page tables ----------------------------------------------- */

#define SA_PM_SWAP	0x4000000000000000ULL
#define SA_PM_PRESENT	0x8000000000000000ULL
#define SA_PM_ENTRY	0x007fffffffffffffULL

/* Read /proc/self/pagemap of n pages */
int sa_pagemap(const void *addr, size_t n, __u64 *map);
size_t sa_swapped(const void *addr, size_t n);
/* Return how many of the pages that are swapped the swap cache has as well */
size_t sa_in_cache(const void *addr, size_t n);
size_t sa_present(const void *addr, size_t n);
/* Push out until nothing more goes for a while; return how many pages are swapped */
size_t sa_pageout(void *addr, size_t n);
/* Return a field of the mapping of addr in /proc/self/smaps, in bytes, or -ENOENT */
long long sa_smaps(const void *addr, const char *field);
/* Tell whether reading a byte there raises SIGBUS */
bool sa_bus(const void *p);

#endif
