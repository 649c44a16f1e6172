// SPDX-License-Identifier: GPL-2.0
/* See model.h. The tier's inside is checked by tier_check(). */
#include <errno.h>
#include <string.h>
#include <linux/build_bug.h>
#include <linux/crc32.h>
#include "fail.h"
#include "model.h"
#include "random.h"
#include "tier.h"

#define HEADER		((unsigned int)sizeof(struct swap_object_header))
#define MAX_LENGTH	((unsigned int)SWAP_OBJECT_MAX_LENGTH)
#define NR_HOT		12U	/* slots that are used half of the time */

/* What a slot must hold; its contents follow from these. */
struct expected {
	u32 generation;		/* 0: nothing */
	/* For data that looks like headers of a segment: a guess of where it will be. */
	u32 seq;
	u64 address;
	bool excused;		/* the device has lost it, the tier may say so */
};

static struct expected map[NR_SLOTS];
static u32 generation;
static unsigned long corrupted, loads_from_ram;

static u32 choose(struct choices *choices, u32 n)
{
	if (!choices->bytes)
		return random_below(&choices->random, n);
	if (!choices->left)
		return 0;
	choices->left--;
	if (n > 256 && choices->left) {
		choices->left--;
		choices->bytes += 2;
		return (choices->bytes[-2] << 8 | choices->bytes[-1]) % n;
	}
	return *choices->bytes++ % n;
}

static u64 choose64(struct choices *choices)
{
	if (!choices->bytes)
		return random64(&choices->random);
	return mix64(choose(choices, 65536));
}

/* Half of the time one of a few, so that all sorts of things meet there. */
static unsigned int choose_slot(struct choices *choices)
{
	if (choose(choices, 2))
		return choose(choices, NR_HOT);
	return choose(choices, NR_SLOTS);
}

/* A header as it would be at @address, with a checksum that is right if there is room. */
static void forge(u8 *at, unsigned int room, u32 seq, u64 address, u64 *random)
{
	struct swap_object_header header = {
		.slot = random_below(random, NR_SLOTS + 5),
		.seq = seq,
		.length = 1 + random_below(random, MAX_LENGTH),
		.version = SWAP_OBJECT_VERSION,
	};

	if (header.length > room - HEADER && random_below(random, 2))
		header.length = room - HEADER;
	if (header.length && header.length <= room - HEADER) {
		header.crc = crc32c(~0, &address, sizeof(address));
		header.crc = crc32c(header.crc, &header, 12);
		header.crc = crc32c(header.crc, at + HEADER, header.length);
	}
	memcpy(at, &header, HEADER);
}

/*
 * The contents of a slot. Hot slots always have the same length, so that an
 * object can be where one of an earlier life of the segment was.
 */
static void contents(unsigned int slot, struct content *content)
{
	const struct expected *want = &map[slot];
	u64 random = mix64((u64)slot << 32 | want->generation);
	unsigned int i, length;
	u64 word;

	switch (slot < NR_HOT ? slot % 6 : random_below(&random, 16)) {
	case 0:
		length = 4080;
		break;
	case 1:
		length = 4079;
		break;
	case 2:
		length = 1 + random_below(&random, slot < NR_HOT ? 8 : 32);
		break;
	case 3:
	case 4:
		length = slot < NR_HOT ? 1000 : 1 + random_below(&random, MAX_LENGTH);
		break;
	default:
		length = slot < NR_HOT ? 300 : 16 + random_below(&random, 400);
	}
	content->length = length;
	content->codec = random_below(&random, 4);
	word = random64(&random);
	switch (random_below(&random, 8)) {
	case 0:
		/* All zero but for the end. */
		memset(content->data, 0, length);
		i = length < 8 ? length : 8;
		memcpy(content->data + length - i, &word, i);
		break;
	case 1:
		/* Each piece as if it began an object. */
		for (i = 0; i + HEADER <= length; i += HEADER)
			forge(content->data + i, HEADER, want->seq,
			      want->address + HEADER + i, &random);
		for (; i < length; i++)
			content->data[i] = random64(&random);
		memcpy(content->data, &word, length < 8 ? length : 8);
		break;
	default:
		for (i = 0; i + 8 <= length; i += 8) {
			word = random64(&random);
			memcpy(content->data + i, &word, 8);
		}
		word = random64(&random);
		memcpy(content->data + i, &word, length - i);
		/* A whole object inside of this one. */
		if (length > 600 && random_below(&random, 4) == 0)
			forge(content->data + 304, length - 304 - 8, want->seq,
			      want->address + HEADER + 304, &random);
	}
}

static void verify(unsigned int slot)
{
	const struct content *found = tier_folio(slot);
	struct content want;

	must(map[slot].generation);
	must(found);
	contents(slot, &want);
	must(found->length == want.length);
	must(found->codec == want.codec);
	must(!memcmp(found->data, want.data, want.length));
}

/* The tier can't read an object: is it the device's fault? */
void tier_found_bad(unsigned int slot, u64 address, unsigned int size, bool in_ram)
{
	must(device_damaged(address, size));
	if (!in_ram)
		map[slot].excused = true;
}

static void begin_read(unsigned int slot)
{
	switch (tier_read_begin(slot)) {
	case FAULT_NONE:
		must(!map[slot].generation);
		break;
	case FAULT_RAM:
		loads_from_ram++;
		verify(slot);
		break;
	case FAULT_LOST:
		must(map[slot].generation);
		must(map[slot].excused);
		break;
	default:
		break;
	}
}

