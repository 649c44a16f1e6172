// SPDX-License-Identifier: GPL-2.0
/* See model.h. The inside is checked by check.c. */
#include "driver.h"
#include "model.h"

#define HEADER		((unsigned int)sizeof(struct swap_object_header))
#define NR_HOT		12U	/* slots that are used half of the time */
#define NR_PROCESSES	5U
#define LARGE		4U	/* pages of a large folio */

/* What a slot must hold follows from this; 0: the slot is free. */
static u32 generations[NR_SLOTS];
static u32 generation;

/* What has happened how often */
static struct event {
	const char *what;
	unsigned long nr;
} events[] = {
	{ "pages into zswap" },
	{ "folios written out" },
	{ "folios refused" },
	{ "folios stored in RAM" },
	{ "large folios stored in RAM" },
	{ "pages loaded from a device" },
	{ "pages bad" },
	{ "pages loaded from RAM" },
	{ "slots freed" },
	{ "objects moved from zswap" },
	{ "objects not moved" },
	{ "pages moved out of a device" },
	{ "times stopped" },
	{ "times closed" },
	{ "I/O failed or lost" },
	{ "blocks damaged" },
	{ "times suspended" },
	{ "segments collected" },
	{ "orphans" },
	{ "reads failed" },
};

static void did(const char *what, unsigned long nr)
{
	struct event *event = events;

	while (strcmp(event->what, what))
		must(++event < events + ARRAY_SIZE(events));
	event->nr += nr;
}

static swp_entry_t entry_of(unsigned int slot)
{
	return swp_entry(swap_virtual_area->type, slot);
}

/* Half of the time one of a few, so that all sorts of things meet there. */
static unsigned int choose_slot(void)
{
	return 1 + choose(choose(2) ? NR_HOT : NR_SLOTS - 1);
}

/*
 * The contents of a slot. Hot slots always have the same length, so that an
 * object can be where one of an earlier life of the segment was.
 */
static void contents(unsigned int slot, struct page *page)
{
	u64 random = mix64((u64)slot << 32 | generations[slot]), word;
	unsigned int i;

	switch (slot <= NR_HOT ? slot % 6 : random_below(&random, 24)) {
	case 0:
		/* The last that is worth it */
		page->length = SWAP_PACKED_BLOCK / 12 * 11 - HEADER - SWAP_OBJECT_ALIGN;
		break;
	case 1:
		/* And one that is not */
		page->length = SWAP_OBJECT_MAX_LENGTH;
		break;
	case 2:
		page->length = 1 + random_below(&random, slot <= NR_HOT ? 8 : 32);
		break;
	case 3:
		page->length = slot <= NR_HOT ? 1000 : 1 + random_below(&random, 3600);
		break;
	default:
		page->length = slot <= NR_HOT ? 300 : 16 + random_below(&random, 2000);
	}
	for (i = 0; i < page->length; i += sizeof(word)) {
		word = random64(&random);
		memcpy(page->data + i, &word, sizeof(word));
	}
}

static void verify(unsigned int slot, const struct page *page)
{
	struct page want;

	must(generations[slot]);
	contents(slot, &want);
	must(page->length == want.length);
	must(!memcmp(page->data, want.data, want.length));
}

static struct folio *folio_of(unsigned int slot)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(entry_of(slot));

	return ci->table[slot % SWAPFILE_CLUSTER];
}

static void folio_put(struct folio *folio)
{
	if (--folio->refs)
		return;
	free(folio->pages);
	free(folio);
}

/* Into the swap cache, locked. */
static struct folio *folio_new(unsigned int slot, unsigned int nr)
{
	struct folio *folio = calloc(1, sizeof(*folio));
	unsigned int i;

