/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's log and tracepoints.
 */
#ifndef SWAP_ABS_LIB_EVENTS_H
#define SWAP_ABS_LIB_EVENTS_H

#include <stddef.h>

/*
 * Tell who looks at the log for suspicious lines that those which match are wanted,
 * from here on until NULL says that no more are.
 */
void sa_log_expect(const char *regex);
/* Open the log from now on: a file descriptor, or -errno */
int sa_log_open(void);
/* Copy what has come since then, a line each, and close the log; -errno if too much has */
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

/* Record what is written to devices */
int sa_writes_start(void);
/* Count the writes of a device since then, and those of idle priority */
int sa_writes_stop(const char *dev, long *nr, long *idle);
/* Record the layer's tracepoints */
int sa_trace_start(void);
/* Return the number of events, for free(*events), or -errno */
long sa_trace_stop(struct sa_event **events);
/* Return the pages of all events without an error that go from and to such places */
long long sa_trace_pages(const struct sa_event *events, long nr,
			 enum sa_event_kind kind, const char *from, const char *to);

#endif
