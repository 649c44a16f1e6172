/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The knobs of the layer and of zswap, the results of the kernel's own scan,
 * and the swap cache.
 */
#ifndef SWAP_ABS_LIB_KNOBS_H
#define SWAP_ABS_LIB_KNOBS_H

#include <stdbool.h>

#include "area.h"
#include "file.h"

#define SA_SYSCTL	"/proc/sys/vm/swap_abs"
#define SA_TIERS	"/sys/kernel/mm/swap/tiers"
#define SA_DEBUG	"/sys/kernel/debug/swap_abs"
#define SA_MOVE_DELAY	SA_DEBUG "/move_delay_ms"
#define SA_PAGE_CLUSTER	"/proc/sys/vm/page-cluster"
#define SA_LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"
#define SA_ZSWAP	"/sys/module/zswap/parameters"

bool sa_have_layer(void);
int sa_set_layer(bool on);
bool sa_have_zswap(void);
int sa_set_zswap(bool on);
int sa_zswap_param(const char *name, const char *value);
/* Return the bytes of the pages that zswap holds, before compression */
long long sa_zswapped(void);
/* Return the compressed bytes that zswap holds of the test's own cgroup */
long long sa_zswap_bytes(void);
/*
 * Make zswap start to write back all its pages, and let it take new pages again
 */
int sa_zswap_kick(void);
/* Make zswap write back all its pages; return 0 if zswap gets empty in time */
int sa_zswap_drain(int seconds);

/*
 * Return the violations that the kernel's own scan finds; 0 if the kernel has
 * no scan
 */
long long sa_violations(void);
/* Return a number from the scan (slots, pinned, lost, orphans), or -errno */
long long sa_scan_num(const char *key);

/*
 * Return the bytes of swap in use. The reserve of packed devices counts neither
 * as used nor as free.
 */
long long sa_swap_used(void);

/*
 * Reclaim folios of the test's cgroups from the swap cache that nobody maps or
 * that are written back, because such a folio keeps its slot
 */
void sa_purge_cache(void);
/* Return the bytes in the swap cache of the whole machine */
long long sa_swap_cached(void);
/* Wait until the swap cache has no page of the test's cgroups */
bool sa_only_swapped(void);
/*
 * Wait until the swap cache has no page of the area, so that reads go to its
 * tier
 */
bool sa_area_only_swapped(const struct sa_area *a);

/* Wait as sa_wait() does, and purge the swap cache meanwhile */
#define sa_wait_purged(cond, seconds)					\
({									\
	double __end = sa_now() + (seconds);				\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && sa_now() < __end) {			\
		sa_purge_cache();						\
		usleep(5000);						\
	}								\
	__ok;								\
})

#endif
