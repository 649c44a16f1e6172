// SPDX-License-Identifier: GPL-2.0
/*
 * The words of virtual slots, which say where their data is: all that reads and writes
 * them. Their layout is in mm/swap_abs/desc.h.
 *
 * Beside the swap table of a cluster of the virtual area stands a table of words, and comes
 * and goes with it. Nobody else writes to one; the rules for that, 1 to 6 in mm/swap_abs.c,
 * are kept here: a word changes under the lock of its cluster, while no folio is in its
 * slot or by who holds that folio locked; a copy that is pinned is not freed, and who has
 * pinned it finds out whether it was dropped meanwhile.
 *
 * What a word points to is a backend's, which registers itself for the word's tag. What
 * changes is told to mm/swap_abs/memcg.c, and capacity that a word holds no longer goes
 * back to nr_swap_pages. Called by the backends, by movers, and by mm/swapfile.c when slots
 * are allocated and freed.
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

/* Who knows what a word points to, by its tag. */
static const struct swap_backend *swap_backends[SWAP_DESC_TAG_MASK + 1] __ro_after_init;

/* The same, in the order in which a page is offered to them; NULL behind the last one. */
const struct swap_backend *swap_store_order[SWAP_DESC_TAG_MASK + 2] __ro_after_init;

/**
 * swap_backend_register - say who knows what words with a tag point to
 * @tag: the tag
 * @backend: who
 *
 * A page is offered to it from then on, by its swap_backend.order.
 *
 * Context: init, before there are such words.
 */
void __init swap_backend_register(enum swap_desc_tag tag, const struct swap_backend *backend)
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
 * swap_backend_of - who knows what a word points to
 * @word: a descriptor
 *
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
 * Context: any. Stable while a folio is locked in the slot, but for
 * SWAP_DESC_PIN; else a hint, which may be anything if the cluster is just being
 * freed: tables may come from a slab that uses them again at once.
 * Return: the word, swap_desc_none() where the slot's cluster is not in use.
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
 * swap_desc_slot_is_promised - is device capacity held for a slot besides its data?
 * @entry: a virtual entry, whose folio is locked
 *
 * Return: true when it is.
 */
bool swap_desc_slot_is_promised(swp_entry_t entry)
{
	return swap_desc_is_reserved(swap_desc_read(entry));
}

/**
 * swap_abs_backing - where on a device a virtual entry's data is
 * @entry: an entry with a raw copy, whose folio is locked or under writeback
 *
 * Return: the device's type and offset.
 */
swp_entry_t swap_abs_backing(swp_entry_t entry)
{
	return swap_desc_device_entry(swap_desc_read(entry));
}

/**
 * swap_desc_init - the descriptors of slots that are being allocated
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * Each has a page of device capacity; swap_abs_reserve_end() corrects that
 * where there is none.
 */
void swap_desc_init(struct swap_cluster_info *ci, unsigned int ci_off,
		    unsigned int nr)
{
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;

	while (nr--) {
		VM_WARN_ON_ONCE(!swap_desc_same(*desc, swap_desc_none()));
		WRITE_ONCE(*desc++, swap_desc_set_reserved(swap_desc_none()));
	}
}

/**
 * swap_desc_unpromise_folio - no device capacity is held for a folio's slots after all
 * @folio: a locked folio in the swap cache that has not been stored yet
 */
void swap_desc_unpromise_folio(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[i], swap_desc_none());
	swap_cluster_unlock(ci);
}

/*
 * Release the copies that @nr words point to. Pinned ones become orphans, that
 * their movers free. The words themselves are for the caller to set.
 *
 * Return: pages of device capacity that the words have held.
 */
static long swap_abs_drop_copies(const swap_desc_t *words, unsigned int nr)
{
	const struct swap_backend *backend;
	unsigned int i, run;
	long room = 0;

	for (i = 0; i < nr; i += run) {
		backend = swap_backend_of(words[i]);
		for (run = 0; i + run < nr; run++) {
			if (run && !swap_desc_same_drop(words[i + run], words[i]))
				break;
			if (swap_desc_is_reserved(words[i + run]))
				room++;
		}
		if (backend && !swap_desc_is_pinned(words[i]))
			room += backend->drop(words + i, run);
	}
	return room;
}

