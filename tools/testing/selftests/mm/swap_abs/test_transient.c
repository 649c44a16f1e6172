// SPDX-License-Identifier: GPL-2.0
/*
 * Devices have transient errors of other shapes than those in test_devices.c: a
 * loop device that does direct I/O to its file, on an ext4 that something else
 * has filled; a thin volume whose pool something else has filled; and a network
 * block device whose server dies in the middle of a request, so that reads fail
 * as well until another server takes its place. The cause is deleted, discarded
 * or connected again, and no device gets larger. The outcome with the layer
 * must be the outcome without it.
 *
 * The test fails on a kernel that loses or mixes up a page, that has no copy of
 * a page which it could not write, that can't read a page once the server is
 * back, that takes less than fits afterwards, that calls good places bad, that
 * kills somebody, or that does not discard freed data, so that its room is
 * never used again.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <unistd.h>

#include "nbd.h"
#include "outage.h"

#ifndef SWAP_FLAG_DISCARD_PAGES
#define SWAP_FLAG_DISCARD_PAGES	0x40000
#endif

enum kind { LOOP, THIN_VOLUME, NETWORK };

/* The state of the device, which the test, its parent and the server share */
static struct device {
	enum kind kind;
	char path[64];			/* "": there is none */
	char ballast[64];		/* a file */
	long long reserved;		/* blocks that no file may use */
	int nr;				/* of nbd */
	pid_t parent;
	int server;			/* a server runs, connected or not */
	int writes_left;		/* writes until the server dies; 0: it lives on */
	bool serves, wanted, quits;
	unsigned char *disk;		/* of the server */
} *dev;

