// SPDX-License-Identifier: GPL-2.0
/*
 * The order in which the objects of virtual slots have come into zswap, so that
 * the oldest ones are written back first. Nothing else of an object needs a
 * place of its own: its word has the handle and the pool, its length stands
 * before its data, and the id beside its slot tells whose it is.
 *
 * Each cgroup and node has a list of slots, which is only appended to. An item
 * takes five bytes: the slot, and a tag that is made of the slot's word (its
 * epoch and some bits of its handle). An item is stale when the word of its
 * slot gives another tag. So nothing is done here when an object leaves zswap,
 * which happens under page-table locks, and an object needs no reference of a
 * cgroup. The tag of a stale item is right by chance once in 256 times, or once
 * in 16 if the slot's new object has the handle of the old one. Such an item
 * lets the object be looked at before its turn. It is not taken for another
 * cgroup's, because the visitor compares the owner (mm/zswap.c).
 *
 * Lists are made of nodes of 256 bytes. A CPU fills a node by itself, and
 * appends it to the list of its cgroup when it is full, or when the CPU stores
 * for another cgroup. So CPUs that store for one cgroup meet at its list once in
 * ZSWAP_AGE_ITEMS objects. What is left in such a node is seen when a walk finds
 * the list short: then it collects the nodes of the CPUs.
 *
 * A walk takes the oldest node off the list and works on it alone. The first
 * time, all of a node's objects get their second chance: the node goes back to
 * the end of the list as it is. The second time the objects are visited, and
 * what stays is appended again.
 *
 * A worker sweeps all lists once more than half of the items are stale, so that
 * there are no more than two items an object, besides ZSWAP_AGE_SLACK of them.
 * A sweep looks at each item once, and there are as many new or stale ones
 * before the next, so a store pays for two looks at most. Counts are read as
 * they are, because to add up those of all CPUs would cost more than it is worth.
 * With many CPUs they may be inexact by more than the slack. So after a sweep
 * that has not helped there must be a quarter more items before the next.
 *
 * Invariant: while zswap has the object of a slot, and no store of it is under
 * way, an item with the tag of its word is on a list of its cgroup or of one
 * above, or in the node of a CPU, or in that of a walk. Nobody drops an item
 * but who has seen that its tag is another one. So an object that is on its way
 * to a device keeps its item, because the write may fail.
 *
 * Locks: zswap_age_cpu.lock, and inside of it that of a list
 * (zswap_lruvec_state.lock). Neither is ever held with another list's lock.
 * Words are read without a lock. Process context only.
 */
#include <linux/compiler.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/memcontrol.h>
#include <linux/mmdebug.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"
#include "zswap_age.h"

#define ZSWAP_AGE_ITEMS		49

/**
 * struct zswap_age_node - slots in the order in which they were stored
 * @next: the next newer node
 * @slot: offsets in the virtual area
 * @tag: see zswap_age_tag()
 * @nr: number of items
 * @visited: the objects have had their second chance
 *
 * The lock of the list protects the node while it is on one; otherwise it is
 * the caller's own.
 */
struct zswap_age_node {
	struct zswap_age_node *next;
	u32 slot[ZSWAP_AGE_ITEMS];
	u8 tag[ZSWAP_AGE_ITEMS];
	u8 nr;
	bool visited;
};

static_assert(sizeof(struct zswap_age_node) == 256);

/**
 * struct zswap_age_cpu - the node that a CPU fills
 * @lock: for the CPU, and for those who collect the node
 * @nid: the NUMA node of the objects
 * @objcg: whose objects they are, with a reference; NULL without memcg
 * @node: the node, or NULL
 * @spare: an empty node for the next store, or NULL; changed by xchg()
 * @epoch: number of stores, from which their epochs are made
 */
struct zswap_age_cpu {
	spinlock_t lock;	/* protects @objcg, @nid and @node */
	int nid;
	struct obj_cgroup *objcg;
	struct zswap_age_node *node;
	struct zswap_age_node *spare;
	unsigned int epoch;
};

static DEFINE_PER_CPU_ALIGNED(struct zswap_age_cpu, zswap_age_cpu) = {
	.lock = __SPIN_LOCK_UNLOCKED(zswap_age_cpu.lock),
};

