// SPDX-License-Identifier: GPL-2.0
/* Tasks, work, memory and I/O; see shim.h and driver.h. */
#include <ucontext.h>
#include <linux/crc32.h>
#include "driver.h"

#define NR_TASKS	48
#define STACK_SIZE	(128 * 1024)

struct task {
	struct task_struct task;
	ucontext_t context;
	void (*function)(unsigned int argument);
	unsigned int argument;
	struct work_struct *work;	/* that it does, which may have been freed */
	struct workqueue_struct *wq;
	bool live;
};

struct workqueue_struct {
	const char *name;
};

LIST_HEAD(works);
LIST_HEAD(bios);
unsigned int nr_tasks, nr_works, nr_bios;
unsigned long nr_read_errors;

unsigned int locks_held;
bool in_completion;
unsigned long jiffies = HZ;

/* In static memory, where the leak sanitizer looks for pointers. */
static u8 stacks[NR_TASKS][STACK_SIZE] __aligned(64);
static struct task tasks[NR_TASKS];
static ucontext_t driver;
static struct task_struct driver_task;
struct task_struct *current = &driver_task;
static unsigned int fuel;	/* how often @current does not lose the CPU */
static struct choices *choices;

void choose_from(struct choices *source)
{
	choices = source;
}

u32 choose(u32 n)
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

u64 choose64(void)
{
	return choices->bytes ? mix64(choose(65536)) : random64(&choices->random);
}

static void task_main(void)
{
	struct task *task = container_of(current, struct task, task);

	if (task->work)
		task->work->func(task->work);
	else
		task->function(task->argument);
	must(!locks_held);
	task->live = false;
	nr_tasks--;
}

/* Let a task go on until it waits, ends, or could have stopped so often. */
static void task_run(struct task *task, unsigned int how_often)
{
	must(current == &driver_task && !locks_held && !in_completion);
	fuel = how_often;
	current = &task->task;
	swapcontext(&driver, &task->context);
	current = &driver_task;
}

static void task_stop(void)
{
	struct task *task = container_of(current, struct task, task);

	must(!locks_held && !in_completion);
	swapcontext(&task->context, &driver);
}

void task_preempt(void)
{
	if (current == &driver_task || locks_held || in_completion || fuel-- > 0)
		return;
	task_stop();
}

void task_wait(void)
{
	might_sleep();
	if (current == &driver_task)
		driver_wait();
	else
		task_stop();
}

static unsigned int some(void)
{
	return choose(2) ? UINT_MAX : choose(32);
}

static void task_init(struct task *task)
{
	must(!getcontext(&task->context));
	task->context.uc_stack.ss_sp = stacks[task - tasks];
	task->context.uc_stack.ss_size = STACK_SIZE;
	task->context.uc_link = &driver;
	makecontext(&task->context, task_main, 0);
}

static void start(void (*function)(unsigned int), unsigned int argument,
		  struct work_struct *work, unsigned int how_often)
{
	struct task *task = tasks;

	while (task->live)
		must(++task < tasks + NR_TASKS);
	task->function = function;
	task->argument = argument;
	task->work = work;
	task->wq = work ? work->wq : NULL;
	task->task.killed = !work && choose(32) == 0;
	task->live = true;
	nr_tasks++;
	task_init(task);
	task_run(task, how_often);
}

void task_start(void (*function)(unsigned int), unsigned int argument)
{
	start(function, argument, NULL, some());
}

/* The first task from the @nth on, in a ring. */
void task_resume(unsigned int nth)
{
	unsigned int i;

	for (i = 0; i < NR_TASKS; i++) {
		struct task *task = &tasks[(nth + i) % NR_TASKS];

		if (!task->live)
			continue;
		task_run(task, some());
		return;
	}
}

static bool is_running(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < NR_TASKS; i++)
		if (tasks[i].live && tasks[i].work == work)
			return true;
	return false;
}

/* While somebody has been refused room, it leads to itself. */
static bool is_retry(struct work_struct *work)
{
	return work->func == swap_collect_again_work;
}

/* A work does not begin while it runs. */
static void work_run(unsigned int nth, unsigned int how_often, bool retry)
{
	struct work_struct *work;

	list_for_each_entry(work, &works, entry) {
		if (nth && nth--)
			continue;
		if (is_running(work) || (is_retry(work) && !retry))
			continue;
		list_del(&work->entry);
		nr_works--;
		work->pending = false;
		start(NULL, 0, work, how_often);
		return;
	}
}

void work_start(unsigned int nth)
{
	work_run(nth, some(), true);
}

struct workqueue_struct *alloc_workqueue(const char *name, int flags, int max_active)
{
	struct workqueue_struct *wq = calloc(1, sizeof(*wq));

