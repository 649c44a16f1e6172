/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The knobs of the layer and of zswap, what the kernel's own scan finds, and the swap
 * cache.
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
int sa_layer(bool on);
bool sa_have_zswap(void);
int sa_zswap(bool on);
int sa_zswap_param(const char *name, const char *value);
/* Return the bytes that zswap holds, uncompressed */
long long sa_zswapped(void);
/* Return the bytes that zswap has of our own pages, compressed */
long long sa_zswap_bytes(void);
/* Make zswap begin to write back all that it holds now, and take new pages on */
int sa_zswap_kick(void);
/* Make zswap write back all that it holds; return 0 when it is empty in time */
int sa_zswap_drain(int seconds);

/* Return the violations that the kernel's own scan finds; 0 where there is no scan */
long long sa_violations(void);
/* Return a number that the scan prints (slots, pinned, lost, orphans), or -errno */
long long sa_scan(const char *key);

/* Return bytes of swap in use. The reserve of packed devices is neither in use nor free. */
long long sa_swap_used(void);

/*
 * Push out of the swap cache what nobody maps or what is written, of the test's cgroups:
 * until then such folios keep their slots.
 */
void sa_purge(void);
/* Return bytes in the swap cache, of everybody */
long long sa_swap_cached(void);
/* Wait until nothing of the test's cgroups is in the swap cache */
bool sa_only_swapped(void);
/* Wait until the swap cache has nothing of the area: reads then go to its tier */
bool sa_area_only_swapped(const struct sa_area *a);

/* Wait as sa_wait() does, and purge the swap cache meanwhile */
#define sa_wait_purged(cond, seconds)					\
({									\
	double __end = sa_now() + (seconds);				\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && sa_now() < __end) {			\
		sa_purge();						\
		usleep(5000);						\
	}								\
	__ok;								\
})

#endif
