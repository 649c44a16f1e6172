/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each cgroup has in a tier and may have there (mm/swap_abs/memcg.c,
 * memcg_files.c).
 */
#ifndef _MM_SWAP_ABS_MEMCG_H
#define _MM_SWAP_ABS_MEMCG_H

#include <linux/cpumask.h>
#include <linux/jump_label.h>
#include <linux/memcontrol.h>
#include "slots.h"
#include "tier.h"

struct seq_buf;

#ifdef CONFIG_SWAP_ABS_MEMCG
/* mm/swap_abs/memcg.c */
DECLARE_STATIC_KEY_FALSE(swap_memcg_limited);
struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg);
unsigned long swap_memcg_stored(struct mem_cgroup *memcg);
unsigned long swap_memcg_slots(struct mem_cgroup *memcg);
int swap_memcg_alloc(struct mem_cgroup *memcg, struct mem_cgroup *parent);
void swap_memcg_free(struct mem_cgroup *memcg);
void swap_memcg_reset(struct mem_cgroup *memcg);
void swap_memcg_forget(unsigned int type);
void swap_memcg_account_slot(struct swap_cluster_info *ci, unsigned int ci_off,
			     int from, int to);
void swap_memcg_account_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			      int from, int to, unsigned int nr);
void swap_memcg_offline(struct mem_cgroup *memcg);
bool swap_memcg_counts(struct swap_cluster_info *ci, unsigned int ci_off);
void swap_memcg_sum(unsigned long *sum);
unsigned long __swap_memcg_tiers(struct mem_cgroup *memcg, long nr);
unsigned long __swap_memcg_tiers_of(swp_entry_t slot, long nr);
unsigned long swap_memcg_excess(void);
bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask);
bool swap_memcg_zswap_full(struct mem_cgroup *memcg, bool flush);
extern struct mutex swap_memcg_mutex;
unsigned long swap_memcg_usage(struct mem_cgroup *memcg, unsigned int type);
unsigned long swap_memcg_limit(struct mem_cgroup *memcg, unsigned int type);
bool swap_memcg_set_limits(struct mem_cgroup *memcg, const unsigned long *max,
			   unsigned long given);

/* mm/swap_abs/memcg_files.c */
void swap_memcg_stat_format(struct mem_cgroup *memcg, struct seq_buf *s);

/* Return how many pages a cgroup's statistics may lack, as they are batched. */
static inline unsigned long swap_memcg_uncounted(void)
{
	return (unsigned long)MEMCG_CHARGE_BATCH * num_online_cpus();
}

/*
 * Count @nr slots of a locked virtual cluster from @ci_off on in the tier @to,
 * and no longer in the tier @from (indexes of swap_desc_tier()). The ids of
 * their cgroups must be set. May be called under page-table locks and with
 * interrupts off. Takes O(@nr).
 */
static inline void swap_memcg_account(struct swap_cluster_info *ci,
				      unsigned int ci_off, int from, int to,
				      unsigned int nr)
{
	if (from == to || mem_cgroup_disabled())
		return;
	if (nr == 1)
		swap_memcg_account_slot(ci, ci_off, from, to);
	else
		swap_memcg_account_slots(ci, ci_off, from, to, nr);
}

/*
 * Return the mask of the tiers where a cgroup may have @nr more pages: those
 * that the cgroup and all its parents allow, whether the tiers exist or not.
 * With @nr 0, the mask leaves out the tiers where the cgroup has more than its
 * limit; with @nr below zero, those where it has more even when so many pages
 * have gone.
 *
 * Callers ask before they copy data, and nothing is reserved; see
 * mm/swap_abs/memcg.c. @memcg may be NULL; otherwise the caller keeps it from
 * going. Any context.
 */
static inline unsigned long swap_memcg_tiers(struct mem_cgroup *memcg, long nr)
{
	if (!static_branch_unlikely(&swap_memcg_limited))
		return SWAP_TIERS_ALL;
	return __swap_memcg_tiers(memcg, nr);
}

/*
 * Return swap_memcg_tiers() for the pages of a folio that is not in swap yet.
 * Takes part in RCU. Any context.
 */
static inline unsigned long swap_memcg_tiers_folio(struct folio *folio)
{
	unsigned long tiers;

	if (!static_branch_unlikely(&swap_memcg_limited))
		return SWAP_TIERS_ALL;
	rcu_read_lock();
	tiers = __swap_memcg_tiers(folio_memcg(folio), folio_nr_pages(folio));
	rcu_read_unlock();
	return tiers;
}

/*
 * Return swap_memcg_tiers() for the cgroup of a virtual slot, which may have
 * been freed in between. Takes the virtual cluster's lock.
 */
static inline unsigned long swap_memcg_tiers_of(swp_entry_t slot, long nr)
{
	if (!static_branch_unlikely(&swap_memcg_limited))
		return SWAP_TIERS_ALL;
	return __swap_memcg_tiers_of(slot, nr);
}
#else
static inline unsigned long swap_memcg_uncounted(void)
{
	return 0;
}

static inline unsigned long swap_memcg_excess(void)
{
	return 0;
}

static inline bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask)
{
	return false;
}

static inline bool swap_memcg_zswap_full(struct mem_cgroup *memcg, bool flush)
{
	return false;
}

static inline struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg)
{
	return NULL;
}

static inline unsigned long swap_memcg_stored(struct mem_cgroup *memcg)
{
	return 0;
}

static inline unsigned long swap_memcg_slots(struct mem_cgroup *memcg)
{
	return 0;
}

static inline int swap_memcg_alloc(struct mem_cgroup *memcg,
				   struct mem_cgroup *parent)
{
	return 0;
}

static inline void swap_memcg_free(struct mem_cgroup *memcg)
{
}

static inline void swap_memcg_reset(struct mem_cgroup *memcg)
{
}

static inline void swap_memcg_forget(unsigned int type)
{
}

static inline void swap_memcg_stat_format(struct mem_cgroup *memcg,
					  struct seq_buf *s)
{
}

static inline void swap_memcg_account(struct swap_cluster_info *ci,
				      unsigned int ci_off, int from, int to,
				      unsigned int nr)
{
}

static inline void swap_memcg_offline(struct mem_cgroup *memcg)
{
}

static inline bool swap_memcg_counts(struct swap_cluster_info *ci,
				     unsigned int ci_off)
{
	return false;
}

static inline void swap_memcg_sum(unsigned long *sum)
{
}

static inline unsigned long swap_memcg_tiers(struct mem_cgroup *memcg, long nr)
{
	return SWAP_TIERS_ALL;
}

static inline unsigned long swap_memcg_tiers_folio(struct folio *folio)
{
	return SWAP_TIERS_ALL;
}

static inline unsigned long swap_memcg_tiers_of(swp_entry_t slot, long nr)
{
	return SWAP_TIERS_ALL;
}
#endif

#ifdef CONFIG_SWAP_ABS
/*
 * Return false when a cgroup may not use all devices, and none of the tiers
 * that it may use has room. Any context but interrupts.
 */
static inline bool swap_memcg_may_swap(struct mem_cgroup *memcg)
{
	unsigned long tiers = swap_memcg_tiers(memcg, 1);

	/* Room in tiers that the cgroup may not use does not count. */
	return !swap_tiers_restricted(tiers) ||
	       swap_tiers_open(tiers, SWAP_OPEN_ANY);
}
#else
static inline bool swap_memcg_may_swap(struct mem_cgroup *memcg)
{
	return true;
}
#endif

#endif /* _MM_SWAP_ABS_MEMCG_H */
