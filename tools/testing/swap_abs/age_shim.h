/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/swap_abs/zswap_age.c needs of the rest of the kernel, for one thread in
 * user space that takes the places of three CPUs.
 *
 * Nothing runs at the same time. But where no lock is held and the file takes or
 * drops one, allocates, has a barrier, asks for the next cgroup or may be
 * rescheduled, preempt() lets the test do a whole other operation first, and
 * change @this_cpu.
 *
 * What breaks a rule of the file's head comment or of the kernel fails: locks in
 * another order, two of a kind, a lock held while sleeping, a cgroup that is used
 * after it was freed (with the address sanitizer).
 */
#ifndef _SWAP_ABS_AGE_SHIM_H
#define _SWAP_ABS_AGE_SHIM_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/mmdebug.h>
#include <linux/swapops.h>
#include <linux/types.h>
#include "desc.h"
#include "fail.h"

#define CONFIG_MEMCG		1
#define CONFIG_SWAP_ABS		1
#define CONFIG_ZSWAP		1

#define CPUS			3
#define NR_NODES		2

/* As those of the kernel, which compare numbers of any unsigned type */
#undef min
#undef max
#define min(a, b) ({ __auto_type __a = (a); __auto_type __b = (b); __a < __b ? __a : __b; })
#define max(a, b) ({ __auto_type __a = (a); __auto_type __b = (b); __a > __b ? __a : __b; })
#define WARN_ON(condition)	((void)WARN_ON_ONCE(condition))

/* Where something else may happen */
enum where {
	AT_LIST_LOCK,
	AT_CPU_LOCK,
	AT_BARRIER,
	AT_ALLOC,
	AT_RESCHED,
	AT_ITER,
};

extern void (*preempt_hook)(enum where where);
extern unsigned int locks_held, rcu_depth, this_cpu;

static inline void preempt(enum where where)
{
	if (preempt_hook && !locks_held && !rcu_depth)
		preempt_hook(where);
}

/* Locks */
enum lock_kind { LOCK_LIST, LOCK_CPU, NR_LOCK_KINDS };

struct lock {
	enum lock_kind kind;
	bool held;
};

#define spinlock_t			struct lock

extern unsigned int kinds_held[NR_LOCK_KINDS];

#define __SPIN_LOCK_UNLOCKED(...)	{ LOCK_CPU, false }
#define spin_lock_init(lock)		(*(lock) = (spinlock_t){ LOCK_LIST, false })
#define lockdep_assert_held(lock)	must((lock)->held)

static inline void spin_lock(spinlock_t *lock)
{
	preempt(lock->kind == LOCK_CPU ? AT_CPU_LOCK : AT_LIST_LOCK);
	must(!lock->held);
	/* A list's lock is the innermost, and there is one of a kind. */
	must(!kinds_held[LOCK_LIST] && !kinds_held[lock->kind]);
	lock->held = true;
	kinds_held[lock->kind]++;
	locks_held++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	must(lock->held);
	lock->held = false;
	kinds_held[lock->kind]--;
	locks_held--;
	preempt(lock->kind == LOCK_CPU ? AT_CPU_LOCK : AT_LIST_LOCK);
}

/* Who takes part in RCU holds a lock, or else does not lose the CPU. */
#define rcu_read_lock()		((void)rcu_depth++)
#define rcu_read_unlock()	((void)rcu_depth--)
#undef smp_mb
#define smp_mb(...)	preempt(AT_BARRIER)	/* a point where others come between */
#define cond_resched()		do { must(!locks_held); preempt(AT_RESCHED); } while (0)
#define xchg(p, new)		__atomic_exchange_n(p, new, __ATOMIC_RELAXED)

/* Each CPU has its copy so many bytes behind the variable, as in the kernel. */
extern uintptr_t cpu_offset[CPUS];

#define per_cpu_ptr(p, cpu)	((typeof(p))((uintptr_t)(p) + cpu_offset[cpu]))
#define raw_cpu_ptr(p)		per_cpu_ptr(p, this_cpu)
#define this_cpu_xchg(v, new)	xchg(raw_cpu_ptr(&(v)), new)
#define this_cpu_inc_return(v)	(++*raw_cpu_ptr(&(v)))

/* A loop over an int, or an unsigned int, from 0 on */
struct each {
	int *at, end;
};

static inline struct each each_begin(void *at, int end)
{
	*(int *)at = 0;
	return (struct each){ at, end };
}

#define for_each_below(i, nr) \
	for (struct each __each = each_begin(&(i), nr); *__each.at < __each.end; ++*__each.at)
#define for_each_possible_cpu(cpu)	for_each_below(cpu, CPUS)

/* As exact as those of the kernel: what a CPU has counted by itself is not read. */
extern int percpu_counter_batch;

struct percpu_counter {
	s64 count;
	s64 of_cpu[CPUS];
	bool ready;
};

extern unsigned int fail_counter;	/* so many are made before one fails; 0 for none */

static inline int percpu_counter_init(struct percpu_counter *c, s64 value, gfp_t gfp)
{
	if (fail_counter && !--fail_counter)
		return -ENOMEM;
	must(!c->ready);
	*c = (struct percpu_counter){ .count = value, .ready = true };
	return 0;
}

static inline void percpu_counter_destroy(struct percpu_counter *c)
{
	must(c->ready);
	c->ready = false;
}

static inline void percpu_counter_add(struct percpu_counter *c, s64 value)
{
	s64 *mine = &c->of_cpu[this_cpu];

	must(c->ready);
	*mine += value;
	if (*mine >= percpu_counter_batch || *mine <= -percpu_counter_batch) {
		c->count += *mine;
		*mine = 0;
	}
}

