// SPDX-License-Identifier: GPL-2.0
/*
 * The words of virtual slots, which say where the data of the slots is: all
 * code that reads and writes them. mm/swap_abs/desc.h has their layout.
 *
 * Each swap table of a cluster of the virtual area has a table of words beside
 * it, which comes and goes with it. No other file writes to a word, so this
 * file keeps rules 1 to 6 of mm/swap_abs.c: a word changes under the lock of
 * its cluster, and while a folio is in the slot, only a task that holds the
 * folio locked changes more of the word than the pin. A pinned copy is not
 * freed, and the mover that has pinned it finds out whether it was dropped in
 * between.
 *
 * What a word points to belongs to a backend, which registers itself for the
 * tag of the word. This file reports each change to mm/swap_abs/memcg.c, and
 * gives capacity that a word no longer holds back to nr_swap_pages. The callers
 * are the backends, the movers, and mm/swapfile.c when slots are allocated and
 * freed.
 */
#include <linux/delay.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "../swap_table.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

#define CREATE_TRACE_POINTS
#include <trace/events/swap_abs.h>

/* The backends, by the tag of their words. */
static const struct swap_backend
	*swap_backends[SWAP_DESC_TAG_MASK + 1] __ro_after_init;

/* The backends in the order in which they are offered a page, then NULL. */
const struct swap_backend
	*swap_store_order[SWAP_DESC_TAG_MASK + 2] __ro_after_init;

/**
 * swap_backend_register - register the backend of the words with a tag
 * @tag: the tag
 * @backend: its operations
 *
 * From then on the backend is offered pages, by its swap_backend.order.
 *
 * Context: init, before there are such words.
 */
void __init swap_backend_register(enum swap_desc_tag tag,
				  const struct swap_backend *backend)
{
	unsigned int i = 0, end = 0;

	if (WARN_ON(swap_backends[tag]))
		return;
	swap_backends[tag] = backend;
	while (swap_store_order[end])
		end++;
	while (i < end && swap_store_order[i]->order <= backend->order)
		i++;
	memmove(swap_store_order + i + 1, swap_store_order + i,
		(end - i) * sizeof(*swap_store_order));
	swap_store_order[i] = backend;
}

/**
 * swap_backend_of - return the backend of a word
 * @word: a descriptor
 *
 * Context: any.
 * Return: the backend, NULL for a word that points nowhere.
 */
const struct swap_backend *swap_backend_of(swap_desc_t word)
{
	return swap_backends[swap_desc_tag(word)];
}

static struct swap_cluster_info *swap_abs_lock(swp_entry_t entry)
{
	return swap_cluster_lock(swap_virtual_area, swp_offset(entry));
}

/**
 * swap_desc_read - read a slot's descriptor
 * @entry: a virtual entry
 *
 * While a folio is locked in the slot, the word is stable, except for
 * SWAP_DESC_PIN. Otherwise it is a hint. While the cluster is being freed, it
 * may be anything, because a slab may use the table again at once.
 *
 * Context: any.
 * Return: the word, swap_desc_none() if the slot's cluster is not in use.
 */
swap_desc_t swap_desc_read(swp_entry_t entry)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(entry);
	swap_desc_t *desc, word = swap_desc_none();

	rcu_read_lock();
	desc = rcu_dereference(ci->desc);
	if (desc)
		word = READ_ONCE(desc[swp_cluster_offset(entry)]);
	rcu_read_unlock();
	return word;
}

/**
 * swap_desc_slot_is_promised - tell whether capacity is reserved for a slot
 * @entry: a virtual entry whose folio is locked or whose copy the caller has
 *	pinned; without the folio lock, the answer is a hint
 *
 * Context: any.
 * Return: true when device capacity is held for the slot besides its data.
 */
bool swap_desc_slot_is_promised(swp_entry_t entry)
{
	return swap_desc_is_promised(swap_desc_read(entry));
}

/**
 * swap_desc_init - set the descriptors of slots that are being allocated
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * Each slot gets a page of device capacity. If there was none,
 * swap_abs_reserve_end() corrects that.
 *
 * Context: any.
 */
void swap_desc_init(struct swap_cluster_info *ci, unsigned int ci_off,
		    unsigned int nr)
{
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;

	while (nr--) {
		VM_WARN_ON_ONCE(!swap_desc_same(*desc, swap_desc_none()));
		WRITE_ONCE(*desc++, swap_desc_set_promised(swap_desc_none()));
	}
}