	must(folio);
	folio->pages = nr > 1 ? calloc(nr - 1, sizeof(*folio->pages)) : NULL;
	folio->nr = nr;
	folio->refs = 1;
	folio->swap = entry_of(slot);
	folio->locked = true;
	for (i = 0; i < nr; i++) {
		must(!folio_of(slot + i));
		__swap_entry_to_cluster(folio->swap)->table[slot % SWAPFILE_CLUSTER + i] = folio;
	}
	return folio;
}

/* Out of the swap cache, with its slots if they are @freed. */
static void folio_remove(struct folio *folio, bool freed)
{
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	unsigned int slot = swp_offset(folio->swap), i;

	must(!folio->writeback);
	if (freed)
		swap_abs_drop(ci, slot % SWAPFILE_CLUSTER, folio->nr);
	for (i = 0; i < folio->nr; i++) {
		ci->table[slot % SWAPFILE_CLUSTER + i] = NULL;
		if (freed)
			generations[slot + i] = 0;
	}
	folio_unlock(folio);
	swap_cluster_unlock(ci);
	folio_put(folio);
}

/* A locked folio for new contents of slots, and the slots. */
static struct folio *folio_to_store(unsigned int slot, unsigned int nr)
{
	struct folio *folio = folio_of(slot);
	struct swap_cluster_info *ci;
	unsigned int i;

	if (folio)
		return folio_trylock(folio) ? folio : NULL;
	if (generations[slot])
		return folio_new(slot, 1);
	for (i = 0; i < nr; i++)
		if (slot % nr || generations[slot + i] || folio_of(slot + i))
			nr = 1;
	if (!swap_promise_take(nr))
		return NULL;
	folio = folio_new(slot, nr);
	for (i = 0; i < nr; i++)
		generations[slot + i] = ++generation;
	ci = swap_cluster_get_and_lock(folio);
	swap_desc_init(ci, slot % SWAPFILE_CLUSTER, nr);
	swap_cluster_unlock(ci);
	return folio;
}

/* Reclaim: a locked folio, that is unlocked. */
static void write_out(struct swap_io_ctx *ctx, struct folio *folio)
{
	unsigned long mask = choose(4) ? SWAP_TIERS_ALL : BIT(choose(NR_DEVICES));

	if (!folio->dirty || folio->writeback) {
		folio_unlock(folio);
		return;
	}
	folio->dirty = false;
	if (folio->nr == 1 && choose(2) && zswap_store(folio)) {
		did("pages into zswap", 1);
		folio_unlock(folio);
		return;
	}
	if (choose(4) == 0)
		mask |= SWAP_TIERS_MOVED;
	if (!swap_packed_backend.store(ctx, folio, mask)) {
		did("folios written out", 1);
		return;
	}
	did("folios refused", 1);
	folio->dirty = true;
	if (choose(2)) {
		if (choose(2))
			swap_desc_note_refused(folio);
		swap_desc_refuse_folio(folio);
	}
	folio_unlock(folio);
}

static void end_batch(struct swap_io_ctx *ctx)
{
	if (ctx->batch)
		ctx->end_batch(ctx);
}

/* Pages get new contents, in RAM, and may be written out at once. */
static void store(unsigned int slot)
{
	unsigned int nr = 1 + choose(12), pages = choose(8) ? 1 : LARGE, i;
	struct swap_io_ctx ctx = { };

	if (pages > 1)
		slot = slot / LARGE * LARGE;
	for (; nr-- && slot + pages <= NR_SLOTS; slot += pages) {
		struct folio *folio = slot ? folio_to_store(slot, pages) : NULL;
		unsigned int first;

		if (!folio)
			continue;
		first = swp_offset(folio->swap);
		for (i = 0; i < folio->nr; i++) {
			generations[first + i] = ++generation;
			contents(first + i, folio_page(folio, i));
		}
		folio->uptodate = true;
		folio->dirty = true;
		did("folios stored in RAM", 1);
		did("large folios stored in RAM", folio->nr > 1);
		/* A copy that is stale may stay until it is replaced. */
		if (!folio->writeback && choose(2))
			swap_desc_drop_folio(folio);
		if (choose(2))
			write_out(&ctx, folio);
		else
			folio_unlock(folio);
	}
	end_batch(&ctx);
}

