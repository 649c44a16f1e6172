// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the descriptor and of what movers do with it: pin, unpin and
 * commit a copy, and free the orphan that a pinned copy becomes when it is
 * dropped.
 *
 * The tests of movers use a real slot of the virtual area, but words of a tag
 * that has no backend, so that there is no copy behind them. Each test adds the
 * device capacity that the slot needs, and checks at the end that it is
 * complete.
 *
 * The tests catch these errors: a copy that can be pinned twice, a commit that
 * does not compare the word or that ignores a locked folio, an unpin that takes
 * another copy for its own, and capacity that is counted twice or not at all.
 */
#include <kunit/test.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include "../../internal.h"
#include "../../swap.h"
#include "../slots.h"

#define ROOM	16

struct slot {
	struct folio *folio;
	bool was_on;
	long room;	/* nr_swap_pages once the slot is made */
};

/*
 * No backend has this tag, so nothing is released when such a word is dropped.
 */
#define FAKE_TAG	5

static swap_place_t fake(unsigned long place)
{
	return (swap_place_t){ place << SWAP_DESC_TAG_BITS | FAKE_TAG };
}

static swap_desc_t fake_word(unsigned long place)
{
	return swap_place_word(fake(place));
}

static swap_desc_t fake_reserved(unsigned long place)
{
	return swap_desc_set_promised(fake_word(place));
}

/* This is a macro, so that a failure names the line of the test. */
#define expect_word(test, entry, word) \
	KUNIT_EXPECT_EQ(test, swap_desc_read(entry).val, (word).val)

/* Set all bits of a word that do not belong to the place. */
static swap_desc_t both(swap_desc_t word)
{
	return swap_desc_set_pinned(swap_desc_set_promised(word));
}

static void descriptor_raw(struct kunit *test)
{
	static const struct { unsigned int type; unsigned long offset; } v[] = {
		{ 0, 1 }, { 1, 0 }, { MAX_SWAPFILES - 1, UINT_MAX }, { 3, 511 },
	};
	swap_desc_t near = swap_desc_block(SWAP_DESC_RAW, 2, 7);

	for (int i = 0; i < ARRAY_SIZE(v); i++) {
		swap_desc_t word =
			swap_desc_block(SWAP_DESC_RAW, v[i].type, v[i].offset);
		swp_entry_t entry;

		KUNIT_EXPECT_EQ(test, swap_desc_tag(word), SWAP_DESC_RAW);
		KUNIT_EXPECT_EQ(test, swap_desc_place(word).val, word.val);
		entry = swap_desc_device_entry(both(word));
		KUNIT_EXPECT_EQ(test, swp_type(entry), v[i].type);
		KUNIT_EXPECT_EQ(test, swp_offset(entry), v[i].offset);
	}
	/* Neighbours on a device are also neighbours as places. */
	KUNIT_EXPECT_TRUE(test, swap_desc_is_at(swap_desc_block(SWAP_DESC_RAW, 2, 12),
						swap_place_behind(swap_desc_place(near), 5)));
}

static void descriptor_zswap(struct kunit *test)
{
	void *handle = kunit_kmalloc(test, sizeof(long), GFP_KERNEL);
	swap_desc_t word, leaving;

	KUNIT_ASSERT_NOT_NULL(test, handle);
	word = swap_desc_zswap(handle, 10, 5, true);
	KUNIT_EXPECT_EQ(test, swap_desc_tag(word), SWAP_DESC_ZSWAP);
	KUNIT_EXPECT_EQ(test, swap_desc_place(word).val, word.val);
	KUNIT_EXPECT_PTR_EQ(test, swap_desc_handle(both(word)), handle);
	KUNIT_EXPECT_EQ(test, swap_desc_pool(both(word)), 10);
	KUNIT_EXPECT_EQ(test, swap_desc_epoch(both(word)), 5);
	KUNIT_EXPECT_TRUE(test, swap_desc_is_whole(both(word)));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_leaving(both(word)));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_whole(swap_desc_zswap(handle, 15, 15, false)));

	/* An object that is leaving is at the same place. */
	leaving = swap_desc_set_leaving(word, true);
	KUNIT_EXPECT_TRUE(test, swap_desc_is_leaving(leaving));
	KUNIT_EXPECT_TRUE(test, swap_desc_is_at(leaving, swap_desc_place(word)));
	KUNIT_EXPECT_TRUE(test, swap_desc_same(swap_desc_set_leaving(leaving, false), word));
}

/*
 * Check that each setter changes its own bit only, and that each predicate sees
 * no other.
 */
