/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the swap abstraction tests share: page contents that can be verified,
 * swap devices, cgroups, the knobs of swap and zswap, and ways to push pages
 * out. Nothing here knows the test harness: functions return 0 or -errno (or
 * what their comment says) and the tests decide what that means.
 */
#ifndef SWAP_ABS_LIB_H
#define SWAP_ABS_LIB_H

#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SA_PAGE		4096UL
#define SA_MIB		0x100000UL
#define SA_MIB_PAGES	(SA_MIB / SA_PAGE)
/* Slots of a cluster, what a device lends at once: at most so many */
#define SA_CLUSTER	512

/* Upper bound of one test, not its usual time: debug kernels are slow. */
#define SA_TIMEOUT	900

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

/* --- page contents ----------------------------------------------------- */

enum sa_pat {
	SA_ZERO,	/* all zero */
	SA_REPEAT,	/* one word repeated, the word tells page and generation */
	SA_TEXT,	/* words and numbers, compresses 2:1 to 3:1 */
	SA_MIXED,	/* by page: any of the others, or half and half */
	SA_RANDOM,	/* does not compress */
	SA_NPAT
};

extern const char * const sa_pat_name[SA_NPAT];

void sa_fill(void *page, enum sa_pat pat, __u64 seed, __u32 idx,
	     __u32 gen);
/* 0, or -1 after saying which byte differs and whose page it is instead */
int sa_check(const void *page, enum sa_pat pat, __u64 seed, __u32 idx,
	     __u32 gen);

struct sa_area {
	unsigned char *p;
	size_t n;			/* pages */
	enum sa_pat pat;
	__u64 seed;
	__u32 gen;
};

/* Map n pages of private anonymous memory, small pages only, 2 MiB aligned */
int sa_area_map(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed);
void sa_area_unmap(struct sa_area *a);
void sa_area_fill(struct sa_area *a);
/* Number of pages that are not what sa_area_fill() wrote */
size_t sa_area_check(const struct sa_area *a);
/*
 * Fill it page by page and push that out, until a number of the device's tier has grown so
 * large. The area ends there: its number of pages, or 0 when that was not enough.
 */
size_t sa_area_fill_until(struct sa_area *a, const char *device, const char *file,
			  long long value);

/* Pages of an area that are replaced one by one, and have a generation each */
struct sa_set {
	struct sa_area a;
	__u32 *gens;
	__u64 rnd;
	size_t bad;			/* pages that were wrong */
	size_t refused;			/* rounds after which some did not go out at once */
	size_t missed;			/* pages that did not go out in some seconds, either */
};

/* Of an area that has been filled; 0 or -errno */
int sa_set_make(struct sa_set *set, const struct sa_area *a);
/* Rewrite so many pages, anywhere in it, and push all out */
void sa_set_rewrite(struct sa_set *set, size_t nr);
/* Number of pages that are wrong now */
size_t sa_set_check(const struct sa_set *set);

/* Does reading a byte there raise SIGBUS? */
bool sa_bus(const void *p);

__u64 sa_rand(__u64 *state);
/* 0 to n - 1 in any order, for free(); NULL without memory */
size_t *sa_shuffled(size_t n, __u64 seed);
/* For qsort() of doubles */
int sa_by_value(const void *a, const void *b);

/* --- files and knobs --------------------------------------------------- */

void sa_log(const char *fmt, ...);
int sa_read(const char *path, char *buf, size_t size);
int sa_write(const char *path, const char *text);
/* The number in a file, or -errno (numbers here are never negative) */
long long sa_read_num(const char *path);
int sa_write_num(const char *path, long long value);
/* The number after a word at the start of a line, or -ENOENT */
long long sa_read_key(const char *path, const char *key);
long long sa_vmstat(const char *key);
/* In bytes */
long long sa_meminfo(const char *key);
/* Bytes of swap in use. The reserve of packed devices is neither in use nor free. */
long long sa_swap_used(void);
double sa_now(void);

#define SA_SYSCTL	"/proc/sys/vm/swap_abs"
#define SA_TIERS	"/sys/kernel/mm/swap/tiers"
#define SA_DEBUG	"/sys/kernel/debug/swap_abs"
#define SA_MOVE_DELAY	SA_DEBUG "/move_delay_ms"
#define SA_PAGE_CLUSTER	"/proc/sys/vm/page-cluster"
#define SA_LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"
#define SA_ZSWAP	"/sys/module/zswap/parameters"