/**
 * swap_desc_unpromise_folio - forget that capacity is held for a folio's slots
 * @folio: a locked folio in the swap cache that has not been stored yet
 *
 * Does not return any capacity, because none was taken for the slots.
 *
 * Context: process context, takes the virtual cluster's lock.
 */
void swap_desc_unpromise_folio(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio),
			ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[i], swap_desc_none());
	swap_cluster_unlock(ci);
}

/*
 * Do swap_desc_leave_copies() for slots whose words are of the same kind, and
 * whose new words are, if they have any.
 */
static __always_inline long swap_desc_leave_run(struct swap_cluster_info *ci,
						unsigned int ci_off,
						swap_desc_t new,
						unsigned int nr)
{
	const swap_desc_t *old = swap_desc_table(ci) + ci_off;
	long room = swap_desc_is_promised(*old) ? nr : 0;
	const struct swap_backend *backend;

	swap_memcg_account(ci, ci_off, swap_desc_tier(*old),
			   swap_desc_tier(new), nr);
	backend = swap_backends[swap_desc_tag(*old)];
	if (!backend)
		return room;
	if (backend->left)
		backend->left(ci, ci_off, nr);
	return swap_desc_is_pinned(*old) ? room : room + backend->drop(old, nr);
}

/*
 * Count the pages of @nr slots of a locked virtual cluster in the tiers of
 * their new words, or in none if @new is NULL. Release their old copies, except
 * pinned ones, which become orphans for their movers to free. The caller sets
 * the words themselves.
 *
 * Return: pages of device capacity that the old words have held.
 */
static __always_inline long swap_desc_leave_copies(struct swap_cluster_info *ci,
						   unsigned int ci_off,
						   const swap_desc_t *new,
						   unsigned int nr)
{
	const swap_desc_t *old = swap_desc_table(ci) + ci_off;
	unsigned int i, run;
	long room = 0;

	if (nr == 1)
		return swap_desc_leave_run(ci, ci_off,
					   new ? *new : swap_desc_none(), 1);

	for (i = 0; i < nr; i += run) {
		for (run = 1; i + run < nr; run++)
			if (!swap_desc_same_kind(old[i + run], old[i]) ||
			    (new && !swap_desc_same_kind(new[i + run], new[i])))
				break;
		room += swap_desc_leave_run(ci, ci_off + i,
					    new ? new[i] : swap_desc_none(),
					    run);
	}
	return room;
}

/**
 * swap_abs_drop - forget where the data of slots is, and release it
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * For slots that are being freed, and for slots whose folio makes the copies
 * stale.
 *
 * Context: also under page-table locks and with interrupts off; O(@nr).
 */
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off,
		   unsigned int nr)
{
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;
	unsigned int i;

	lockdep_assert_held(&ci->lock);
	swap_promise_put(swap_desc_leave_copies(ci, ci_off, NULL, nr));
	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[i], swap_desc_none());
}

/**
 * swap_desc_drop_folio - release the copies of a folio's data
 * @folio: a locked folio in the swap cache, uptodate and not under writeback;
 *	dirty or about to be, because only then may a copy go without a
 *	replacement
 *
 * Capacity that is reserved for the slots stays reserved.
 *
 * Context: process context, takes the virtual cluster's lock.
 */
void swap_desc_drop_folio(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off;
	struct swap_cluster_info *ci;
	swap_desc_t *desc;
	long room;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_uptodate(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);

	ci = swap_cluster_get_and_lock(folio);
	ci_off = swp_cluster_offset(folio->swap);
	desc = swap_desc_table(ci) + ci_off;
	room = swap_desc_leave_copies(ci, ci_off, NULL, nr);
	for (i = 0; i < nr; i++) {
		WRITE_ONCE(desc[i], swap_desc_only_promised(desc[i]));
		room -= swap_desc_is_promised(desc[i]);
	}
	swap_cluster_unlock(ci);
	swap_promise_put(room);
}

/**
 * swap_desc_note_refused - record that zswap can't make a page smaller
 * @folio: a locked small folio in the swap cache
 *
 * Records nothing while the slot has a copy, because the word says where that
 * is. The next attempt then finds no copy any more.
 *
 * Context: process context, takes the virtual cluster's lock.
 */
void swap_desc_note_refused(struct folio *folio)
{
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	swap_desc_t *word =
		swap_desc_table(ci) + swp_cluster_offset(folio->swap);

	if (swap_desc_tag(*word) == SWAP_DESC_NONE)
		WRITE_ONCE(*word, swap_desc_set_refused(*word));
	swap_cluster_unlock(ci);
}

