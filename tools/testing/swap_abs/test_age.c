// SPDX-License-Identifier: GPL-2.0
/*
 * The order of the objects in zswap, mm/swap_abs/zswap_age.c, in user space:
 *
 *	test_age [steps [seed]]
 *
 * Directed cases, one function a property, find an order that is not first in
 * first out, an object that is visited without a second chance, is not visited,
 * or is visited although it is pinned, and objects of a cgroup or CPU that has
 * gone which nobody finds. Each ends with a look for what is left over.
 *
 * A random model then does all of it in any order, on three CPUs, for cgroups
 * that come and go, and with other operations in between wherever no lock is
 * held. It finds an object without an item, counts that are wrong, nodes that are
 * lost, and stale items that are too many. Everything is a function of the seed.
 *
 * Prints TAP; what breaks a rule is one line on stderr, and abort().
 */
#include AGE_FILE
#include "random.h"

#define NR_SLOTS	3072U		/* but for some cases */
#define MOST_SLOTS	16384U
#define NR_MEMCGS	6U
#define MAX_STORE	130U
#define MAX_FLIGHTS	64U
#define ROOT		root_mem_cgroup
#define ALL		1000000UL

u64 test_seed;
unsigned long test_step;

void (*preempt_hook)(enum where where);
unsigned int locks_held, kinds_held[NR_LOCK_KINDS], rcu_depth, this_cpu;
uintptr_t cpu_offset[CPUS];
int percpu_counter_batch = 32;
unsigned int fail_counter;
bool fail_cache, is_kswapd;
unsigned long formats_busy;
int (*cpu_dead)(unsigned int cpu);
struct pglist_data all_nodes[NR_NODES];
struct mem_cgroup *root_mem_cgroup;

static struct swap_info_struct area = { .type = 3 };
static struct swap_tier tier;
static struct shrinker zswap_shrinker = { .id = 7 };
struct swap_info_struct *swap_virtual_area = &area;
struct swap_tier *swap_zswap_tier = &tier;

static u64 rnd = 1;
static unsigned int failures, nr_slots = NR_SLOTS;
static unsigned long nr_reads, nr_sweeps;
static struct zswap_age_cpu *cpus[CPUS];	/* where the leak sanitizer looks */
static unsigned int allocs_left = UINT_MAX;	/* then they fail */
static unsigned int fail_one_in;		/* at random */
static bool random_handles, cpu_online[CPUS];

static struct mem_cgroup *all_memcgs[NR_MEMCGS];
static struct obj_cgroup *all_objcgs;

/* What is in a slot. A busy one has a folio, with which nobody else stores. */
static struct slot {
	swap_desc_t word;
	struct obj_cgroup *owner;
	unsigned long handle;
	int nid;
	bool busy;
} slots[MOST_SLOTS];

/* Objects on their way to a device */
static struct flight {
	unsigned int slot;
	swap_place_t place;
} flights[MAX_FLIGHTS];
static unsigned int nr_flights;

#define expect(condition) do {							\
	if (!(condition)) {							\
		if (failures++ < 5)						\
			printf("# %s:%d: %s\n", __func__, __LINE__, #condition);	\
	}									\
} while (0)

static u32 below(u32 n)
{
	return random_below(&rnd, n);
}

/*
 * The rest of the kernel
 */

swap_desc_t swap_desc_read(swp_entry_t slot)
{
	must(swp_type(slot) == area.type && swp_offset(slot) < nr_slots);
	nr_reads++;
	return slots[swp_offset(slot)].word;
}

bool alloc_fails(gfp_t gfp)
{
	if (allocs_left != UINT_MAX && !allocs_left--) {
		allocs_left = 0;
		return true;
	}
	return fail_one_in && !below(fail_one_in);
}

void set_shrinker_bit(struct mem_cgroup *memcg, int nid, int id)
{
	must(id == zswap_shrinker.id);
	if (memcg && memcg != ROOT)
		memcg->bit[nid] = true;
}

static void memcg_put(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent;
	int nid;

	for (; memcg; memcg = parent) {
		parent = memcg->parent;
		must(memcg->refs);
		if (--memcg->refs)
			return;
		for_each_node(nid)
			must(!memcg->lruvec[nid].zswap_lruvec_state.oldest);
		all_memcgs[memcg->id] = NULL;
		free(memcg);
	}
}

struct mem_cgroup *mem_cgroup_iter(struct mem_cgroup *root, struct mem_cgroup *prev,
				   void *reclaim)
{
	unsigned int i = prev ? prev->id + 1 : 0;
	struct mem_cgroup *next = NULL;

	for (; i < NR_MEMCGS && !next; i++)
		next = all_memcgs[i];
	if (next)
		next->refs++;
	if (prev)
		memcg_put(prev);
	preempt(AT_ITER);
	return next;
}

void obj_cgroup_put(struct obj_cgroup *objcg)
{
	struct obj_cgroup **p = &all_objcgs;

	if (!objcg)
		return;
	must(objcg->refs);
	if (--objcg->refs)
		return;
	while (*p != objcg)
		p = &(*p)->next;
	*p = objcg->next;
	free(objcg);
}

static struct zswap_lruvec_state *list_of(struct mem_cgroup *memcg, int nid)
{
	return &memcg->lruvec[nid].zswap_lruvec_state;
}

static struct mem_cgroup *memcg_create(struct mem_cgroup *parent)
{
	struct mem_cgroup *memcg = calloc(1, sizeof(*memcg));
	struct obj_cgroup *objcg;
	unsigned int id = 0;
	int nid;

	must(memcg);
	while (all_memcgs[id])
		must(++id < NR_MEMCGS);
	all_memcgs[id] = memcg;
	memcg->id = id;
	memcg->refs = 1;
	memcg->online = true;
	memcg->parent = parent;
	if (parent) {
		parent->refs++;
		parent->children++;
	}
	for_each_node(nid) {
		spin_lock_init(&list_of(memcg, nid)->lock);
		objcg = calloc(1, sizeof(*objcg));
		must(objcg);
		*objcg = (struct obj_cgroup){ .next = all_objcgs, .memcg = memcg, .refs = 1 };
		all_objcgs = objcg;
		memcg->objcg[nid] = objcg;
	}
	return memcg;
}

/* The second half of what happens when a cgroup is removed */
static void memcg_reparent(struct mem_cgroup *memcg)
{
	struct obj_cgroup *objcg;
	int nid;

	for (objcg = all_objcgs; objcg; objcg = objcg->next)
		if (objcg->memcg == memcg)
			objcg->memcg = memcg->parent;
	for_each_node(nid)
		obj_cgroup_put(memcg->objcg[nid]);
	memcg->parent->children--;
	memcg_put(memcg);
}

static void memcg_remove(struct mem_cgroup *memcg)
{
	must(memcg->online && !memcg->children && memcg->parent);
	memcg->online = false;
	zswap_age_offline(memcg);
	preempt(AT_RESCHED);
	memcg_reparent(memcg);
}

/* An object that has no object cgroup is the root's. */
static struct mem_cgroup *memcg_of(const struct obj_cgroup *objcg)
{
	return objcg ? objcg->memcg : ROOT;
}

static swp_entry_t entry(unsigned int slot)
{
	return swp_entry(area.type, slot);
}

static bool is_stored(unsigned int slot)
{
	return swap_desc_tag(slots[slot].word) == SWAP_DESC_ZSWAP;
}