/* Reclaim takes folios. */
static void evict(unsigned int slot)
{
	unsigned int nr = 1 + choose(12);
	struct swap_io_ctx ctx = { };

	for (; nr-- && slot < NR_SLOTS; slot++) {
		struct folio *folio = folio_of(slot);

		if (!folio || !folio_trylock(folio))
			continue;
		if (folio->dirty || folio->writeback)
			write_out(&ctx, folio);
		else
			folio_remove(folio, false);
	}
	end_batch(&ctx);
}

static bool is_damaged(swap_desc_t word)
{
	return device_damaged(device_start(swap_desc_tier(word)) + swap_desc_address(word),
			      HEADER + swap_desc_length(word));
}

/*
 * What was read has come: is it right, and if not, is it the device's fault? A
 * read that fails is tried once more.
 */
static void end_load(struct folio *folio, swap_desc_t word, unsigned long errors)
{
	unsigned int slot = swp_offset(folio->swap);

	wait_event(0, !folio->locked);
	/* Somebody may have stored to it since. */
	if (!folio_trylock(folio))
		return;
	if (folio_of(slot) != folio) {
		folio_unlock(folio);
		return;
	}
	if (folio->uptodate) {
		did("pages loaded from a device", 1);
		verify(slot, &folio->page);
		/* Its copy may go, and then it is the only one. */
		if (!folio->dirty && !folio->writeback && choose(4) == 0) {
			folio_mark_dirty(folio);
			swap_desc_drop_folio(folio);
		}
		folio_unlock(folio);
		return;
	}
	must(nr_read_errors - errors >= 2 || is_damaged(word));
	did("pages bad", 1);
	folio_remove(folio, false);
}

/* A fault, with what lies next to it. */
static void load(unsigned int slot)
{
	unsigned int nr = 1 + choose(12), nr_read = 0, i;
	unsigned long errors = nr_read_errors;
	struct swap_io_ctx ctx = { };
	struct folio *folios[12];
	swap_desc_t words[12];

	for (; nr-- && slot < NR_SLOTS; slot++) {
		struct folio *folio = folio_of(slot);
		swap_desc_t word;

		if (!generations[slot])
			continue;
		if (folio) {
			if (folio->uptodate && !folio->locked) {
				did("pages loaded from RAM", 1);
				i = slot - swp_offset(folio->swap);
				verify(slot, folio_page(folio, i));
			}
			continue;
		}
		folio = folio_new(slot, 1);
		word = swap_desc_read(folio->swap);
		if (swap_desc_tag(word) == SWAP_DESC_ZSWAP) {
			zswap_read(word, &folio->page);
			verify(slot, &folio->page);
			folio->uptodate = true;
			folio_unlock(folio);
			continue;
		}
		must(swap_desc_tag(word) == SWAP_DESC_PACKED);
		folio->refs++;
		folios[nr_read] = folio;
		words[nr_read++] = word;
		swap_packed_load(&ctx, folio);
	}
	swap_read_submit(&ctx);
	for (i = 0; i < nr_read; i++) {
		end_load(folios[i], words[i], errors);
		folio_put(folios[i]);
	}
}

static void free_slot(unsigned int slot)
{
	struct folio *folio = folio_of(slot);
	struct swap_cluster_info *ci;

	if (folio) {
		if (!folio_trylock(folio))
			return;
		if (folio->writeback)
			folio_unlock(folio);
		else
			folio_remove(folio, true);
		return;
	}
	if (!generations[slot])
		return;
	ci = swap_cluster_lock(swap_virtual_area, slot);
	generations[slot] = 0;
	swap_abs_drop(ci, slot % SWAPFILE_CLUSTER, 1);
	swap_cluster_unlock(ci);
	did("slots freed", 1);
}