/**
 * swap_desc_refuse_folio - record that no tier takes a folio
 * @folio: a locked, dirty folio in the swap cache
 *
 * Drops the folio's stale copies and zero marks, and gives back the capacity
 * that was promised to it, so that another page can have it. Keeps what
 * swap_desc_note_refused() has recorded.
 *
 * Context: process context, takes the virtual cluster's lock.
 */
void swap_desc_refuse_folio(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio),
			ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;
	bool refused = swap_desc_tag(*desc) == SWAP_DESC_NONE &&
		       swap_desc_is_refused(*desc);

	swap_abs_drop(ci, ci_off, nr);
	for (i = 0; i < nr; i++)
		__swap_table_clear_zero(ci, ci_off + i);
	if (refused && nr == 1)
		WRITE_ONCE(*desc, swap_desc_refused());
	swap_cluster_unlock(ci);
}

/**
 * swap_desc_set_lost - declare that a slot's data can't be read any longer
 * @ci: the locked virtual cluster
 * @ci_off: the slot, whose folio the caller holds locked, not uptodate
 *
 * A load of the slot fails from now on, and a move of the device's data can go
 * on without it.
 *
 * Context: any; O(1).
 */
void swap_desc_set_lost(struct swap_cluster_info *ci, unsigned int ci_off)
{
	swap_abs_drop(ci, ci_off, 1);
	WRITE_ONCE(swap_desc_table(ci)[ci_off], swap_desc_lost());
}

/* Tell whether a word holds a page of device capacity. */
static bool swap_desc_holds_room(swap_desc_t word)
{
	return swap_desc_is_promised(word) || swap_desc_is_block(word);
}

/**
 * swap_desc_alloc - allocate a descriptor for each page of a folio
 * @folio: the folio
 * @single: a word of the caller, enough for a small folio
 *
 * Context: may sleep, GFP_NOIO.
 * Return: the words, for swap_desc_free(), or NULL.
 */
swap_desc_t *swap_desc_alloc(struct folio *folio, swap_desc_t *single)
{
	if (!folio_test_large(folio))
		return single;
	return kmalloc_array(folio_nr_pages(folio), sizeof(*single),
			     GFP_NOIO | __GFP_NOWARN);
}

/**
 * swap_desc_free - free the words of swap_desc_alloc()
 * @words: the words, or NULL
 * @single: as for swap_desc_alloc()
 *
 * Context: any.
 */
void swap_desc_free(swap_desc_t *words, swap_desc_t *single)
{
	if (words != single)
		kfree(words);
}

/*
 * Do swap_desc_install(). The compiler makes one copy of this for small folios.
 */
static __always_inline void swap_desc_install_nr(struct folio *folio,
						 const swap_desc_t *words,
						 long taken, unsigned int nr)
{
	unsigned int i, ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci;
	swap_desc_t *desc, word;
	long room;

	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);

	ci = swap_cluster_get_and_lock(folio);
	desc = swap_desc_table(ci) + ci_off;
	room = swap_desc_leave_copies(ci, ci_off, words, nr) + taken;
	for (i = 0; i < nr; i++) {
		word = words[i];
		/* swapoff has cancelled what @words want to keep. */
		if (!taken && !swap_desc_holds_room(desc[i]))
			word = swap_desc_clear_promised(word);
		WRITE_ONCE(desc[i], word);
		room -= swap_desc_holds_room(word);
		__swap_table_clear_zero(ci, ci_off + i);
	}
	swap_cluster_unlock(ci);

	/* room is below zero when the places of old copies turned out bad. */
	swap_promise_put(room);
}

/**
 * swap_desc_install - set where a folio's data is from now on
 * @folio: a locked folio in the swap cache, not under writeback
 * @words: a descriptor for each page
 * @taken: pages of device capacity that the caller has taken for @words,
 *	besides the capacity that the slots hold already: swap_promise_needed()
 *
 * Releases the copies that the slots had before, clears their zero marks, and
 * gives back the capacity that the new places don't need.
 *
 * Context: process context, takes the virtual cluster's lock.
 */
void swap_desc_install(struct folio *folio, const swap_desc_t *words,
		       long taken)
{
	if (folio_test_large(folio))
		swap_desc_install_nr(folio, words, taken,
				     folio_nr_pages(folio));
	else
		swap_desc_install_nr(folio, words, taken, 1);
}

