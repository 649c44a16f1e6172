// SPDX-License-Identifier: GPL-2.0
/*
 * Simulate a packed tier, with the kernel's own choice of segments: this links
 * mm/swap_abs/victim.c and mm/swap_abs/format.c. I/O takes its time.
 *
 *	sim			hold the goals against it, less than a minute: TAP
 *	sim all			the same, longer, and tables of all patterns and sizes
 *	sim table		write amplification by pattern, use and size
 *	sim PATTERN USE MIB [OPTION=VALUE]...	one run, told in detail
 *
 * Objects have sizes but no contents. Three streams append them to segments chunk
 * by chunk, as mm/swap_abs/chunk.c does. Stores come one after another, at RATE
 * times what the device writes. One collector, as that of mm/swap_abs/collect.c, reads
 * a victim piece by piece, appends what is live of it to the survivors, and is
 * done when that is written. The device serves reads and writes in the order in
 * which they come, at its bandwidth, and ends each of them after its latency. A
 * store that finds no segment waits for the collector, but not more than 100 ms;
 * then it is refused.
 *
 * Use is live bytes with headers, and raw slots, over all of the device. Write
 * amplification is objects written over objects stored, headers on either side.
 * It leaves out the padding of chunks, which is told apart, but which takes room
 * in a segment here too. Theory says of random deaths and the choice of the
 * emptiest: X = exp(-(1 - X) / use), and 1 / (1 - X) is written for each stored.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/align.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include "../../../mm/swap_abs/format.h"
#include "../../../mm/swap_abs/victim.h"
#include "random.h"

#ifndef SEGMENT_BLOCKS
#define SEGMENT_BLOCKS	512U	/* without transparent huge pages 256 */
#endif
#define SEGMENT_SIZE	(SEGMENT_BLOCKS * SWAP_PACKED_BLOCK)
/* As mm/swap_abs/packed.h has them. */
#define CHUNK_BLOCKS	32U
#define NR_CHUNKS	8
#define READ_BLOCKS	32U	/* of SWAP_COLLECT_SIZE */
#define NONE		(~0U)
#define MS		1000000ULL
#define PATIENCE	(100 * MS)
#define MOVE_TIME	500	/* ns of CPU for an object that is moved */

enum pattern {
	UNIFORM,	/* any page, as likely as another */
	HOT,		/* nine of ten are of one tenth of the pages */
	COLD,		/* four of five never die, and lie between those that do */
	RUNS,		/* 256 to 4351 neighbours, stored together or not */
	EXITS,		/* as many that were stored together, so all of a process */
	INCOMPRESSIBLE,	/* any page; 31 % of them take a raw slot */
	NR_PATTERNS,
};

static const char * const pattern_names[] = {
	"uniform", "90/10", "cold", "runs", "exits", "raw31",
};

struct disk {
	const char *name;
	unsigned int read, write;		/* MB/s */
	unsigned int read_latency, write_latency;	/* us */
};

static const struct disk disks[] = {
	{ "nvme", 2000, 1000, 80, 20 },
	{ "ssd", 500, 400, 120, 60 },
	{ "emmc", 200, 80, 250, 400 },
};

enum stream_id {
	FRESH,
	SURVIVORS,
	OLD,
	NR_STREAMS,
};

enum state {
	FREE,
	OPEN,
	CLOSED,
	VICTIM,		/* being collected */
	RAW,
};

struct segment {
	struct swap_victim victim;
	unsigned int *objects;	/* in the order in which they were appended */
	unsigned int nr, max;
	unsigned int live;
	enum state state;
};

/* Where an object is, if at all, and its size in units of SWAP_OBJECT_ALIGN. */
struct object {
	u32 segment;
	u16 index;
	u16 units;
};

struct stream {
	struct segment *segment;
	unsigned int used, size;	/* of its chunk; no size: there is none */
	u64 done[NR_CHUNKS];		/* when the last ones are written */
	unsigned int nr;
};

struct config {
	enum pattern pattern;
	double use;
	unsigned int nr_segments;
	double rate;			/* of what the device writes, at which stores come */
	const struct disk *disk;
	unsigned int laps;		/* how often the device's size is stored, half measured */
	unsigned int equal;		/* objects a segment, all of a size; 0: pages */
	unsigned int nr_stuck;		/* objects that never die and can't be moved */
	unsigned int pinned;		/* so many of a million, when the collector comes */
	unsigned int read_blocks;	/* how much the collector reads at once */
	unsigned int batch;		/* pages that reclaim stores at once; 0: all */
};