	must(wq);
	wq->name = name;
	return wq;
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	must(wq && work->func);
	if (work->pending)
		return false;
	work->pending = true;
	work->wq = wq;
	list_add_tail(&work->entry, &works);
	nr_works++;
	return true;
}

bool work_busy(struct work_struct *work)
{
	return work->pending || is_running(work);
}

void flush_work(struct work_struct *work)
{
	wait_event(0, !work_busy(work));
}

static bool is_busy(struct workqueue_struct *wq)
{
	struct work_struct *work;
	unsigned int i;

	list_for_each_entry(work, &works, entry)
		if (work->wq == wq)
			return true;
	for (i = 0; i < NR_TASKS; i++)
		if (tasks[i].live && tasks[i].wq == wq)
			return true;
	return false;
}

void flush_workqueue(struct workqueue_struct *wq)
{
	wait_event(0, !is_busy(wq));
}

void cancel_work_sync(struct work_struct *work)
{
	if (work->pending) {
		list_del(&work->entry);
		nr_works--;
		work->pending = false;
	}
	wait_event(0, !is_running(work));
}

void *alloc_memory(size_t size, gfp_t gfp, int fill)
{
	void *p;

	if (gfp == GFP_KERNEL)
		might_sleep();
	else if (choose(32) == 0)
		return NULL;
	p = malloc(size);
	must(p);
	return memset(p, fill, size);
}

void *mempool_alloc(mempool_t *pool, gfp_t gfp)
{
	void *p;

	if (gfp == GFP_NOWAIT && pool->nr >= pool->min_nr && choose(2))
		return NULL;
	if (gfp != GFP_NOWAIT)
		wait_event(0, pool->nr < pool->min_nr);
	pool->nr++;
	p = malloc(pool->size);
	must(p);
	return memset(p, 0xa5, pool->size);
}

void mempool_free(void *element, mempool_t *pool)
{
	must(pool->nr);
	pool->nr--;
	free(element);
}

void submit_bio(struct bio *bio)
{
	might_sleep();
	if (bio->write)
		bio->sum = crc32c(0, bio->data, bio->size);
	list_add_tail(&bio->entry, &bios);
	nr_bios++;
	task_preempt();
}

static void submit_bio_wait_end(struct bio *bio)
{
	bio->bi_private = NULL;
}

int submit_bio_wait(struct bio *bio)
{
	bio->bi_private = bio;
	bio->bi_end_io = submit_bio_wait_end;
	submit_bio(bio);
	wait_event(0, !bio->bi_private);
	return blk_status_to_errno(bio->bi_status);
}

/* An I/O ends: the first one from the @nth on. */
void bio_end(unsigned int nth, enum device_outcome outcome, u64 random)
{
	bool ok = outcome != WRITE_FAILED;
	struct bio *bio;
	u64 address;

	if (!nr_bios)
		return;
	nth %= nr_bios;
	list_for_each_entry(bio, &bios, entry)
		if (!nth--)
			break;
	list_del(&bio->entry);
	nr_bios--;
	address = device_start(bio->bi_bdev->type) + bio->bi_iter.bi_sector * 512;
	if (bio->write) {
		must(bio->sum == crc32c(0, bio->data, bio->size));
		check_write(bio->bi_iter.bi_sector * 512, bio->data, bio->size);
		ok = device_write(address, bio->data, bio->size, outcome, random);
	} else if (ok) {
		device_read(address, bio->data, bio->size);
	} else {
		nr_read_errors++;
	}
	bio->bi_status = ok ? BLK_STS_OK : random & 3 ? BLK_STS_IOERR : BLK_STS_MEDIUM;
	in_completion = true;
	bio->bi_end_io(bio);
	in_completion = false;
}

/* Is nothing to be done, but for what is asked for again each second? */
static bool is_idle(void)
{
	struct work_struct *work;

	list_for_each_entry(work, &works, entry)
		if (!is_retry(work))
			return false;
	return !nr_tasks && !nr_bios;
}

/* Who drives waits: any of these things may be what for. */
void driver_wait(void)
{
	unsigned int had = nr_tasks, i;

	for (i = 0; i < NR_TASKS; i++)
		if (tasks[i].live)
			task_run(&tasks[i], UINT_MAX);
	if (nr_tasks && nr_tasks < had)
		return;
	bio_end(0, WRITE_DONE, 0);
	work_run(jiffies++ % (nr_works + 1), UINT_MAX, false);
}

/*
 * Until no task is left that has begun, and with @all until nothing is to be
 * done. What they wait for has to happen by itself.
 */
void driver_settle(bool all)
{
	unsigned int turns = 0;

	storage_is_suspended = false;
	while (nr_tasks || (all && !is_idle())) {
		/* Else somebody waits for what never comes. */
		must(turns++ < 100000);
		driver_wait();
	}
}