/* Drop the object of a slot. A mover that has pinned it finds that out. */
static void drop(unsigned int slot)
{
	struct obj_cgroup *owner = slots[slot].owner;

	if (!is_stored(slot))
		return;
	slots[slot].word = swap_desc_none();
	slots[slot].owner = NULL;
	obj_cgroup_put(owner);
	percpu_counter_sub(&tier.used, 1);
	zswap_age_sweep_if_stale();
}

static unsigned long new_handle(unsigned int slot)
{
	if (!random_handles)
		return (slot + 1) * 8;
	return !slots[slot].handle || below(2) ? (below(65536) + 1) * 8 : slots[slot].handle;
}

/* As zswap_store_virtual(). Return false if nothing was stored. */
static bool store_run(struct obj_cgroup *objcg, int nid, unsigned int first, unsigned int nr,
		      bool *begun)
{
	struct zswap_age_node *nodes = zswap_age_prepare(nr, GFP_KERNEL | __GFP_NOWARN);
	swap_desc_t words[MAX_STORE];
	unsigned int i, epoch;

	if (!nodes)
		return false;
	epoch = zswap_age_next_epoch();
	for (i = 0; i < nr; i++) {
		struct slot *slot = &slots[first + i];

		drop(first + i);
		slot->handle = new_handle(first + i);
		words[i] = swap_desc_zswap((void *)slot->handle, 0, epoch, false);
		percpu_counter_add(&tier.used, 1);
		slot->nid = nid;
		slot->owner = objcg;
		if (objcg)
			obj_cgroup_get(objcg);
		slot->word = words[i];
		slot->busy = true;
	}
	preempt(AT_RESCHED);
	*begun = zswap_age_add(nodes, objcg, nid, entry(first), words, nr);
	for (i = 0; i < nr; i++)
		slots[first + i].busy = false;
	return true;
}

/* The same for a case */
static bool store(unsigned int cpu, struct mem_cgroup *memcg, int nid, unsigned int first,
		  unsigned int nr)
{
	bool begun = false, ok;

	this_cpu = cpu;
	ok = store_run(memcg->objcg[nid], nid, first, nr, &begun);
	expect(ok);
	return begun;
}

static void pin(unsigned int slot)
{
	must(nr_flights < MAX_FLIGHTS && is_stored(slot));
	flights[nr_flights++] = (struct flight){ slot, swap_desc_place(slots[slot].word) };
	slots[slot].word = swap_desc_set_pinned(slots[slot].word);
}

/* A write ends: the object is in zswap still, or has left it. */
static void unpin(unsigned int flight, bool written)
{
	unsigned int slot = flights[flight].slot;
	swap_desc_t word = slots[slot].word;
	bool same = swap_desc_is_pinned(word) && swap_desc_is_at(word, flights[flight].place);

	flights[flight] = flights[--nr_flights];
	if (!same)
		return;
	slots[slot].word = swap_desc_clear_pinned(word);
	if (written)
		drop(slot);
}

static void run_work(void)
{
	static bool running;

	if (running || !zswap_age_sweep_work.pending)
		return;
	running = true;
	zswap_age_sweep_work.pending = false;
	nr_sweeps++;
	zswap_age_sweep_work.func(&zswap_age_sweep_work);
	running = false;
}

static void sweep(void)
{
	zswap_age_sweep_work.pending = true;
	run_work();
}

/*
 * What must always hold
 */

static struct zswap_age_cpu *cpu_of(unsigned int cpu)
{
	return per_cpu_ptr(&zswap_age_cpu, cpu);
}

static bool is_at_or_above(struct mem_cgroup *above, struct mem_cgroup *memcg)
{
	for (; memcg; memcg = memcg->parent)
		if (memcg == above)
			return true;
	return false;
}

static bool found[MOST_SLOTS];
static unsigned long most_bytes_an_item;

/* Note the objects of a node that is where a walk for their cgroups finds it. */
static void check_items(const struct zswap_age_node *node, struct mem_cgroup *memcg, int nid)
{
	struct slot *slot;
	unsigned int i;

	must(node->nr && node->nr <= ZSWAP_AGE_ITEMS);
	for (i = 0; i < node->nr; i++) {
		must(node->slot[i] < nr_slots);
		slot = &slots[node->slot[i]];
		if (swap_desc_tag(slot->word) == SWAP_DESC_ZSWAP &&
		    zswap_age_tag(slot->word) == node->tag[i] && slot->nid == nid &&
		    is_at_or_above(memcg, memcg_of(slot->owner)))
			found[node->slot[i]] = true;
	}
}

static unsigned long check_list(struct mem_cgroup *memcg, int nid, unsigned long *nr_nodes)
{
	struct zswap_lruvec_state *list = list_of(memcg, nid);
	struct zswap_age_node *node, *last = NULL;
	unsigned long nr = 0;

	for (node = list->oldest; node; node = node->next) {
		check_items(node, memcg, nid);
		nr += node->nr;
		(*nr_nodes)++;
		last = node;
	}
	must(list->newest == last && list->nr == nr);
	must(!list->swept && !list->lock.held && list->dead == !memcg->online);
	must(!list->dead || !nr);
	must(!nr || memcg == ROOT || memcg->bit[nid]);
	return nr;
}

/* Nobody does anything now. */
static void check(void)
{
	unsigned long nodes = 0, items = 0, live = 0;
	struct mem_cgroup *memcg;
	unsigned int i;
	s64 off, read;
	int nid;

	must(!locks_held && !rcu_depth);
	memset(found, 0, sizeof(found));
	for (i = 0; i < NR_MEMCGS; i++)
		for_each_node(nid)
			if (all_memcgs[i])
				items += check_list(all_memcgs[i], nid, &nodes);
	must(items == percpu_counter_sum(&zswap_age_items));
	for_each_possible_cpu(i) {
		struct zswap_age_cpu *cpu = cpu_of(i);

		if (cpu->spare) {
			must(!cpu->spare->nr && !cpu->spare->visited && !cpu->spare->next);
			nodes++;
		}
		if (!cpu->node)
			continue;
		must(!cpu->node->visited);
		nodes++;
		memcg = memcg_of(cpu->objcg);
		check_items(cpu->node, memcg, cpu->nid);
		/* A walk finds it. */
		must(list_of(memcg, cpu->nid)->on_cpus);
	}
	must(nodes == percpu_counter_sum(&zswap_age_nodes));
	must(nodes == zswap_age_cache->nr);
	must(zswap_age_bytes() == nodes * sizeof(struct zswap_age_node));
	for (i = 0; i < nr_slots; i++) {
		must(!slots[i].busy);
		if (!is_stored(i))
			continue;
		live++;
		must(found[i]);
	}
	must(live == percpu_counter_sum(&tier.used));
	if (items > 1000)
		most_bytes_an_item = max(most_bytes_an_item, nodes * 256 / items);

	/* What CPUs have counted by themselves, and flushed since the last drop */
	off = 3 * CPUS * (percpu_counter_batch - 1) + CPUS * ZSWAP_AGE_ITEMS + MAX_STORE;
	read = max((s64)(2 * live), (s64)zswap_age_swept);
	if (!zswap_age_sweep_work.pending)
		must((s64)items <= read + ZSWAP_AGE_SLACK + off);
}