struct result {
	double wa, wa_packed, padding;
	unsigned long stored, moved, written, raw;
	bool is_done;			/* all of it has been stored */
	unsigned long nr_stores, nr_refused, nr_wrong, nr_full;	/* wrong: in spite of room */
	unsigned long nr_waits, longest;
	unsigned long nr_choices, nr_victims, nr_kept, looked, most_looked;
	double victim_live;
	u64 time;
	unsigned int least_free;
};

struct sim {
	struct config c;
	struct swap_victims victims;
	struct segment *segments;
	struct list_head free, raw;	/* raw: lent clusters with free slots */
	unsigned int nr_free;
	struct object *objects;
	unsigned int nr_objects;
	unsigned int *processes, nr_processes;
	struct stream streams[NR_STREAMS];
	struct segment *victim;
	enum stream_id survivors;	/* where it goes */
	unsigned int next, to;		/* of the victim's objects, and its blocks read */
	u64 live;			/* of all segments */
	long held;			/* capacity taken, in pages */
	u64 now, busy, collector;	/* when: the store, the device, the collector's next step */
	u32 nr_opened;			/* what age is counted in */
	u64 rnd;
	struct result r;
};

/*
 * Lengths of pages compressed with lz4: each sixteenth of them lies between two
 * of these. Python, Node, Java and gdb have a mean of 1628 bytes, so R = 2.5.
 */
static const unsigned int quantiles[] = {
	30, 110, 290, 500, 700, 900, 1100, 1300, 1500, 1700, 1900, 2100, 2350, 2700,
	3050, 3500, 4000,
};

static unsigned int random_size(struct sim *sim)
{
	unsigned int i;

	if (sim->c.equal)
		return SEGMENT_SIZE / sim->c.equal;
	if (sim->c.pattern == INCOMPRESSIBLE && random_below(&sim->rnd, 100) < 31)
		return SWAP_PACKED_BLOCK;
	do {
		i = random_below(&sim->rnd, 16);
		i = quantiles[i] + random_below(&sim->rnd, quantiles[i + 1] - quantiles[i]);
	} while (!swap_object_is_worth(i));
	return swap_object_size(i);
}

static void *alloc(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	if (!p) {
		perror("calloc");
		exit(2);
	}
	return p;
}

#define check(condition) do {							\
	if (!(condition)) {							\
		fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);	\
		exit(2);							\
	}									\
} while (0)

/* The device takes an operation. Return: when it is done. */
static u64 disk_io(struct sim *sim, u64 when, unsigned int bytes, bool is_write)
{
	const struct disk *disk = sim->c.disk;

	sim->busy = max(sim->busy, when) +
		    bytes * 1000ULL / (is_write ? disk->write : disk->read);
	return sim->busy + 1000 * (is_write ? disk->write_latency : disk->read_latency);
}

static long held_by(const struct segment *segment)
{
	return swap_segment_pages(segment->victim.bucket, SEGMENT_BLOCKS);
}

static unsigned int index_of(struct sim *sim, struct segment *segment)
{
	return segment - sim->segments;
}

static struct segment *take_free(struct sim *sim, enum state state)
{
	struct segment *segment;

	check(sim->nr_free);
	segment = list_first_entry(&sim->free, struct segment, victim.list);
	list_del_init(&segment->victim.list);
	sim->nr_free--;
	sim->r.least_free = min(sim->r.least_free, sim->nr_free);
	segment->state = state;
	segment->nr = 0;
	segment->victim.end = 0;
	segment->victim.skip = 0;
	if (state != RAW)
		sim->held += SEGMENT_BLOCKS;
	return segment;
}

static void make_free(struct sim *sim, struct segment *segment)
{
	check(!segment->live);
	if (segment->state != RAW)
		sim->held -= SEGMENT_BLOCKS;
	segment->state = FREE;
	list_add(&segment->victim.list, &sim->free);
	sim->nr_free++;
}

/* A segment that is not filled, nor collected, any longer. */
static void put_closed(struct sim *sim, struct segment *segment)
{
	if (!segment->live) {
		make_free(sim, segment);
		return;
	}
	segment->state = CLOSED;
	swap_victims_add(&sim->victims, &segment->victim, segment->live, sim->nr_opened);
	sim->held += held_by(segment) - SEGMENT_BLOCKS;
}

/* Take a segment from those that can be chosen. */
static void take_closed(struct sim *sim, struct segment *segment, enum state state)
{
	sim->held += SEGMENT_BLOCKS - held_by(segment);
	swap_victims_del(&sim->victims, &segment->victim);
	segment->state = state;
}