static void descriptor_bits(struct kunit *test)
{
	swap_desc_t none = swap_desc_none(),
		    word = swap_desc_block(SWAP_DESC_RAW, 3, 511);
	swap_desc_t pinned, reserved;
	swap_place_t place = swap_desc_place(word);

	pinned = swap_desc_set_pinned(word);
	reserved = swap_desc_set_promised(word);
	KUNIT_EXPECT_TRUE(test, swap_desc_is_pinned(pinned));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_promised(pinned));
	KUNIT_EXPECT_TRUE(test, swap_desc_is_promised(reserved));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_pinned(reserved));
	KUNIT_EXPECT_TRUE(test,
			  swap_desc_same(swap_desc_clear_pinned(both(word)),
					 reserved));
	KUNIT_EXPECT_TRUE(test,
			  swap_desc_same(swap_desc_clear_promised(both(word)),
					 pinned));
	KUNIT_EXPECT_TRUE(test,
			  swap_desc_same(swap_desc_only_promised(both(word)),
					 swap_desc_set_promised(none)));
	KUNIT_EXPECT_TRUE(test, swap_desc_same(swap_desc_only_promised(pinned),
					       none));

	/* These bits belong to the slot and not to the copy. */
	KUNIT_EXPECT_TRUE(test, swap_desc_is_at(both(word), place));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_at(both(word),
						 swap_place_behind(place, 1)));
	KUNIT_EXPECT_FALSE(test, swap_place_is_none(place));
	KUNIT_EXPECT_TRUE(test, swap_place_is_none(swap_desc_place(both(none))));
	KUNIT_EXPECT_TRUE(test, swap_desc_same(swap_place_word(swap_desc_place(both(word))), word));

	/*
	 * Only its mover may drop a pinned copy, so it is not dropped with
	 * others.
	 */
	KUNIT_EXPECT_TRUE(test, swap_desc_same_kind(word, swap_desc_block(SWAP_DESC_RAW, 3, 1)));
	KUNIT_EXPECT_FALSE(test, swap_desc_same_kind(word, swap_desc_block(SWAP_DESC_RAW, 4, 511)));
	KUNIT_EXPECT_FALSE(test, swap_desc_same_kind(word, reserved));
	KUNIT_EXPECT_FALSE(test, swap_desc_same_kind(word, pinned));
	KUNIT_EXPECT_FALSE(test, swap_desc_same_kind(word, none));

	KUNIT_EXPECT_TRUE(test, swap_desc_is_refused(swap_desc_refused()));
	KUNIT_EXPECT_FALSE(test, swap_desc_is_refused(both(none)));
	KUNIT_EXPECT_EQ(test, swap_desc_tag(swap_desc_refused()),
			SWAP_DESC_NONE);
	KUNIT_EXPECT_EQ(test, swap_desc_tag(swap_desc_lost()), SWAP_DESC_LOST);
}

static void install(struct folio *folio, swap_desc_t word, long taken)
{
	swap_desc_install(folio, &word, taken);
}

static int slot_init(struct kunit *test)
{
	struct slot *slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	struct folio *folio;

	if (!slot)
		return -ENOMEM;
	test->priv = slot;
	slot->was_on = swap_abs_enabled();
	if (swap_abs_switch(true))
		return -ENOMEM;
	atomic_long_add(ROOM, &nr_swap_pages);
	total_swap_pages += ROOM;

	folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
	if (!folio)
		return -ENOMEM;
	if (mem_cgroup_charge(folio, NULL, GFP_KERNEL)) {
		folio_put(folio);
		return -ENOMEM;
	}
	slot->folio = folio;
	folio_lock(folio);
	__folio_set_swapbacked(folio);
	folio_mark_uptodate(folio);
	if (folio_alloc_swap(folio))
		return -ENOMEM;
	slot->room = get_nr_swap_pages();
	return 0;
}

static void slot_exit(struct kunit *test)
{
	struct slot *slot = test->priv;

	if (!slot)
		return;
	if (slot->folio) {
		if (folio_test_swapcache(slot->folio))
			swap_cache_del_folio(slot->folio);
		folio_unlock(slot->folio);
		folio_put(slot->folio);
	}
	/* The slot held one page of the capacity. */
	if (slot->room)
		KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room + 1);
	atomic_long_sub(ROOM, &nr_swap_pages);
	total_swap_pages -= ROOM;
	if (!slot->was_on)
		swap_abs_switch(false);
}

static void slot_is_reserved(struct kunit *test)
{
	struct slot *slot = test->priv;

	KUNIT_ASSERT_TRUE(test, folio_swap_is_virtual(slot->folio));
	expect_word(test, slot->folio->swap,
		    swap_desc_set_promised(swap_desc_none()));
	KUNIT_EXPECT_EQ(test, swap_promise_needed(slot->folio), 0);

	/* A place that needs no device gives the capacity back. */
	install(slot->folio, fake_word(1), 0);
	KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room + 1);
	KUNIT_EXPECT_EQ(test, swap_promise_needed(slot->folio), 1);
	KUNIT_EXPECT_TRUE(test, swap_promise_take(1));
	install(slot->folio, fake_reserved(1), 1);
	KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room);
}

/*
 * Check that a refusal is remembered only once no copy is there, and until the
 * page is stored.
 */
static void refusal_is_kept(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	swap_desc_note_refused(slot->folio);
	expect_word(test, entry, fake_reserved(1));
	swap_desc_refuse_folio(slot->folio);
	expect_word(test, entry, swap_desc_none());
	swap_desc_refuse_folio(slot->folio);
	expect_word(test, entry, swap_desc_none());
	swap_desc_note_refused(slot->folio);
	swap_desc_refuse_folio(slot->folio);
	expect_word(test, entry, swap_desc_refused());
	KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room + 1);

	KUNIT_EXPECT_TRUE(test, swap_promise_take(1));
	install(slot->folio, fake_reserved(2), 1);
	expect_word(test, entry, fake_reserved(2));
	KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room);
}