/* A CPU dies, and what it has counted by itself is counted. */
static int kill_cpu(unsigned int cpu)
{
	percpu_counter_dead(&zswap_age_items, cpu);
	percpu_counter_dead(&zswap_age_nodes, cpu);
	percpu_counter_dead(&tier.used, cpu);
	return cpu_dead(cpu);
}

/* Drop and remove all, and look whether anything is left. */
static void finish(void)
{
	unsigned int i, nr;

	preempt_hook = NULL;
	fail_one_in = 0;
	allocs_left = UINT_MAX;
	is_kswapd = false;
	formats_busy = 0;
	check();
	for (i = 0; i < nr_slots; i++) {
		drop(i);
		slots[i].handle = 0;
	}
	while (nr_flights)
		unpin(0, true);
	do {
		for (i = nr = 0; i < NR_MEMCGS; i++) {
			if (all_memcgs[i] && all_memcgs[i] != ROOT && !all_memcgs[i]->children) {
				memcg_remove(all_memcgs[i]);
				nr++;
			}
		}
	} while (nr);
	sweep();
	for_each_possible_cpu(i) {
		kill_cpu(i);
		cpu_online[i] = true;
	}
	sweep();
	this_cpu = 0;
	for_each_possible_cpu(i)
		kill_cpu(i);
	check();
	must(!zswap_age_cache->nr && !percpu_counter_sum(&zswap_age_items));
	for (i = 0; i < NR_MEMCGS; i++)
		must(all_memcgs[i] == (i ? NULL : ROOT));
	must(ROOT->refs == 1 && !ROOT->children);
	for (i = 0; i < NR_NODES; i++)
		must(ROOT->objcg[i]->refs == 1);
	must(all_objcgs->next && !all_objcgs->next->next);
}

/*
 * Cases
 */

/* What a walk of a case is to answer, and has visited */
static enum zswap_age_visit answer[MOST_SLOTS];
static bool goes_slowly;	/* what is gone stays in zswap until it is written */
static unsigned int seen[4 * NR_SLOTS], nr_seen;
static void (*during_visit)(unsigned int slot);

static enum zswap_age_visit visit(swp_entry_t where, swap_desc_t word, void *arg)
{
	unsigned int slot = swp_offset(where);

	must(!locks_held && arg == seen && nr_seen < ARRAY_SIZE(seen));
	must(swap_desc_same(word, slots[slot].word) && !swap_desc_is_pinned(word));
	seen[nr_seen++] = slot;
	if (during_visit)
		during_visit(slot);
	if (answer[slot] == ZSWAP_AGE_GONE) {
		if (goes_slowly)
			pin(slot);
		else
			drop(slot);
	}
	return answer[slot];
}

static void answer_all(enum zswap_age_visit how)
{
	unsigned int i;

	for (i = 0; i < nr_slots; i++)
		answer[i] = how;
	goes_slowly = false;
	during_visit = NULL;
}

/* Walk, and return how many of @nr are left. */
static unsigned long walk(struct mem_cgroup *memcg, int nid, unsigned long nr)
{
	unsigned long had = nr, gone, expected = 0;
	unsigned int i;

	nr_seen = 0;
	gone = zswap_age_walk(memcg, nid, &nr, visit, seen);
	for (i = 0; i < nr_seen; i++)
		expected += answer[seen[i]] == ZSWAP_AGE_GONE;
	expect(gone == expected);
	expect(nr <= had && nr_seen <= had - nr);
	check();
	return nr;
}

/* Let all that is on the list have its second chance. */
static void second_chance(struct mem_cgroup *memcg, int nid)
{
	unsigned long nr = zswap_age_count(memcg, nid);

	expect(walk(memcg, nid, nr) == 0);
	expect(nr_seen == 0);
}

/* Were @nr slots visited, from @first on in @step? */
static bool saw(unsigned int from, unsigned int first, unsigned int nr, int step)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (from + i >= nr_seen || seen[from + i] != first + i * step)
			return false;
	return true;
}

static void test_order(void)
{
	unsigned int i;

	/* From the last slot to the first, so that the slots do not tell the order. */
	for (i = 0; i < 200; i++)
		store(0, ROOT, 0, 199 - i, 1);
	expect(zswap_age_count(ROOT, 0) == 200);
	second_chance(ROOT, 0);
	expect(walk(ROOT, 0, 200) == 0);
	expect(nr_seen == 200 && saw(0, 199, 200, -1));
	/* All were kept, in the same order. */
	expect(walk(ROOT, 0, 200) == 0);
	expect(nr_seen == 200 && saw(0, 199, 200, -1));
}

static void test_runs(void)
{
	/* Runs that fill the rest of one node, a whole one, and a part of a third */
	store(0, ROOT, 0, 500, 20);
	expect(store(0, ROOT, 0, 100, 130));
	expect(!store(0, ROOT, 0, 700, 46));
	expect(store(0, ROOT, 0, 900, 1));
	store(0, ROOT, 0, 901, 48);
	expect(!store(0, ROOT, 0, 300, 0));
	second_chance(ROOT, 0);
	walk(ROOT, 0, 245);
	expect(saw(0, 500, 20, 1) && saw(20, 100, 130, 1) && saw(150, 700, 46, 1) &&
	       saw(196, 900, 49, 1));
}

static void test_second_chance(void)
{
	store(0, ROOT, 0, 0, 98);
	store(0, ROOT, 0, 98, 12);
	expect(zswap_age_count(ROOT, 0) == 110);
	/* The first node, although it has more than that */
	expect(walk(ROOT, 0, 3) == 0 && nr_seen == 0);
	/* The others, and then the first by its turn */
	expect(walk(ROOT, 0, 49 + 12 + 5) == 0);
	expect(nr_seen == 5 && saw(0, 0, 5, 1));
	/* What is new waits, also behind what has waited. */
	store(0, ROOT, 0, 200, 49);
	expect(zswap_age_count(ROOT, 0) == 159);
	expect(walk(ROOT, 0, 105) == 0);
	expect(nr_seen == 105 && saw(0, 5, 105, 1));
}

static void test_kept(void)
{
	unsigned int i;

	store(0, ROOT, 0, 0, 98);
	second_chance(ROOT, 0);
	for (i = 10; i < 98; i++)
		answer[i] = ZSWAP_AGE_GONE;
	expect(walk(ROOT, 0, 12) == 0);
	expect(nr_seen == 12 && saw(0, 0, 12, 1));
	expect(zswap_age_count(ROOT, 0) == 96);
	expect(walk(ROOT, 0, 96) == 0);
	expect(nr_seen == 96 && saw(0, 12, 86, 1) && saw(86, 0, 10, 1));
	expect(zswap_age_count(ROOT, 0) == 10);
}

/* Without memory the rest goes to the end as well, and nothing is lost. */
static void test_kept_without_memory(void)
{
	unsigned int i;

	store(0, ROOT, 0, 0, 98);
	second_chance(ROOT, 0);
	expect(cpu_dead(0) == 0);
	allocs_left = 0;
	answer[3] = ZSWAP_AGE_GONE;
	expect(walk(ROOT, 0, 10) == 0);
	expect(nr_seen == 10 && saw(0, 0, 10, 1));
	for (i = 0; i < 5; i++) {
		walk(ROOT, 0, 97);
		expect(nr_seen == 97);
	}
	expect(zswap_age_count(ROOT, 0) == 97);
}

