/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM swap_abs

#if !defined(_TRACE_SWAP_ABS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SWAP_ABS_H

#include <linux/mm_types.h>
#include <linux/swapops.h>
#include <linux/tracepoint.h>
#include "../../../mm/swap_abs/desc.h"

TRACE_DEFINE_ENUM(SWAP_DESC_NONE);
TRACE_DEFINE_ENUM(SWAP_DESC_ZSWAP);
TRACE_DEFINE_ENUM(SWAP_DESC_RAW);
TRACE_DEFINE_ENUM(SWAP_DESC_PACKED);
TRACE_DEFINE_ENUM(SWAP_DESC_LOST);

#define show_swap_abs_tag(tag)				\
	__print_symbolic(tag,				\
			 { SWAP_DESC_NONE, "none" },	\
			 { SWAP_DESC_ZSWAP, "zswap" },	\
			 { SWAP_DESC_RAW, "raw" },	\
			 { SWAP_DESC_PACKED, "packed" },	\
			 { SWAP_DESC_LOST, "lost" })

DECLARE_EVENT_CLASS(swap_abs_io,

	TP_PROTO(swp_entry_t swp, swap_desc_t word, unsigned int nr),

	TP_ARGS(swp, word, nr),

	TP_STRUCT__entry(
		__field(unsigned long, slot)
		__field(unsigned int, nr)
		__field(unsigned int, tag)
		__field(int, tier)
		__field(unsigned long, block)
	),

	TP_fast_assign(
		__entry->slot = swp_offset(swp);
		__entry->nr = nr;
		__entry->tag = swap_desc_tag(word);
		__entry->tier = swap_desc_tier(word);
		__entry->block = swap_desc_on_device(word) ?
				 swp_offset(swap_desc_device_entry(word)) : 0;
	),

	/*
	 * The tier is the swap type of a device. The word is not printed,
	 * because that of a page in zswap is an address.
	 */
	TP_printk("slot=%lu nr=%u place=%s tier=%d block=%lu", __entry->slot,
		  __entry->nr, show_swap_abs_tag(__entry->tag), __entry->tier,
		  __entry->block)
);

/* A backend has taken a folio's data. */
DEFINE_EVENT(swap_abs_io, swap_abs_store,

	TP_PROTO(swp_entry_t swp, swap_desc_t word, unsigned int nr),

	TP_ARGS(swp, word, nr)
);

/* A backend begins to load a folio's data. */
DEFINE_EVENT(swap_abs_io, swap_abs_load,

	TP_PROTO(swp_entry_t swp, swap_desc_t word, unsigned int nr),

	TP_ARGS(swp, word, nr)
);

/* A mover has moved a slot's data, or could not move it (err). */
TRACE_EVENT(swap_abs_move,

	TP_PROTO(swp_entry_t swp, swap_desc_t from, swap_desc_t to, int err),

	TP_ARGS(swp, from, to, err),

	TP_STRUCT__entry(
		__field(unsigned long, slot)
		__field(unsigned int, from)
		__field(unsigned int, to)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->slot = swp_offset(swp);
		__entry->from = swap_desc_tag(from);
		__entry->to = swap_desc_tag(to);
		__entry->err = err;
	),

	TP_printk("slot=%lu from=%s to=%s err=%d", __entry->slot,
		  show_swap_abs_tag(__entry->from), show_swap_abs_tag(__entry->to),
		  __entry->err)
);

/*
 * The collector has worked on a segment of a packed tier, which had @live bytes
 * in use before and has @left now.
 */
TRACE_EVENT(swap_abs_collect,

	TP_PROTO(unsigned int type, unsigned int segment, unsigned int live,
		 unsigned int left, int err),

	TP_ARGS(type, segment, live, left, err),

	TP_STRUCT__entry(
		__field(unsigned int, type)
		__field(unsigned int, segment)
		__field(unsigned int, live)
		__field(unsigned int, left)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->type = type;
		__entry->segment = segment;
		__entry->live = live;
		__entry->left = left;
		__entry->err = err;
	),

	TP_printk("type=%u segment=%u live=%u left=%u err=%d", __entry->type,
		  __entry->segment, __entry->live, __entry->left, __entry->err)
);

#endif /* _TRACE_SWAP_ABS_H */

#include <trace/define_trace.h>