static void __attribute__((constructor)) share_device(void)
{
	void *p = mmap(NULL, SA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	dev = p;
}

/* --- a loop device on a filesystem that is full --------------------------- */

static const char *make_loop(void)
{
	int file, ballast, fd;
	const char *why, *dir;
	struct statvfs fs;
	char name[128];

	why = sa_check_needs(SA_NEED_DEVS);
	if (!why)
		why = sa_mkfs(1, &dir);
	if (why)
		return why;
	snprintf(name, sizeof(name), "%s/swap", dir);
	snprintf(dev->ballast, sizeof(dev->ballast), "%s/ballast", dir);
	file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ballast = open(dev->ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/*
	 * The filesystem keeps some blocks for itself. The loop device may use
	 * those that are reserved for root.
	 */
	snprintf(name, sizeof(name), "/sys/fs/ext4/%s/reserved_clusters",
		 sa_kernel_name(sa_dev(1)));
	dev->reserved = sa_read_num(name);
	if (file < 0 || ballast < 0 || dev->reserved < 0 || ftruncate(file, PAGES * SA_PAGE) ||
	    statvfs(dir, &fs) ||
	    posix_fallocate(ballast, 0, (fs.f_bfree - dev->reserved - HAS) * SA_PAGE))
		why = "cannot fill a filesystem";
	close(ballast);
	/*
	 * A direct write that finds no room in the middle fails as a whole. For
	 * a buffered one, lo_complete_rq() of 7.3 reports success.
	 */
	fd = sa_loop_attach(file, LO_FLAGS_DIRECT_IO, SA_PAGE, dev->path, sizeof(dev->path));
	close(file);
	if (fd < 0)
		return why ? why : "cannot set a loop device up";
	close(fd);
	snprintf(name, sizeof(name), "/sys/block/%s/loop/dio", sa_kernel_name(dev->path));
	if (!why && sa_read_num(name) != 1)
		why = "no direct I/O for a loop device";
	return why;
}

static void remove_loop(void)
{
	int err = sa_loop_detach(dev->path);

	if (err)
		sa_log("cannot free %s: %s", dev->path, strerror(-err));
}

/* --- a thin volume whose pool is full ------------------------------------- */

static const char *make_thin(void)
{
	const size_t all = PAGES + HAS;
	const char *why = make_thin_metadata(all);

	if (why)
		return why;
	strcpy(dev->path, "/dev/mapper/" THIN);
	/*
	 * Chunks have 64 KiB. The ballast leaves just the room that the volume
	 * shall have at first.
	 */
	if (run_cmd("dmsetup create " THIN_DATA " --table '0 %zu linear %s %zu'", SECTORS(all),
		    sa_dev(0), (size_t)META_SECTORS) ||
	    run_cmd("dmsetup create " THIN_POOL " --table '0 %zu thin-pool /dev/mapper/" THIN_META
		    " /dev/mapper/" THIN_DATA " 128 0 2 skip_block_zeroing error_if_no_space'",
		    SECTORS(all)) ||
	    make_thin_volume(THIN_BALLAST, 1) ||
	    run_cmd("dd if=/dev/zero of=/dev/mapper/" THIN_BALLAST
		    " bs=64k count=%zu oflag=direct",
		    PAGES / 16) ||
	    run_cmd("dmsetup remove " THIN_BALLAST) || make_thin_volume(THIN, 0) ||
	    !read_thin_path(dev->path, sizeof(dev->path)))
		return "cannot make a thin volume";
	return NULL;
}

/* --- a network block device ----------------------------------------------- */

/*
 * Answer one request. Return false when the connection is closed or must be
 * closed.
 */
static bool answer_request(int sock)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	struct nbd_request req;
	size_t len;
	void *data;

	if (!sock_transfer(sock, &req, sizeof(req), false) ||
	    be32toh(req.magic) != NBD_REQUEST_MAGIC)
		return false;
	len = be32toh(req.len);
	data = dev->disk + be64toh(req.from);
	memcpy(&reply.cookie, &req.cookie, sizeof(reply.cookie));
	switch (be32toh(req.type) & 0xffff) {
	case NBD_CMD_READ:
		return sock_transfer(sock, &reply, sizeof(reply), true) &&
		       sock_transfer(sock, data, len, true);
	case NBD_CMD_WRITE:
		/* The server dies after it has received a part. */
		if (dev->writes_left && !--dev->writes_left) {
			sock_transfer(sock, data, len / 2, false);
			return false;
		}
		return sock_transfer(sock, data, len, false) &&
		       sock_transfer(sock, &reply, sizeof(reply), true);
	case NBD_CMD_DISC:
		return false;
	default:
		return sock_transfer(sock, &reply, sizeof(reply), true);
	}
}

/*
 * Serve the device. The server that dies and its successor are one process,
 * because a process that starts later would share pages with the test, which
 * then could not be pushed out.
 */
static void serve_nbd_dev(int sock)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	int n;

	while (!dev->quits && !kill(dev->parent, 0)) {
		if (dev->serves) {
			n = poll(&wait, 1, 50);
			if (n < 0 || (n && !answer_request(wait.fd))) {
				close(wait.fd);
				dev->serves = false;
			}
		} else if (dev->wanted) {
			dev->wanted = false;
			wait.fd = nbd_connect(NBD_CMD_RECONFIGURE, dev->nr, 0, 0);
			dev->serves = wait.fd >= 0;
		} else {
			usleep(5000);
		}
	}
	dev->server = 0;
}

