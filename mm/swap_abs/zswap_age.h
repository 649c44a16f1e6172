/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order in which the objects of virtual slots have come into zswap
 * (mm/swap_abs/zswap_age.c). mm/zswap.c calls this.
 */
#ifndef _MM_SWAP_ABS_ZSWAP_AGE_H
#define _MM_SWAP_ABS_ZSWAP_AGE_H

#include "desc.h"

struct mem_cgroup;
struct obj_cgroup;
struct shrinker;
struct zswap_age_node;

/* What a visit of an object says; see zswap_age_walk(). */
enum zswap_age_visit {
	ZSWAP_AGE_GONE,		/* written back, or on its way to a device */
	ZSWAP_AGE_KEEP,		/* it is the newest now */
	ZSWAP_AGE_STOP,		/* the same, and end the walk */
};

typedef enum zswap_age_visit (*zswap_age_visit_fn)(swp_entry_t slot,
						   swap_desc_t word, void *arg);

#if defined(CONFIG_SWAP_ABS) && defined(CONFIG_ZSWAP)
int zswap_age_init(struct shrinker *shrinker);
struct zswap_age_node *zswap_age_prepare(unsigned int nr, gfp_t gfp);
void zswap_age_cancel(struct zswap_age_node *nodes);
unsigned int zswap_age_next_epoch(void);
bool zswap_age_add(struct zswap_age_node *nodes, struct obj_cgroup *objcg,
		   int nid, swp_entry_t slot, const swap_desc_t *words,
		   unsigned int nr);
unsigned long zswap_age_count(struct mem_cgroup *memcg, int nid);
unsigned long zswap_age_walk(struct mem_cgroup *memcg, int nid,
			     unsigned long *nr, zswap_age_visit_fn visit,
			     void *arg);
void zswap_age_offline(struct mem_cgroup *memcg);
void zswap_age_sweep_if_stale(void);
size_t zswap_age_bytes(void);
#else
static inline int zswap_age_init(struct shrinker *shrinker)
{
	return 0;
}

static inline unsigned long zswap_age_count(struct mem_cgroup *memcg, int nid)
{
	return 0;
}

static inline unsigned long
zswap_age_walk(struct mem_cgroup *memcg, int nid, unsigned long *nr,
	       zswap_age_visit_fn visit, void *arg)
{
	return 0;
}

static inline void zswap_age_offline(struct mem_cgroup *memcg)
{
}
#endif

#endif /* _MM_SWAP_ABS_ZSWAP_AGE_H */
