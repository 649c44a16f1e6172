// SPDX-License-Identifier: GPL-2.0
/* Processes that hold swapped pages, or that lock all memory except a part. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

static size_t check_every(const struct sa_area *a, size_t step)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i += step)
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	return bad;
}

static int run_holder(void *arg)
{
	struct sa_holder *h = arg;
	size_t bad, i, step = 1;
	char c;

	if (sa_area_map(&h->a, h->a.n, h->a.pat, h->a.seed))
		return 2;
	sa_area_fill(&h->a);
	bad = h->swapped ? sa_pageout(h->a.p, h->a.n) : 0;
	for (;;) {
		if (write(h->from, &bad, sizeof(bad)) != sizeof(bad) ||
		    read(h->to, &c, 1) != 1)
			return 3;
		switch (c) {
		case 's':
			bad = sa_nr_swapped(h->a.p, h->a.n);
			continue;
		case 'p':
			bad = sa_pageout(h->a.p, h->a.n);
			continue;
		case 'd':
			for (i = 1; i < h->a.n; i += 2)
				madvise(h->a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
			step = 2;
			bad = 0;
			continue;
		}
		bad = check_every(&h->a, step);
		if (c == 'q')
			return bad ? 1 : 0;
	}
}

static int start_holder(struct sa_holder *h, size_t pages, enum sa_pat pat,
			const char *cg, bool out)
{
	int to[2], from[2];

	memset(h, 0, sizeof(*h));
	h->swapped = out;
	h->a = (struct sa_area){ .n = pages, .pat = pat, .seed = 31 };
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -errno;
	h->to = to[0];
	h->from = from[1];
	h->pid = sa_start(cg, run_holder, h);
	close(to[0]);
	close(from[1]);
	h->to = to[1];
	h->from = from[0];
	if (read(h->from, &h->swapped, sizeof(h->swapped)) != sizeof(h->swapped))
		return -EPIPE;
	return 0;
}

int sa_hold_start(struct sa_holder *h, size_t pages, enum sa_pat pat,
		  const char *cg)
{
	return start_holder(h, pages, pat, cg, true);
}

int sa_keep_start(struct sa_holder *h, size_t pages, enum sa_pat pat,
		  const char *cg)
{
	return start_holder(h, pages, pat, cg, false);
}

void sa_hold_kill(struct sa_holder *h)
{
	kill(h->pid, SIGKILL);
	sa_join(h->pid, SA_TIMEOUT / 3);
	close(h->to);
	close(h->from);
}

long sa_hold_ask(struct sa_holder *h, char what)
{
	size_t n;

	if (write(h->to, &what, 1) != 1 || read(h->from, &n, sizeof(n)) != sizeof(n))
		return -1;
	return n;
}

int sa_hold_end(struct sa_holder *h)
{
	char c = 'q';
	int ret;

	if (write(h->to, &c, 1) != 1)
		return -EPIPE;
	ret = sa_join(h->pid, SA_TIMEOUT / 3);
	close(h->to);
	close(h->from);
	return ret;
}

struct balloon {
	size_t leave;
	int fd;
};

static int run_balloon(void *arg)
{
	struct balloon *b = arg;
	long long avail = sa_meminfo("MemAvailable");
	long long want = avail - (long long)b->leave;
	long long grain = 4 * SA_MIB;
	char ok = 1;

	/* The OOM killer must kill the worker and not this process. */
	sa_write("/proc/self/oom_score_adj", "-1000");
	for (; want > 0; want -= grain) {
		long long len = want < grain ? want : grain;
		void *p;

		p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || mlock(p, len))
			return 1;
	}
	if (write(b->fd, &ok, 1) != 1)
		return 1;
	for (;;)
		pause();
}

pid_t sa_balloon_start(size_t leave)
{
	struct balloon b = { .leave = leave };
	struct pollfd pfd;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	b.fd = fds[1];
	pid = sa_start(NULL, run_balloon, &b);
	close(fds[1]);
	pfd = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	if (pid > 0 && (poll(&pfd, 1, 120000) != 1 || !(pfd.revents & POLLIN))) {
		sa_balloon_end(pid);
		pid = -ENOMEM;
	}
	close(fds[0]);
	return pid;
}

void sa_balloon_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
