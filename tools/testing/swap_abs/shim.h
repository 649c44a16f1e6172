/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mm/swap_abs/ needs of the rest of the kernel, for one thread in user
 * space.
 *
 * Processes and workers are tasks with a stack each. Nothing runs at
 * the same time, but a task can lose the CPU wherever it drops its last lock,
 * waits or submits I/O, so any two sections under locks can have anything
 * between them. A driver says which task goes on, when a work begins and how
 * an I/O ends.
 *
 * What breaks a rule of the kernel fails: who sleeps with a lock held, who
 * takes a lock in a completion, and memory that is written to while it is on
 * its way to a device.
 */
#ifndef _SWAP_ABS_SHIM_H
#define _SWAP_ABS_SHIM_H

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mmdebug.h>
#include <linux/swapops.h>
#include <linux/types.h>
#include "desc.h"
#include "fail.h"
#include "random.h"

#define CONFIG_DEBUG_FS		1
#define CONFIG_PM_SLEEP		1
#define CONFIG_SWAP_ABS		1
#define CONFIG_SWAP_ABS_PACKED	1

/* Types, and what is nothing here */
#define pgoff_t			unsigned long
#define sector_t		u64
#define blk_status_t		u8
#define ERESTARTSYS		512
#define SWAP_CLUSTER_MAX	32
#define fallthrough		__attribute__((__fallthrough__))
#define __init
#define __percpu
#define __rcu
#define __ro_after_init
#define ____cacheline_aligned_in_smp

struct address_space;
struct cgroup_subsys_state;
struct dentry;
struct mem_cgroup;
struct obj_cgroup;
struct swap_cluster_info;
struct swap_info_struct;
struct swap_move;
struct swap_object;
struct swap_segment;
struct swap_tier;
struct workqueue_struct;

struct kobject { };

struct xarray { };

/* As those of the kernel, which compare constants of any type */
#undef min
#undef max
#define min(a, b) ({ __auto_type __a = (a); __auto_type __b = (b); __a < __b ? __a : __b; })
#define max(a, b) ({ __auto_type __a = (a); __auto_type __b = (b); __a > __b ? __a : __b; })

/* data_race() is nothing special: nothing runs at the same time. */
#define data_race(expression)		(expression)
#define order_base_2(n)			((n) > 1)	/* of 1 and 2 */
#define get_random_u32()		1
#define WARN_ON(condition)		WARN_ON_ONCE(condition)
#define VM_WARN_ON_ONCE_FOLIO(condition, ...)	VM_WARN_ON_ONCE(condition)
#define pr_warn(...)			do { } while (0)
#define pr_alert_ratelimited(...)	do { } while (0)

/* Before main() */
#define subsys_initcall(function)						\
static void __attribute__((constructor)) function##_call(void)			\
{										\
	function();								\
}

/* Choices of the driver: 0 to @n - 1 */
u32 choose(u32 n);

/* Tasks */
struct task_struct {
	bool killed;
};

extern struct task_struct *current;
extern unsigned int locks_held;
extern bool in_completion;
extern unsigned long jiffies;

void task_preempt(void);
void task_wait(void);

#define HZ				100
#define MAX_SCHEDULE_TIMEOUT		LONG_MAX
#define time_before(a, b)		((long)((a) - (b)) < 0)
#define time_after(a, b)		time_before(b, a)
#define cond_resched()			task_preempt()
#define signal_pending(task)		((task)->killed)

static inline void might_sleep(void)
{
	must(!locks_held && !in_completion);
}

static inline void schedule_timeout_interruptible(long ticks)
{
	task_wait();
	jiffies += ticks;
}

static inline void msleep(unsigned int ms)
{
	task_wait();
}

/* Locks */
struct lock {
	bool held;
};

#define spinlock_t			struct lock
#define mutex				lock
#define lockdep_is_held(lock)		((lock)->held)
#define lockdep_assert_held(lock)	must((lock)->held)

#define spin_lock_init(lock)		((lock)->held = false)
#define mutex_init(lock)		spin_lock_init(lock)

/* Nobody loses the CPU with one, so who finds it held holds it. */
static inline void spin_lock(struct lock *lock)
{
	must(!in_completion);
	must(!lock->held);
	lock->held = true;
	locks_held++;
}

static inline void spin_unlock(struct lock *lock)
{
	must(lock->held);
	lock->held = false;
	if (!--locks_held)
		task_preempt();
}