/* Write the chunk of a stream, which has something in it. */
static void end_chunk(struct sim *sim, struct stream *stream, u64 when)
{
	struct segment *segment = stream->segment;
	unsigned int bytes = ALIGN(stream->used, SWAP_PACKED_BLOCK);

	stream->done[stream->nr++ % NR_CHUNKS] = disk_io(sim, when, bytes, true);
	sim->r.written += bytes;
	segment->victim.end += bytes / SWAP_PACKED_BLOCK;
	stream->used = 0;
	stream->size = 0;
	if (segment->victim.end == SEGMENT_BLOCKS) {
		stream->segment = NULL;
		put_closed(sim, segment);
		/* As the kernel does: it can't be made any denser. */
		if (segment->victim.listed)
			segment->victim.dense = stream != &sim->streams[FRESH];
	}
}

/*
 * Make room in a stream. Return: false when there is no segment for it; the
 * reserve is that of survivors.
 */
static bool begin_chunk(struct sim *sim, enum stream_id id)
{
	struct stream *stream = &sim->streams[id];
	unsigned int blocks;

	if (!stream->segment) {
		if (sim->nr_free <= (id == FRESH ? SWAP_SEGMENT_RESERVE : 0))
			return false;
		stream->segment = take_free(sim, OPEN);
		sim->nr_opened++;
	}
	blocks = SEGMENT_BLOCKS - stream->segment->victim.end;
	stream->size = (sim->c.equal ? blocks : min(blocks, CHUNK_BLOCKS)) * SWAP_PACKED_BLOCK;
	stream->used = 0;
	return true;
}

/* Return: false when there is no segment for it. */
static bool append(struct sim *sim, enum stream_id id, unsigned int nr, unsigned int size,
		   u64 *when)
{
	struct stream *stream = &sim->streams[id];
	struct object *object = &sim->objects[nr];
	struct segment *segment;

	if (stream->size && stream->used + size > stream->size)
		end_chunk(sim, stream, *when);
	if (!stream->size) {
		if (!begin_chunk(sim, id))
			return false;
		/* All chunks are on their way: wait for the first. */
		*when = max(*when, stream->done[stream->nr % NR_CHUNKS]);
	}
	stream->used += size;

	segment = stream->segment;
	if (segment->nr == segment->max) {
		segment->max = segment->max ? segment->max * 2 : 8;
		segment->objects = realloc(segment->objects, segment->max * sizeof(int));
		check(segment->objects);
	}
	object->segment = index_of(sim, segment);
	object->index = segment->nr;
	object->units = size / SWAP_OBJECT_ALIGN;
	segment->objects[segment->nr++] = nr;
	segment->live += size;
	sim->live += size;
	return true;
}

static bool append_raw(struct sim *sim, unsigned int nr)
{
	struct object *object = &sim->objects[nr];
	struct segment *segment;

	if (list_empty(&sim->raw)) {
		if (sim->nr_free <= SWAP_SEGMENT_RESERVE)
			return false;
		list_add(&take_free(sim, RAW)->victim.list, &sim->raw);
	}
	segment = list_first_entry(&sim->raw, struct segment, victim.list);
	object->segment = index_of(sim, segment);
	object->units = SWAP_PACKED_BLOCK / SWAP_OBJECT_ALIGN;
	segment->live += SWAP_PACKED_BLOCK;
	if (segment->live == SEGMENT_SIZE)
		list_del_init(&segment->victim.list);
	sim->live += SWAP_PACKED_BLOCK;
	sim->held++;
	disk_io(sim, sim->now, SWAP_PACKED_BLOCK, true);
	sim->r.written += SWAP_PACKED_BLOCK;
	sim->r.raw += SWAP_PACKED_BLOCK;
	return true;
}

static void drop(struct sim *sim, unsigned int nr)
{
	struct object *object = &sim->objects[nr];
	unsigned int size = object->units * SWAP_OBJECT_ALIGN;
	struct segment *segment;

	if (object->segment == NONE)
		return;
	segment = &sim->segments[object->segment];
	object->segment = NONE;
	segment->live -= size;
	sim->live -= size;
	if (segment->state == RAW) {
		sim->held--;
		if (segment->live == SEGMENT_SIZE - SWAP_PACKED_BLOCK)
			list_add_tail(&segment->victim.list, &sim->raw);
		if (!segment->live) {
			list_del_init(&segment->victim.list);
			make_free(sim, segment);
		}
	} else if (segment->state == CLOSED) {
		sim->held -= held_by(segment);
		swap_victims_update(&sim->victims, &segment->victim, segment->live,
				    sim->nr_opened);
		sim->held += held_by(segment);
		if (!segment->live) {
			take_closed(sim, segment, VICTIM);
			make_free(sim, segment);
		}
	}
}