static void test_stop(void)
{
	store(0, ROOT, 0, 0, 60);
	second_chance(ROOT, 0);
	answer[0] = ZSWAP_AGE_GONE;
	answer[4] = ZSWAP_AGE_STOP;
	expect(walk(ROOT, 0, 60) == 55);
	expect(nr_seen == 5 && saw(0, 0, 5, 1));
	answer[4] = ZSWAP_AGE_KEEP;
	expect(walk(ROOT, 0, 59) == 0);
	expect(nr_seen == 59 && saw(0, 5, 55, 1) && saw(55, 1, 4, 1));
}

static void test_nr(void)
{
	static const unsigned int nrs[] = { 1, 2, 47, 48, 49, 50, 97, 98, 99, 147, 0 };
	unsigned int i, at = 0;

	store(0, ROOT, 0, 0, 130);
	store(0, ROOT, 0, 130, 130);
	store(0, ROOT, 0, 260, 130);
	store(0, ROOT, 0, 390, 130);
	store(0, ROOT, 0, 520, 130);
	second_chance(ROOT, 0);
	answer_all(ZSWAP_AGE_GONE);
	for (i = 0; i < ARRAY_SIZE(nrs) && at + nrs[i] <= 650; i++) {
		expect(walk(ROOT, 0, nrs[i]) == 0);
		expect(nr_seen == nrs[i] && saw(0, at, nrs[i], 1));
		at += nrs[i];
		expect(zswap_age_count(ROOT, 0) == 650 - at);
	}
	/* What is dropped already is no object that was looked at. */
	drop(649);
	expect(walk(ROOT, 0, 1000) == 1000 - (650 - at) + 1);
	expect(nr_seen == 649 - at && saw(0, at, 649 - at, 1));
	expect(zswap_age_count(ROOT, 0) == 0 && walk(ROOT, 0, 5) == 5);
}

static void test_kswapd(void)
{
	struct zswap_age_node *oldest;

	store(0, ROOT, 0, 0, 60);
	zswap_age_count(ROOT, 0);
	oldest = list_of(ROOT, 0)->oldest;
	is_kswapd = true;
	formats_busy = 1;
	expect(walk(ROOT, 0, 60) == 60 && nr_seen == 0);
	expect(list_of(ROOT, 0)->oldest == oldest && !oldest->visited);
	is_kswapd = false;
	second_chance(ROOT, 0);
	expect(walk(ROOT, 0, 10) == 0 && nr_seen == 10);
	is_kswapd = true;
	formats_busy = 0;
	expect(walk(ROOT, 0, 10) == 0 && nr_seen == 10);
}

static void test_collect(void)
{
	struct mem_cgroup *other = memcg_create(ROOT);
	unsigned int i;

	for (i = 0; i < CPUS; i++)
		store(i, i ? ROOT : other, 0, 10 * i, 5);
	expect(list_of(ROOT, 0)->nr == 0);
	/* The nodes of the cgroup alone */
	expect(zswap_age_count(ROOT, 0) == 10 && cpu_of(0)->node);
	expect(zswap_age_count(other, 1) == 0 && cpu_of(0)->node);
	expect(zswap_age_count(other, 0) == 5 && !cpu_of(0)->node);
	/* An empty list makes a walk collect, and go on. */
	store(1, other, 1, 50, 5);
	expect(walk(other, 0, 5) == 0 && cpu_of(1)->node);
	expect(walk(other, 1, 8) == 0 && nr_seen == 3 && !cpu_of(1)->node);
	/* Enough on the list */
	for (i = 0; i < 1024 + 49; i += 49)
		store(0, ROOT, 0, 1000 + i, 49);
	i = list_of(ROOT, 0)->nr;
	expect(i >= 1024);
	store(2, ROOT, 0, 100, 5);
	expect(zswap_age_count(ROOT, 0) == i && cpu_of(2)->node && cpu_of(0)->node);
	/* NULL is all of a node. */
	store(1, other, 0, 200, 5);
	expect(zswap_age_collect(NULL, 0));
	expect(!cpu_of(0)->node && !cpu_of(1)->node && !cpu_of(2)->node);
	expect(!zswap_age_collect(NULL, 0));
}

static void test_flush(void)
{
	struct mem_cgroup *a = memcg_create(ROOT), *b = memcg_create(a);

	expect(store(0, a, 0, 0, 5));
	expect(!store(0, a, 0, 5, 5) && !list_of(a, 0)->nr);
	expect(store(0, b, 0, 10, 5) && list_of(a, 0)->nr == 10);
	/* The same cgroup, another node */
	expect(store(0, b, 1, 20, 5) && list_of(b, 0)->nr == 5);
	expect(list_of(b, 1)->nr == 0 && a->bit[0] && b->bit[0] && !b->bit[1]);
	expect(store(0, a, 0, 30, 5) && list_of(b, 1)->nr == 5 && b->bit[1]);
	check();
	/* It does not wait for another flush: only what it has goes. */
	expect(list_of(a, 0)->nr == 10 && zswap_age_count(a, 0) == 15);
}

static void test_offline(void)
{
	struct mem_cgroup *a = memcg_create(ROOT), *b = memcg_create(a), *c = memcg_create(b);
	bool begun;

	/* One on the list, one on a CPU, one on another node */
	store(0, b, 0, 0, 49);
	store(0, b, 0, 100, 7);
	store(1, a, 0, 200, 3);
	store(2, b, 1, 300, 3);
	zswap_age_count(a, 0);
	store(1, b, 0, 400, 3);
	expect(list_of(b, 0)->nr == 49 && list_of(a, 0)->nr == 3);
	memcg_remove(c);
	b->online = false;
	zswap_age_offline(b);
	expect(list_of(a, 0)->nr == 52 && a->bit[0] && list_of(b, 0)->dead);
	expect(list_of(b, 0)->nr == 0 && !list_of(b, 0)->oldest);
	/* Whose objects still say that they are of the dead cgroup */
	begun = store(0, b, 0, 107, 3);
	expect(!begun);
	store(1, b, 1, 500, 4);
	expect(zswap_age_count(a, 0) == 65);
	expect(zswap_age_count(b, 0) == 0);
	expect(zswap_age_count(a, 1) == 7 && a->bit[1]);
	expect(zswap_age_count(b, 1) == 0);
	store(2, b, 1, 600, 49);
	store(2, b, 1, 650, 1);
	expect(list_of(a, 1)->nr == 56);
	memcg_reparent(b);
	second_chance(a, 0);
	walk(a, 0, 65);
	/* The parent's own were there before. */
	expect(nr_seen == 65 && saw(0, 200, 3, 1) && saw(3, 0, 49, 1));
	/* With nothing but what a CPU has */
	b = memcg_create(a);
	store(0, b, 0, 700, 2);
	expect(!list_of(a, 0)->on_cpus);
	memcg_remove(b);
	expect(zswap_age_count(a, 0) == 67);
	/* Two after another */
	b = memcg_create(a);
	store(0, b, 0, 800, 2);
	memcg_remove(b);
	memcg_remove(a);
	expect(zswap_age_count(ROOT, 0) == 69);
	expect(zswap_age_count(ROOT, 1) == 57);
}

static struct mem_cgroup *to_remove;

static void remove_it(unsigned int slot)
{
	if (slot != 4 || !to_remove)
		return;
	memcg_remove(to_remove);
	to_remove = NULL;
}

