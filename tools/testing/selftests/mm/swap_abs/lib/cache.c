// SPDX-License-Identifier: GPL-2.0
/* The swap cache: how much of it belongs to the test, and how to empty it. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

void sa_all_cgs(void (*fn)(const char *))
{
	char path[1024];
	struct dirent *d;
	DIR *dir;

	dir = sa_cg_root() ? opendir(sa_cg_root()) : NULL;
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "sa_", 3))
			continue;
		snprintf(path, sizeof(path), "%s/%s", sa_cg_root(), d->d_name);
		fn(path);
	}
	if (dir)
		closedir(dir);
}

/*
 * Make the kernel sum up the counts of the CPUs for cgroups. The kernel does so
 * every two seconds, or when a process reads memory.stat after 64 changes for
 * each CPU. This function makes that many changes by faults that map the zero
 * page, because such faults take no memory.
 */
static void sum_up_cgs(void)
{
	size_t n = 64 * (2 * sysconf(_SC_NPROCESSORS_ONLN) + 1), i;
	char *p;

	p = mmap(NULL, n * SA_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	/* With huge pages, one fault would map the whole area. */
	madvise(p, n * SA_PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++)
		asm volatile("" : : "r" (p[i * SA_PAGE]));
	munmap(p, n * SA_PAGE);
	/* A read of the root's file covers all cgroups. */
	sa_cg_key(sa_cg_root(), "memory.stat", "anon");
}

static void purge_cg(const char *cg)
{
	long long cached = sa_cg_key(cg, "memory.stat", "swapcached");

	if (cached > 0)
		sa_cg_reclaim(cg, cached);
}

void sa_purge_cache(void)
{
	sum_up_cgs();
	sa_all_cgs(purge_cg);
}

long long sa_swap_cached(void)
{
	sa_refresh_stats();
	return sa_meminfo("SwapCached");
}

static bool some_cached;

static void find_cached(const char *cg)
{
	if (sa_cg_key(cg, "memory.stat", "swapcached") > 0)
		some_cached = true;
}

/*
 * Tell whether the swap cache has no page of the test. The number for the whole
 * machine may never be zero, because other processes fault in pages that a test
 * of the whole machine has pushed out; then the function reads memory.stat of
 * the test's cgroups.
 */
static bool none_cached(void)
{
	if (!sa_swap_cached())
		return true;
	sum_up_cgs();
	some_cached = false;
	sa_all_cgs(find_cached);
	return !some_cached;
}

bool sa_only_swapped(void)
{
	return sa_wait_purged(none_cached(), 20);
}

bool sa_area_only_swapped(const struct sa_area *a)
{
	return sa_wait_purged(!sa_nr_in_cache(a->p, a->n), 20);
}