/* Return: true when the collector has something to do, at @when. */
static bool collector_start(struct sim *sim, u64 when)
{
	struct swap_victim *victim;

	if (sim->victim)
		return true;
	if (sim->nr_free >= swap_collect_below(sim->c.nr_segments))
		return false;
	list_looked_at = 0;
	victim = swap_victims_choose(&sim->victims, sim->nr_opened, sim->nr_free, false);
	sim->r.nr_choices++;
	sim->r.looked += list_looked_at;
	sim->r.most_looked = max(sim->r.most_looked, list_looked_at);
	if (!victim)
		return false;
	sim->victim = container_of(victim, struct segment, victim);
	sim->survivors = swap_victims_is_old(&sim->victims, victim, sim->nr_opened,
					     sim->c.nr_segments) ? OLD : SURVIVORS;
	take_closed(sim, sim->victim, VICTIM);
	sim->r.nr_victims++;
	sim->r.victim_live += (double)sim->victim->live / SEGMENT_SIZE;
	sim->next = 0;
	sim->to = 0;
	sim->collector = when;
	return true;
}

static bool is_stuck(struct sim *sim, unsigned int nr)
{
	if (nr < sim->c.nr_stuck)
		return true;
	return sim->c.pinned && random_below(&sim->rnd, 1000000) < sim->c.pinned;
}

/* All that is live has been appended: write it, and let the segment go. */
static void collector_end(struct sim *sim, bool no_room)
{
	struct stream *survivors = &sim->streams[sim->survivors];
	struct segment *victim = sim->victim;
	unsigned int i;

	if (survivors->used)
		end_chunk(sim, survivors, sim->collector);
	for (i = 0; i < NR_CHUNKS; i++)
		sim->collector = max(sim->collector, survivors->done[i]);
	sim->victim = NULL;
	/* It is not chosen again for what could not be moved, but for what had no room. */
	if (victim->live) {
		victim->victim.skip = !no_room;
		sim->r.nr_kept++;
	}
	put_closed(sim, victim);
	if (!no_room)
		collector_start(sim, sim->collector);
}

/* Read a piece of the victim, and move what is live of it. */
static void collector_step(struct sim *sim)
{
	struct segment *victim = sim->victim;
	unsigned int nr, size, blocks;

	/* Done when what is read has been appended and written. */
	if (!victim->live || sim->next == victim->nr) {
		collector_end(sim, false);
		return;
	}
	blocks = sim->c.read_blocks;
	sim->collector = disk_io(sim, sim->collector, blocks * SWAP_PACKED_BLOCK, false);
	sim->to += blocks;
	/* Objects lie as densely as they do on the average. */
	nr = min((u64)victim->nr, (u64)victim->nr * sim->to / victim->victim.end);
	for (; sim->next < nr; sim->next++) {
		unsigned int i = victim->objects[sim->next];
		struct object *object = &sim->objects[i];

		if (object->segment != index_of(sim, victim) || object->index != sim->next)
			continue;
		if (is_stuck(sim, i))
			continue;
		size = object->units * SWAP_OBJECT_ALIGN;
		if (!append(sim, sim->survivors, i, size, &sim->collector)) {
			collector_end(sim, true);
			return;
		}
		victim->live -= size;
		sim->live -= size;
		sim->r.moved += size;
		sim->collector += MOVE_TIME;
	}
}

/* Let the collector do what it does until @when. */
static void collector_run(struct sim *sim, u64 when)
{
	while (sim->victim && sim->collector <= when)
		collector_step(sim);
}

/*
 * Is a twelfth of the device, and six segments, dead or free? A segment with an
 * object that can't be moved is neither.
 */
static bool is_room(struct sim *sim)
{
	u64 size = (u64)sim->c.nr_segments * SEGMENT_SIZE;

	return size - sim->live >= size / SWAP_SEGMENT_FULL_DEN +
				   (6ULL + sim->c.nr_stuck) * SEGMENT_SIZE;
}

static void refuse(struct sim *sim)
{
	sim->r.nr_refused++;
	if (is_room(sim))
		sim->r.nr_wrong++;
}

static bool try_append(struct sim *sim, unsigned int nr, unsigned int size)
{
	if (!sim->c.equal && size == SWAP_PACKED_BLOCK)
		return append_raw(sim, nr);
	return append(sim, FRESH, nr, size, &sim->now);
}