/* A walk has a node in its hand when the cgroup goes. */
static void test_offline_walk(void)
{
	struct mem_cgroup *a = memcg_create(ROOT);

	store(0, a, 0, 0, 130);
	second_chance(a, 0);
	during_visit = remove_it;
	to_remove = a;
	a->refs++;
	/* What is left of it goes before all, what is kept behind. */
	expect(walk(a, 0, 10) == 0);
	memcg_put(a);
	expect(nr_seen == 10 && list_of(ROOT, 0)->nr == 130);
	expect(walk(ROOT, 0, 130) == 0);
	expect(nr_seen == 130 && saw(0, 10, 120, 1) && saw(120, 0, 10, 1));
}

static void test_cpu_dead(void)
{
	struct mem_cgroup *a = memcg_create(ROOT);
	struct zswap_age_node *nodes;
	long had = zswap_age_cache->nr;
	unsigned int refs = a->objcg[0]->refs;

	store(1, a, 0, 0, 5);
	nodes = zswap_age_prepare(1, GFP_KERNEL);
	zswap_age_cancel(nodes);
	expect(cpu_of(1)->spare && cpu_of(1)->node);
	expect(a->objcg[0]->refs == refs + 5 + 1);
	this_cpu = 0;
	expect(cpu_dead(1) == 0);
	expect(!cpu_of(1)->spare && !cpu_of(1)->node && !cpu_of(1)->objcg);
	expect(zswap_age_cache->nr == had + 1 && list_of(a, 0)->nr == 5);
	expect(a->objcg[0]->refs == refs + 5);
	expect(cpu_dead(1) == 0 && cpu_dead(2) == 0);
	check();
}

static void test_pinned(void)
{
	unsigned int i;

	store(0, ROOT, 0, 0, 49);
	second_chance(ROOT, 0);
	pin(0);
	pin(5);
	expect(walk(ROOT, 0, 10) == 0);
	expect(nr_seen == 8 && saw(0, 1, 4, 1) && saw(4, 6, 4, 1));
	unpin(0, false);
	unpin(0, true);
	expect(walk(ROOT, 0, 48) == 0);
	expect(nr_seen == 48 && saw(0, 10, 40 - 1, 1) && saw(39, 0, 5, 1) && saw(44, 6, 4, 1));
	/* What is on its way keeps its item, because it may come back. */
	answer_all(ZSWAP_AGE_GONE);
	goes_slowly = true;
	expect(walk(ROOT, 0, 48) == 0 && nr_seen == 48 && nr_flights == 48);
	expect(zswap_age_count(ROOT, 0) == 48);
	expect(walk(ROOT, 0, 96) == 0 && nr_seen == 0);
	sweep();
	expect(zswap_age_count(ROOT, 0) == 48);
	for (i = 0; i < 48; i++)
		unpin(nr_flights - 1, i >= 4);
	check();
	answer_all(ZSWAP_AGE_KEEP);
	expect(walk(ROOT, 0, 4) == 0 && nr_seen == 4 && saw(0, 6, 4, 1));
	sweep();
	expect(zswap_age_count(ROOT, 0) == 4);
}

/* A slot's old item is not its new one. */
static void test_stale(void)
{
	unsigned int i;

	store(0, ROOT, 0, 0, 98);
	second_chance(ROOT, 0);
	for (i = 0; i < 98; i += 2)
		drop(i);
	random_handles = true;
	rnd = 5;
	for (i = 0; i < 10; i += 2) {
		/* With another tag for certain */
		do
			store(0, ROOT, 0, i, 1);
		while (zswap_age_tag(slots[i].word) == list_of(ROOT, 0)->oldest->tag[i]);
	}
	random_handles = false;
	walk(ROOT, 0, 49);
	expect(nr_seen == 49 && saw(0, 1, 49, 2));
}

/* The item of an object has all bits of the epoch, and some of the handle. */
static void test_tag(void)
{
	unsigned int i, same[2] = { };
	swap_desc_t a, b;

	for (i = 0; i < 16000; i++) {
		a = swap_desc_zswap((void *)(8UL * (1 + below(1 << 20))), 0, i % 16, false);
		b = swap_desc_zswap((void *)(8UL * (1 + below(1 << 20))), 0, i % 16, false);
		same[0] += zswap_age_tag(a) == zswap_age_tag(b);
		b = swap_desc_zswap(swap_desc_handle(a), 0, (i + 1 + below(15)) % 16, false);
		same[1] += zswap_age_tag(a) == zswap_age_tag(b);
		/* What changes while an object stays does not count. */
		b = swap_desc_set_leaving(swap_desc_set_promised(swap_desc_set_pinned(a)), true);
		expect(zswap_age_tag(a) == zswap_age_tag(b));
	}
	expect(same[0] > 700 && same[0] < 1300 && !same[1]);
}

/* No two stores at any distance have the same epoch often. */
static void test_epoch(void)
{
	unsigned int i, distance, same, count[16] = { };
	static u8 epoch[4096 + 64];

	for (i = 0; i < ARRAY_SIZE(epoch); i++) {
		epoch[i] = zswap_age_next_epoch();
		must(epoch[i] < 16);
		count[epoch[i]]++;
	}
	for (i = 0; i < 16; i++)
		expect(count[i] > 150 && count[i] < 370);
	for (distance = 1; distance <= 64; distance++) {
		for (i = same = 0; i < 4096; i++)
			same += epoch[i] == epoch[i + distance];
		expect(same > 4096 / 32 && same < 4096 / 8);
	}
}

static void test_prepare(void)
{
	struct zswap_age_node *nodes, *node;
	static const unsigned int nrs[] = { 1, 49, 50, 98, 99, 130 };
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(nrs); i++) {
		nodes = zswap_age_prepare(nrs[i], GFP_KERNEL);
		for (nr = 0, node = nodes; node; node = node->next)
			nr++;
		expect(nr == DIV_ROUND_UP(nrs[i], 49) && zswap_age_cache->nr == nr);
		zswap_age_cancel(nodes);
		expect(zswap_age_cache->nr == 1 && cpu_of(0)->spare);
		check();
	}
	/* Enough for one, and not for the second or third */
	for (i = 0; i < 2; i++) {
		allocs_left = i;
		expect(!zswap_age_prepare(130, GFP_KERNEL));
		check();
	}
	allocs_left = UINT_MAX;
	zswap_age_cancel(NULL);
	/* Two at once */
	nodes = zswap_age_prepare(1, GFP_KERNEL);
	node = zswap_age_prepare(1, GFP_KERNEL);
	expect(nodes && node && zswap_age_cache->nr == 2);
	zswap_age_cancel(nodes);
	zswap_age_cancel(node);
	expect(zswap_age_cache->nr == 1 && zswap_age_bytes() == 256);
}