bool sa_have_layer(void);
int sa_layer(bool on);
bool sa_have_zswap(void);
int sa_zswap(bool on);
int sa_zswap_param(const char *name, const char *value);
/* Bytes that zswap holds, uncompressed */
long long sa_zswapped(void);
/* The bytes that zswap has of our own pages, compressed */
long long sa_zswap_bytes(void);
/* Make zswap begin to write back all that it holds now, and take new pages on */
int sa_zswap_kick(void);
/* Make zswap write back all that it holds; 0 when it is empty in time */
int sa_zswap_drain(int seconds);

/* Violations that the kernel's own scan finds; 0 where there is no scan */
long long sa_violations(void);
/* A number that the scan prints (slots, pinned, lost, orphans), or -errno */
long long sa_scan(const char *key);

/* Wait until cond holds, at most so many seconds; true when it does */
#define sa_wait(cond, seconds)						\
({									\
	double __end = sa_now() + (seconds);				\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && sa_now() < __end)			\
		usleep(5000);						\
	__ok;								\
})

/*
 * The same, pushing out of the swap cache what nobody maps or what is written:
 * until then such folios keep their slots.
 */
#define sa_wait_purged(cond, seconds)					\
({									\
	double __end = sa_now() + (seconds);				\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && sa_now() < __end) {			\
		sa_purge();						\
		usleep(5000);						\
	}								\
	__ok;								\
})
void sa_purge(void);
/* Bytes in the swap cache, of everybody */
long long sa_swap_cached(void);
/* Wait until nothing of the test's cgroups is in the swap cache */
bool sa_only_swapped(void);
/* Wait until nothing of the area is: what is then read comes from its tier */
bool sa_area_only_swapped(const struct sa_area *a);

/* --- the world around a test ------------------------------------------- */

bool sa_uml(void);			/* User Mode Linux */
bool sa_full(void);			/* full mode, not quick */
bool sa_dedicated(void);		/* may all of the machine run out of memory? */
int sa_seconds(int otherwise);		/* how long a soak lasts */

/*
 * Undo whatever an earlier test left (layer off, zswap off, no swap, no
 * cgroup), then look whether tests can run. NULL, or why they cannot.
 */
const char *sa_setup(void);
void sa_reset(void);
/*
 * What each fixture begins with: sa_setup(), then the layer on or off. From
 * here on the test is in a cgroup of its own, without limits, and what memory
 * it has is locked: what is swapped is what the test maps from now on.
 */
const char *sa_begin(bool on);
/*
 * The same with something to swap to: zswap and no device (with the layer), or
 * zswap in front of the first device (without), or the device alone.
 */
const char *sa_begin_backed(bool on, bool zswap);
/* And ends with: the number of violations the kernel finds, then sa_reset() */
long long sa_end(void);

/* --- swap devices ------------------------------------------------------ */

int sa_ndevs(void);
const char *sa_dev(int i);
size_t sa_dev_pages(int i);
/* Write a swap header for so many pages, 0: all there are */
int sa_mkswap(const char *path, size_t pages);
/* The same with a list of pages that must not be used: 637 at most */
int sa_mkswap_bad(const char *path, size_t pages, const __u32 *bad, size_t nr);
/*
 * mkswap and swapon. pages 0: the whole device; prio < 0: the kernel's choice.
 * New data is written raw, or packed when the tests run with SWAP_ABS_FORMAT=packed.
 */
int sa_swapon(const char *path, size_t pages, int prio);
bool sa_packed(void);
/* Choose how new data is written to a device; 0 or -errno */
int sa_format(const char *path, const char *format);
/* As sa_swapon(), and what is new is written packed */
int sa_swapon_packed(const char *path, size_t pages, int prio);
/* Slots of a cluster, which is what a tier gets of a device at a time */
size_t sa_cluster(void);
int sa_swapoff(const char *path);

/* What a block device has read and written since it is there; 0 or -errno */
struct sa_io {
	long long reads, read_sectors, writes, write_sectors;
};

int sa_io(const char *path, struct sa_io *io);
/* Bytes written to it, 0 when that can't be told */
long long sa_written(const char *path);
/* What the kernel calls it, "dm-0"; NULL when it is no block device */
const char *sa_kernel_name(const char *path);
/* Wait until nothing is under writeback; false when that takes too long */
bool sa_settle(void);

/* In pages, from /proc/swaps; false when it is not there */
bool sa_swaps(const char *path, size_t *size, size_t *used, int *prio);
/* Number of swap devices in use */
int sa_nswaps(void);
/*
 * Use a file as a loop device, with LO_FLAGS_*, and blocks of so many bytes (0: as ever).
 * The open device, and its path; or -errno, and the path is empty.
 */
int sa_loop_attach(int file, unsigned int flags, unsigned int block_size, char *path,
		   size_t size);
/* 0 or -errno */
int sa_loop_detach(const char *path);
/* A filesystem for swapfiles on device i; NULL or why not */
const char *sa_mkfs(int i, const char **dir);
/* A file of so many pages in at least so many extents; 0 or -errno */
int sa_fragmented(const char *dir, const char *path, size_t pages, int extents);