static void free_slots(unsigned int slot)
{
	unsigned int nr = choose(4) ? 1 : 1 + choose(64);

	for (; nr-- && slot < NR_SLOTS; slot++)
		free_slot(slot);
}

/* zswap's shrinker: objects leave RAM as they are. */
static void shrink(unsigned int slot)
{
	unsigned int nr = 1 + choose(24);
	bool may_wait = choose(2);

	for (; nr-- && slot < NR_SLOTS; slot++) {
		swap_desc_t word = swap_desc_read(entry_of(slot));
		swap_place_t place = swap_desc_place(word);
		struct zswap_object *object;
		int err = -E2BIG;

		if (swap_desc_tag(word) != SWAP_DESC_ZSWAP ||
		    !swap_desc_pin(entry_of(slot), place))
			continue;
		cond_resched();
		object = swap_desc_handle(word);
		if (object->page.length <= SWAP_OBJECT_MAX_LENGTH)
			err = swap_packed_move(entry_of(slot), place, object->page.data,
					       object->page.length, object->codec, may_wait,
					       SWAP_TIERS_ALL);
		did("objects moved from zswap", !err);
		did("objects not moved", !!err);
		if (err)
			swap_move_abort(entry_of(slot), place, err);
	}
}

static int leave(struct swap_move *move, swp_entry_t entry, const struct swap_object *object)
{
	return zswap_has_room || choose(8) ? 0 : -ENOSPC;
}

static int nothing(struct swap_move *move)
{
	return 0;
}

static void move_out(unsigned int type, unsigned long mask, unsigned long want)
{
	static const struct swap_move_ops ops = {
		.slot = leave,
		.settle = nothing,
		.end = nothing,
	};
	unsigned long moved = 0;
	struct swap_move move = {
		.si = &devices[type],
		.tiers = mask & ~BIT(type),
		.want = want,
		.moved = &moved,
		.ops = &ops,
	};

	mutex_lock(&tiers[type].move_lock);
	swap_packed_format.move_out(&move);
	mutex_unlock(&tiers[type].move_lock);
	did("pages moved out of a device", moved);
}

/*
 * Swapoff, while nothing else happens: all can leave a device but what is
 * damaged there.
 */
static void empty(unsigned int type)
{
	struct folio *folio;
	unsigned int slot;
	swap_desc_t word;

	mutex_lock(&swap_abs_mutex);
	swap_packed_format.stop(&tiers[type]);
	driver_settle(true);
	zswap_has_room = true;
	move_out(type, SWAP_TIER_ZSWAP, ULONG_MAX);
	zswap_has_room = false;
	for (slot = 1; slot < NR_SLOTS; slot++) {
		word = swap_desc_read(entry_of(slot));
		folio = folio_of(slot);
		/* What could not be written is in RAM. */
		if (swap_desc_tag(word) == SWAP_DESC_PACKED && swap_desc_tier(word) == (int)type)
			must(is_damaged(word) || (folio && folio->dirty));
	}
	must(!swap_packed_format.start(&tiers[type]));
	mutex_unlock(&swap_abs_mutex);
}

/* Swapoff that comes to no end, and swapon */
static void stop(unsigned int type)
{
	struct swap_tier *tier = &tiers[type];
	unsigned int how = choose(4), i;

	mutex_lock(&swap_abs_mutex);
	if (how == 0) {
		swap_packed_format.quiet(tier);
	} else {
		swap_packed_format.stop(tier);
		did("times stopped", 1);
	}
	if (how == 1) {
		device_close(&devices[type], true);
		did("times closed", 1);
	}
	swap_packed_format.forget_hints();
	if (choose(2))
		task_wait();
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		must(!how || !tier->packed->streams[i].segment);
	if (how == 1)
		device_close(&devices[type], false);
	if (how == 2)
		swap_packed_format.resume(tier);
	must(!swap_packed_format.start(tier));
	retry_asked[tier - tiers] = false;
	swap_packed_format.forget_bad(tier);
	mutex_unlock(&swap_abs_mutex);
}