static void test_sweep(void)
{
	struct mem_cgroup *a = memcg_create(ROOT);
	unsigned int i;

	for (i = 0; i < 490; i += 49) {
		store(0, a, 0, i, 49);
		store(1, ROOT, 1, 1000 + i, 49);
	}
	store(1, ROOT, 0, 2000, 3);
	for (i = 0; i < 490; i++) {
		if (i % 49 < 48)
			drop(i);
		if (i / 49 != 2)
			drop(1000 + i);
	}
	sweep();
	check();
	/* What is left is in one node, and in order. */
	expect(list_of(a, 0)->nr == 10 && list_of(a, 0)->oldest == list_of(a, 0)->newest);
	expect(list_of(ROOT, 1)->nr == 49 && list_of(ROOT, 1)->oldest == list_of(ROOT, 1)->newest);
	expect(list_of(ROOT, 0)->nr == 3);
	second_chance(a, 0);
	walk(a, 0, 10);
	expect(nr_seen == 10 && saw(0, 48, 10, 49));
	for (i = 0; i < nr_slots; i++)
		drop(i);
	sweep();
	expect(!list_of(a, 0)->nr && !list_of(ROOT, 1)->oldest);
	expect(!percpu_counter_sum(&zswap_age_items));
	expect(!zswap_age_swept);
}

/* Nodes that have had their second chance stay apart from those that have not. */
static void test_sweep_visited(void)
{
	store(0, ROOT, 0, 0, 49);
	second_chance(ROOT, 0);
	store(0, ROOT, 0, 100, 10);
	zswap_age_count(ROOT, 0);
	drop(0);
	drop(1);
	sweep();
	expect(list_of(ROOT, 0)->nr == 57);
	expect(walk(ROOT, 0, 47) == 0 && nr_seen == 47);
	expect(walk(ROOT, 0, 10) == 0 && nr_seen == 0);
}

static unsigned int resched_nr, resched_at;

static void walk_at(enum where where)
{
	unsigned long nr = 49;

	if (where != AT_RESCHED || ++resched_nr != resched_at)
		return;
	preempt_hook = NULL;
	zswap_age_walk(ROOT, 0, &nr, visit, seen);
}

/* A walk takes the node at which a sweep has stopped, and the sweep begins again. */
static void test_sweep_and_walk(void)
{
	unsigned int i, after;

	for (after = 1; after <= 8; after++) {
		for (i = 0; i < 490; i += 49)
			store(0, ROOT, 0, i, 49);
		second_chance(ROOT, 0);
		answer_all(ZSWAP_AGE_GONE);
		for (i = 0; i < 490; i += 2)
			drop(i);
		resched_nr = 0;
		resched_at = after;
		preempt_hook = walk_at;
		sweep();
		preempt_hook = NULL;
		check();
		expect(list_of(ROOT, 0)->nr == 245 - 49);
		for (i = 0; i < 490; i++)
			drop(i);
		sweep();
	}
}

static void test_when_swept(void)
{
	unsigned int i, stale = 0;
	s64 items = 0;

	percpu_counter_batch = 1;
	for (i = 0; i < 1024; i++)
		store(0, ROOT, 0, i, 1);
	while (!zswap_age_sweep_work.pending) {
		must(++stale < 20000);
		items = percpu_counter_sum(&zswap_age_items);
		/* The old one is dropped first. */
		store(0, ROOT, 0, 2000, 1);
	}
	expect(items >= 4096 + 2 * 1024 && items < 4096 + 2 * 1024 + 49);
	run_work();
	items = percpu_counter_sum(&zswap_age_items);
	expect(items >= 1025 && items < 1025 + 4096 / 8 && zswap_age_swept == 0);
	/* Stale ones that look live: all items are, until the slot's word changes. */
	while (percpu_counter_sum(&zswap_age_items) < 10000) {
		struct zswap_age_node *nodes = zswap_age_prepare(1, GFP_KERNEL);

		zswap_age_add(nodes, ROOT->objcg[0], 0, entry(1), &slots[1].word, 1);
	}
	zswap_age_sweep_if_stale();
	expect(zswap_age_sweep_work.pending);
	run_work();
	items = zswap_age_swept;
	expect(items >= 10000 + 4096 && items < 10000 + 4096 + 49);
	zswap_age_sweep_if_stale();
	expect(!zswap_age_sweep_work.pending);
	/* Not before there are so many */
	while (percpu_counter_sum(&zswap_age_items) < items) {
		struct zswap_age_node *nodes = zswap_age_prepare(1, GFP_KERNEL);

		zswap_age_sweep_if_stale();
		expect(!zswap_age_sweep_work.pending);
		zswap_age_add(nodes, ROOT->objcg[0], 0, entry(1), &slots[1].word, 1);
	}
	zswap_age_sweep_if_stale();
	expect(zswap_age_sweep_work.pending);
	run_work();
	/* A quarter, once that is more */
	while (percpu_counter_sum(&zswap_age_items) < 20000) {
		struct zswap_age_node *nodes = zswap_age_prepare(1, GFP_KERNEL);

		zswap_age_add(nodes, ROOT->objcg[0], 0, entry(1), &slots[1].word, 1);
	}
	zswap_age_sweep_if_stale();
	run_work();
	expect(zswap_age_swept >= 25000 && zswap_age_swept < 25000 + 62);
	percpu_counter_batch = 32;
}

/* Without a cgroup the lists are those of the root. */
static void test_without_memcg(void)
{
	struct zswap_age_node *nodes = zswap_age_prepare(1, GFP_KERNEL);
	swap_desc_t word;

	store(1, ROOT, 0, 0, 5);
	word = slots[0].word;
	this_cpu = 0;
	zswap_age_add(nodes, NULL, 0, entry(0), &word, 1);
	expect(cpu_of(0)->node && !cpu_of(0)->objcg);
	expect(zswap_age_count(NULL, 0) == 6 && !cpu_of(0)->node && !cpu_of(1)->node);
	walk(NULL, 0, 6);
	walk(NULL, 0, 5);
	expect(nr_seen == 5);
}

/* As zswap_adopt_object() has it for the root's slots */
static void test_root(void)
{
	bool begun;

	this_cpu = 0;
	expect(store_run(NULL, 0, 0, 5, &begun) && begun && !cpu_of(0)->objcg);
	expect(zswap_age_count(ROOT, 0) == 5 && !cpu_of(0)->node);
	store(0, ROOT, 0, 5, 5);
	expect(store_run(NULL, 1, 10, 5, &begun) && begun);
	expect(walk(ROOT, 1, 8) == 0 && nr_seen == 3);
	expect(list_of(ROOT, 0)->nr == 10);
}

/* Before all others */
static void test_init(void)
{
	expect(zswap_age_bytes() == 0);
	fail_counter = 1;
	expect(zswap_age_init(&zswap_shrinker) == -ENOMEM);
	fail_counter = 2;
	expect(zswap_age_init(&zswap_shrinker) == -ENOMEM);
	fail_counter = 0;
	fail_cache = true;
	expect(zswap_age_init(&zswap_shrinker) == -ENOMEM);
	expect(!zswap_age_items.ready && !zswap_age_nodes.ready);
	fail_cache = false;
	expect(zswap_age_init(&zswap_shrinker) == 0 && cpu_dead);
	expect(zswap_age_bytes() == 0);
}

/*
 * The model
 */

static unsigned int depth, no_removal, removing;
static unsigned long nr_ops[16], nr_nested, nr_strangers, nr_visits, nr_drains;

struct model_arg {
	struct mem_cgroup *memcg;
	unsigned long visits, gone;
	bool keep;
};

static enum zswap_age_visit model_visit(swp_entry_t where, swap_desc_t word, void *p)
{
	unsigned int slot = swp_offset(where);
	struct model_arg *arg = p;