/*
 * A device over so many pages of the first one, each of which can be made to
 * fail (device mapper). NULL, or why there is none.
 */
const char *sa_dm_make(size_t pages);
/* Its path, NULL when there is none */
const char *sa_dm(void);
void sa_dm_remove(void);

/*
 * Make /dev/zram0 so large, its memory limited to so many bytes (0: not at all).
 * NULL, or why there is none.
 */
#define SA_ZRAM	"/dev/zram0"
const char *sa_zram_make(size_t pages, size_t limit);
int sa_zram_limit(size_t limit);

/*
 * A device in RAM that takes its time: one operation after the other, each so long, and so
 * many megabytes a second (0: no limit). Its path, or NULL when there is no null_blk.
 */
const char *sa_nullb_make(const char *name, size_t pages, int mbps, int nsec);
/* What is left of a run that has failed, too */
void sa_nullb_remove(const char *name);

/* SA_WRITE_WAITS: 50 ms, each */
enum sa_fault { SA_WORKS, SA_WRITE_FAILS, SA_FAILS, SA_WRITE_WAITS };

/* One sa_fault a page; NULL: all of it works */
int sa_dm_set(const unsigned char *faults);
/* The same for all of it */
int sa_dm_set_all(enum sa_fault fault);
/* No I/O ends any more, until it does again */
int sa_dm_hang(bool hang);

/* --- tiers ------------------------------------------------------------- */

/* The name of the tier of a device ("zswap": NULL), or NULL */
const char *sa_tier(const char *device);
long long sa_tier_num(const char *device, const char *file);
int sa_tier_str(const char *device, const char *file, char *buf, size_t size);
/* Is its state "failed"? */
bool sa_tier_failed(const char *device);
int sa_tier_path(const char *device, const char *file, char *path, size_t size);
int sa_tier_write(const char *device, const char *file, const char *text);
/* In percent, whatever they were before; 0 or -errno */
int sa_watermarks(const char *device, int high, int low);

/* --- the kernel's log and tracepoints ----------------------------------- */

/*
 * Tell who looks at the log for suspicious lines that those which match are
 * wanted, from here on until NULL says that no more are.
 */
void sa_log_expect(const char *regex);
/* The log from now on: a file descriptor, or -errno */
int sa_log_open(void);
/* What has come since then, a line each; closes it. 0 or -errno, if it was too much too */
int sa_log_close(int fd, char *buf, size_t size);

enum sa_event_kind { SA_STORE, SA_LOAD, SA_MOVE, SA_COLLECT };

struct sa_event {
	enum sa_event_kind kind;
	unsigned long slot;		/* of SA_COLLECT: the segment */
	size_t nr;			/* pages */
	char from[8], to[8];		/* kinds of place, "" where none is told */
	unsigned int type;		/* where on which device, for "raw" */
	unsigned long offset;		/* of a store or load */
	unsigned int live, left;	/* bytes of a segment in use before, and after that */
	int err;
};

/* Record what is written to devices; 0 or -errno */
int sa_writes_start(void);
/* And of a device, how many writes that were, and how many at idle priority */
int sa_writes_stop(const char *dev, long *nr, long *idle);
/* Record the layer's tracepoints; 0 or -errno */
int sa_trace_start(void);
/* Their number, or -errno; free(*events) */
long sa_trace_stop(struct sa_event **events);
/* Pages of all events without an error that go from and to such places */
long long sa_trace_pages(const struct sa_event *events, long nr,
			 enum sa_event_kind kind, const char *from,
			 const char *to);

/* --- cgroups ----------------------------------------------------------- */

const char *sa_cg_root(void);
/* Make a cgroup "sa_<name>" with memory.max; its path is kept by the library */
int sa_cg_make(const char *name, size_t max_bytes, char *path, size_t size);
int sa_cg_write(const char *cg, const char *file, const char *value);
int sa_cg_write_num(const char *cg, const char *file, long long value);
long long sa_cg_num(const char *cg, const char *file);
long long sa_cg_key(const char *cg, const char *file, const char *key);
#define SA_TIERS_MAX	"memory.swap.tiers.max"
#define SA_NO_LIMIT	0x7fffffffffffffffLL
/* Bytes that it has in a tier, by memory.stat */
long long sa_cg_tier(const char *cg, const char *device);
/* What it may have there, SA_NO_LIMIT, or -errno */
long long sa_cg_tier_max(const char *cg, const char *device);
int sa_cg_limit_tier(const char *cg, const char *device, const char *limit);
int sa_cg_enter(const char *cg);
/* Kill all in it and remove it, and its children */
int sa_cg_destroy(const char *cg);
/* Reclaim anonymous memory of the cgroup: 0 when it was so much, or -errno */
int sa_cg_try_reclaim(const char *cg, size_t bytes);
/* As much as can be */
void sa_cg_reclaim(const char *cg, size_t bytes);