static void pin_once(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_FALSE(test, swap_desc_pin(entry, fake(2)));
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	KUNIT_EXPECT_FALSE(test, swap_desc_pin(entry, fake(1)));
	KUNIT_EXPECT_FALSE(test, swap_desc_unpin(entry, fake(2)));
	KUNIT_EXPECT_TRUE(test, swap_desc_unpin(entry, fake(1)));
	expect_word(test, entry, fake_reserved(1));
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	KUNIT_EXPECT_TRUE(test, swap_desc_unpin(entry, fake(1)));
}

static void dropped_is_orphan(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	swap_desc_drop_folio(slot->folio);
	expect_word(test, entry, swap_desc_set_promised(swap_desc_none()));
	KUNIT_EXPECT_FALSE(test, swap_desc_commit(entry, fake(1), fake_word(2),
						  slot->folio, 0));
	KUNIT_EXPECT_FALSE(test, swap_desc_unpin(entry, fake(1)));
	expect_word(test, entry, swap_desc_set_promised(swap_desc_none()));
}

/*
 * Check that a mover does not take another copy for its own, when the same
 * address is used for other data while it copies.
 */
static void stored_again_is_not_ours(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_FALSE(test, swap_desc_commit(entry, fake(1), fake_word(2),
						  slot->folio, 0));
	KUNIT_EXPECT_FALSE(test, swap_desc_unpin(entry, fake(1)));
	expect_word(test, entry, fake_reserved(1));
}

static void commit_moves(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_FALSE(test, swap_desc_commit(entry, fake(1), fake_word(2),
						  slot->folio, 0));
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	/*
	 * A commit must fail when somebody has the folio locked, because movers
	 * never wait for it.
	 */
	KUNIT_EXPECT_FALSE(test, swap_desc_commit(entry, fake(1), fake_word(2),
						  NULL, 0));
	expect_word(test, entry, both(fake_word(1)));
	KUNIT_EXPECT_TRUE(test,
			  swap_desc_commit(entry, fake(1), fake_reserved(2),
					   slot->folio, 0));
	expect_word(test, entry, fake_reserved(2));
	KUNIT_EXPECT_FALSE(test, swap_desc_unpin(entry, fake(1)));
	KUNIT_EXPECT_EQ(test, get_nr_swap_pages(), slot->room);
}

static void commit_takes_unlocked_folio(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	install(slot->folio, fake_reserved(1), 0);
	KUNIT_EXPECT_TRUE(test, swap_desc_pin(entry, fake(1)));
	folio_unlock(slot->folio);
	KUNIT_EXPECT_TRUE(test, swap_desc_commit(entry, fake(1),
						 fake_reserved(3), NULL, 0));
	KUNIT_EXPECT_FALSE(test, folio_test_locked(slot->folio));
	folio_lock(slot->folio);
	expect_word(test, entry, fake_reserved(3));
}

/*
 * Check that a slot keeps its promise while its folio is locked, because the
 * promise may not be settled yet (swap_abs_reserve_end()).
 */
static void promise_of_locked_is_kept(struct kunit *test)
{
	struct slot *slot = test->priv;
	swp_entry_t entry = slot->folio->swap;

	atomic_long_sub(slot->room + 1, &nr_swap_pages);
	swap_promise_cancel();
	expect_word(test, entry, swap_desc_set_promised(swap_desc_none()));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&nr_swap_pages), -1);
	folio_unlock(slot->folio);
	swap_promise_cancel();
	folio_lock(slot->folio);
	expect_word(test, entry, swap_desc_none());
	KUNIT_EXPECT_EQ(test, atomic_long_read(&nr_swap_pages), 0);
	atomic_long_add(slot->room + 1, &nr_swap_pages);
}

static struct kunit_case descriptor_cases[] = {
	KUNIT_CASE(descriptor_raw),
	KUNIT_CASE(descriptor_zswap),
	KUNIT_CASE(descriptor_bits),
	{}
};

static struct kunit_suite descriptor_suite = {
	.name = "swap_abs_descriptor",
	.test_cases = descriptor_cases,
};

static struct kunit_case mover_cases[] = {
	KUNIT_CASE(slot_is_reserved),
	KUNIT_CASE(refusal_is_kept),
	KUNIT_CASE(pin_once),
	KUNIT_CASE(dropped_is_orphan),
	KUNIT_CASE(stored_again_is_not_ours),
	KUNIT_CASE(commit_moves),
	KUNIT_CASE(commit_takes_unlocked_folio),
	KUNIT_CASE(promise_of_locked_is_kept),
	{}
};

static struct kunit_suite mover_suite = {
	.name = "swap_abs_mover",
	.init = slot_init,
	.exit = slot_exit,
	.test_cases = mover_cases,
};

kunit_test_suites(&descriptor_suite, &mover_suite);