static struct kmem_cache *zswap_age_cache;
static struct shrinker *zswap_age_shrinker;

/* Items that are on lists, and nodes that there are. */
static struct percpu_counter zswap_age_items, zswap_age_nodes;

/* So many stale items are never swept away, because it would not pay. */
#define ZSWAP_AGE_SLACK		4096L

/* With so many items on a list, a walk does without those of the CPUs. */
#define ZSWAP_AGE_FEW		1024

static void zswap_age_sweep_fn(struct work_struct *work);
static DECLARE_WORK(zswap_age_sweep_work, zswap_age_sweep_fn);

/*
 * With so many items the next sweep begins, if the last one found few stale
 * ones; or 0.
 */
static long zswap_age_swept;

/*
 * Return what an item keeps of its slot's word. Two objects of a slot differ in
 * the handle, or at least in the epoch, most of the time.
 */
static u8 zswap_age_tag(swap_desc_t word)
{
	return hash_ptr(swap_desc_handle(word), 4) << SWAP_DESC_EPOCH_BITS |
	       swap_desc_epoch(word);
}

/*
 * Tell whether an item's object is there still, and return the word of its slot
 * in *@word: a hint, which only a pin confirms.
 */
static bool zswap_age_is_live(const struct zswap_age_node *node, unsigned int i,
			      swap_desc_t *word)
{
	swp_entry_t slot = swp_entry(swap_virtual_area->type, node->slot[i]);

	*word = swap_desc_read(slot);
	return swap_desc_tag(*word) == SWAP_DESC_ZSWAP &&
	       zswap_age_tag(*word) == node->tag[i];
}

static struct zswap_age_node *zswap_age_node_alloc(gfp_t gfp)
{
	struct zswap_age_node *node = kmem_cache_alloc(zswap_age_cache, gfp);

	if (node) {
		node->next = NULL;
		node->nr = 0;
		node->visited = false;
		percpu_counter_inc(&zswap_age_nodes);
	}
	return node;
}

static void zswap_age_node_free(struct zswap_age_node *node)
{
	percpu_counter_dec(&zswap_age_nodes);
	kmem_cache_free(zswap_age_cache, node);
}

/*
 * The lists
 */

static struct zswap_lruvec_state *zswap_age_list(struct mem_cgroup *memcg,
						 int nid)
{
	return &mem_cgroup_lruvec(memcg, NODE_DATA(nid))->zswap_lruvec_state;
}

/*
 * Return the cgroup of objects, the root for those without; NULL only without
 * memcg. The caller takes part in RCU.
 */
static struct mem_cgroup *zswap_age_owner(struct obj_cgroup *objcg)
{
#ifdef CONFIG_MEMCG
	return objcg ? obj_cgroup_memcg(objcg) : root_mem_cgroup;
#else
	return NULL;
#endif
}

/* Let the shrinker ask the cgroup, whose list is not empty any more. */
static void zswap_age_set_bit(struct mem_cgroup *memcg, int nid)
{
#ifdef CONFIG_MEMCG
	set_shrinker_bit(memcg, nid, zswap_age_shrinker->id);
#endif
}

/*
 * Lock the list of a cgroup, or if the cgroup is being removed, of the first
 * one above that is not. *@memcg must not go, or the caller takes part in RCU.
 */
static struct zswap_lruvec_state *zswap_age_lock(struct mem_cgroup **memcg,
						 int nid)
{
	struct zswap_lruvec_state *list;

	for (;;) {
		list = zswap_age_list(*memcg, nid);
		spin_lock(&list->lock);
		if (likely(!list->dead))
			return list;
		spin_unlock(&list->lock);
		*memcg = parent_mem_cgroup(*memcg);
	}
}

/* Move the first items of a node to another one, as many as it has room for. */
static void zswap_age_merge(struct zswap_age_node *to,
			    struct zswap_age_node *from)
{
	unsigned int nr = min(ZSWAP_AGE_ITEMS - to->nr, from->nr);

	memcpy(to->slot + to->nr, from->slot, nr * sizeof(*to->slot));
	memcpy(to->tag + to->nr, from->tag, nr);
	to->nr += nr;
	from->nr -= nr;
	memmove(from->slot, from->slot + nr, from->nr * sizeof(*from->slot));
	memmove(from->tag, from->tag + nr, from->nr);
}

