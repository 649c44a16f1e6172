/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's log and tracepoints.
 */
#ifndef SWAP_ABS_LIB_EVENTS_H
#define SWAP_ABS_LIB_EVENTS_H

#include <stddef.h>

/*
 * Tell the log checker to expect suspicious lines that match @regex, until this
 * function is called with NULL
 */
void sa_log_expect(const char *regex);
/* Open the kernel log at its end; return a file descriptor or -errno */
int sa_log_open(void);
/*
 * Copy the lines that the kernel has logged since then, all of them although
 * other CPUs are logging, and close the log; return -errno if the kernel has
 * dropped some
 */
int sa_log_close(int fd, char *buf, size_t size);

enum sa_event_kind { SA_STORE, SA_LOAD, SA_MOVE, SA_COLLECT };

struct sa_event {
	enum sa_event_kind kind;
	unsigned long slot;		/* the segment, for SA_COLLECT */
	size_t nr;			/* pages */
	char from[8], to[8];		/* kinds of place, "" if the event has none */
	int type;			/* the device's swap type; other tiers have another */
	unsigned long offset;		/* the block on that device, of a store or load */
	unsigned int live, left;	/* bytes of a segment in use before and after */
	int err;
};

/* Start recording the writes to devices */
int sa_writes_start(void);
/* Count the recorded writes to a device, and those of idle priority */
int sa_writes_stop(const char *dev, long *nr, long *idle);
/* Start recording the layer's tracepoints */
int sa_trace_start(void);
/*
 * Return the number of recorded events, or -errno; the caller must
 * free(*events)
 */
long sa_trace_stop(struct sa_event **events);
/*
 * Return the pages of all events without an error from one kind of place to
 * another
 */
long long sa_trace_pages(const struct sa_event *events, long nr,
			 enum sa_event_kind kind, const char *from, const char *to);

#endif
