// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's log and tracepoints.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

#define TRACING		"/sys/kernel/tracing"
#define WRITES		TRACING "/events/block/block_rq_issue/enable"
/* Seconds after which a line that was logged must be there */
#define LOG_LIMIT	5

void sa_log_expect(const char *regex)
{
	char line[512];

	snprintf(line, sizeof(line), "log-check: expect %s\n",
		 regex ? regex : "nothing");
	if (sa_write("/dev/kmsg", line))
		sa_log("/dev/kmsg: %s", strerror(errno));
}

int sa_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return fd;
}

int sa_log_close(int fd, char *buf, size_t size)
{
	char record[2048], end[64], *text;
	static unsigned int nr_closed;
	bool lost = false;
	size_t len = 0;
	ssize_t n;
	double limit;

	buf[0] = 0;
	/*
	 * Read to a line of our own. A read fails with EAGAIN before that where
	 * another CPU has a record that it has not finished.
	 */
	snprintf(end, sizeof(end), "log-check: read by %d, %u", getpid(), nr_closed++);
	/* Without the newline, the kernel would wait for more of the line. */
	snprintf(record, sizeof(record), "%s\n", end);
	n = sa_write("/dev/kmsg", record);
	if (n) {
		close(fd);
		return n;
	}
	limit = sa_now() + LOG_LIMIT;
	for (;;) {
		/*
		 * A read returns one record: "6,1234,5678,-;text\n", and then
		 * lines with its properties.
		 */
		n = read(fd, record, sizeof(record) - 1);
		if (n <= 0) {
			/* The kernel drops records when too many come. */
			if (n < 0 && errno == EPIPE)
				lost = true;
			else
				usleep(1000);
			if (sa_now() > limit)
				break;
			continue;
		}
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		if (!strcmp(text, end))
			break;
		len += snprintf(buf + len, size - len, "%s\n", text);
		if (len >= size) {
			close(fd);
			return -E2BIG;
		}
	}
	close(fd);
	return lost ? -EPIPE : n <= 0 ? -ETIMEDOUT : 0;
}

void sa_trace_off(void)
{
	sa_write(TRACING "/events/swap_abs/enable", "0");
	sa_write(WRITES, "0");
}

int sa_trace_start(void)
{
	int fd;

	sa_write(TRACING "/buffer_size_kb", "4096");
	/* Truncation empties the trace buffers. */
	fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return sa_write(TRACING "/events/swap_abs/enable", "1");
}

int sa_writes_start(void)
{
	int err = sa_trace_start();

	sa_write(TRACING "/events/swap_abs/enable", "0");
	return err ? err : sa_write(WRITES, "1");
}

int sa_writes_stop(const char *dev, long *nr, long *idle)
{
	char line[1024], how[16], *p;
	unsigned int maj, min;
	struct stat st;
	FILE *f;

	*nr = 0;
	*idle = 0;
	sa_write(WRITES, "0");
	if (stat(dev, &st))
		return -errno;
	f = fopen(TRACING "/trace", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, "block_rq_issue: ");
		if (!p || sscanf(p, "block_rq_issue: %u,%u %15s", &maj, &min, how) != 3 ||
		    makedev(maj, min) != st.st_rdev || how[0] != 'W')
			continue;
		++*nr;
		*idle += !!strstr(p, " idle,");
	}
	fclose(f);
	return 0;
}

static bool parse_event(const char *line, struct sa_event *e)
{
	static const char * const names[] = {
		[SA_STORE]	= "swap_abs_store: ",
		[SA_LOAD]	= "swap_abs_load: ",
		[SA_MOVE]	= "swap_abs_move: ",
		[SA_COLLECT]	= "swap_abs_collect: ",
	};
	const char *p = NULL;
	int i;

	memset(e, 0, sizeof(*e));
	for (i = SA_STORE; i <= SA_COLLECT && !p; i++) {
		p = strstr(line, names[i]);
		if (p) {
			p += strlen(names[i]);
			e->kind = i;
		}
	}
	if (!p)
		return false;
	e->nr = 1;
	if (e->kind == SA_MOVE)
		return sscanf(p, "slot=%lu from=%7s to=%7s err=%d", &e->slot,
			      e->from, e->to, &e->err) == 4;
	if (e->kind == SA_COLLECT)
		return sscanf(p, "type=%d segment=%lu live=%u left=%u err=%d", &e->type,
			      &e->slot, &e->live, &e->left, &e->err) == 5;
	return sscanf(p, "slot=%lu nr=%zu place=%7s tier=%d block=%lu", &e->slot,
		      &e->nr, e->kind == SA_STORE ? e->to : e->from, &e->type,
		      &e->offset) == 5;
}

long sa_trace_stop(struct sa_event **events)
{
	long n = 0, size = 0, in, written;
	char line[1024];
	FILE *f;

	*events = NULL;
	sa_write(TRACING "/events/swap_abs/enable", "0");
	f = fopen(TRACING "/trace", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "# entries-in-buffer/entries-written: %ld/%ld",
			   &in, &written) == 2 && in != written) {
			n = -EOVERFLOW;
			break;
		}
		if (line[0] == '#')
			continue;
		if (n == size) {
			size = 2 * size + 1024;
			*events = realloc(*events, size * sizeof(**events));
			if (!*events) {
				n = -ENOMEM;
				break;
			}
		}
		if (parse_event(line, *events + n))
			n++;
	}
	fclose(f);
	return n;
}

long long sa_trace_pages(const struct sa_event *events, long nr,
			 enum sa_event_kind kind, const char *from,
			 const char *to)
{
	long long pages = 0;

	for (; nr > 0; nr--, events++)
		if (events->kind == kind && !events->err &&
		    !strcmp(events->from, from) && !strcmp(events->to, to))
			pages += events->nr;
	return pages;
}