/*
 * Append a node to a list, or put it first with @oldest. Its items count in
 * zswap_age_items already. @memcg as for zswap_age_lock().
 */
static void zswap_age_push(struct mem_cgroup *memcg, int nid,
			   struct zswap_age_node *node, bool oldest)
{
	struct zswap_lruvec_state *list = zswap_age_lock(&memcg, nid);
	struct zswap_age_node *tail = list->newest;

	VM_WARN_ON_ONCE(!node->nr || node->nr > ZSWAP_AGE_ITEMS);
	if (!list->nr)
		zswap_age_set_bit(memcg, nid);
	list->nr += node->nr;
	if (oldest) {
		node->next = list->oldest;
		list->oldest = node;
		if (!tail)
			list->newest = node;
		node = NULL;
	} else {
		if (tail && tail->visited == node->visited)
			zswap_age_merge(tail, node);
		if (node->nr) {
			node->next = NULL;
			if (tail)
				tail->next = node;
			else
				list->oldest = node;
			list->newest = node;
			node = NULL;
		}
	}
	spin_unlock(&list->lock);
	if (node)
		zswap_age_node_free(node);
}

/* Take the oldest node off a list. Return NULL when the list is empty. */
static struct zswap_age_node *zswap_age_pop(struct mem_cgroup *memcg, int nid)
{
	struct zswap_lruvec_state *list = zswap_age_list(memcg, nid);
	struct zswap_age_node *node;

	/* A walk over cgroups without objects takes no lock. */
	if (!READ_ONCE(list->oldest))
		return NULL;
	spin_lock(&list->lock);
	node = list->oldest;
	if (node) {
		list->oldest = node->next;
		if (!node->next)
			list->newest = NULL;
		node->next = NULL;
		VM_WARN_ON_ONCE(node->nr > list->nr);
		list->nr -= node->nr;
		if (list->swept == node)
			list->swept = NULL;
	}
	spin_unlock(&list->lock);
	return node;
}

/*
 * The nodes that CPUs fill
 */

/* Append a CPU's node to its list. The caller holds @cpu->lock. */
static void zswap_age_flush(struct zswap_age_cpu *cpu)
{
	struct zswap_age_node *node = cpu->node;

	lockdep_assert_held(&cpu->lock);
	if (!node)
		return;
	cpu->node = NULL;
	percpu_counter_add(&zswap_age_items, node->nr);
	rcu_read_lock();
	zswap_age_push(zswap_age_owner(cpu->objcg), cpu->nid, node, false);
	rcu_read_unlock();
}

/*
 * Append what CPUs have for a cgroup to its list, if any has anything. The list
 * says whether one may have. Return whether the list has got something.
 */
static bool zswap_age_collect(struct mem_cgroup *memcg, int nid)
{
	struct zswap_lruvec_state *list = zswap_age_list(memcg, nid);
	struct mem_cgroup *owner;
	struct zswap_age_cpu *cpu;
	bool some = false, dead;
	int i;

	if (!READ_ONCE(list->on_cpus))
		return false;
	WRITE_ONCE(list->on_cpus, false);
	/* A CPU that begins a node sets this after the node is to be seen. */
	smp_mb();
	for_each_possible_cpu(i) {
		cpu = per_cpu_ptr(&zswap_age_cpu, i);
		if (!READ_ONCE(cpu->node) || READ_ONCE(cpu->nid) != nid)
			continue;
		spin_lock(&cpu->lock);
		if (cpu->node && cpu->nid == nid) {
			rcu_read_lock();
			owner = zswap_age_owner(cpu->objcg);
			/* As zswap_age_push() does. */
			while (owner && READ_ONCE(zswap_age_list(owner, nid)->dead))
				owner = parent_mem_cgroup(owner);
			rcu_read_unlock();
			if (!memcg || owner == memcg) {
				zswap_age_flush(cpu);
				some = true;
			}
		}
		spin_unlock(&cpu->lock);
	}

	/*
	 * If the cgroup has been removed meanwhile, what CPUs have is its
	 * parent's, which may not have got the hint that was reset above. With
	 * the lock, the removal comes after all of the above, or is seen here.
	 */
	spin_lock(&list->lock);
	dead = list->dead;
	spin_unlock(&list->lock);
	if (unlikely(dead)) {
		list = zswap_age_lock(&memcg, nid);
		WRITE_ONCE(list->on_cpus, true);
		spin_unlock(&list->lock);
	}
	return some;
}

