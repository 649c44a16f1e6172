/* SPDX-License-Identifier: GPL-2.0 */
/* Processes that work for a test. */
#ifndef SWAP_ABS_LIB_PROC_H
#define SWAP_ABS_LIB_PROC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "area.h"

/* Map a page of shared memory, zeroed and locked; return NULL on failure */
void *sa_map_shared(void);
/* Fork a child that the kernel kills when its parent dies */
pid_t sa_fork(void);
/* Start fn(arg) in a child, in a cgroup if @cg is not NULL */
pid_t sa_start(const char *cg, int (*fn)(void *), void *arg);
#define SA_LATE		(-1000)
/*
 * Wait for a child. Return its exit status, minus the signal that killed it, or
 * SA_LATE if it did not end in time and was killed here.
 */
int sa_join(pid_t pid, int seconds);
/* Tell whether a child has ended; the caller must still call sa_join() */
bool sa_has_ended(pid_t pid);
int sa_run(const char *cg, int (*fn)(void *), void *arg, int seconds);
/* Tell whether a status from sa_join() means that a signal killed the child */
bool sa_was_killed(int status);

struct sa_fill {
	size_t pages;
	enum sa_pat pat;
};

/*
 * Fill an area and read it again; return 0 if all pages were right. This is an
 * fn for sa_run().
 */
int sa_run_fill(void *arg);

struct sa_load {
	size_t pages;
	double seconds;
};

/*
 * Fill an area, push a part out and check it, for some seconds; return 0 if all
 * pages were right. This is an fn for sa_start().
 */
int sa_run_load(void *arg);
/* Call sa_write() in a child as a user who is not root; return its result */
int sa_write_as_nobody(const char *path, const char *text);
/*
 * Run main() of a benchmark: call measure(arg) in a child, then sa_end().
 * Return the exit status of the program.
 */
int sa_bench_main(int (*measure)(void *), void *arg);
/* Print what is wrong, or what is missing; return the exit status for that */
int sa_bench_failed(const char *what);
int sa_bench_skipped(const char *why);
/* Return the number of the i-th CPU that the caller may run on, or -1 */
int sa_nth_cpu(int i);
/* Let the caller run on that CPU only; return 0 on success */
int sa_pin_to_cpu(int i);

/*
 * A worker that runs beside others: a thread, or a process under User Mode
 * Linux. User Mode Linux, with unmodified 7.3 too, gives foreign bytes to a
 * process with threads that forks while memory is short. fn returns anything
 * but NULL if it found an error, and sa_task_end() then returns 1.
 * sa_task_end() returns SA_KILLED if the process was killed; the caller checks
 * whether the OOM killer did that.
 */
struct sa_task {
	pthread_t thread;
	pid_t pid;
};

#define SA_KILLED	2
int sa_task_start(struct sa_task *t, void *(*fn)(void *), void *arg);
int sa_task_end(struct sa_task *t, int seconds);

/* Call swapoff() in a child, as swapoff(8) does; return 0, -errno or SA_LATE */
int sa_swapoff_child(const char *path, int seconds);
/*
 * Call fn(arg), which returns an errno or 0, in a child that gets a signal
 * after @usec microseconds and one each millisecond after that; return 0,
 * -errno or SA_LATE
 */
int sa_run_signalled(int (*fn)(void *), void *arg, int usec, int seconds);
int sa_swapoff_signalled(const char *path, int usec, int seconds);

/*
 * A process that holds swapped pages. It obeys letters: on 'c' it checks its
 * pages, and on 'q' it checks them and exits; the answer is the number of wrong
 * pages. On 's' it answers how many pages are swapped; on 'p' it pushes its
 * pages out first. On 'd' it frees every other page and never checks those
 * again.
 */
struct sa_holder {
	struct sa_area a;
	int to, from;
	pid_t pid;
	size_t swapped;
};

/*
 * Start a holder that pushes out its pages; h->swapped says how many went out
 */
int sa_hold_start(struct sa_holder *h, size_t pages, enum sa_pat pat, const char *cg);
/* Start a holder that pushes out nothing yet */
int sa_keep_start(struct sa_holder *h, size_t pages, enum sa_pat pat, const char *cg);
/* Return the answer of a holder, or -1 if the holder has ended */
long sa_hold_ask(struct sa_holder *h, char what);
/*
 * Let a holder check its pages and exit; return as sa_join() does, 0 if all
 * pages were right
 */
int sa_hold_end(struct sa_holder *h);
/* Kill a holder; its memory and swap are free when this function returns */
void sa_hold_kill(struct sa_holder *h);

/*
 * Lock memory in a child so that only @leave bytes remain available. Return the
 * child's pid, or -errno.
 */
pid_t sa_balloon_start(size_t leave);
void sa_balloon_end(pid_t pid);

#endif