	must(!locks_held && swp_type(where) == area.type && is_stored(slot));
	must(swap_desc_same(word, slots[slot].word) && !swap_desc_is_pinned(word));
	arg->visits++;
	nr_visits++;
	found[slot] = true;
	if (arg->keep)
		return ZSWAP_AGE_KEEP;
	if (memcg_of(slots[slot].owner) != arg->memcg) {
		nr_strangers++;
		return ZSWAP_AGE_KEEP;
	}
	if (!below(64))
		return ZSWAP_AGE_STOP;
	if (!below(3))
		return ZSWAP_AGE_KEEP;
	if (!slots[slot].busy && below(2) && nr_flights < MAX_FLIGHTS)
		pin(slot);
	else if (!slots[slot].busy)
		drop(slot);
	arg->gone++;
	preempt(AT_RESCHED);
	return ZSWAP_AGE_GONE;
}

static struct mem_cgroup *any_memcg(bool online)
{
	struct mem_cgroup *memcg;

	do
		memcg = all_memcgs[below(NR_MEMCGS)];
	while (!memcg || (online && !memcg->online));
	return memcg;
}

static unsigned int any_cpu(void)
{
	unsigned int cpu;

	do
		cpu = below(CPUS);
	while (!cpu_online[cpu]);
	return cpu;
}

static void model_store(void)
{
	unsigned int i, nr = below(3) ? 1 + below(4) : 1 + below(MAX_STORE);
	unsigned int first = below(NR_SLOTS - nr + 1);
	int nid = !below(5);
	struct obj_cgroup *objcg;
	bool begun;

	for (i = 0; i < nr; i++)
		if (slots[first + i].busy)
			return;
	objcg = any_memcg(true)->objcg[nid];
	/* Whose slots these are, also if their cgroup has gone */
	if (!below(4) && slots[first].owner)
		objcg = slots[first].owner;
	if (memcg_of(objcg) == ROOT && below(2))
		objcg = NULL;
	if (objcg)
		obj_cgroup_get(objcg);
	for (i = 0; i < nr; i++)
		slots[first + i].busy = true;
	if (!below(32)) {
		struct zswap_age_node *nodes = zswap_age_prepare(nr, GFP_KERNEL);

		preempt(AT_RESCHED);
		zswap_age_cancel(nodes);
	} else {
		store_run(objcg, nid, first, nr, &begun);
	}
	for (i = 0; i < nr; i++)
		slots[first + i].busy = false;
	obj_cgroup_put(objcg);
}

static void model_drop(void)
{
	unsigned int i, nr = below(4) ? 1 + below(16) : 1 + below(200);
	unsigned int first = below(NR_SLOTS - nr + 1);

	for (i = 0; i < nr; i++) {
		drop(first + i);
		if (!below(8))
			preempt(AT_RESCHED);
	}
}

static void model_walk(void)
{
	unsigned long nr = below(2) ? 1 + below(64) : 1 + below(1000), left = nr, gone;
	struct model_arg arg = { .memcg = any_memcg(false) };

	arg.memcg->refs++;
	is_kswapd = !below(4);
	formats_busy = !below(8);
	gone = zswap_age_walk(arg.memcg, !below(4), &left, model_visit, &arg);
	must(gone == arg.gone && left <= nr && arg.visits <= nr - left);
	memcg_put(arg.memcg);
}

static void model_count(void)
{
	struct mem_cgroup *memcg = any_memcg(false);
	int nid = below(NR_NODES);
	unsigned long nr;

	memcg->refs++;
	nr = zswap_age_count(memcg, nid);
	if (!depth) {
		must(nr == list_of(memcg, nid)->nr);
		if (!nr)
			memcg->bit[nid] = false;
	}
	memcg_put(memcg);
}

static void model_memcg(void)
{
	unsigned int i, nr = 0;
	struct mem_cgroup *memcg;

	for (i = 0; i < NR_MEMCGS; i++)
		nr += !!all_memcgs[i];
	memcg = any_memcg(true);
	if (nr < NR_MEMCGS && (nr < 4 || below(2))) {
		memcg_create(memcg);
		return;
	}
	if (no_removal || removing || memcg == ROOT || memcg->children)
		return;
	removing++;
	memcg_remove(memcg);
	removing--;
}

static void model_cpu(void)
{
	unsigned int i, cpu = below(CPUS), nr = 0;

	for (i = 0; i < CPUS; i++)
		nr += cpu_online[i];
	if (!cpu_online[cpu]) {
		cpu_online[cpu] = true;
	} else if (nr > 1) {
		cpu_online[cpu] = false;
		this_cpu = any_cpu();
		kill_cpu(cpu);
	}
}

static void operation(void)
{
	unsigned int what = below(100);
	static const u8 until[] = { 38, 60, 76, 80, 88, 92, 94, 96, 100 };
	unsigned int i = 0;

	while (what >= until[i])
		i++;
	nr_ops[i]++;
	switch (i) {
	case 0:
		model_store();
		break;
	case 1:
		model_drop();
		break;
	case 2:
		model_walk();
		break;
	case 3:
		model_count();
		break;
	case 4:
		if (nr_flights)
			unpin(below(nr_flights), below(2));
		break;
	case 5:
		run_work();
		break;
	case 6:
		model_memcg();
		break;
	case 7:
		model_cpu();
		break;
	default:
		this_cpu = any_cpu();
	}
}

/* Something else happens, and then the task is on any CPU. */
static void model_preempt(enum where where)
{
	if (depth >= 2 || below(24))
		return;
	depth++;
	nr_nested++;
	if (where == AT_BARRIER)
		model_memcg();
	else
		operation();
	this_cpu = any_cpu();
	depth--;
}

/* Walk a whole list: each object that has an item there is visited. */
static void model_drain(struct mem_cgroup *memcg, int nid)
{
	struct model_arg arg = { .memcg = memcg, .keep = true };
	static bool wanted[MOST_SLOTS];
	struct zswap_age_node *node;
	unsigned long nr;
	unsigned int i;
	bool few;

	is_kswapd = false;
	few = list_of(memcg, nid)->nr < ZSWAP_AGE_FEW;
	nr = 2 * zswap_age_count(memcg, nid) + 1;
	for_each_possible_cpu(i)
		must(!few || !cpu_of(i)->node || cpu_of(i)->nid != nid ||
		     memcg_of(cpu_of(i)->objcg) != memcg);
	memset(found, 0, sizeof(found));
	for (node = list_of(memcg, nid)->oldest; node; node = node->next)
		check_items(node, memcg, nid);
	for (i = 0; i < nr_slots; i++)
		found[i] = found[i] && !swap_desc_is_pinned(slots[i].word);
	memcpy(wanted, found, sizeof(found));
	memset(found, 0, sizeof(found));
	zswap_age_walk(memcg, nid, &nr, model_visit, &arg);
	for (i = 0; i < nr_slots; i++)
		must(!wanted[i] || found[i]);
	nr_drains++;
}

static void model_begin(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		memcg_create(any_memcg(true));
	random_handles = true;
	fail_one_in = 16;
	preempt_hook = model_preempt;
}

static void model(unsigned long steps)
{
	struct mem_cgroup *memcg;
	int nid;

	model_begin();
	for (test_step = 1; test_step <= steps; test_step++) {
		operation();
		if (test_step % 16 == 0)
			check();
		if (test_step % 500 == 0) {
			preempt_hook = NULL;
			memcg = any_memcg(true);
			for_each_node(nid)
				model_drain(memcg, nid);
			check();
			preempt_hook = model_preempt;
		}
		if (test_step % 50000 == 0) {
			finish();
			model_begin();
		}
	}
	finish();
}