static inline void mutex_lock(struct lock *lock)
{
	might_sleep();
	while (lock->held)
		task_wait();
	lock->held = true;
}

static inline int mutex_lock_killable(struct lock *lock)
{
	if (signal_pending(current) && lock->held)
		return -EINTR;
	mutex_lock(lock);
	return 0;
}

static inline void mutex_unlock(struct lock *lock)
{
	must(lock->held);
	lock->held = false;
	task_preempt();
}

#define rcu_read_lock()			do { } while (0)
#define rcu_read_unlock()		do { } while (0)
#define rcu_dereference(p)		(p)
#define rcu_dereference_protected(p, ...)	(p)

/* Atomic is all that is done without losing the CPU. */
#define smp_store_release(p, value)	(*(p) = (value))	/* one CPU: no barrier */
#define smp_load_acquire(p)		(*(p))			/* as well */
#define ATOMIC_LONG_INIT(value)		{ (value) }
#define ATOMIC_INIT(value)		{ (value) }
#define atomic_read(v)			((v)->counter)
#define atomic_set(v, value)		((v)->counter = (value))
#define atomic_add(value, v)		((v)->counter += (value))
#define atomic_sub(value, v)		((v)->counter -= (value))
#define atomic_inc(v)			atomic_add(1, v)
#define atomic_dec(v)			atomic_sub(1, v)
#define atomic_dec_and_test(v)		(!atomic_sub(1, v))
#define atomic_long_read(v)		atomic_read(v)
#define atomic_long_add(value, v)	atomic_add(value, v)
#define atomic_long_sub(value, v)	atomic_sub(value, v)
#define atomic_long_inc(v)		atomic_add(1, v)
#define atomic_long_dec(v)		atomic_sub(1, v)

static inline int atomic_fetch_add(int value, atomic_t *v)
{
	v->counter += value;
	return v->counter - value;
}

static inline int atomic_fetch_or(int bits, atomic_t *v)
{
	int old = v->counter;

	v->counter |= bits;
	return old;
}

static inline int atomic_fetch_andnot(int bits, atomic_t *v)
{
	int old = v->counter;

	v->counter &= ~bits;
	return old;
}

#define atomic_long_try_cmpxchg(v, old, new)	((void)(old), (v)->counter = (new), true)
#define try_cmpxchg(p, old, new)	((void)(old), *(p) = (new), true)
#define xchg(p, new)			__atomic_exchange_n(p, new, __ATOMIC_RELAXED)

#define refcount_t			atomic_t
#define refcount_set(r, value)		atomic_set(r, value)
#define refcount_read(r)		atomic_read(r)

static inline void refcount_inc(refcount_t *r)
{
	must(r->counter > 0);
	r->counter++;
}

static inline bool refcount_inc_not_zero(refcount_t *r)
{
	must(r->counter >= 0);
	return r->counter && r->counter++;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	must(r->counter > 0);
	return !--r->counter;
}

/* There is one CPU. */
#define DEFINE_PER_CPU(type_t, name)	type_t name
#define this_cpu_read(variable)		(variable)
#define this_cpu_write(variable, value)	((variable) = (value))
#define this_cpu_add(variable, value)	((variable) += (value))
#define per_cpu_ptr(p, ...)		(p)
#define for_each_possible_cpu(cpu) \
	for (int __first = 1 | ((cpu) = 0); __first; __first = 0)

struct percpu_counter {
	s64 count;
};

#define percpu_counter_add(c, value)	((c)->count += (value))
#define percpu_counter_sub(c, value)	((c)->count -= (value))
#define percpu_counter_inc(c)		((c)->count++)
#define percpu_counter_dec(c)		((c)->count--)
#define percpu_counter_read(c)		((c)->count)
#define percpu_counter_sum(c)		((c)->count)
#define percpu_counter_destroy(c)	((void)(c))

static inline int percpu_counter_init(struct percpu_counter *c, s64 value, gfp_t gfp)
{
	c->count = value;
	return 0;
}

static inline s64 percpu_counter_sum_positive(struct percpu_counter *c)
{
	return max(c->count, 0);
}

#define percpu_counter_read_positive(c)	percpu_counter_sum_positive(c)

/* Memory: who may not wait, or not for I/O, does not always get some. */
#define GFP_NOIO		((gfp_t)8)
#define GFP_NOWAIT		((gfp_t)16)
#define __GFP_NOWARN		((gfp_t)0)
#define __GFP_RETRY_MAYFAIL	((gfp_t)0)