static void store(struct sim *sim, unsigned int nr)
{
	u64 since, end;
	unsigned int size;

	drop(sim, nr);
	size = random_size(sim);
	sim->r.nr_stores++;
	sim->now += size * 1000ULL / sim->c.disk->write / sim->c.rate;
	collector_run(sim, sim->now);
	/* Capacity is promised page by page. */
	if (sim->held >= (long)sim->c.nr_segments * SEGMENT_BLOCKS) {
		sim->r.nr_full++;
		refuse(sim);
		return;
	}

	since = sim->now;
	end = since + PATIENCE;
	while (!try_append(sim, nr, size)) {
		if (!collector_start(sim, sim->now) || sim->collector > end) {
			/* There is nothing to wait for, or for too long. */
			sim->now = sim->victim ? end : sim->now;
			sim->r.longest = max(sim->r.longest, sim->now - since);
			refuse(sim);
			return;
		}
		sim->now = max(sim->now, sim->collector);
		collector_step(sim);
	}
	if (sim->now != since) {
		sim->r.nr_waits++;
		sim->r.longest = max(sim->r.longest, sim->now - since);
	}
	sim->r.stored += size;
	if (sim->c.batch && sim->r.nr_stores % sim->c.batch == 0 && sim->streams[FRESH].used)
		end_chunk(sim, &sim->streams[FRESH], sim->now);
	collector_start(sim, sim->now);
}

static unsigned int random_run(struct sim *sim)
{
	return 256 + random_below(&sim->rnd, 4096);
}

/* They die together, and as many come in their place. */
static void store_run(struct sim *sim, unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		drop(sim, (first + i) % sim->nr_objects);
	for (i = 0; i < nr; i++)
		store(sim, (first + i) % sim->nr_objects);
}

static void step(struct sim *sim)
{
	/* Those that are stuck are the first, and stay. */
	unsigned int first = sim->c.nr_stuck, nr = sim->nr_objects - first;
	unsigned int tenth = nr / 10, i;

	switch (sim->c.pattern) {
	case HOT:
		if (random_below(&sim->rnd, 10))
			store(sim, first + random_below(&sim->rnd, tenth));
		else
			store(sim, first + tenth + random_below(&sim->rnd, nr - tenth));
		break;
	case COLD:
		store(sim, first + random_below(&sim->rnd, nr / 5) * 5);
		break;
	case RUNS:
		store_run(sim, random_below(&sim->rnd, nr), random_run(sim));
		break;
	case EXITS:
		i = random_below(&sim->rnd, sim->nr_processes);
		store_run(sim, sim->processes[i], sim->processes[i + 1] - sim->processes[i]);
		break;
	default:
		store(sim, first + random_below(&sim->rnd, nr));
	}
}

static void setup(struct sim *sim)
{
	unsigned int i, nr = sim->c.nr_segments;
	u64 sum = 0;

	sim->rnd = 1;
	for (i = 0; i < 100000; i++)
		sum += random_size(sim);
	sim->nr_objects = sim->c.use * nr * SEGMENT_SIZE * 100000 / sum;
	sim->objects = alloc(sim->nr_objects, sizeof(*sim->objects));
	for (i = 0; i < sim->nr_objects; i++)
		sim->objects[i].segment = NONE;
	swap_victims_init(&sim->victims, SEGMENT_SIZE);
	INIT_LIST_HEAD(&sim->free);
	INIT_LIST_HEAD(&sim->raw);
	sim->segments = alloc(nr, sizeof(*sim->segments));
	for (i = 0; i < nr; i++)
		list_add_tail(&sim->segments[i].victim.list, &sim->free);
	sim->nr_free = nr;
	sim->processes = alloc(sim->nr_objects / 256 + 2, sizeof(unsigned int));
	for (i = 0; i < sim->nr_objects; i += random_run(sim))
		sim->processes[sim->nr_processes++] = i;
	sim->processes[sim->nr_processes] = sim->nr_objects;
}

/* Stuck ones lie far apart, as one in a segment is what costs most. */
static void fill(struct sim *sim)
{
	unsigned int i, stuck = 0, apart = sim->nr_objects / (sim->c.nr_stuck + 1);

	for (i = sim->c.nr_stuck; i < sim->nr_objects; i++) {
		store(sim, i);
		if (stuck < sim->c.nr_stuck && i >= (stuck + 1) * apart)
			store(sim, stuck++);
	}
}

static struct result simulate(const struct config *config)
{
	struct sim sim = { .c = *config };
	u64 size = (u64)config->nr_segments * SEGMENT_SIZE, nr_max;
	struct result before;
	unsigned int i;

	sim.r.least_free = NONE;
	setup(&sim);
	fill(&sim);
	/* A bound, because stores that are refused store nothing. */
	nr_max = config->laps * (u64)sim.nr_objects / config->use * 1.2;
	while (sim.r.stored < config->laps * size / 2 && sim.r.nr_stores < nr_max)
		step(&sim);
	before = sim.r;
	while (sim.r.stored < config->laps * size && sim.r.nr_stores < nr_max)
		step(&sim);