/**
 * swap_abs_drop - forget where the data of slots is, and release it
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * For slots that are freed, or whose folio makes the copies stale.
 *
 * Context: also under page-table locks and with interrupts off; O(@nr).
 */
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off,
		   unsigned int nr)
{
	swap_desc_t *desc = swap_desc_table(ci) + ci_off;
	unsigned int i;

	lockdep_assert_held(&ci->lock);
	swap_memcg_account(ci, ci_off, desc, NULL, nr);
	swap_promise_put(swap_abs_drop_copies(desc, nr));
	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[i], swap_desc_none());
}

/**
 * swap_desc_drop_folio - release the copies of a folio's data
 * @folio: a locked folio in the swap cache, uptodate and dirty or about to be
 *	so (a copy without replacement goes only then), not under writeback
 *
 * Capacity that is reserved for the slots stays so.
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
	swap_memcg_account(ci, ci_off, desc, NULL, nr);
	room = swap_abs_drop_copies(desc, nr);
	for (i = 0; i < nr; i++) {
		WRITE_ONCE(desc[i], swap_desc_only_reserved(desc[i]));
		room -= swap_desc_is_reserved(desc[i]);
	}
	swap_cluster_unlock(ci);
	swap_promise_put(room);
}

/**
 * swap_desc_refuse_folio - no tier takes a folio
 * @folio: a locked, dirty folio in the swap cache
 * @refused: zswap has not made it smaller
 *
 * Its copies are stale, and what was promised for it can serve somebody else.
 */
void swap_desc_refuse_folio(struct folio *folio, bool refused)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);

	swap_abs_drop(ci, ci_off, nr);
	for (i = 0; refused && i < nr; i++)
		WRITE_ONCE(swap_desc_table(ci)[ci_off + i], swap_desc_refused());
	swap_cluster_unlock(ci);
}

/**
 * swap_desc_set_lost - say that a slot's data can't be read any longer
 * @ci: the locked virtual cluster
 * @ci_off: the slot, whose folio the caller holds locked, not uptodate
 *
 * Who loads it gets an error for this page, and whatever wanted to move it can
 * go on.
 */
void swap_desc_set_lost(struct swap_cluster_info *ci, unsigned int ci_off)
{
	swap_abs_drop(ci, ci_off, 1);
	WRITE_ONCE(swap_desc_table(ci)[ci_off], swap_desc_lost());
}

/* Does the word hold a page of device capacity? */
static bool swap_desc_holds_room(swap_desc_t word)
{
	return swap_desc_is_reserved(word) || swap_desc_is_block(word);
}

/**
 * swap_desc_alloc - room for a descriptor a page of a folio
 * @folio: the folio
 * @single: a word of the caller's, enough for a small folio
 *
 * Context: may sleep, GFP_NOIO.
 * Return: the words, which swap_desc_free() frees, or NULL.
 */
swap_desc_t *swap_desc_alloc(struct folio *folio, swap_desc_t *single)
{
	if (!folio_test_large(folio))
		return single;
	return kmalloc_array(folio_nr_pages(folio), sizeof(*single),
			     GFP_NOIO | __GFP_NOWARN);
}

/**
 * swap_desc_free - take back swap_desc_alloc()
 * @words: what it has returned
 * @single: what it was given
 */
void swap_desc_free(swap_desc_t *words, swap_desc_t *single)
{
	if (words != single)
		kfree(words);
}

/**
 * swap_desc_install - say where a folio's data is from now on
 * @folio: a locked folio in the swap cache, not under writeback
 * @words: a descriptor a page
 * @taken: pages of device capacity that the caller has taken for them, besides
 *	what the slots hold already: swap_promise_needed()
 *
 * The copies that were known before are released; capacity that the new places
 * don't need is given back.
 */