void *alloc_memory(size_t size, gfp_t gfp, int fill);

#define kmalloc(size, gfp)		alloc_memory(size, gfp, 0xa5)
#define kmalloc_array(n, size, gfp)	alloc_memory((n) * (size), gfp, 0xa5)
#define __vmalloc(size, gfp)		alloc_memory(size, gfp, 0xa5)
#define alloc_first(size, gfp, ...)	alloc_memory(size, gfp, 0)
#define kzalloc_obj(object, ...)	alloc_first(sizeof(object), ##__VA_ARGS__, GFP_KERNEL)
#define kvzalloc_obj(object, gfp)	alloc_memory(sizeof(object), gfp, 0)
#define kfree(p)			free((void *)(p))
#define kvfree(p)			free(p)
#define vfree(p)			free(p)
#define memalloc_noreclaim_save()	0
#define memalloc_noreclaim_restore(flags)	((void)(flags))

#define mempool_t			struct mempool

struct mempool {
	size_t size;
	unsigned int min_nr;
	unsigned int nr;	/* in use */
};

static inline int mempool_init_kmalloc_pool(mempool_t *pool, int min_nr, size_t size)
{
	*pool = (mempool_t){ .size = size, .min_nr = min_nr };
	return 0;
}

static inline int mempool_init_page_pool(mempool_t *pool, int min_nr, int order)
{
	return mempool_init_kmalloc_pool(pool, min_nr, SWAP_PACKED_BLOCK << order);
}

static inline bool mempool_initialized(mempool_t *pool)
{
	return pool->size;
}

static inline void mempool_exit(mempool_t *pool)
{
	must(!pool->nr);
	pool->size = 0;
}

void *mempool_alloc(mempool_t *pool, gfp_t gfp);
void mempool_free(void *element, mempool_t *pool);

/* A page of a pool is where its data is. */
#define page_address(page)		((void *)(page))
#define virt_to_page(p)			(p)

/* Waiting */
#define wait_queue_head_t		struct lock
#define init_waitqueue_head(...)	do { } while (0)
#define wake_up_all(...)		do { } while (0)
#define wait_event(wait, condition) do {					\
	(void)(wait);								\
	might_sleep();								\
	while (!(condition))							\
		task_wait();							\
} while (0)

#define wait_event_killable_timeout(wait, condition, timeout) ({		\
	long __timeout = (timeout), __left = 1;					\
	unsigned long __start = jiffies;					\
										\
	(void)(wait);								\
	might_sleep();								\
	while (!(condition)) {							\
		if (signal_pending(current))					\
			__left = -ERESTARTSYS;					\
		else if (time_after(jiffies, __start + __timeout))		\
			__left = 0;						\
		if (__left <= 0)						\
			break;							\
		task_wait();							\
	}									\
	__left;									\
})

struct completion {
	bool done;
};

#define init_completion(c)		((c)->done = false)
#define complete(c)			((c)->done = true)
#define wait_for_completion_io(c)	wait_event(0, (c)->done)
#define wait_for_completion_killable(c) \
	(wait_event_killable_timeout(0, (c)->done, LONG_MAX) < 0)

/* Work: what is delayed begins when the driver says so, as anything else. */
struct work_struct {
	struct list_head entry;
	void (*func)(struct work_struct *work);
	struct workqueue_struct *wq;
	bool pending;
};

struct delayed_work {
	struct work_struct work;
};

#define to_delayed_work(w)		container_of(w, struct delayed_work, work)
#define WQ_MEM_RECLAIM			0
#define WQ_UNBOUND			0
#define WQ_FREEZABLE			0
#define WQ_HIGHPRI			0
#define WQ_PERCPU			0
#define INIT_WORK(w, function)		(*(w) = (struct work_struct){ .func = (function) })
#define INIT_DELAYED_WORK(dw, function)	INIT_WORK(&(dw)->work, function)
#define queue_delayed_work(wq, dw, ...)	queue_work(wq, &(dw)->work)
#define mod_delayed_work(wq, dw, ...)	queue_work(wq, &(dw)->work)
#define cancel_delayed_work_sync(dw)	cancel_work_sync(&(dw)->work)

struct workqueue_struct *alloc_workqueue(const char *name, int flags, int max_active);
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
bool work_busy(struct work_struct *work);
void flush_work(struct work_struct *work);
void flush_workqueue(struct workqueue_struct *wq);
void cancel_work_sync(struct work_struct *work);