/* Let a CPU fill @node for a cgroup. The caller holds @cpu->lock. */
static void zswap_age_begin(struct zswap_age_cpu *cpu, struct obj_cgroup *objcg,
			    int nid, struct zswap_age_node *node)
{
	struct obj_cgroup *old = cpu->objcg;
	struct zswap_lruvec_state *list;
	struct mem_cgroup *memcg;

	lockdep_assert_held(&cpu->lock);
	if (objcg != old) {
		if (objcg)
			obj_cgroup_get(objcg);
		cpu->objcg = objcg;
		obj_cgroup_put(old);
	}
	WRITE_ONCE(cpu->nid, nid);
	WRITE_ONCE(cpu->node, node);
	/* Pairs with the one in zswap_age_collect(). */
	smp_mb();
	rcu_read_lock();
	memcg = zswap_age_owner(objcg);
	list = zswap_age_lock(&memcg, nid);
	WRITE_ONCE(list->on_cpus, true);
	spin_unlock(&list->lock);
	rcu_read_unlock();
}

/**
 * zswap_age_prepare - get memory for the slots of a store
 * @nr: number of slots
 * @gfp: how to allocate it
 *
 * Context: process context; may sleep if @gfp says so.
 * Return: nodes for zswap_age_add() or zswap_age_cancel(), or NULL.
 */
struct zswap_age_node *zswap_age_prepare(unsigned int nr, gfp_t gfp)
{
	struct zswap_age_node *nodes, *node;
	unsigned int room;

	nodes = this_cpu_xchg(zswap_age_cpu.spare, NULL);
	if (!nodes) {
		nodes = zswap_age_node_alloc(gfp);
		if (!nodes)
			return NULL;
	}
	for (room = ZSWAP_AGE_ITEMS; unlikely(room < nr);
	     room += ZSWAP_AGE_ITEMS) {
		node = zswap_age_node_alloc(gfp);
		if (!node) {
			zswap_age_cancel(nodes);
			return NULL;
		}
		node->next = nodes;
		nodes = node;
	}
	return nodes;
}

/**
 * zswap_age_cancel - give back nodes that are not needed
 * @nodes: from zswap_age_prepare(), or NULL
 *
 * Context: process context.
 */
void zswap_age_cancel(struct zswap_age_node *nodes)
{
	struct zswap_age_node *next;

	if (!nodes)
		return;
	next = nodes->next;
	nodes->next = NULL;
	nodes = this_cpu_xchg(zswap_age_cpu.spare, nodes);
	if (nodes)
		zswap_age_node_free(nodes);
	while (unlikely(next)) {
		nodes = next;
		next = nodes->next;
		zswap_age_node_free(nodes);
	}
}

/**
 * zswap_age_next_epoch - return the epoch of the words of a store
 *
 * Context: any.
 * Return: a number that is the same as that of another store by chance only.
 */
unsigned int zswap_age_next_epoch(void)
{
	u32 nr = this_cpu_inc_return(zswap_age_cpu.epoch);

	/* Twice, so that no distance between two stores has one difference. */
	nr = __hash_32(nr);
	return hash_32(nr ^ nr >> 15, SWAP_DESC_EPOCH_BITS);
}

/**
 * zswap_age_add - note that zswap has got objects
 * @nodes: from zswap_age_prepare(); the function takes them
 * @objcg: whose objects they are, NULL without memcg
 * @nid: the NUMA node that the list is of
 * @slot: the slot of the first object
 * @words: the words that have just been set, one for each slot
 * @nr: number of slots
 *
 * Context: process context, does not sleep.
 * Return: true when the CPU has begun a node, which is once in ZSWAP_AGE_ITEMS
 * objects, so that the caller need not look at each object whether the tier has
 * become full.
 */