static void operation(unsigned int what)
{
	switch (what) {
	case 0 ... 19:
		store(choose_slot());
		break;
	case 20 ... 31:
		evict(choose_slot());
		break;
	case 32 ... 43:
		load(choose_slot());
		break;
	case 44 ... 49:
		free_slots(choose_slot());
		break;
	case 50 ... 58:
		shrink(choose_slot());
		break;
	case 59:
		move_out(choose(NR_DEVICES), SWAP_TIERS_ALL,
			 choose(2) ? ULONG_MAX : 1 + choose(64));
		break;
	case 60:
		stop(choose(NR_DEVICES));
		break;
	case 61:
		swap_packed_format.yield(SWAP_TIERS_ALL);
		break;
	case 62:
		swap_packed_flush_all();
		break;
	default:
		pm_notifier->notifier_call(pm_notifier, choose(2) ? PM_HIBERNATION_PREPARE :
					   PM_POST_HIBERNATION, NULL);
	}
}

static void complete_some(void)
{
	static const enum device_outcome bad[] = { WRITE_FAILED, WRITE_LOST, WRITE_ASTRAY };
	enum device_outcome outcome = choose(32) ? WRITE_DONE : bad[choose(3)];

	did("I/O failed or lost", nr_bios && outcome != WRITE_DONE);
	bio_end(choose(8), outcome, choose64());
}

/* Rarely, or nothing would be left. */
static void corrupt(void)
{
	if (choose(16))
		return;
	did("blocks damaged", 1);
	device_corrupt(choose(DEVICES_SIZE / SWAP_PACKED_BLOCK), choose(NR_DAMAGES), choose64());
}

void model_step(void)
{
	test_step++;
	if (test_step % 4 == 0)
		jiffies++;
	switch (choose(32)) {
	case 0 ... 9:
		if (nr_tasks < NR_PROCESSES)
			task_start(operation, choose(64));
		else
			task_resume(choose(64));
		break;
	case 10 ... 18:
		task_resume(choose(64));
		break;
	case 19 ... 24:
		if (nr_works)
			work_start(choose(nr_works));
		break;
	case 25 ... 29:
		complete_some();
		break;
	case 30:
		corrupt();
		break;
	default:
		storage_is_suspended = choose(8) == 0;
		did("times suspended", storage_is_suspended);
	}
}

/* What has begun comes to its end first; what is on its way stays so. */
void model_check(void)
{
	driver_settle(false);
	check(false);
}

/* Let all come to rest, then read every slot. */
void model_finish(void)
{
	unsigned int slot;

	driver_settle(true);
	check(true);
	for (slot = 1; slot < NR_SLOTS; slot++) {
		task_start(load, slot);
		if (slot % 32 == 0)
			driver_settle(true);
	}
	empty(choose(NR_DEVICES));
	driver_settle(true);
	check(true);
	did("segments collected", swap_tier_stat_sum(&tiers[0], SWAP_TIER_COLLECTED));
	did("orphans", atomic_read(&swap_debug_orphans));
	did("reads failed", nr_read_errors);
}

void model_begin(struct choices *choices)
{
	choose_from(choices);
	memset(generations, 0, sizeof(generations));
	generation = 0;
	around_begin();
}

void model_end(void)
{
	unsigned int slot;

	for (slot = 1; slot < NR_SLOTS; slot++)
		free_slot(slot);
	around_end();
}

/* Has each of these happened? Else the test shows less than it says. */
bool model_did_everything(void)
{
	const struct event *event;
	bool all = true;

	for (event = events; event < events + ARRAY_SIZE(events); event++) {
		printf("# %10lu %s\n", event->nr, event->what);
		all &= event->nr > 0;
	}
	return all;
}
