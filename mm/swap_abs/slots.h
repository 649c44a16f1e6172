/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual slots: their descriptors and promises (mm/swap_abs.c), and what was tried in
 * vain for their pages (mm/swap_abs/vain.c).
 */
#ifndef _MM_SWAP_ABS_SLOTS_H
#define _MM_SWAP_ABS_SLOTS_H

#include "../swap_abs.h"
#include "desc.h"

struct swap_backend;

extern struct swap_ops swap_virtual_ops;

/* mm/swap_abs.c */
int swap_abs_switch(bool on);
const struct swap_backend *swap_backend_of(unsigned long word);
bool swap_abs_take_room(long nr);
void swap_abs_drop_folio(struct folio *folio);
void swap_abs_set_lost(struct swap_cluster_info *ci, unsigned int ci_off);
long swap_abs_room_needed(struct folio *folio);
unsigned long swap_abs_word(swp_entry_t entry);
bool swap_abs_is_reserved(swp_entry_t entry);
int swap_abs_store(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers);
void swap_abs_cancel_promises(void);
bool swap_abs_pin(swp_entry_t entry, unsigned long place);
bool swap_abs_unpin(swp_entry_t entry, unsigned long place);
bool swap_abs_commit(swp_entry_t entry, unsigned long place, unsigned long new,
		     struct folio *locked, long taken);
unsigned long *swap_abs_alloc_words(struct folio *folio, unsigned long *single);
void swap_abs_free_words(unsigned long *words, unsigned long *single);
void swap_abs_install(struct folio *folio, const unsigned long *words, long taken);

/**
 * struct swap_vain - what has been tried in vain
 * @pages: how many pages, less what has been successful
 * @lru: how many pages there were to be tried
 * @last: jiffies when the last one was tried
 * @devices: tells whether there were others then
 * @flushed: jiffies when the cgroup's statistics were brought up to date
 */
struct swap_vain {
	atomic_long_t pages;
	unsigned long lru;
	unsigned long last;
	unsigned int devices;
	unsigned long flushed;
};

/* mm/swap_abs/vain.c */
void swap_abs_in_vain(struct folio *folio);
bool swap_abs_hope(struct mem_cgroup *memcg);
void swap_abs_room_short(void);
void swap_abs_room_gained(void);
void swap_abs_device_came(void);
bool swap_abs_room_is_short(void);

#ifdef CONFIG_DEBUG_FS
/* mm/swap_abs/debug.c */
void swap_abs_debug_move(void);
void swap_abs_debug_orphan(void);
#else
static inline void swap_abs_debug_move(void)
{
}

static inline void swap_abs_debug_orphan(void)
{
}
#endif

#endif /* _MM_SWAP_ABS_SLOTS_H */