/**
 * swap_desc_pin - keep a copy from being freed while it is moved
 * @entry: the slot
 * @place: swap_desc_place() of the word that the mover has seen in the slot
 *
 * Before the pin, a mover may look at nothing but the word; after it, also at
 * the data that the word points to. Loads go on to use the copy.
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: true when the copy is still there and no other mover has pinned it.
 * The caller is its mover then, and must call swap_move_commit() or
 * swap_move_abort() in the end.
 */
bool swap_desc_pin(swp_entry_t entry, swap_place_t place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_table(ci);
	bool pinned = false;

	if (desc) {
		desc += swp_cluster_offset(entry);
		if (swap_desc_is_at(*desc, place) &&
		    !swap_desc_is_pinned(*desc)) {
			WRITE_ONCE(*desc, swap_desc_set_pinned(*desc));
			pinned = true;
		}
	}
	swap_cluster_unlock(ci);
	return pinned;
}

/*
 * Return where the word of a slot is if its mover has the copy at @place pinned
 * still, else NULL. Only the mover clears the pin, so this is the same copy.
 */
static swap_desc_t *swap_desc_pinned_at(struct swap_cluster_info *ci,
					swp_entry_t entry, swap_place_t place)
{
	swap_desc_t *desc = swap_desc_table(ci);

	if (!desc)
		return NULL;
	desc += swp_cluster_offset(entry);
	return swap_desc_is_pinned(*desc) && swap_desc_is_at(*desc, place) ?
	       desc : NULL;
}

/**
 * swap_desc_unpin - clear the pin of a move, for swap_move_abort() and tests
 * @entry: the slot
 * @place: as for swap_desc_pin()
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: true when the slot still has the copy. False when the copy was
 * dropped in between: it is an orphan then, and the caller must free it.
 */
bool swap_desc_unpin(swp_entry_t entry, swap_place_t place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_pinned_at(ci, entry, place);

	if (desc)
		WRITE_ONCE(*desc, swap_desc_clear_pinned(*desc));
	swap_cluster_unlock(ci);
	return desc;
}

/**
 * swap_desc_leaves - say that a pinned object of zswap is leaving, or stays
 * @entry: the slot
 * @place: as for swap_desc_pin()
 * @leaving: what the word is to say
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: true when the word has been changed. False when it says so already,
 * or the object was dropped in between.
 */
bool swap_desc_leaves(swp_entry_t entry, swap_place_t place, bool leaving)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_pinned_at(ci, entry, place);
	bool changed = desc && swap_desc_is_leaving(*desc) != leaving;

	if (changed)
		WRITE_ONCE(*desc, swap_desc_set_leaving(*desc, leaving));
	swap_cluster_unlock(ci);
	return changed;
}

/**
 * swap_desc_commit - set the word of a move, for swap_move_commit() and tests
 * @entry: the slot
 * @place: as for swap_desc_pin()
 * @new: the new word; its data has been written, or @locked guards the data
 * @locked: the folio of the slot if the caller holds it locked, else NULL
 * @taken: pages of device capacity that the caller has taken for @new
 *
 * Context: process context, takes the virtual cluster's lock, never waits for a
 * folio.
 * Return: true when @new is set: the caller frees the old copy. False when the
 * copy was dropped in between, or its folio is in use: the caller drops the new
 * copy and calls swap_desc_unpin().
 */
bool swap_desc_commit(swp_entry_t entry, swap_place_t place, swap_desc_t new,
		      struct folio *locked, long taken)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_pinned_at(ci, entry, place);
	unsigned int ci_off = swp_cluster_offset(entry);
	const struct swap_backend *backend;
	struct folio *folio = NULL;
	bool committed = false;
	unsigned long swp_tb;
	long room;

	if (!desc)
		goto out;

	swp_tb = __swap_table_get(ci, ci_off);
	if (swp_tb_is_folio(swp_tb) && swp_tb_to_folio(swp_tb) != locked) {
		folio = swp_tb_to_folio(swp_tb);
		/* The cluster's lock keeps the folio in the swap cache. */
		if (!folio_trylock(folio)) {
			folio = NULL;
			goto out;
		}
		if (folio_test_writeback(folio))
			goto out;
	}

	/* room is below zero when swapoff has cancelled the reservation. */
	room = swap_desc_is_promised(*desc) + taken - swap_desc_holds_room(new);
	swap_memcg_account(ci, ci_off, swap_desc_tier(*desc),
			   swap_desc_tier(new), 1);
	backend = swap_backend_of(*desc);
	if (backend && backend->left)
		backend->left(ci, ci_off, 1);
	WRITE_ONCE(*desc, new);
	swap_promise_put(room);
	committed = true;