	for (i = 0; i < config->nr_segments; i++)
		free(sim.segments[i].objects);
	free(sim.segments);
	free(sim.processes);
	free(sim.objects);
	sim.r.time = sim.now;
	sim.r.is_done = sim.r.stored >= config->laps * size;
	sim.r.stored -= before.stored;
	sim.r.moved -= before.moved;
	sim.r.written -= before.written;
	sim.r.raw -= before.raw;
	sim.r.wa = (double)(sim.r.stored + sim.r.moved) / sim.r.stored;
	sim.r.wa_packed = 1 + (double)sim.r.moved / (sim.r.stored - sim.r.raw);
	sim.r.padding = (double)sim.r.written / (sim.r.stored + sim.r.moved) - 1;
	return sim.r;
}

static double formula(double use)
{
	double x = 0;
	unsigned int i;

	for (i = 0; i < 10000; i++)
		x = exp(-(1 - x) / use);
	return 1 / (1 - x);
}

static void details(const struct config *c, const struct result *r)
{
	printf("# %s, use %.2f, %.2f GiB, %s at %.2f, %.1f s\n", pattern_names[c->pattern],
	       c->use, (double)c->nr_segments * SEGMENT_SIZE / (1 << 30), c->disk->name,
	       c->rate, r->time / 1e9);
	printf("#   write amplification %.3f, packed %.3f (theory %.2f), padding %.1f %%\n",
	       r->wa, r->wa_packed, formula(c->use), 100 * r->padding);
	printf("#   %lu stores, %lu refused: for capacity %lu, wrongly %lu; longest wait %.1f ms\n",
	       r->nr_stores, r->nr_refused, r->nr_full, r->nr_wrong, r->longest / 1e6);
	printf("#   %lu victims, %.3f live, %lu kept; %.1f looked at, at most %lu; least free %u\n",
	       r->nr_victims, r->nr_victims ? r->victim_live / r->nr_victims : 0, r->nr_kept,
	       r->nr_choices ? (double)r->looked / r->nr_choices : 0, r->most_looked,
	       r->least_free);
}

static unsigned int nr_results, nr_bad;

static void expect(const char *what, double value, double goal)
{
	bool ok = value <= goal;

	nr_results++;
	if (!ok)
		nr_bad++;
	printf("%sok %u - %s: %.3f, at most %.3f\n", ok ? "" : "not ", nr_results, what,
	       value, goal);
}

#define MIB(x)		((x) / (SEGMENT_SIZE >> 20))
#define GIB(x)		MIB((x) * 1024)

static struct result run(const struct config *config, bool is_told)
{
	struct config c = *config;
	struct result r;

	if (!c.rate)
		c.rate = 1;
	if (!c.disk)
		c.disk = &disks[0];
	if (!c.laps)
		c.laps = 10;
	if (!c.read_blocks)
		c.read_blocks = c.equal ? SEGMENT_BLOCKS : READ_BLOCKS;
	r = simulate(&c);
	if (is_told)
		details(&c, &r);
	return r;
}

static int one(int argc, char **argv)
{
	struct config c = { .pattern = NR_PATTERNS };
	struct result r;
	unsigned int i;
	double value;
	int arg;

	for (i = 0; i < NR_PATTERNS; i++)
		if (!strcmp(argv[1], pattern_names[i]))
			c.pattern = i;
	if (argc < 4 || c.pattern == NR_PATTERNS) {
		fprintf(stderr, "sim [all | table | PATTERN USE MIB [OPTION=VALUE]...], with\n"
			"rate= disk= laps= equal= stuck= pinned= read= batch=\n");
		return 2;
	}
	c.use = atof(argv[2]);
	c.nr_segments = MIB(atoi(argv[3]));
	for (arg = 4; arg < argc; arg++) {
		value = strchr(argv[arg], '=') ? atof(strchr(argv[arg], '=') + 1) : 0;
		if (!strncmp(argv[arg], "rate=", 5))
			c.rate = value;
		else if (!strncmp(argv[arg], "laps=", 5))
			c.laps = value;
		else if (!strncmp(argv[arg], "equal=", 6))
			c.equal = value;
		else if (!strncmp(argv[arg], "stuck=", 6))
			c.nr_stuck = value;
		else if (!strncmp(argv[arg], "pinned=", 7))
			c.pinned = value;
		else if (!strncmp(argv[arg], "read=", 5))
			c.read_blocks = value;
		else if (!strncmp(argv[arg], "batch=", 6))
			c.batch = value;
		for (i = 0; i < sizeof(disks) / sizeof(*disks); i++)
			if (!strcmp(argv[arg] + 5, disks[i].name))
				c.disk = &disks[i];
	}
	r = run(&c, true);
	printf("# written for each byte stored, with padding: %.4f\n", r.wa * (1 + r.padding));
	return r.nr_wrong ? 1 : 0;
}