void swap_desc_install(struct folio *folio, const swap_desc_t *words, long taken)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off;
	struct swap_cluster_info *ci;
	swap_desc_t *desc, word;
	long room;

	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);

	ci = swap_cluster_get_and_lock(folio);
	ci_off = swp_cluster_offset(folio->swap);
	desc = swap_desc_table(ci) + ci_off;
	swap_memcg_account(ci, ci_off, desc, words, nr);
	room = swap_abs_drop_copies(desc, nr) + taken;
	for (i = 0; i < nr; i++) {
		word = words[i];
		/* swapoff has cancelled what the new place wanted to keep. */
		if (!taken && !swap_desc_holds_room(desc[i]))
			word = swap_desc_clear_reserved(word);
		WRITE_ONCE(desc[i], word);
		room -= swap_desc_holds_room(word);
	}
	swap_cluster_unlock(ci);

	/* Less than zero is what turned out to be bad in the old places. */
	swap_promise_put(room);
}

/**
 * swap_desc_pin - keep a copy from being freed while it is moved
 * @entry: the slot
 * @place: swap_desc_place() of the word that was seen there
 *
 * Nothing but the word has been looked at until now; once it is pinned, what
 * it points to may be. Loads go on from there.
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: true when the word is still there and was not pinned: the caller is
 * its mover and must end with swap_move_commit() or swap_move_abort().
 */
bool swap_desc_pin(swp_entry_t entry, swap_place_t place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_table(ci);
	bool pinned = false;

	if (desc) {
		desc += swp_cluster_offset(entry);
		if (swap_desc_is_at(*desc, place) && !swap_desc_is_pinned(*desc)) {
			WRITE_ONCE(*desc, swap_desc_set_pinned(*desc));
			pinned = true;
		}
	}
	swap_cluster_unlock(ci);
	return pinned;
}

/**
 * swap_desc_unpin - clear the pin of a move, for swap_move_abort() and its tests
 * @entry: the slot
 * @place: what swap_desc_pin() was given
 *
 * Return: true when the copy is back where it was; false when it was dropped
 * meanwhile: it is an orphan then, and the caller frees it.
 */
bool swap_desc_unpin(swp_entry_t entry, swap_place_t place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	swap_desc_t *desc = swap_desc_table(ci);
	bool ours = false;

	if (desc) {
		desc += swp_cluster_offset(entry);
		/* Only the mover clears the bit, so this is the same copy. */
		if (swap_desc_is_pinned(*desc) && swap_desc_is_at(*desc, place)) {
			WRITE_ONCE(*desc, swap_desc_clear_pinned(*desc));
			ours = true;
		}
	}
	swap_cluster_unlock(ci);
	return ours;
}

/**
 * swap_desc_commit - set the word of a move, for swap_move_commit() and its tests
 * @entry: the slot
 * @place: what swap_desc_pin() was given
 * @new: the new word; the data is there and safe, or @locked guards it
 * @locked: the folio of the slot when the caller holds it locked, else NULL
 * @taken: pages of device capacity that the caller has taken for @new
 *
 * Context: process context, takes the virtual cluster's lock, never waits for
 * a folio.
 * Return: true when the word is @new now: the caller frees the old copy. False
 * when the copy was dropped meanwhile or its folio is in use: the caller drops
 * the new one and calls swap_desc_unpin().
 */
bool swap_desc_commit(swp_entry_t entry, swap_place_t place, swap_desc_t new,
		      struct folio *locked, long taken)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	unsigned int ci_off = swp_cluster_offset(entry);
	swap_desc_t *desc = swap_desc_table(ci);
	struct folio *folio = NULL;
	bool committed = false;
	unsigned long swp_tb;
	long room;

	if (!desc)
		goto out;
	desc += ci_off;
	if (!swap_desc_is_pinned(*desc) || !swap_desc_is_at(*desc, place))
		goto out;

	swp_tb = __swap_table_get(ci, ci_off);
	if (swp_tb_is_folio(swp_tb) && swp_tb_to_folio(swp_tb) != locked) {
		folio = swp_tb_to_folio(swp_tb);
		/* Under the cluster lock it can't leave the swap cache. */
		if (!folio_trylock(folio)) {
			folio = NULL;
			goto out;
		}
		if (folio_test_writeback(folio))
			goto out;
	}

	/* Less than zero when swapoff has cancelled the reservation meanwhile. */
	room = swap_desc_is_reserved(*desc) + taken - swap_desc_holds_room(new);
	swap_memcg_account(ci, ci_off, desc, &new, 1);
	WRITE_ONCE(*desc, new);
	swap_promise_put(room);
	committed = true;