bool zswap_age_add(struct zswap_age_node *nodes, struct obj_cgroup *objcg,
		   int nid, swp_entry_t slot, const swap_desc_t *words,
		   unsigned int nr)
{
	unsigned long offset = swp_offset(slot);
	struct zswap_age_cpu *cpu = raw_cpu_ptr(&zswap_age_cpu);
	struct zswap_age_node *node;
	bool begun = false;
	unsigned int i;

	/* The task may be on another CPU by now, which does no harm. */
	spin_lock(&cpu->lock);
	if (unlikely(cpu->objcg != objcg || cpu->nid != nid))
		zswap_age_flush(cpu);
	for (i = 0; i < nr; i++) {
		node = cpu->node;
		if (unlikely(!node || node->nr == ZSWAP_AGE_ITEMS)) {
			zswap_age_flush(cpu);
			node = nodes;
			nodes = node->next;
			zswap_age_begin(cpu, objcg, nid, node);
			begun = true;
		}
		node->slot[node->nr] = offset + i;
		node->tag[node->nr] = zswap_age_tag(words[i]);
		node->nr++;
	}
	spin_unlock(&cpu->lock);
	zswap_age_cancel(nodes);
	return begun;
}

/*
 * Walks
 */

/**
 * zswap_age_count - tell how many objects a walk may find
 * @memcg: the cgroup, which must not go; NULL without memcg
 * @nid: NUMA node
 *
 * Context: process context, does not sleep.
 * Return: items, some of which may be stale.
 */
unsigned long zswap_age_count(struct mem_cgroup *memcg, int nid)
{
	struct zswap_lruvec_state *list = zswap_age_list(memcg, nid);

	if (READ_ONCE(list->nr) < ZSWAP_AGE_FEW)
		zswap_age_collect(memcg, nid);
	return READ_ONCE(list->nr);
}

/*
 * Visit the objects of a node, at most *@nr of them. What zswap has still goes
 * to @kept, or if there is no @kept, behind what was not visited. Return how
 * many are gone.
 */
static unsigned long zswap_age_visit_node(struct zswap_age_node *node,
					  struct zswap_age_node *kept,
					  unsigned long *nr, bool *stop,
					  zswap_age_visit_fn visit, void *arg)
{
	unsigned int i, nr_old = node->nr, nr_rest;
	struct zswap_age_node on_stack = {};
	unsigned long gone = 0;
	enum zswap_age_visit answer;
	swap_desc_t word;
	swp_entry_t slot;

	if (!kept)
		kept = &on_stack;
	for (i = 0; i < nr_old && *nr && !*stop; i++) {
		if (!zswap_age_is_live(node, i, &word))
			continue;
		(*nr)--;
		slot = swp_entry(swap_virtual_area->type, node->slot[i]);
		/* A pinned object is on its way to a device already. */
		answer = swap_desc_is_pinned(word) ? ZSWAP_AGE_KEEP :
						     visit(slot, word, arg);
		if (answer == ZSWAP_AGE_GONE) {
			gone++;
			/* It may come back as long as it is on its way. */
			if (!zswap_age_is_live(node, i, &word))
				continue;
		}
		*stop = answer == ZSWAP_AGE_STOP;
		kept->slot[kept->nr] = node->slot[i];
		kept->tag[kept->nr++] = node->tag[i];
	}
	nr_rest = nr_old - i;
	memmove(node->slot, node->slot + i, nr_rest * sizeof(*node->slot));
	memmove(node->tag, node->tag + i, nr_rest);
	node->nr = nr_rest;
	percpu_counter_sub(&zswap_age_items, nr_old - nr_rest - kept->nr);
	if (kept == &on_stack)
		zswap_age_merge(node, kept);
	return gone;
}

/* Append a node that a walk has taken, or put it first; free an empty one. */
static void zswap_age_put_back(struct mem_cgroup *memcg, int nid,
			       struct zswap_age_node *node, bool oldest)
{
	if (node->nr) {
		zswap_age_push(memcg, nid, node, oldest);
	} else {
		node->visited = false;
		zswap_age_cancel(node);
	}
}