/*
 * Cgroups and counters that change at a bad moment
 */

static void remove_at_barrier(enum where where)
{
	if (where != AT_BARRIER)
		return;
	preempt_hook = NULL;
	memcg_remove(to_remove);
}

/*
 * The hint that CPUs have something of a cgroup must not be lost if the cgroup goes
 * while somebody collects, who has set it to false and not yet looked at the CPU
 */
static void test_hint(void)
{
	struct mem_cgroup *a = memcg_create(ROOT);
	unsigned int i;

	store(0, a, 0, 0, 5);
	to_remove = a;
	a->refs++;
	preempt_hook = remove_at_barrier;
	zswap_age_count(a, 0);
	preempt_hook = NULL;
	memcg_put(a);
	to_remove = NULL;
	expect(zswap_age_count(ROOT, 0) == 5);
	/* So that finish() finds all well */
	for (i = 0; i < 5; i++)
		drop(i);
	cpu_dead(0);
}

static void drop_at_end(enum where where)
{
	static unsigned int n;
	unsigned int i;

	/* The root's list and that of its child have been swept. */
	if (where != AT_ITER || ++n != 3)
		return;
	preempt_hook = NULL;
	for (i = 5000; i < 12000; i++)
		drop(i);
}

/*
 * Objects that are dropped between the sweep of their list and the end of all make
 * the sweep look as if it had found few stale items. It must be tried again when
 * the rest becomes stale
 */
static void test_swept(void)
{
	struct mem_cgroup *a = memcg_create(ROOT);
	unsigned int i;

	nr_slots = MOST_SLOTS;
	for (i = 0; i < 12000; i += 100)
		store(0, a, 0, i, 100);
	preempt_hook = drop_at_end;
	sweep();
	preempt_hook = NULL;
	for (i = 0; i < 12000; i++)
		drop(i);
	run_work();
	expect(percpu_counter_sum(&zswap_age_items) <= ZSWAP_AGE_SLACK + 200);
	sweep();
	nr_slots = NR_SLOTS;
}

/*
 * What CPUs count by themselves is up to 32 * 31 or 2 * nr * (2 * nr - 1) with @nr CPUs
 * in each of two counters, one of which counts twice: more than ZSWAP_AGE_SLACK with
 * some tens of CPUs. Here three CPUs are as inexact as those together. Not each drop
 * may queue a sweep, because the one before has found nothing
 */
static void test_counters(void)
{
	unsigned int i;

	nr_slots = MOST_SLOTS;
	percpu_counter_batch = 6000;
	for (i = 0; i < 11800; i += 100)
		store(1 + i / 5900, ROOT, 0, i, 100);
	this_cpu = 0;
	for (i = 0; i < 11000; i++)
		drop(i);
	expect(zswap_age_sweep_work.pending);
	run_work();
	drop(11000);
	expect(!zswap_age_sweep_work.pending);
	run_work();
	drop(11001);
	expect(!zswap_age_sweep_work.pending);
	for (i = 0; i < 11800; i++)
		drop(i);
	sweep();
	percpu_counter_batch = 32;
	nr_slots = NR_SLOTS;
}

/* The iteration over cgroups ends with NULL, for which the root must not come again. */
static void test_twice(void)
{
	unsigned int i;

	for (i = 0; i < 490; i += 49)
		store(0, ROOT, 0, i, 49);
	nr_reads = 0;
	sweep();
	expect(nr_reads == 490);
}

static void report(const char *name, bool ok)
{
	static unsigned int n;

	if (!name)
		printf("1..%u\n", n);
	else
		printf("%s %u - %s\n", ok ? "ok" : "not ok", ++n, name);
}

static const struct {
	void (*run)(void);
	const char *name;
} cases[] = {
	{ test_order, "first in, first out" },
	{ test_runs, "runs of slots, and nodes that are full" },
	{ test_second_chance, "second chance" },
	{ test_kept, "what is kept goes behind the others" },
	{ test_kept_without_memory, "without memory nothing is lost" },
	{ test_stop, "a visitor stops a walk" },
	{ test_nr, "so many are looked at, and no more" },
	{ test_kswapd, "kswapd with a busy format changes nothing" },
	{ test_collect, "a short list gets what CPUs have" },
	{ test_flush, "a store for another cgroup or node" },
	{ test_offline, "offline" },
	{ test_offline_walk, "offline during a walk" },
	{ test_cpu_dead, "a CPU dies" },
	{ test_pinned, "pinned objects" },
	{ test_stale, "stale items are not visited" },
	{ test_tag, "tags" },
	{ test_epoch, "epochs" },
	{ test_prepare, "memory for a store" },
	{ test_sweep, "sweep" },
	{ test_sweep_visited, "sweep with second chances" },
	{ test_sweep_and_walk, "a walk during a sweep" },
	{ test_when_swept, "when a sweep begins" },
	{ test_without_memcg, "without a cgroup" },
	{ test_root, "objects of the root without an object cgroup" },
	{ test_hint, "offline while somebody collects" },
	{ test_swept, "drops at the end of a sweep" },
	{ test_counters, "inexact counters" },
	{ test_twice, "a sweep looks at each item once" },
};

static unsigned int run(void (*function)(void))
{
	unsigned int had = failures;

	rnd = 1;
	random_handles = false;
	answer_all(ZSWAP_AGE_KEEP);
	function();
	finish();
	return failures - had;
}

int main(int argc, char **argv)
{
	unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 300000;
	unsigned int i, failed;
	int nid;

	test_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %llu\n", (unsigned long long)test_seed);
	/* As the kernel makes the copies of its per-CPU variables */
	for_each_possible_cpu(i) {
		struct zswap_age_cpu *copy = malloc(sizeof(*copy));

		must(copy);
		*copy = zswap_age_cpu;
		copy->epoch = i * 1000;
		cpus[i] = copy;
		cpu_offset[i] = (uintptr_t)copy - (uintptr_t)&zswap_age_cpu;
		cpu_online[i] = true;
	}
	must(!percpu_counter_init(&tier.used, 0, GFP_KERNEL));
	for_each_node(nid)
		all_nodes[nid].node_id = nid;
	root_mem_cgroup = memcg_create(NULL);

	test_init();
	report("without memory at first", !failures);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		failed = run(cases[i].run);
		report(cases[i].name, !failed);
	}

	rnd = mix64(test_seed) | 1;
	model(steps);
	printf("# %lu steps, %lu operations in between, %lu visits, %lu of others' objects,\n",
	       steps, nr_nested, nr_visits, nr_strangers);
	printf("# %lu lists walked to the end, %lu sweeps, at most %lu bytes an item\n",
	       nr_drains, nr_sweeps, most_bytes_an_item);
	report("random operations", true);
	if (steps >= 100000) {
		expect(nr_nested > 1000 && nr_visits > 1000 && nr_drains > 100 && nr_sweeps > 10);
		for (i = 0; i < 9; i++)
			expect(nr_ops[i] > 1000);
		report("each kind of thing happened", nr_sweeps > 10 && nr_nested > 1000);
	}

	report(NULL, true);
	return !!failures;
}