static void end_read(unsigned int read, bool exclusive)
{
	unsigned int slot;
	int ret = tier_read_end(read, exclusive, &slot);

	if (ret == -EAGAIN)
		return;
	if (ret)
		must(map[slot].excused);
	else
		verify(slot);
}

static void store(unsigned int slot)
{
	struct expected was = map[slot];
	struct content content;

	map[slot] = (struct expected) {
		.generation = ++generation,
		.seq = tier_seq(),
		.address = tier_next_address(),
	};
	contents(slot, &content);
	if (!tier_store(slot, &content))
		map[slot] = was;
}

static void free_slot(unsigned int slot)
{
	if (tier_free(slot))
		map[slot].generation = 0;
}

static void complete(struct choices *choices)
{
	unsigned int nr = choose(choices, NR_CHUNKS), i;
	enum device_outcome outcome = WRITE_DONE;

	switch (choose(choices, 16)) {
	case 0:
		outcome = WRITE_FAILED;
		break;
	case 1:
		outcome = WRITE_LOST;
		break;
	case 2:
		outcome = WRITE_ASTRAY;
		break;
	default:
		break;
	}
	/* The first in flight from there on. */
	for (i = 0; i < NR_CHUNKS; i++)
		if (tier_complete((nr + i) % NR_CHUNKS, outcome, choose64(choices)))
			return;
}

static void commit(struct choices *choices)
{
	unsigned int nr = choose(choices, NR_CHUNKS), count = 1 + choose(choices, 24), i;
	bool keep = choose(choices, 4) == 0;

	for (i = 0; i < NR_CHUNKS; i++)
		if (tier_commit((nr + i) % NR_CHUNKS, count, keep))
			return;
}

static void corrupt(struct choices *choices)
{
	unsigned int block = choose(choices, DEVICE_SIZE / SWAP_PACKED_BLOCK);

	/* Rarely, or nothing would be left. */
	if (choose(choices, 16))
		return;
	corrupted++;
	device_corrupt(block, choose(choices, NR_DAMAGES), choose64(choices));
}

/* Neighbours are stored together. */
static void evict_run(struct choices *choices)
{
	unsigned int slot = choose_slot(choices), n = 1 + choose(choices, 8);
	bool direct = choose(choices, 2);

	for (; n-- && slot < NR_SLOTS; slot++)
		tier_evict(slot, direct);
}

static void writeback_run(struct choices *choices)
{
	unsigned int slot = choose_slot(choices), n = 1 + choose(choices, 8);

	for (; n-- && slot < NR_SLOTS; slot++)
		tier_writeback(slot);
}

void model_step(struct choices *choices)
{
	test_step++;
	switch (choose(choices, 64)) {
	case 0 ... 9:
		store(choose_slot(choices));
		break;
	case 10 ... 19:
		evict_run(choices);
		break;
	case 20 ... 27:
		begin_read(choose_slot(choices));
		break;
	case 28 ... 33:
		end_read(choose(choices, NR_READS), choose(choices, 4) == 0);
		break;
	case 34 ... 36:
		free_slot(choose_slot(choices));
		break;
	case 37 ... 39:
		writeback_run(choices);
		break;
	case 40 ... 41:
		tier_flush(choose(choices, NR_STREAMS));
		break;
	case 42 ... 47:
		complete(choices);
		break;
	case 48 ... 52:
		commit(choices);
		break;
	case 53 ... 58:
		tier_collect(1 + choose(choices, 16));
		break;
	case 59 ... 62:
		tier_release(choose(choices, NR_SEGMENTS));
		break;
	default:
		corrupt(choices);
	}
}

void model_check(void)
{
	tier_check();
}

/* Let all come to rest, then read every slot. */
void model_finish(struct choices *choices)
{
	unsigned int slot, i;

	tier_drain();
	model_check();
	for (slot = 0; slot < NR_SLOTS; slot++) {
		for (i = 0; i < NR_READS; i++)
			end_read(i, choose(choices, 2));
		begin_read(slot);
	}
	for (i = 0; i < NR_READS; i++)
		end_read(i, false);
	model_check();
}

void model_reset(void)
{
	memset(map, 0, sizeof(map));
	generation = 0;
	tier_reset();
}

#define NR_STATS	(sizeof(tier_stats) / sizeof(unsigned long))

static const char * const stat_names[] = {
	"pages stored", "written by reclaim", "into zswap", "no room", "read back",
	"read and bad", "slots freed", "moved out of zswap", "orphans", "collected",
	"moves given up, dropped", "moves given up, folio or error", "chunks written",
	"chunks failed", "chunks lost", "lost", "victims",
	"collections aborted", "segments released",
};

static_assert(sizeof(stat_names) / sizeof(*stat_names) == NR_STATS, "a name each");

void model_print_stats(void)
{
	const unsigned long *stats = (const unsigned long *)&tier_stats;
	unsigned int i;

	for (i = 0; i < NR_STATS; i++)
		printf("# %10lu %s\n", stats[i], stat_names[i]);
	printf("# %10lu blocks damaged\n", corrupted);
	printf("# %10lu read from RAM\n", loads_from_ram);
}

/* Has each of these happened? Else the test shows less than it says. */
bool model_did_everything(void)
{
	const unsigned long *stats = (const unsigned long *)&tier_stats;
	unsigned int i;

	for (i = 0; i < NR_STATS; i++)
		if (!stats[i])
			return false;
	return corrupted && loads_from_ram;
}
