/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tiers, movers and zswap ask of the two ways in which a device is written: raw
 * (mm/swap_abs/raw.c) and packed (packed.c, packed_read.c, neighbours.c, collect.c,
 * codec.c).
 */
#ifndef _MM_SWAP_ABS_FORMATS_H
#define _MM_SWAP_ABS_FORMATS_H

#include "format.h"
#include "tier.h"

/* mm/swap_abs/raw.c */
bool swap_raw_has_room(struct swap_tier *tier);
bool swap_raw_alloc(swap_desc_t *words, unsigned int nr, unsigned long tiers);
long swap_raw_free(const swap_desc_t *words, unsigned int nr);
void swap_raw_untake(const swap_desc_t *words, unsigned int nr);
unsigned long swap_raw_nr_bad(struct swap_tier *tier);
void swap_raw_release(struct work_struct *work);
void swap_raw_forget_bad(struct swap_tier *tier);
void swap_raw_pick_old(struct swap_tier *tier, unsigned long pages);
unsigned long swap_raw_pick_sparse(struct swap_tier *tier, unsigned long gain);
unsigned long swap_raw_free_clusters(struct swap_tier *tier);
unsigned long swap_raw_nr_free(struct swap_tier *tier);
unsigned long swap_raw_unpick_old(struct swap_tier *tier);
bool swap_raw_is_old(swap_desc_t word);
void swap_raw_forget_hints(void);

/* mm/swap_abs/codec.c */
int swap_codec_default(void);
int swap_codec_compress(unsigned int codec, struct page *page, void *dst);
bool swap_codec_decompress(unsigned int codec, const void *src,
			   unsigned int length, struct page *page);

#ifdef CONFIG_SWAP_ABS_PACKED
/* mm/swap_abs/packed.c */
bool swap_packed_supported(struct swap_info_struct *si);
int swap_packed_start(struct swap_tier *tier);
void swap_packed_quiet(struct swap_tier *tier);
void swap_packed_resume(struct swap_tier *tier);
void swap_packed_stop_collecting(struct swap_tier *tier);
void swap_packed_stop(struct swap_tier *tier);
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci);
unsigned long swap_packed_held(struct swap_tier *tier);
unsigned long swap_packed_live(struct swap_tier *tier);
unsigned long swap_packed_dead(struct swap_tier *tier);
long swap_packed_excess(struct swap_tier *tier);
unsigned long swap_packed_nr_bad(struct swap_tier *tier);

/* mm/swap_abs/collect.c */
int swap_packed_drain(struct swap_move *move);

/* mm/swap_abs/packed_read.c */
bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
		      const struct swap_pack_object *object);

/* mm/swap_abs/packed.c */
void swap_packed_forget_hints(void);
bool swap_packed_has_room(struct swap_tier *tier);
void swap_packed_forget_bad(struct swap_tier *tier);
void swap_packed_free(struct swap_tier *tier);
int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers);
void *swap_packed_get_buffer(void);
void swap_packed_put_buffer(void *buf);
unsigned long swap_packed_moving_pages(void);
bool swap_packed_is_busy(void);
bool swap_packed_is_moving(void);
void swap_packed_wait_moved(void);
void swap_packed_make_room(void);
bool swap_packed_yield(unsigned long tiers);
bool swap_packed_is_collecting(void);
unsigned long swap_packed_objects(struct swap_tier *tier);
unsigned long swap_packed_objects_read(struct swap_tier *tier);
unsigned long swap_packed_segments(struct swap_tier *tier);
unsigned long swap_packed_spares(struct swap_tier *tier);
unsigned int swap_packed_check(struct swap_tier *tier, bool begin);
void swap_packed_check_word(swap_desc_t word);

/* mm/swap_abs/packed_read.c */
void swap_packed_submit_read(struct swap_io_ctx *ctx);
extern bool swap_ahead_on;

/* mm/swap_abs/neighbours.c */
void swap_packed_ahead_used(void);
bool swap_packed_ahead_fits(struct mem_cgroup *memcg);

/* mm/swap_abs/codec.c */
int swap_codec_get(const char *name);
#else
static inline void swap_packed_ahead_used(void)
{
}

static inline bool swap_packed_ahead_fits(struct mem_cgroup *memcg)
{
	return false;
}

static inline bool swap_packed_supported(struct swap_info_struct *si)
{
	return false;
}

static inline int swap_packed_start(struct swap_tier *tier)
{
	return -EOPNOTSUPP;
}

static inline void swap_packed_quiet(struct swap_tier *tier)
{
}

static inline void swap_packed_resume(struct swap_tier *tier)
{
}

static inline void swap_packed_stop_collecting(struct swap_tier *tier)
{
}

static inline void swap_packed_stop(struct swap_tier *tier)
{
}

static inline unsigned long swap_packed_segment_held(struct swap_cluster_info *ci)
{
	return 0;
}

static inline unsigned long swap_packed_held(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_live(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_dead(struct swap_tier *tier)
{
	return 0;
}

static inline long swap_packed_excess(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_nr_bad(struct swap_tier *tier)
{
	return 0;
}

static inline bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
				    const struct swap_pack_object *object)
{
	return false;
}

static inline int swap_packed_drain(struct swap_move *move)
{
	return 0;
}

static inline void swap_packed_forget_hints(void)
{
}

static inline bool swap_packed_has_room(struct swap_tier *tier)
{
	return false;
}

static inline void swap_packed_forget_bad(struct swap_tier *tier)
{
}

static inline void swap_packed_free(struct swap_tier *tier)
{
}

static inline int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
				   unsigned int length, unsigned int codec, bool may_wait,
				   unsigned long tiers)
{
	return -ENOSPC;
}

static inline void *swap_packed_get_buffer(void)
{
	return NULL;
}

static inline void swap_packed_put_buffer(void *buf)
{
}

static inline bool swap_packed_is_busy(void)
{
	return false;
}

static inline unsigned long swap_packed_moving_pages(void)
{
	return 0;
}

static inline bool swap_packed_is_moving(void)
{
	return false;
}

static inline void swap_packed_wait_moved(void)
{
}

static inline void swap_packed_make_room(void)
{
}

static inline bool swap_packed_yield(unsigned long tiers)
{
	return false;
}

static inline bool swap_packed_is_collecting(void)
{
	return false;
}

static inline unsigned long swap_packed_objects(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_objects_read(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_segments(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_spares(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned int swap_packed_check(struct swap_tier *tier, bool begin)
{
	return 0;
}

static inline void swap_packed_check_word(swap_desc_t word)
{
}

static inline int swap_codec_get(const char *name)
{
	return -ENOENT;
}
#endif

#ifdef CONFIG_ZSWAP
/* Where zswap has not said what to use. */
#define SWAP_CODEC_FIRST	CONFIG_ZSWAP_COMPRESSOR_DEFAULT
#else
#define SWAP_CODEC_FIRST	"lzo"
#endif

#endif /* _MM_SWAP_ABS_FORMATS_H */
