/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that do something for a test.
 */
#ifndef SWAP_ABS_LIB_PROC_H
#define SWAP_ABS_LIB_PROC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "area.h"

/* Map a page of shared memory, zero and locked; NULL when there is none */
void *sa_shared(void);
/* Do fork() for a child that does not outlive us */
pid_t sa_fork(void);
/* Start fn(arg) in a child, in a cgroup when cg is not NULL */
pid_t sa_start(const char *cg, int (*fn)(void *), void *arg);
#define SA_LATE		(-1000)
/* Return the exit status of a child, -SIGNAL that killed it, or SA_LATE, when we kill it */
int sa_join(pid_t pid, int seconds);
int sa_run(const char *cg, int (*fn)(void *), void *arg, int seconds);
/* Tell whether such a status says that somebody killed the child */
bool sa_was_killed(int status);

struct sa_load {
	size_t pages;
	double seconds;
};

/* Fill, push out a part, check, for so many seconds; 0 when right. For sa_start() */
int sa_load(void *arg);
/* Do sa_write() as a user who is not root, in a child; return what that returns */
int sa_nobody_writes(const char *path, const char *text);
/*
 * Be main() of a program that prints figures: do measure(arg) in a child that nobody
 * looks at meanwhile, then sa_end(). Return the exit status of the program.
 */
int sa_bench(int (*measure)(void *), void *arg);

/*
 * One of several that work at once: a thread, but under User Mode Linux a process.
 * There, on unmodified 7.3 as well, a process with threads that forks while memory is
 * short finds foreign bytes in its pages. fn says with anything but NULL that it found
 * something; then sa_task_end() returns 1, and SA_KILLED when the process was killed
 * (callers look whether it was for memory).
 */
struct sa_task {
	pthread_t thread;
	pid_t pid;
};

#define SA_KILLED	2
int sa_task_start(struct sa_task *t, void *(*fn)(void *), void *arg);
int sa_task_end(struct sa_task *t, int seconds);

/* Do swapoff in a process of its own, as swapoff(8) does; 0, -errno, SA_LATE */
int sa_swapoff_child(const char *path, int seconds);
/*
 * Do fn(arg), which returns an errno or 0, in a child that gets a signal after so many
 * microseconds, and each millisecond then; 0, -errno, SA_LATE
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

/* Start a holder that has pushed out what it could, which is then in swapped */
int sa_hold_start(struct sa_holder *h, size_t pages, enum sa_pat pat, const char *cg);
/* Start a holder that has pushed out nothing yet */
int sa_keep_start(struct sa_holder *h, size_t pages, enum sa_pat pat, const char *cg);
/* Return the answer of a holder, -1 when it is no more */
long sa_hold_ask(struct sa_holder *h, char what);
/* Let a holder check and go; return as sa_join(), 0 when all was right */
int sa_hold_end(struct sa_holder *h);
/* Kill a holder; what it had is free when this returns */
void sa_hold_kill(struct sa_holder *h);

/*
 * Lock memory in a child so that only so many bytes remain available. Return the child's
 * pid, or -errno.
 */
pid_t sa_balloon(size_t leave);
void sa_balloon_end(pid_t pid);

#endif