/**
 * zswap_age_walk - visit a cgroup's objects, the oldest ones first
 * @memcg: the cgroup, which must not go; NULL without memcg
 * @nid: NUMA node
 * @nr: objects to look at; set to how many of them are left
 * @visit: the visitor; the word that it gets is a hint
 * @arg: for @visit
 *
 * An object that is looked at for the first time is not visited.
 *
 * Context: process context; sleeps if @visit does.
 * Return: how many objects are gone.
 */
unsigned long zswap_age_walk(struct mem_cgroup *memcg, int nid,
			     unsigned long *nr, zswap_age_visit_fn visit,
			     void *arg)
{
	struct zswap_age_node *node, *kept;
	unsigned long gone = 0;
	bool stop = false;

	while (*nr && !stop) {
		/*
		 * kswapd must not wait for a device, so it would only change
		 * the order of the objects.
		 */
		if (current_is_kswapd() && swap_formats_sum(busy))
			break;
		node = zswap_age_pop(memcg, nid);
		if (!node) {
			if (!zswap_age_collect(memcg, nid))
				break;
			continue;
		}
		if (!node->visited) {
			node->visited = true;
			*nr -= min(*nr, node->nr);
			zswap_age_push(memcg, nid, node, false);
			continue;
		}
		/*
		 * What stays goes to the other end, so that it does not hide
		 * what is behind it, and the rest comes first the next time.
		 */
		kept = zswap_age_prepare(1, GFP_NOWAIT | __GFP_NOWARN);
		if (kept)
			kept->visited = true;
		gone += zswap_age_visit_node(node, kept, nr, &stop, visit, arg);
		zswap_age_put_back(memcg, nid, node, kept && node->nr);
		if (kept)
			zswap_age_put_back(memcg, nid, kept, false);
		cond_resched();
	}
	return gone;
}

/**
 * zswap_age_offline - hand the objects of a cgroup to its parent
 * @memcg: the cgroup, which is being removed
 *
 * Context: process context, does not sleep.
 */
void zswap_age_offline(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = parent_mem_cgroup(memcg), *to;
	struct zswap_age_node *oldest, *newest;
	struct zswap_lruvec_state *list;
	unsigned long nr;
	bool on_cpus;
	int nid;

	for_each_node(nid) {
		list = zswap_age_list(memcg, nid);
		spin_lock(&list->lock);
		list->dead = true;
		oldest = list->oldest;
		newest = list->newest;
		nr = list->nr;
		on_cpus = list->on_cpus;
		list->oldest = NULL;
		list->newest = NULL;
		list->swept = NULL;
		list->nr = 0;
		spin_unlock(&list->lock);
		if (!oldest && !on_cpus)
			continue;

		to = parent;
		list = zswap_age_lock(&to, nid);
		if (oldest) {
			if (!list->nr)
				zswap_age_set_bit(to, nid);
			if (list->newest)
				list->newest->next = oldest;
			else
				list->oldest = oldest;
			list->newest = newest;
			list->nr += nr;
		}
		WRITE_ONCE(list->on_cpus, true);
		spin_unlock(&list->lock);
	}
}

/*
 * Sweeps
 */

/* Drop the stale items of a node. */
static void zswap_age_sweep_node(struct zswap_age_node *node)
{
	unsigned int i, nr = 0;
	swap_desc_t word;

	for (i = 0; i < node->nr; i++) {
		if (!zswap_age_is_live(node, i, &word))
			continue;
		node->slot[nr] = node->slot[i];
		node->tag[nr++] = node->tag[i];
	}
	node->nr = nr;
}

/*
 * Sweep the next node of a list, and let the one before it have the items if it
 * has room. Return whether there was one.
 */
static bool zswap_age_sweep_next(struct mem_cgroup *memcg, int nid)
{
	struct zswap_lruvec_state *list = zswap_age_list(memcg, nid);
	struct zswap_age_node *last, *node;
	unsigned int nr;

	if (!READ_ONCE(list->oldest))
		return false;
	spin_lock(&list->lock);
	/* A walk that takes the last node makes the sweep begin again. */
	last = list->swept;
	node = last ? last->next : list->oldest;
	if (!node) {
		list->swept = NULL;
		spin_unlock(&list->lock);
		return false;
	}

	nr = node->nr;
	zswap_age_sweep_node(node);
	nr -= node->nr;
	VM_WARN_ON_ONCE(nr > list->nr);
	list->nr -= nr;
	percpu_counter_sub(&zswap_age_items, nr);
	if (last && last->visited == node->visited)
		zswap_age_merge(last, node);
	if (node->nr) {
		list->swept = node;
		node = NULL;
	} else {
		if (last)
			last->next = node->next;
		else
			list->oldest = node->next;
		if (list->newest == node)
			list->newest = last;
	}
	spin_unlock(&list->lock);
	if (node)
		zswap_age_node_free(node);
	return true;
}

