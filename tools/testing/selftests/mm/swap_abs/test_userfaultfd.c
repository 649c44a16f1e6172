// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd over swapped memory: the tests supply missing pages, keep write
 * protection across swap, and move swapped pages.
 *
 * The test fails on a kernel that drops the write-protect bit of a virtual
 * entry, that takes a swapped page for a missing one, or that moves an entry
 * and leaves the slot behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backed.h"

#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};

#define _UFFDIO_MOVE	0x05
#define UFFDIO_MOVE	_IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#define UFFD_FEATURE_MOVE	0x10000
#endif

#define PAGES	256UL

struct server {
	int fd;
	struct sa_area *a;
	pthread_t thread;
	int quit;
	long missing, wp, bad;
};

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -EOPNOTSUPP;
	}
	return fd;
}

static int uffd_register(int fd, void *p, size_t len, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len }, .mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static int uffd_wp(int fd, void *p, size_t len, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp) ? -errno : 0;
}

/* Supply missing pages, and lift the protection of written ones */
static void *serve_faults(void *arg)
{
	__u64 page[SA_PAGE / 8];
	struct server *s = arg;
	struct pollfd pfd[2] = {
		{ .fd = s->fd, .events = POLLIN },
		{ .fd = s->quit, .events = POLLIN },
	};
	struct uffd_msg msg;

	for (;;) {
		unsigned char *at;

		if (poll(pfd, 2, -1) < 0 || pfd[1].revents)
			return NULL;
		if (read(s->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event != UFFD_EVENT_PAGEFAULT) {
			s->bad++;
			continue;
		}
		at = (unsigned char *)(uintptr_t)(msg.arg.pagefault.address &
						  ~(SA_PAGE - 1));
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			s->wp++;
			if (uffd_wp(s->fd, at, SA_PAGE, false))
				s->bad++;
		} else {
			struct uffdio_copy copy = {
				.dst = (uintptr_t)at, .src = (uintptr_t)page,
				.len = SA_PAGE,
			};

			s->missing++;
			sa_fill_page(page, s->a->pat, s->a->seed,
				     (at - s->a->p) / SA_PAGE, s->a->gen);
			if (ioctl(s->fd, UFFDIO_COPY, &copy) && errno != EEXIST)
				s->bad++;
		}
	}
}

static int start_server(struct server *s, struct sa_area *a, int quit[2])
{
	if (pipe(quit))
		return -errno;
	s->a = a;
	s->quit = quit[0];
	return -pthread_create(&s->thread, NULL, serve_faults, s);
}

static void end_server(struct server *s, int quit[2])
{
	close(quit[1]);
	pthread_join(s->thread, NULL);
	close(quit[0]);
	close(s->fd);
}

TEST_F_TIMEOUT(backed, missing, SA_TIMEOUT)
{
	struct server s = { };
	struct sa_area a;
	int quit[2];
	size_t i;

	s.fd = uffd_open(0);
	if (s.fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-s.fd));
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 1));
	ASSERT_EQ(0, uffd_register(s.fd, a.p, PAGES * SA_PAGE,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, start_server(&s, &a, quit));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(PAGES, s.missing);
	/* A swapped page is not missing. */
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(PAGES, s.missing);
	/*
	 * A page that is dropped while swapped is missing. A copy over a
	 * swapped page is refused.
	 */
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	for (i = 0; i < PAGES; i += 4)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	{
		__u64 page[SA_PAGE / 8] = { 1 };
		struct uffdio_copy copy = {
			.dst = (uintptr_t)a.p + SA_PAGE, .src = (uintptr_t)page,
			.len = SA_PAGE,
		};

		EXPECT_EQ(-1, ioctl(s.fd, UFFDIO_COPY, &copy));
		EXPECT_EQ(EEXIST, errno);
	}
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(PAGES + PAGES / 4, s.missing);
	EXPECT_EQ(0, s.bad);
	end_server(&s, quit);
}

TEST_F_TIMEOUT(backed, write_protect, SA_TIMEOUT)
{
	struct server s = { };
	struct sa_area a;
	int quit[2], i;

	s.fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (s.fd < 0)
		SKIP(return, "no write protection by userfaultfd");
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 2));
	sa_area_fill(&a);
	if (uffd_register(s.fd, a.p, PAGES * SA_PAGE, UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no write protection by userfaultfd");
	ASSERT_EQ(0, uffd_wp(s.fd, a.p, PAGES * SA_PAGE, true));
	ASSERT_EQ(0, start_server(&s, &a, quit));
	for (i = 0; i < 2; i++) {
		/* The pages are protected before or after they are swapped. */
		if (i == 0)
			ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
		ASSERT_EQ(0, uffd_wp(s.fd, a.p, PAGES * SA_PAGE, true));
		if (i == 1)
			ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
		EXPECT_EQ(0, sa_area_check(&a));
		EXPECT_EQ((long)PAGES * i, s.wp);
		ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
		a.gen++;
		sa_area_fill(&a);
		EXPECT_EQ((long)PAGES * (i + 1), s.wp);
		EXPECT_EQ(0, sa_area_check(&a));
	}
	EXPECT_EQ(0, s.bad);
	end_server(&s, quit);
}

/* Entries must change their place without a read of their pages */
TEST_F_TIMEOUT(backed, move, SA_TIMEOUT)
{
	struct uffdio_move move = { .len = PAGES * SA_PAGE };
	struct sa_area from, to;
	int fd = uffd_open(UFFD_FEATURE_MOVE);

	if (fd < 0)
		SKIP(return, "no UFFDIO_MOVE");
	ASSERT_EQ(0, sa_area_map(&from, PAGES, SA_TEXT, 3));
	ASSERT_EQ(0, sa_area_map(&to, PAGES, SA_TEXT, 3));
	sa_area_fill(&from);
	ASSERT_LE(PAGES - 8, sa_pageout(from.p, PAGES));
	ASSERT_EQ(0, uffd_register(fd, to.p, PAGES * SA_PAGE,
				   UFFDIO_REGISTER_MODE_MISSING));
	move.dst = (uintptr_t)to.p;
	move.src = (uintptr_t)from.p;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_MOVE, &move)) {
		TH_LOG("%s", strerror(errno));
	}
	EXPECT_EQ((long long)(PAGES * SA_PAGE), (long long)move.move);
	EXPECT_EQ(0, sa_nr_swapped(from.p, PAGES));
	EXPECT_LE(PAGES - 8, sa_nr_swapped(to.p, PAGES));
	EXPECT_EQ(0, sa_area_check(&to));
	close(fd);
}

TEST_HARNESS_MAIN