static const char *make_nbd(void)
{
	int sock;

	if (nbd_family() < 0)
		return "no nbd";
	/* Without a server, requests fail at once. */
	sock = nbd_connect_free(&dev->nr, PAGES, 0);
	if (sock < 0)
		return "cannot connect a network block device";
	snprintf(dev->path, sizeof(dev->path), "/dev/nbd%d", dev->nr);
	dev->writes_left = 0;
	dev->serves = true;
	dev->wanted = false;
	dev->quits = false;
	/*
	 * The server outlives the test, because the parent takes the device out
	 * of use.
	 */
	dev->parent = getppid();
	dev->server = -1;
	dev->disk = mmap(NULL, PAGES * SA_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (dev->disk == MAP_FAILED)
		return "no memory for a server";
	if (!fork()) {
		/*
		 * The server is outside of the limited cgroup, is not swapped
		 * itself, and does not wait for its own device.
		 */
		sa_cg_enter(sa_cg_root());
		mlockall(MCL_CURRENT | MCL_FUTURE);
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
		serve_nbd_dev(sock);
		_exit(0);
	}
	close(sock);
	munmap(dev->disk, PAGES * SA_PAGE);
	/* Without this limit, one request might hold all pages. */
	return limit_requests(dev->path, 128) ? "cannot limit the requests of nbd" : NULL;
}

static void remove_nbd(void)
{
	int ret = nbd_command(NBD_CMD_DISCONNECT, dev->nr, 0, 0, -1);

	limit_requests(dev->path, 0);
	if (ret)
		sa_log("cannot disconnect %s: %d", dev->path, ret);
	dev->quits = true;
	sa_wait(!dev->server, 5);
}

/* --- all devices ---------------------------------------------------------- */

static const char *make_device(enum kind kind)
{
	dev->kind = kind;
	dev->serves = true;
	switch (kind) {
	case LOOP:
		return make_loop();
	case THIN_VOLUME:
		return make_thin();
	default:
		return make_nbd();
	}
}

/*
 * Take the device out of use and undo make_device(), in any state of the device
 */
static void remove_device(void)
{
	if (!dev->path[0])
		return;
	dev->writes_left = 0;
	if (sa_swaps_read(dev->path, NULL, NULL, NULL) && sa_swapoff_child(dev->path, LIMIT))
		sa_log("swapoff of %s has failed", dev->path);
	switch (dev->kind) {
	case LOOP:
		remove_loop();
		break;
	case THIN_VOLUME:
		remove_thin();
		break;
	case NETWORK:
		remove_nbd();
	}
	dev->path[0] = 0;
}

/*
 * Let the server die after @writes writes; the other devices are too small for
 * all pages anyway
 */
static void begin_trouble(int writes)
{
	if (dev->kind == NETWORK)
		dev->writes_left = writes;
}

/* Tell whether there is no room, or no server */
static bool is_in_trouble(void)
{
	struct statvfs fs;

	switch (dev->kind) {
	case LOOP:
		/*
		 * A request that fails for lack of room leaves less room than
		 * it wants.
		 */
		return !statvfs(dev->ballast, &fs) && fs.f_bfree < dev->reserved + 64;
	case THIN_VOLUME:
		return !run_cmd("dmsetup status --noflush " THIN_POOL
				" | grep -q out_of_data_space");
	default:
		return !dev->serves;
	}
}

/*
 * Remove the cause: delete the ballast, or start a server. Return 0 on success.
 */
static int end_trouble(void)
{
	switch (dev->kind) {
	case LOOP:
		return unlink(dev->ballast) ? -errno : 0;
	case THIN_VOLUME:
		return run_cmd("dmsetup message " THIN_POOL " 0 'delete 1'");
	default:
		dev->wanted = true;
		return sa_wait(dev->serves, SOON) ? 0 : -ETIMEDOUT;
	}
}

#define WANTED		"[Ww]rite.error on|[Rr]ead.error on|I/O error|space allocation error|" \
			"partition table|nbd[0-9]*: |out-of-data-space|low water mark|" \
			"segfault at"

static const char *begin_with_device(enum kind kind, enum how how)
{
	const char *why;

	/*
	 * The run without the layer is the reference for the others, and takes
	 * as long as they do.
	 */
	if (how == LAYER_OFF && !sa_is_full())
		return "the layer is off: in full mode only";
	signal(SIGPIPE, SIG_IGN);
	remove_device();
	why = begin_outage_test(how, WANTED);
	return why ? why : make_device(kind);
}

static void swapon_device(struct __test_metadata *_metadata, enum how how, int flags,
			  struct dev_state *b)
{
	ASSERT_EQ(0, sa_mkswap(dev->path, 0));
	ASSERT_EQ(0, swapon(dev->path, flags));
	if (how != LAYER_OFF)
		ASSERT_EQ(0, sa_set_format(dev->path, how == PACKED ? "packed" : "raw"));
	save_dev_state(_metadata, dev->path, how, b);
}

/* --- data that is swapped ------------------------------------------------- */

/* Free the contents of an area in any tier, and fill it with new contents */
static void rewrite_area(struct sa_area *a)
{
	madvise(a->p, a->n * SA_PAGE, MADV_DONTNEED);
	a->gen++;
	sa_area_fill(a);
}

/*
 * Read each page. Return how many can't be read, and add the number of wrong
 * pages to @bad, up to a few.
 */
static size_t count_unreadable(const struct sa_area *a, size_t *bad)
{
	size_t away = 0, i;

	for (i = 0; i < a->n; i++) {
		if (sa_raises_sigbus(a->p + i * SA_PAGE))
			away++;
		else if (*bad < 4)
			*bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	}
	return away;
}

static size_t count_unreadable_data(const struct data *d, size_t *bad)
{
	return count_unreadable(&d->random, bad) + count_unreadable(&d->text, bad);
}

/* --- the tests ------------------------------------------------------------ */

FIXTURE(transient)
{
	struct dev_state before;
};

FIXTURE_VARIANT(transient)
{
	enum kind kind;
	enum how how;
};

FIXTURE_VARIANT_ADD(transient, loop_off) { .kind = LOOP, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(transient, loop_raw) { .kind = LOOP, .how = RAW };

FIXTURE_VARIANT_ADD(transient, loop_packed) { .kind = LOOP, .how = PACKED };

FIXTURE_VARIANT_ADD(transient, thin_off) { .kind = THIN_VOLUME, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(transient, thin_raw) { .kind = THIN_VOLUME, .how = RAW };

FIXTURE_VARIANT_ADD(transient, thin_packed) { .kind = THIN_VOLUME, .how = PACKED };

FIXTURE_VARIANT_ADD(transient, nbd_off) { .kind = NETWORK, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(transient, nbd_raw) { .kind = NETWORK, .how = RAW };

FIXTURE_VARIANT_ADD(transient, nbd_packed) { .kind = NETWORK, .how = PACKED };

FIXTURE_SETUP(transient)
{
	const char *why = begin_with_device(variant->kind, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(transient)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Push pages out, of which some can't go, and check that these stay in RAM */
static void check_kept_in_ram(struct __test_metadata *_metadata, struct data *d)
{
	size_t kept, bad = 0, lost;

	swap_out_data(d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON)) {
		TH_LOG("all pages found room, so nothing is tested");
	}
	kept = data_pages_in_ram(d);
	EXPECT_LT(0, kept);
	lost = count_unreadable_data(d, &bad);
	EXPECT_EQ(0, bad);
	EXPECT_LE(lost, d->random.n + d->text.n - kept) {
		TH_LOG("%zu pages are in RAM, but %zu can't be read", kept, lost);
	}
	if (dev->kind != NETWORK)
		EXPECT_EQ(0, lost);
}

/*
 * Swap pages out before the trouble begins. During the trouble, free some of
 * these, and write more pages than there is room for, twice. After that, all
 * pages must go out.
 */
TEST_F_TIMEOUT(transient, back_again, SA_TIMEOUT)
{
	size_t bad = 0, wanted, taken, was_away;
	struct data old, more;

	swapon_device(_metadata, variant->how, 0, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 1);
	EXPECT_TRUE(wait_data_swapped_out(&old));

	begin_trouble(8);
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 3);
	check_kept_in_ram(_metadata, &more);
	rewrite_area(&old.text);
	rewrite_area(&more.random);
	swap_out_data(&old);
	check_kept_in_ram(_metadata, &more);
	/*
	 * While the server is gone, these pages can't be read, but they must
	 * not get lost.
	 */
	was_away = count_unreadable(&old.random, &bad);
	EXPECT_EQ(variant->kind == NETWORK ? old.random.n : 0, was_away);
	EXPECT_EQ(0, bad);
	if (variant->how != LAYER_OFF)
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
	expect_unmarked(_metadata, dev->path, variant->how);

	ASSERT_EQ(0, end_trouble());
	/*
	 * Without the layer, pages that could not be read take space until
	 * reclaim takes them.
	 */
	if (variant->how == LAYER_OFF)
		EXPECT_TRUE(sa_wait_purged(!count_unreadable_data(&old, &bad) &&
					   !count_unreadable_data(&more, &bad), SOON));
	EXPECT_EQ(0, count_unreadable_data(&old, &bad) + count_unreadable_data(&more, &bad));
	EXPECT_EQ(0, bad);
	EXPECT_TRUE(wait_data_swapped_out(&more));
	EXPECT_TRUE(wait_data_swapped_out(&old));
	EXPECT_EQ(0, count_unreadable_data(&old, &bad) + count_unreadable_data(&more, &bad));
	EXPECT_EQ(0, bad);
	unmap_data(&old);
	unmap_data(&more);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);

	/* A packed device hides its reserve. */
	wanted = variant->how == PACKED ? self->before.free / SA_PAGE : PAGES - 1;
	taken = fill_all_swap(_metadata, &self->before);
	EXPECT_EQ(wanted, taken);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/*
 * A memory cgroup is over its limit and can't be brought below it: it must keep
 * all its pages, and get below the limit when the cause is gone
 */
TEST_F_TIMEOUT(transient, squeezed, SA_TIMEOUT)
{
	size_t n = 6 * SA_MIB_PAGES;
	long long less = n / 6 * SA_PAGE;
	struct sa_holder h;
	char cg[256];

	swapon_device(_metadata, variant->how, 0, &self->before);
	ASSERT_EQ(0, sa_cg_make("max", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, cg));
	begin_trouble(1);
	EXPECT_EQ(0, sa_cg_write_num(cg, "memory.high", less));
	EXPECT_EQ(-EAGAIN, sa_cg_try_reclaim(cg, n * SA_PAGE));
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_LT(less, sa_cg_num(cg, "memory.current"));
	/* A process over memory.high sleeps seconds for every few pages. */
	EXPECT_EQ(0, sa_cg_write(cg, "memory.high", "max"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));

	ASSERT_EQ(0, end_trouble());
	shrink_cgroup(_metadata, cg, less);
	EXPECT_LE(n - n / 6, sa_hold_ask(&h, 's'));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/* --- room that swap itself gives back ------------------------------------- */

FIXTURE(discards)
{
	struct dev_state before;
};

FIXTURE_VARIANT(discards)
{
	enum kind kind;
	enum how how;
};

FIXTURE_VARIANT_ADD(discards, loop_off) { .kind = LOOP, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(discards, loop_raw) { .kind = LOOP, .how = RAW };

FIXTURE_VARIANT_ADD(discards, loop_packed) { .kind = LOOP, .how = PACKED };

FIXTURE_VARIANT_ADD(discards, thin_off) { .kind = THIN_VOLUME, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(discards, thin_raw) { .kind = THIN_VOLUME, .how = RAW };

FIXTURE_VARIANT_ADD(discards, thin_packed) { .kind = THIN_VOLUME, .how = PACKED };

FIXTURE_SETUP(discards)
{
	const char *why = begin_with_device(variant->kind, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(discards)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * All room has been used up, and the user of the pages ends. The kernel must
 * discard the freed space so that the next pages find room, because these go to
 * other places on the device.
 */
TEST_F_TIMEOUT(discards, make_room, SA_TIMEOUT)
{
	size_t bad = 0;
	struct data d;
	int round;

	swapon_device(_metadata, variant->how, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES,
		      &self->before);
	for (round = 0; round < 5; round++) {
		make_data(_metadata, &d, 8 * SA_MIB_PAGES, 31 + 2 * round);
		check_kept_in_ram(_metadata, &d);
		unmap_data(&d);
		expect_dev_state(_metadata, dev->path, variant->how, &self->before);

		make_data(_metadata, &d, 2 * SA_MIB_PAGES, 61 + 2 * round);
		EXPECT_TRUE(wait_data_swapped_out(&d)) {
			TH_LOG("in round %d", round);
		}
		EXPECT_EQ(0, count_unreadable_data(&d, &bad));
		EXPECT_EQ(0, bad);
		unmap_data(&d);
		expect_dev_state(_metadata, dev->path, variant->how, &self->before);
	}
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/* --- a device that is slow, or that can't be written any more ------------- */

#define MAPPED_PAGES	(48 * SA_MIB_PAGES)

FIXTURE(mapped)
{
	char cg[256];
};

FIXTURE_VARIANT(mapped)
{
	enum how how;
	bool zswap;
};

FIXTURE_VARIANT_ADD(mapped, raw) { .how = RAW };

FIXTURE_VARIANT_ADD(mapped, raw_zswap) { .how = RAW, .zswap = true };

FIXTURE_VARIANT_ADD(mapped, packed) { .how = PACKED };

FIXTURE_VARIANT_ADD(mapped, packed_zswap) { .how = PACKED, .zswap = true };

FIXTURE_SETUP(mapped)
{
	const char *why = begin_outage_test(variant->how, WANTED);

	if (!why)
		why = sa_check_needs(SA_NEED_DEVS);
	if (!why && sa_set_zswap(variant->zswap))
		why = "no zswap";
	if (!why)
		why = sa_dm_make(MAPPED_PAGES);
	if (!why && sa_cg_make("mapped", 0, self->cg, sizeof(self->cg)))
		why = "cannot make a cgroup";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(mapped)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

static void swapon_with_priority(struct __test_metadata *_metadata, const char *path, size_t pages,
				 enum how how, int priority)
{
	ASSERT_EQ(0, sa_swapon(path, pages, priority));
	ASSERT_EQ(0, sa_set_format(path, how == PACKED ? "packed" : "raw"));
}

/*
 * Writes take long, and all that the cgroup has is soon being written. There is
 * room, so reclaim must wait and not give up.
 */
TEST_F_TIMEOUT(mapped, is_slow, SA_TIMEOUT)
{
	struct sa_fill fill = { 40 * SA_MIB_PAGES, SA_RANDOM };
	int i;

	swapon_with_priority(_metadata, sa_dm(), 0, variant->how, 1);
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_WAITS));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", 24 * SA_MIB));
	for (i = 0; i < (sa_is_full() ? 8 : 2); i++)
		EXPECT_EQ(0, sa_run(self->cg, sa_run_fill, &fill, SA_TIMEOUT / 4));
	EXPECT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_violations());
}

/*
 * Writes fail and reads do not. The pages must go to the other device, although
 * this one has the higher priority and has not failed yet.
 */
TEST_F_TIMEOUT(mapped, cannot_be_written, SA_TIMEOUT)
{
	struct sa_fill fill = { 30 * SA_MIB_PAGES, SA_RANDOM };
	struct sa_holder h;

	swapon_with_priority(_metadata, sa_dm(), 0, variant->how, 10);
	swapon_with_priority(_metadata, sa_dev(1), 128 * SA_MIB_PAGES, variant->how, 1);
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", 12 * SA_MIB));
	ASSERT_EQ(0, sa_keep_start(&h, 36 * SA_MIB_PAGES, SA_RANDOM, self->cg));
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_run(self->cg, sa_run_fill, &fill, SA_TIMEOUT / 4));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_LT(0, sa_tier_num(sa_dev(1), "stored"));
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_swapoff(sa_dev(1)));
	EXPECT_EQ(0, sa_violations());
}

TEST_HARNESS_MAIN