out:
	if (folio)
		folio_unlock(folio);
	swap_cluster_unlock(ci);
	return committed;
}

/**
 * swap_move_commit - end a move: the data is at its new place
 * @entry: the slot
 * @from: as @place for swap_desc_pin()
 * @to: the new word; its data has been written, or @folio guards the data
 * @folio: the locked folio that the data is written from, NULL when the data
 *	moves as it is
 * @taken: pages of device capacity that the caller has taken for @to
 *
 * Releases the old copy, and counts the page in both tiers.
 *
 * Context: process context, takes the virtual cluster's lock; the backend of
 * the old copy may sleep.
 * Return: true when the move is done. False when the copy was dropped in
 * between, or its folio is in use: the caller drops the new copy, and ends the
 * move with swap_move_abort().
 */
bool swap_move_commit(swp_entry_t entry, swap_place_t from, swap_desc_t to,
		      struct folio *folio, long taken)
{
	swap_desc_t old = swap_place_word(from);
	struct swap_tier *source, *dest;

	if (!swap_desc_commit(entry, from, to, folio, taken))
		return false;

	trace_swap_abs_move(entry, old, to, 0);
	source = swap_desc_to_tier(old);
	dest = swap_desc_to_tier(to);
	if (source != dest) {
		swap_tier_count(source, SWAP_TIER_MOVED_OUT, 1);
		swap_tier_count(dest, SWAP_TIER_MOVED_IN, 1);
	}
	swap_backend_of(old)->moved(entry, from, folio);
	return true;
}

/**
 * swap_move_abort - end a move: the data stays where it is
 * @entry: the slot
 * @from: as @place for swap_desc_pin()
 * @err: the reason, for the tracepoint
 *
 * Context: process context, takes the virtual cluster's lock; the backend may
 * sleep.
 * Return: true when the slot still has the copy. False when the copy was
 * dropped in between: it was an orphan, and has been freed.
 */
bool swap_move_abort(swp_entry_t entry, swap_place_t from, int err)
{
	swap_desc_t word = swap_place_word(from);
	const struct swap_backend *backend = swap_backend_of(word);

	trace_swap_abs_move(entry, word, word, err);
	if (backend->stays)
		backend->stays(entry, from);
	if (swap_desc_unpin(entry, from))
		return true;
	swap_debug_orphan();
	backend->drop(&word, 1);
	return false;
}

/**
 * swap_desc_cancel_promises - give up the reservations of a cluster's slots
 * @slot: the first slot of the cluster
 *
 * Skips a slot whose folio is locked, because swap_abs_reserve_end() may not
 * have settled the slot yet, so its bit may stand for no capacity.
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: how many slots it has skipped.
 */
unsigned int swap_desc_cancel_promises(unsigned long slot)
{
	struct swap_cluster_info *ci =
		swap_cluster_lock(swap_virtual_area, slot);
	swap_desc_t *desc = swap_desc_table(ci);
	unsigned long swp_tb;
	unsigned int i, busy = 0;
	struct folio *folio;
	long room = 0;

	for (i = 0; desc && i < SWAPFILE_CLUSTER; i++) {
		if (!swap_desc_is_promised(desc[i]))
			continue;
		swp_tb = __swap_table_get(ci, i);
		folio = swp_tb_is_folio(swp_tb) ? swp_tb_to_folio(swp_tb) :
						  NULL;
		if (folio && !folio_trylock(folio)) {
			busy++;
			continue;
		}
		WRITE_ONCE(desc[i], swap_desc_clear_promised(desc[i]));
		room++;
		if (folio)
			folio_unlock(folio);
	}
	swap_promise_put(room);
	swap_cluster_unlock(ci);
	return busy;
}

#ifdef CONFIG_DEBUG_FS
u32 swap_debug_move_delay;

/* Counts the orphans that movers have freed. */
atomic_long_t swap_debug_orphans = ATOMIC_LONG_INIT(0);

/**
 * swap_debug_move - let a test delay a mover that has pinned a copy
 *
 * Context: process context, sleeps when a test wants that.
 */
void swap_debug_move(void)
{
	unsigned int delay = READ_ONCE(swap_debug_move_delay);

	if (unlikely(delay))
		msleep(delay);
}

/* Count an orphan that its mover frees. */
void swap_debug_orphan(void)
{
	atomic_long_inc(&swap_debug_orphans);
}
#endif