/* What must hold of any run, however full the device is and whatever is stored. */
static void expect_sane(const char *name, const struct result *r)
{
	char what[100];

	snprintf(what, sizeof(what), "%s: stores refused in spite of room", name);
	expect(what, r->nr_wrong, 0);
	snprintf(what, sizeof(what), "%s: wedged before all was stored", name);
	expect(what, !r->is_done, 0);
	/* A head of each bucket; one that is skipped is looked at once more. */
	snprintf(what, sizeof(what), "%s: segments looked at for a choice", name);
	expect(what, r->nr_choices ? (double)r->looked / r->nr_choices : 0,
	       SWAP_VICTIM_PARTS);
}

struct goal {
	const char *name;
	struct config c;
	double wa, wa_packed;		/* 0: there is none */
	bool is_long;
};

/*
 * Runs at 0.7 have 1.055, where 1.05 was wished for. That is what the choice of
 * the emptiest makes of them; larger devices come down to 1.050.
 */
static const struct goal goals[] = {
	{ "uniform, 0.5", { .pattern = UNIFORM, .use = 0.5, .nr_segments = GIB(1) }, 1.30 },
	{ "uniform, 0.7", { .pattern = UNIFORM, .use = 0.7, .nr_segments = GIB(1) }, 1.95 },
	{ "uniform, 0.7, seldom", { .pattern = UNIFORM, .use = 0.7, .nr_segments = GIB(1),
				    .rate = 0.1 }, 2.00 },
	{ "uniform, 0.8", { .pattern = UNIFORM, .use = 0.8, .nr_segments = GIB(1) }, 2.90 },
	{ "uniform, 0.9", { .pattern = UNIFORM, .use = 0.9, .nr_segments = GIB(1) }, 6.20 },
	{ "uniform, 0.95", { .pattern = UNIFORM, .use = 0.95, .nr_segments = GIB(1),
			     .laps = 5 } },
	{ "90/10, 0.7", { .pattern = HOT, .use = 0.7, .nr_segments = GIB(1) }, 1.45 },
	{ "90/10, 0.9", { .pattern = HOT, .use = 0.9, .nr_segments = GIB(1),
		.laps = 5 } },
	{ "80 % cold, 0.7", { .pattern = COLD, .use = 0.7, .nr_segments = GIB(1) }, 1.20 },
	{ "80 % cold, 0.9", { .pattern = COLD, .use = 0.9, .nr_segments = GIB(1),
		.laps = 5 } },
	{ "runs, 0.7", { .pattern = RUNS, .use = 0.7, .nr_segments = GIB(1) }, 1.06 },
	{ "runs, 0.9", { .pattern = RUNS, .use = 0.9, .nr_segments = GIB(1),
		.laps = 5 } },
	{ "exits, 0.7", { .pattern = EXITS, .use = 0.7, .nr_segments = GIB(1) }, 1.05 },
	{ "31 % raw, 0.8", { .pattern = INCOMPRESSIBLE, .use = 0.8, .nr_segments = GIB(1) },
	  1.45, 1.75 },
	{ "31 % raw, 0.9", { .pattern = INCOMPRESSIBLE, .use = 0.9, .nr_segments = GIB(1),
		.laps = 5 } },
	{ "64 MiB, uniform, 0.5", { .pattern = UNIFORM, .use = 0.5, .nr_segments = MIB(64),
				    .laps = 50 }, 1.50 },
	{ "64 MiB, uniform, 0.7", { .pattern = UNIFORM, .use = 0.7, .nr_segments = MIB(64),
				    .laps = 50 }, 2.90 },
	{ "64 MiB, 90/10, 0.7", { .pattern = HOT, .use = 0.7, .nr_segments = MIB(64),
				  .laps = 50 } },
	{ "4 GiB, 90/10, 0.7", { .pattern = HOT, .use = 0.7, .nr_segments = GIB(4) }, 1.45 },
	/* What wedged a larger device was filling it for the first time. */
	{ "16 GiB, uniform, 0.8", { .pattern = UNIFORM, .use = 0.8, .nr_segments = GIB(16),
				    .laps = 2 } },
	{ "16 GiB, uniform, 0.7", { .pattern = UNIFORM, .use = 0.7, .nr_segments = GIB(16) },
	  1.95, .is_long = true },
	{ "16 GiB, 90/10, 0.7", { .pattern = HOT, .use = 0.7, .nr_segments = GIB(16) },
	  1.45, .is_long = true },
	{ "16 GiB, runs, 0.7", { .pattern = RUNS, .use = 0.7, .nr_segments = GIB(16) },
	  1.055, .is_long = true },
	{ "16 GiB, 31 % raw, 0.8", { .pattern = INCOMPRESSIBLE, .use = 0.8,
				     .nr_segments = GIB(16) }, 1.45, 1.75, .is_long = true },
	/*
	 * As many segments as 4 TiB have, each with 4 objects in the place of a
	 * thousand: it says how the choice scales, and nothing of write amplification.
	 */
	{ "4 TiB of 4 objects a segment, 0.7", { .pattern = UNIFORM, .use = 0.7,
						 .nr_segments = GIB(4096), .equal = 4,
						 .laps = 2 } },
	{ "4 TiB of 8 objects a segment, 0.8", { .pattern = HOT, .use = 0.8,
						 .nr_segments = GIB(4096), .equal = 8,
						 .laps = 5 }, .is_long = true },
	/* Objects that can't be moved are left behind, and hold up nothing. */
	{ "a corrupt object, 0.8", { .pattern = UNIFORM, .use = 0.8, .nr_segments = GIB(1),
				     .nr_stuck = 1 }, 2.95 },
	{ "a corrupt object, 0.7, 64 MiB", { .pattern = UNIFORM, .use = 0.7,
					     .nr_segments = MIB(64), .laps = 50,
					     .nr_stuck = 1 } },
	/*
	 * 20 of them can wedge it, because four victims in a row that do not get empty
	 * use up the reserve. Then nothing can be moved until a whole segment dies.
	 */
	{ "10 corrupt objects, 0.8", { .pattern = UNIFORM, .use = 0.8, .nr_segments = GIB(1),
				       .laps = 5, .nr_stuck = 10 } },
	{ "10 of a million pinned, 0.7", { .pattern = UNIFORM, .use = 0.7,
					   .nr_segments = GIB(1), .laps = 6, .pinned = 10 } },
	{ "10 of a million pinned, 90/10, 0.7", { .pattern = HOT, .use = 0.7,
						  .nr_segments = GIB(1), .laps = 6,
						  .pinned = 10 } },
};

