/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual slots: their area, descriptors and promises, and what reclaim has
 * tried in vain with their pages.
 */
#ifndef _MM_SWAP_ABS_SLOTS_H
#define _MM_SWAP_ABS_SLOTS_H

#include "../swap_abs.h"
#include "desc.h"

struct swap_backend;

extern struct swap_ops swap_virtual_ops;

/* mm/swap_abs/switch.c */
int swap_abs_switch(bool on);

/* mm/swap_abs.c */
int swap_abs_store(struct swap_io_ctx *ctx, struct folio *folio,
		   unsigned long tiers);

/* mm/swap_abs/area.c */
int swap_area_create(void);

/* mm/swap_abs/promise.c */
long swap_promise_needed(struct folio *folio);
void swap_promise_cancel(void);

/* mm/swap_abs/desc.c */
void __init swap_backend_register(enum swap_desc_tag tag,
				  const struct swap_backend *backend);
extern const struct swap_backend *swap_store_order[];
const struct swap_backend *swap_backend_of(swap_desc_t word);
void swap_desc_drop_folio(struct folio *folio);
void swap_desc_set_lost(struct swap_cluster_info *ci, unsigned int ci_off);
void swap_desc_unpromise_folio(struct folio *folio);
void swap_desc_note_refused(struct folio *folio);
void swap_desc_refuse_folio(struct folio *folio);
unsigned int swap_desc_cancel_promises(unsigned long slot);
swap_desc_t swap_desc_read(swp_entry_t entry);
bool swap_desc_slot_is_promised(swp_entry_t entry);
bool swap_desc_pin(swp_entry_t entry, swap_place_t place);
bool swap_desc_unpin(swp_entry_t entry, swap_place_t place);
bool swap_desc_leaves(swp_entry_t entry, swap_place_t place, bool leaving);
bool swap_desc_commit(swp_entry_t entry, swap_place_t place, swap_desc_t new,
		      struct folio *locked, long taken);
bool swap_move_commit(swp_entry_t entry, swap_place_t from, swap_desc_t to,
		      struct folio *folio, long taken);
bool swap_move_abort(swp_entry_t entry, swap_place_t from, int err);
swap_desc_t *swap_desc_alloc(struct folio *folio, swap_desc_t *single);
void swap_desc_free(swap_desc_t *words, swap_desc_t *single);
void swap_desc_install(struct folio *folio, const swap_desc_t *words,
		       long taken);

#ifdef CONFIG_SWAP_ABS
/* Return the descriptors of a locked virtual cluster, NULL if it is unused. */
static inline swap_desc_t *swap_desc_table(struct swap_cluster_info *ci)
{
	return rcu_dereference_protected(ci->desc, lockdep_is_held(&ci->lock));
}
#endif

/*
 * Promise @nr pages of device capacity. Any context. Return false when the
 * devices have less than that left.
 */
static inline bool swap_promise_take(long nr)
{
	long room = atomic_long_read(&nr_swap_pages);

	do {
		if (room < nr)
			return false;
	} while (!atomic_long_try_cmpxchg(&nr_swap_pages, &room, room - nr));

	return true;
}

/* mm/swap_abs/vain.c */
void swap_vain_note(struct folio *folio);
bool swap_vain_hope(struct mem_cgroup *memcg);
long swap_vain_device_pages(struct mem_cgroup *memcg, long nr);
void swap_vain_room_short(void);
void swap_vain_room_gained(void);
void swap_vain_device_came(void);
bool swap_vain_room_is_short(void);

/* mm/swap_abs/desc.c, for debugfs */
#ifdef CONFIG_DEBUG_FS
extern u32 swap_debug_move_delay;
extern atomic_long_t swap_debug_orphans;
void swap_debug_move(void);
void swap_debug_orphan(void);
#else
static inline void swap_debug_move(void)
{
}

static inline void swap_debug_orphan(void)
{
}
#endif

#endif /* _MM_SWAP_ABS_SLOTS_H */