#define percpu_counter_sub(c, value)	percpu_counter_add(c, -(s64)(value))
#define percpu_counter_inc(c)		percpu_counter_add(c, 1)
#define percpu_counter_dec(c)		percpu_counter_add(c, -1)
#define percpu_counter_read(c)		((c)->count)

static inline s64 percpu_counter_sum(const struct percpu_counter *c)
{
	s64 sum = c->count;
	int i;

	for_each_possible_cpu(i)
		sum += c->of_cpu[i];
	return sum;
}

static inline void percpu_counter_dead(struct percpu_counter *c, unsigned int cpu)
{
	c->count += c->of_cpu[cpu];
	c->of_cpu[cpu] = 0;
}

#define percpu_counter_sum_positive(c)	max(percpu_counter_sum(c), 0L)

/* Memory */
#define GFP_NOWAIT		((gfp_t)16)
#ifndef __GFP_NOWARN
#define __GFP_NOWARN		((gfp_t)0)
#endif

struct kmem_cache {
	size_t size;
	long nr;
};

extern bool fail_cache;
bool alloc_fails(gfp_t gfp);

static inline struct kmem_cache *shim_cache_create(size_t size)
{
	static struct kmem_cache cache;

	if (fail_cache)
		return NULL;
	cache.size = size;
	return &cache;
}

#define KMEM_CACHE(name, ...)		shim_cache_create(sizeof(struct name))

static inline void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *p;

	if (gfp != GFP_NOWAIT)
		must(!locks_held);
	preempt(AT_ALLOC);
	if (alloc_fails(gfp))
		return NULL;
	p = malloc(cache->size);
	must(p);
	cache->nr++;
	return memset(p, 0xa5, cache->size);
}

static inline void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	must(p && cache->nr > 0);
	cache->nr--;
	free(p);
}

/* Work, which the test does */
struct work_struct {
	void (*func)(struct work_struct *work);
	bool pending;
};

#define DECLARE_WORK(name, function)	struct work_struct name = { function, false }
#define work_pending(work)		((work)->pending)
#define system_dfl_wq			0
#define queue_work(wq, work)		((work)->pending = true + (wq))

/* The tree of cgroups, and their lists */
struct zswap_age_node;

struct zswap_lruvec_state {
	spinlock_t lock;	/* protects all but @on_cpus */
	bool dead;
	bool on_cpus;
	struct zswap_age_node *oldest;
	struct zswap_age_node *newest;
	struct zswap_age_node *swept;
	unsigned long nr;
};

struct lruvec {
	struct zswap_lruvec_state zswap_lruvec_state;
};

struct pglist_data {
	int node_id;
};

struct mem_cgroup {
	struct mem_cgroup *parent;
	unsigned int id;		/* in all_memcgs[] */
	unsigned int refs;
	unsigned int children;
	bool online;
	bool bit[NR_NODES];		/* of the shrinker */
	struct obj_cgroup *objcg[NR_NODES];
	struct lruvec lruvec[NR_NODES];
};

struct obj_cgroup {
	struct obj_cgroup *next;	/* of all */
	struct mem_cgroup *memcg;
	unsigned int refs;
};

struct shrinker {
	int id;
};

extern struct mem_cgroup *root_mem_cgroup;
extern struct pglist_data all_nodes[NR_NODES];

struct mem_cgroup *mem_cgroup_iter(struct mem_cgroup *root, struct mem_cgroup *prev,
				   void *reclaim);
void obj_cgroup_put(struct obj_cgroup *objcg);
void set_shrinker_bit(struct mem_cgroup *memcg, int nid, int id);

#define N_MEMORY			0
#define for_each_node(nid)		for_each_below(nid, NR_NODES)
#define for_each_node_state(nid, ...)	for_each_node(nid)
#define NODE_DATA(nid)			(&all_nodes[nid])
#define parent_mem_cgroup(memcg)	((memcg)->parent)
#define mem_cgroup_disabled()		false

static inline struct lruvec *mem_cgroup_lruvec(struct mem_cgroup *memcg,
					       struct pglist_data *pgdat)
{
	return &(memcg ? memcg : root_mem_cgroup)->lruvec[pgdat->node_id];
}

static inline struct mem_cgroup *obj_cgroup_memcg(struct obj_cgroup *objcg)
{
	must(rcu_depth && objcg->refs);
	return objcg->memcg;
}

static inline void obj_cgroup_get(struct obj_cgroup *objcg)
{
	must(objcg->refs);
	objcg->refs++;
}

/* Swap, and what else the file asks */
struct swap_info_struct {
	unsigned int type;
};

struct swap_tier {
	struct percpu_counter used;
};

extern struct swap_info_struct *swap_virtual_area;
extern struct swap_tier *swap_zswap_tier;
extern bool is_kswapd;
extern unsigned long formats_busy;

swap_desc_t swap_desc_read(swp_entry_t slot);

#define current_is_kswapd()		is_kswapd
#define swap_formats_sum(op)		formats_ ## op

extern int (*cpu_dead)(unsigned int cpu);
#define CPUHP_BP_PREPARE_DYN		0
#define cpuhp_setup_state_nocalls(...)	cpuhp_setup(__VA_ARGS__)

static inline int cpuhp_setup(int state, const char *name, int (*startup)(unsigned int cpu),
			      int (*teardown)(unsigned int cpu))
{
	cpu_dead = teardown;
	return 0;
}

#endif /* _SWAP_ABS_AGE_SHIM_H */