/* Tell whether more than half of the items are stale, roughly. */
static bool zswap_age_is_stale(long items)
{
	return items >= ZSWAP_AGE_SLACK +
			2 * percpu_counter_read(&swap_zswap_tier->used);
}

static void zswap_age_sweep_fn(struct work_struct *work)
{
	struct mem_cgroup *memcg = mem_cgroup_iter(NULL, NULL, NULL);
	long items;
	int nid;

	/* Without memcg there is one list on each node. */
	do {
		for_each_node_state(nid, N_MEMORY) {
			zswap_age_collect(memcg, nid);
			while (zswap_age_sweep_next(memcg, nid))
				cond_resched();
		}
		memcg = mem_cgroup_iter(NULL, memcg, NULL);
	} while (memcg);

	/*
	 * If that has not helped, try again when there are a quarter more. Ask
	 * as who queues this does, because with many CPUs the counts are inexact
	 * by more than what a sweep is begun for.
	 */
	items = percpu_counter_read(&zswap_age_items);
	WRITE_ONCE(zswap_age_swept,
		   zswap_age_is_stale(items) ?
			   items + max(items / 4, ZSWAP_AGE_SLACK) : 0);
}

/**
 * zswap_age_sweep_if_stale - sweep the lists if more than half is stale
 *
 * Context: any.
 */
void zswap_age_sweep_if_stale(void)
{
	long items = percpu_counter_read(&zswap_age_items);

	if (likely(!zswap_age_is_stale(items)))
		return;
	if (items < READ_ONCE(zswap_age_swept))
		return;
	if (!work_pending(&zswap_age_sweep_work))
		queue_work(system_dfl_wq, &zswap_age_sweep_work);
}

/**
 * zswap_age_bytes - tell how much memory the lists take
 *
 * Context: process context.
 * Return: bytes.
 */
size_t zswap_age_bytes(void)
{
	return zswap_age_cache ?
	       percpu_counter_sum_positive(&zswap_age_nodes) *
			sizeof(struct zswap_age_node) : 0;
}

/* Give back what a CPU has that has gone offline. */
static int zswap_age_cpu_dead(unsigned int i)
{
	struct zswap_age_cpu *cpu = per_cpu_ptr(&zswap_age_cpu, i);
	struct zswap_age_node *spare = xchg(&cpu->spare, NULL);
	struct obj_cgroup *objcg;

	spin_lock(&cpu->lock);
	zswap_age_flush(cpu);
	objcg = cpu->objcg;
	cpu->objcg = NULL;
	spin_unlock(&cpu->lock);
	obj_cgroup_put(objcg);
	if (spare)
		zswap_age_node_free(spare);
	return 0;
}

/**
 * zswap_age_init - make the lists ready
 * @shrinker: the shrinker that walks them
 *
 * Context: process context, sleeps; once.
 * Return: 0 or -ENOMEM.
 */
int zswap_age_init(struct shrinker *shrinker)
{
	if (percpu_counter_init(&zswap_age_items, 0, GFP_KERNEL))
		return -ENOMEM;
	if (percpu_counter_init(&zswap_age_nodes, 0, GFP_KERNEL))
		goto free_items;
	zswap_age_shrinker = shrinker;
	zswap_age_cache = KMEM_CACHE(zswap_age_node, 0);
	if (zswap_age_cache) {
		/* Without the callback, a node a CPU waits to be collected. */
		WARN_ON(cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
						  "mm/zswap_age:prepare", NULL,
						  zswap_age_cpu_dead) < 0);
		return 0;
	}
	percpu_counter_destroy(&zswap_age_nodes);
free_items:
	percpu_counter_destroy(&zswap_age_items);
	return -ENOMEM;
}