out:
	if (folio)
		folio_unlock(folio);
	swap_cluster_unlock(ci);
	return committed;
}

static struct swap_tier *swap_desc_to_tier(swap_desc_t word)
{
	if (!swap_desc_on_device(word))
		return swap_zswap_tier;
	return __swap_entry_to_info(swap_desc_device_entry(word))->tier;
}

/**
 * swap_move_commit - end a move: the data is at its new place
 * @entry: the slot
 * @from: what swap_desc_pin() was given
 * @to: the new word; the data is there and safe, or @folio guards it
 * @folio: the locked folio that the data is written from, NULL when it moves as it is
 * @taken: pages of device capacity that the caller has taken for @to
 *
 * The old copy is released, and both tiers count the page.
 *
 * Context: process context, as swap_desc_commit(); what the old backend does may sleep.
 * Return: false when the copy was dropped meanwhile or its folio is in use: the caller drops
 * the new one, and ends the move with swap_move_abort().
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
	swap_backend_of(old)->moved(from, folio);
	return true;
}

/**
 * swap_move_abort - end a move: the data stays where it is
 * @entry: the slot
 * @from: what swap_desc_pin() was given
 * @err: why, for the tracepoint
 *
 * Context: process context, takes the virtual cluster's lock; the backend may sleep.
 * Return: false when the copy was dropped meanwhile: it was an orphan, and is gone now.
 */
bool swap_move_abort(swp_entry_t entry, swap_place_t from, int err)
{
	swap_desc_t word = swap_place_word(from);
	const struct swap_backend *backend = swap_backend_of(word);

	trace_swap_abs_move(entry, word, word, err);
	if (backend->stays)
		backend->stays(from);
	if (swap_desc_unpin(entry, from))
		return true;
	swap_debug_orphan();
	backend->drop(&word, 1);
	return false;
}

/**
 * swap_desc_cancel_promises - give up the reservations of a cluster
 * @slot: its first slot
 *
 * A slot whose folio is locked may not be settled yet (swap_abs_reserve_end()): its bit may
 * stand for nothing.
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: how many of these there are.
 */
unsigned int swap_desc_cancel_promises(unsigned long slot)
{
	struct swap_cluster_info *ci = swap_cluster_lock(swap_virtual_area, slot);
	swap_desc_t *desc = swap_desc_table(ci);
	unsigned long swp_tb;
	unsigned int i, busy = 0;
	struct folio *folio;
	long room = 0;

	for (i = 0; desc && i < SWAPFILE_CLUSTER; i++) {
		if (!swap_desc_is_reserved(desc[i]))
			continue;
		swp_tb = __swap_table_get(ci, i);
		folio = swp_tb_is_folio(swp_tb) ? swp_tb_to_folio(swp_tb) : NULL;
		if (folio && !folio_trylock(folio)) {
			busy++;
			continue;
		}
		WRITE_ONCE(desc[i], swap_desc_clear_reserved(desc[i]));
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

/* Copies whose movers have freed them. */
atomic_long_t swap_debug_orphans = ATOMIC_LONG_INIT(0);

/**
 * swap_debug_move - a mover has pinned something
 *
 * Context: process context, sleeps when a test wants that.
 */
void swap_debug_move(void)
{
	unsigned int delay = READ_ONCE(swap_debug_move_delay);

	if (unlikely(delay))
		msleep(delay);
}

/* A mover has found that its copy was dropped meanwhile. */
void swap_debug_orphan(void)
{
	atomic_long_inc(&swap_debug_orphans);
}
#endif
