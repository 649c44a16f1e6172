// SPDX-License-Identifier: GPL-2.0
/* Areas of memory with known contents, and sets of pages that change. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

int sa_area_map(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed)
{
	size_t align = 2 * SA_MIB, len = n * SA_PAGE;
	unsigned char *p, *q;

	p = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	q = (unsigned char *)(((uintptr_t)p + align - 1) & ~(align - 1));
	if (q > p)
		munmap(p, q - p);
	if (p + align > q)
		munmap(q + len, p + align - q);
	madvise(q, len, MADV_NOHUGEPAGE);
	*a = (struct sa_area){ .p = q, .n = n, .pat = pat, .seed = seed };
	return 0;
}

void sa_area_unmap(struct sa_area *a)
{
	if (a->p)
		munmap(a->p, a->n * SA_PAGE);
	a->p = NULL;
}

void sa_area_fill(struct sa_area *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
}

void sa_area_touch(const struct sa_area *a)
{
	unsigned char sum = 0;
	size_t i;

	for (i = 0; i < a->n; i++)
		sum += a->p[i * SA_PAGE];
	asm volatile("" : : "r" (sum));
}

size_t sa_area_check(const struct sa_area *a)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	return bad;
}

size_t sa_area_fill_until(struct sa_area *a, const char *device, const char *file,
			  long long value)
{
	const size_t step = 64;
	size_t n = 0, i;

	while (sa_tier_num(device, file) < value) {
		if (n + step > a->n)
			return 0;
		for (i = n; i < n + step; i++)
			sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
		sa_pageout(a->p + n * SA_PAGE, step);
		n += step;
	}
	munmap(a->p + n * SA_PAGE, (a->n - n) * SA_PAGE);
	a->n = n;
	return n;
}

int sa_set_make(struct sa_set *set, const struct sa_area *a)
{
	memset(set, 0, sizeof(*set));
	set->a = *a;
	set->rnd = 5;
	set->gens = calloc(a->n, sizeof(*set->gens));
	if (!set->gens)
		return -ENOMEM;
	/*
	 * The array is locked, like all memory that sa_begin() found, so that
	 * the kernel swaps only the pages under test.
	 */
	return mlock(set->gens, a->n * sizeof(*set->gens)) ? -errno : 0;
}

void sa_set_rewrite(struct sa_set *set, size_t nr)
{
	struct sa_area *a = &set->a;

	while (nr--) {
		size_t i = sa_rand(&set->rnd) % a->n;
		void *p = a->p + i * SA_PAGE;

		if (sa_rand(&set->rnd) % 4 == 0)
			set->bad += !!sa_check_page(p, a->pat, a->seed, i, set->gens[i]);
		else if (sa_rand(&set->rnd) % 4 == 0)
			madvise(p, SA_PAGE, MADV_DONTNEED);
		set->gens[i]++;
		sa_fill_page(p, a->pat, a->seed, i, set->gens[i]);
	}
	if (sa_pageout(a->p, a->n) == a->n)
		return;
	/*
	 * The device refuses pages while the layer collects dead segments; that
	 * takes a short time.
	 */
	set->refused++;
	sa_wait(sa_pageout(a->p, a->n) == a->n, 5);
	set->missed += a->n - sa_nr_swapped(a->p, a->n);
}

size_t sa_set_check(const struct sa_set *set)
{
	const struct sa_area *a = &set->a;
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, set->gens[i]);
	return bad;
}