static void check_goals(bool is_long)
{
	unsigned int i;
	char what[100];

	for (i = 0; i < sizeof(goals) / sizeof(*goals); i++) {
		const struct goal *goal = &goals[i];
		struct result r;

		if (goal->is_long && !is_long)
			continue;
		r = run(&goal->c, true);
		if (goal->wa) {
			snprintf(what, sizeof(what), "%s: write amplification", goal->name);
			expect(what, r.wa, goal->wa);
		}
		if (goal->wa_packed) {
			snprintf(what, sizeof(what), "%s: of what is packed", goal->name);
			expect(what, r.wa_packed, goal->wa_packed);
		}
		expect_sane(goal->name, &r);
	}
}

/* Write amplification of all patterns; in brackets that of what is packed. */
static void table(unsigned int nr_segments, unsigned int laps)
{
	static const double uses[] = { 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95 };
	unsigned int i, pattern;

	printf("# write amplification, %u MiB, %u times its size stored\n#  use  theory",
	       nr_segments * (SEGMENT_SIZE >> 20), laps);
	for (pattern = 0; pattern < NR_PATTERNS; pattern++)
		printf(" %8s", pattern_names[pattern]);
	printf("\n");
	for (i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		printf("# %.2f %7.2f", uses[i], formula(uses[i]));
		for (pattern = 0; pattern < NR_PATTERNS; pattern++) {
			struct config c = {
				.pattern = pattern,
				.use = uses[i],
				.nr_segments = nr_segments,
				.laps = laps,
			};
			struct result r = run(&c, false);

			printf(" %8.2f", r.wa);
			if (pattern == INCOMPRESSIBLE)
				printf(" (%.2f)", r.wa_packed);
			fflush(stdout);
		}
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	bool is_long = argc > 1 && !strcmp(argv[1], "all");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "table")) {
		table(MIB(64), 50);
		table(GIB(1), 10);
		return 0;
	}
	if (argc > 1 && !is_long)
		return one(argc, argv);
	check_goals(is_long);
	if (is_long) {
		table(MIB(64), 50);
		table(GIB(1), 20);
		table(GIB(16), 6);
	}
	printf("1..%u\n", nr_results);
	return nr_bad ? 1 : 0;
}