/* --- processes --------------------------------------------------------- */

/* A page of shared memory, zero and locked; NULL when there is none */
void *sa_shared(void);
/* fork() for a child that does not outlive us */
pid_t sa_fork(void);
/* Start fn(arg) in a child, in a cgroup when cg is not NULL */
pid_t sa_start(const char *cg, int (*fn)(void *), void *arg);
/* Its exit status, -SIGNAL that killed it, or SA_LATE (and it is killed) */
#define SA_LATE		(-1000)
int sa_join(pid_t pid, int seconds);
int sa_run(const char *cg, int (*fn)(void *), void *arg, int seconds);
/* Does such a status say that somebody killed it? */
bool sa_was_killed(int status);
/* For sa_start(): fill, push out a part, check, for so many seconds; 0 when right */
struct sa_load {
	size_t pages;
	double seconds;
};

int sa_load(void *arg);
/* sa_write() by a user who is not root, in a child; what that returns */
int sa_nobody_writes(const char *path, const char *text);
/*
 * main() of a program that prints figures: measure(arg) in a child that nobody
 * looks at meanwhile, then sa_end(). Its exit status.
 */
int sa_bench(int (*measure)(void *), void *arg);

/*
 * One of several that work at once: a thread, but under User Mode Linux a
 * process. There, on unmodified 7.3 as well, a process with threads that forks
 * while memory is short finds foreign bytes in its pages. fn says with anything
 * but NULL that it found something; then sa_task_end() returns 1, and SA_KILLED
 * when the process was killed (callers look whether it was for memory).
 */
struct sa_task {
	pthread_t thread;
	pid_t pid;
};

#define SA_KILLED	2
int sa_task_start(struct sa_task *t, void *(*fn)(void *), void *arg);
int sa_task_end(struct sa_task *t, int seconds);

/* swapoff in a process of its own, as swapoff(8) does; 0, -errno, SA_LATE */
int sa_swapoff_child(const char *path, int seconds);
/*
 * fn(arg), which returns an errno or 0, in a child that gets a signal after so
 * many microseconds, and each millisecond then; 0, -errno, SA_LATE
 */
int sa_signalled(int (*fn)(void *), void *arg, int usec, int seconds);
int sa_swapoff_signalled(const char *path, int usec, int seconds);

/*
 * A process that holds swapped pages. One letter tells it what to do: 'c' to
 * check them, 'q' to check and go; it answers with the number of bad ones. To
 * 's' it answers how many are swapped, to 'p' so after pushing them out again. To
 * 'd' it gives every other page back, which is not looked at any more.
 */
struct sa_holder {
	struct sa_area a;
	int to, from;
	pid_t pid;
	size_t swapped;
};

/* 0 when it has pushed out what it could, which is then in swapped */
int sa_hold_start(struct sa_holder *h, size_t pages, enum sa_pat pat,
		  const char *cg);
/* The same, but it has pushed out nothing yet */
int sa_keep_start(struct sa_holder *h, size_t pages, enum sa_pat pat,
		  const char *cg);
/* -1 when it is no more */
long sa_hold_ask(struct sa_holder *h, char what);
/* As sa_join(): 0 when all was right */
int sa_hold_end(struct sa_holder *h);
/* Kill it; what it had is free when this is back */
void sa_hold_kill(struct sa_holder *h);

/*
 * Lock memory in a child so that only so many bytes remain available.
 * The child's pid, or -errno.
 */
pid_t sa_balloon(size_t leave);
void sa_balloon_end(pid_t pid);

/* --- pages and page tables --------------------------------------------- */

#define SA_PM_SWAP	0x4000000000000000ULL
#define SA_PM_PRESENT	0x8000000000000000ULL
#define SA_PM_ENTRY	0x007fffffffffffffULL

/* /proc/self/pagemap of n pages; 0 or -errno */
int sa_pagemap(const void *addr, size_t n, __u64 *map);
size_t sa_swapped(const void *addr, size_t n);
/* How many of those the swap cache has as well */
size_t sa_in_cache(const void *addr, size_t n);
size_t sa_present(const void *addr, size_t n);
/* MADV_PAGEOUT until nothing more goes for a while; the number of pages swapped */
size_t sa_pageout(void *addr, size_t n);
/* A field of the mapping of addr in /proc/self/smaps, in bytes, or -ENOENT */
long long sa_smaps(const void *addr, const char *field);

#endif
