/* SPDX-License-Identifier: GPL-2.0 */
/* Lent clusters and their slots (mm/swap_abs/lent.c), for mm/swap_abs/raw.c. */
#ifndef _MM_SWAP_ABS_LENT_H
#define _MM_SWAP_ABS_LENT_H

#include "desc.h"

struct swap_info_struct;
struct swap_tier;

unsigned int swap_lent_take_any(swap_desc_t *words, unsigned int nr, bool all,
				unsigned long tiers);
unsigned int swap_lent_take_victim(swap_desc_t *words, unsigned int nr,
				   bool scatter, unsigned long tiers);
long swap_lent_free(const swap_desc_t *words, unsigned int nr);
unsigned long swap_lent_take_back(struct swap_tier *tier);
void swap_lent_stop(struct swap_tier *tier);
unsigned long swap_lent_ahead(struct swap_tier *tier);
bool swap_lent_is_bad(struct swap_tier *tier, unsigned long offset);
bool swap_lent_is_victim(swap_desc_t word);
const char *swap_lent_check(swap_desc_t word);
unsigned long swap_lent_nr_bad(struct swap_tier *tier);
void swap_lent_forget_bad(struct swap_tier *tier);
void swap_lent_choose_victims(struct swap_tier *tier, unsigned long pages);
unsigned long swap_lent_choose_sparse(struct swap_tier *tier,
				      unsigned long gain);
unsigned long swap_lent_unchoose(struct swap_tier *tier);
void swap_lent_forget_hints(void);
void swap_lent_release(struct swap_tier *tier);
#ifdef CONFIG_HIBERNATION
unsigned long swap_lent_alloc_image(struct swap_info_struct *si);
bool swap_lent_free_image(swp_entry_t entry);
#endif

#endif /* _MM_SWAP_ABS_LENT_H */