/* I/O */
struct block_device {
	unsigned int type;	/* of the swap device */
};

struct bio_vec { };

struct bio {
	struct list_head entry;
	struct block_device *bi_bdev;
	struct {
		sector_t bi_sector;
	} bi_iter;
	void *bi_private;
	void (*bi_end_io)(struct bio *bio);
	blk_status_t bi_status;
	int bi_ioprio;
	bool write;
	u8 *data;
	unsigned int size;
	u32 sum;	/* of the data when it was submitted */
};

enum {
	BLK_STS_OK,
	BLK_STS_IOERR,
	BLK_STS_MEDIUM,
};

#define READ				0
#define WRITE				1
#define REQ_OP_READ			0
#define REQ_OP_WRITE			1
#define REQ_SWAP			2
#define IOPRIO_CLASS_BE			2
#define IOPRIO_CLASS_IDLE		3
#define IOPRIO_BE_NORM			4
#define IOPRIO_PRIO_VALUE(class, level)	((class) << 13 | (level))
#define blk_status_to_errno(status)	((status) ? -EIO : 0)
#define bio_associate_blkg_from_css(...)	do { } while (0)
#define bio_uninit(...)			do { } while (0)
#define bio_add_virt_nofail(bio, data, size)	bio_add_vmalloc(bio, data, size)

static inline void bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *bvecs,
			    unsigned int nr, unsigned int op)
{
	*bio = (struct bio){ .bi_bdev = bdev, .write = op & REQ_OP_WRITE };
}

static inline bool bio_add_vmalloc(struct bio *bio, void *data, unsigned int size)
{
	bio->data = data;
	bio->size = size;
	return true;
}

void submit_bio(struct bio *bio);
int submit_bio_wait(struct bio *bio);

/* Folios: a page is what it is when it is compressed. */
struct page {
	unsigned int length;
	u8 data[SWAP_PACKED_BLOCK];
};

struct folio {
	struct page page;
	struct page *pages;	/* behind the first one */
	unsigned int nr;
	unsigned int refs;
	swp_entry_t swap;
	bool locked;
	bool uptodate;
	bool dirty;
	bool writeback;
};

#define folio_nr_pages(folio)		((folio)->nr)
#define folio_test_large(folio)		((folio)->nr > 1)
#define folio_test_uptodate(folio)	((folio)->uptodate)
#define folio_test_writeback(folio)	((folio)->writeback)
#define folio_mark_uptodate(folio)	((folio)->uptodate = true)
#define folio_mark_dirty(folio)		((folio)->dirty = true)
#define folio_clear_reclaim(...)	do { } while (0)
#define count_vm_event(...)		do { } while (0)
#define count_mthp_stat(...)		do { } while (0)
#define count_memcg_folio_events(...)	do { } while (0)

static inline struct page *folio_page(struct folio *folio, unsigned int i)
{
	return i ? &folio->pages[i - 1] : &folio->page;
}

static inline bool folio_trylock(struct folio *folio)
{
	return !folio->locked && (folio->locked = true);
}

static inline void folio_unlock(struct folio *folio)
{
	must(folio->locked);
	folio->locked = false;
}

static inline void folio_end_writeback(struct folio *folio)
{
	must(folio->writeback);
	folio->writeback = false;
}

static inline void swap_writeout_begin(struct folio *folio)
{
	must(!folio->writeback);
	folio->writeback = true;
	folio_unlock(folio);
}

/* Swap devices, and the virtual area */
#ifndef SWAPFILE_CLUSTER
#define SWAPFILE_CLUSTER		32
#endif
#define SWP_WRITEOK			BIT(1)
#define SWP_SYNCHRONOUS_IO		BIT(2)

enum swap_cluster_flags {
	CLUSTER_FLAG_FREE,
	CLUSTER_FLAG_FULL,
	CLUSTER_FLAG_LENT_SEGMENT,
};

struct swap_cluster_info {
	struct lock lock;
	enum swap_cluster_flags flags;
	struct folio *table[SWAPFILE_CLUSTER];
	swap_desc_t *desc;
	struct swap_segment *segment;
};

struct swap_iocb {
	struct bio bio;
	struct bio_vec *bvecs;
};

struct swap_io_ctx {
	struct swap_iocb *sio;
	struct swap_info_struct *sis;
	bool moved;
	struct swap_info_struct *batch;
	unsigned long batch_streams;
	void (*end_batch)(struct swap_io_ctx *ctx);
};

struct swap_ops {
	void (*submit_read)(struct swap_io_ctx *ctx);
};

struct swap_info_struct {
	unsigned int type;
	unsigned int max;
	int prio;
	unsigned long flags;
	const struct swap_ops *ops;
	struct block_device *bdev;
	struct swap_tier *tier;
	struct swap_cluster_info *cluster_info;
};

extern struct swap_info_struct *swap_info[MAX_SWAPFILES];
extern struct swap_info_struct *swap_virtual_area;
extern const struct swap_ops swap_bdev_ops;
extern atomic_long_t nr_swap_pages;

struct swap_cluster_info *swap_cluster_lend(struct swap_info_struct *si,
					    enum swap_cluster_flags flags);
void swap_cluster_return(struct swap_info_struct *si, struct swap_cluster_info *ci);
sector_t swap_device_run(struct swap_info_struct *si, pgoff_t offset, unsigned int *nr);
void swap_read_submit(struct swap_io_ctx *ctx);

#define swap_device_tryget(si)		((si) != NULL)
#define put_swap_device(si)		((void)(si))
#define swp_cluster_offset(entry)	(swp_offset(entry) % SWAPFILE_CLUSTER)
#define __swap_entry_to_info(entry)	(swap_info[swp_type(entry)])
#define __swap_table_get(ci, off)	((unsigned long)(ci)->table[off])
#define swp_tb_is_folio(entry)		((entry) != 0)
#define swp_tb_to_folio(entry)		((struct folio *)(entry))
#define swap_cluster_unlock(ci)		spin_unlock(&(ci)->lock)
#define swap_iocb_is_moved(...)		false
#define swap_iocb_set_moved(...)	do { } while (0)

static inline struct swap_cluster_info *__swap_entry_to_cluster(swp_entry_t entry)
{
	struct swap_info_struct *si = __swap_entry_to_info(entry);

	must(si && swp_offset(entry) < si->max);
	return &si->cluster_info[swp_offset(entry) / SWAPFILE_CLUSTER];
}

static inline struct swap_cluster_info *swap_cluster_lock(struct swap_info_struct *si,
							  unsigned long offset)
{
	struct swap_cluster_info *ci = &si->cluster_info[offset / SWAPFILE_CLUSTER];

	must(offset < si->max);
	spin_lock(&ci->lock);
	return ci;
}

static inline struct swap_cluster_info *swap_cluster_get_and_lock(struct folio *folio)
{
	must(folio->locked);
	return swap_cluster_lock(swap_virtual_area, swp_offset(folio->swap));
}

/* What the layer asks of its other files, which are not here */
enum swap_tier_state {
	SWAP_TIER_NEW,
	SWAP_TIER_ONLINE,
	SWAP_TIER_CLOSED,
	SWAP_TIER_DRAINING,
	SWAP_TIER_FAILED,
};

/* The slots of a model are always in use. */
#define swap_desc_of(entry)		swap_desc_read(entry)
/* No page is zero-filled. */
static inline void __swap_table_clear_zero(struct swap_cluster_info *ci, unsigned int ci_off)
{
}

#define swap_promise_put(nr)		atomic_long_add(nr, &nr_swap_pages)
#define swap_slot_may_writeback(...)	true
#define zswap_folio_swapin(...)		do { } while (0)
#define zswap_init_codec()		do { } while (0)
#define debugfs_create_bool(...)	do { } while (0)
#define trace_swap_abs_store(...)	do { } while (0)
#define trace_swap_abs_move(...)	do { } while (0)
static inline void trace_swap_abs_collect(unsigned int type, ...) { }

void swap_desc_init(struct swap_cluster_info *ci, unsigned int ci_off, unsigned int nr);
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off, unsigned int nr);
int zswap_adopt_object(swp_entry_t slot, swap_place_t from, const struct swap_object *object,
		       bool neighbour);

/* Suspended: what writes must wait. */
extern bool storage_is_suspended;

#define pm_suspended_storage()		storage_is_suspended
#define PM_HIBERNATION_PREPARE		1
#define PM_SUSPEND_PREPARE		3
#define PM_POST_HIBERNATION		2
#define NOTIFY_DONE			0
#define NR_FREE_PAGES			0
#define totalram_pages()		1024UL
#define global_zone_page_state(...)	512UL

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action, void *data);
};

extern struct notifier_block *pm_notifier;

#define register_pm_notifier(nb)	((void)(pm_notifier = (nb)))

#endif /* _SWAP_ABS_SHIM_H */
