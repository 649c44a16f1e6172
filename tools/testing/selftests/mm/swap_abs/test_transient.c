// SPDX-License-Identifier: GPL-2.0
/*
 * Transient errors of other shapes than those in test_devices.c: a loop device that reads and
 * writes its file directly, on an ext4 that something else has filled; a thin volume whose pool
 * something else has filled; a network block device whose server dies in the middle of a
 * request, so that reads fail as well, until another one takes its place. What was in the way
 * is deleted, discarded or connected again, not made larger. With the layer the outcome is what
 * it is without.
 *
 * It fails on a kernel that loses or mixes up a page, has none of a page that it could not
 * write, can't read a page once the server is back, takes less than all that fits afterwards,
 * calls places bad that are not, kills somebody, or does not discard what nobody has any more,
 * so that the room which that takes is never had again.
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

/* What the test, its parent, and the server know of the device */
static struct device {
	enum kind kind;
	char path[64];			/* "": there is none */
	char ballast[64];		/* a file */
	long long reserved;		/* blocks that no file may have */
	int nr;				/* of nbd */
	pid_t parent;
	int server;			/* is there one, dead or not? */
	int writes_left;		/* until the server dies, 0: it lives on */
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

/* --- a loop device on a filesystem that is full -------------------------- */

static const char *make_loop(void)
{
	int file, ballast, fd;
	const char *why, *dir;
	struct statvfs fs;
	char name[128];

	why = sa_need(SA_NEED_DEVS);
	if (!why)
		why = sa_mkfs(1, &dir);
	if (why)
		return why;
	snprintf(name, sizeof(name), "%s/swap", dir);
	snprintf(dev->ballast, sizeof(dev->ballast), "%s/ballast", dir);
	file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ballast = open(dev->ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* Some is for the filesystem itself. What is reserved for root the loop device may have. */
	snprintf(name, sizeof(name), "/sys/fs/ext4/%s/reserved_clusters",
		 sa_kernel_name(sa_dev(1)));
	dev->reserved = sa_read_num(name);
	if (file < 0 || ballast < 0 || dev->reserved < 0 || ftruncate(file, PAGES * SA_PAGE) ||
	    statvfs(dir, &fs) ||
	    posix_fallocate(ballast, 0, (fs.f_bfree - dev->reserved - HAS) * SA_PAGE))
		why = "cannot fill a filesystem";
	close(ballast);
	/*
	 * A direct write that finds no room in the middle of it fails as a whole. Of a buffered
	 * one lo_complete_rq() of 7.3 says that all is well.
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

/* --- a thin volume whose pool is full ------------------------------------ */

static const char *make_thin(void)
{
	const size_t all = PAGES + HAS;
	const char *why = begin_thin(all);

	if (why)
		return why;
	strcpy(dev->path, "/dev/mapper/" THIN);
	/* Chunks of 64 KiB, so many that the ballast leaves what there is to be had at first */
	if (run("dmsetup create " THIN_DATA " --table '0 %zu linear %s %zu'", SECTORS(all),
		sa_dev(0), (size_t)META_SECTORS) ||
	    run("dmsetup create " THIN_POOL " --table '0 %zu thin-pool /dev/mapper/" THIN_META
		" /dev/mapper/" THIN_DATA " 128 0 2 skip_block_zeroing error_if_no_space'",
		SECTORS(all)) ||
	    make_volume(THIN_BALLAST, 1) ||
	    run("dd if=/dev/zero of=/dev/mapper/" THIN_BALLAST " bs=64k count=%zu oflag=direct",
		PAGES / 16) ||
	    run("dmsetup remove " THIN_BALLAST) || make_volume(THIN, 0) ||
	    !thin_path(dev->path, sizeof(dev->path)))
		return "cannot make a thin volume";
	return NULL;
}

/* --- a network block device ---------------------------------------------- */

/* Answer one request. Returns false when the connection is no more, or shall be no more. */
static bool answer(int sock)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	struct nbd_request req;
	size_t len;
	void *data;

	if (!xmit(sock, &req, sizeof(req), false) || be32toh(req.magic) != NBD_REQUEST_MAGIC)
		return false;
	len = be32toh(req.len);
	data = dev->disk + be64toh(req.from);
	memcpy(&reply.cookie, &req.cookie, sizeof(reply.cookie));
	switch (be32toh(req.type) & 0xffff) {
	case NBD_CMD_READ:
		return xmit(sock, &reply, sizeof(reply), true) && xmit(sock, data, len, true);
	case NBD_CMD_WRITE:
		/* It dies when it has a part. */
		if (dev->writes_left && !--dev->writes_left) {
			xmit(sock, data, len / 2, false);
			return false;
		}
		return xmit(sock, data, len, false) && xmit(sock, &reply, sizeof(reply), true);
	case NBD_CMD_DISC:
		return false;
	default:
		return xmit(sock, &reply, sizeof(reply), true);
	}
}

/*
 * Serve the device. A server that dies and another one that has its data are one process: one
 * that begins later would share pages with the test, which then can't be pushed out.
 */
static void serve(int sock)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	int n;

	while (!dev->quits && !kill(dev->parent, 0)) {
		if (dev->serves) {
			n = poll(&wait, 1, 50);
			if (n < 0 || (n && !answer(wait.fd))) {
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
	sock = nbd_connect_any(&dev->nr, PAGES, 0);
	if (sock < 0)
		return "cannot connect a network block device";
	snprintf(dev->path, sizeof(dev->path), "/dev/nbd%d", dev->nr);
	dev->writes_left = 0;
	dev->serves = true;
	dev->wanted = false;
	dev->quits = false;
	/* The server outlives the test, whose parent takes the device out of use. */
	dev->parent = getppid();
	dev->server = -1;
	dev->disk = mmap(NULL, PAGES * SA_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (dev->disk == MAP_FAILED)
		return "no memory for a server";
	if (!fork()) {
		/* Nobody squeezes it, it is not swapped itself, and does not wait for itself. */
		sa_cg_enter(sa_cg_root());
		mlockall(MCL_CURRENT | MCL_FUTURE);
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
		serve(sock);
		_exit(0);
	}
	close(sock);
	munmap(dev->disk, PAGES * SA_PAGE);
	/* Else all that is pushed out may be one. */
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

/* --- all of them ---------------------------------------------------------- */

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

/* Take the device out of use and undo make_device(), whatever has become of it. */
static void remove_device(void)
{
	if (!dev->path[0])
		return;
	dev->writes_left = 0;
	if (sa_swaps(dev->path, NULL, NULL, NULL) && sa_swapoff_child(dev->path, LIMIT))
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

/* The others have no room for all as they are. */
static void begin_trouble(int writes)
{
	if (dev->kind == NETWORK)
		dev->writes_left = writes;
}

/* Tell whether there is no room, or no server. */
static bool is_in_trouble(void)
{
	struct statvfs fs;

	switch (dev->kind) {
	case LOOP:
		/* A request that fails for want of room leaves less than it wants. */
		return !statvfs(dev->ballast, &fs) && fs.f_bfree < dev->reserved + 64;
	case THIN_VOLUME:
		return !run("dmsetup status --noflush " THIN_POOL " | grep -q out_of_data_space");
	default:
		return !dev->serves;
	}
}

/* Remove the cause: the ballast, or that there is no server. Returns 0 when done. */
static int end_trouble(void)
{
	switch (dev->kind) {
	case LOOP:
		return unlink(dev->ballast) ? -errno : 0;
	case THIN_VOLUME:
		return run("dmsetup message " THIN_POOL " 0 'delete 1'");
	default:
		dev->wanted = true;
		return sa_wait(dev->serves, SOON) ? 0 : -ETIMEDOUT;
	}
}

#define WANTED		"[Ww]rite.error on|[Rr]ead.error on|I/O error|space allocation error|" \
			"partition table|nbd[0-9]*: |out-of-data-space|low water mark|" \
			"segfault at"

static const char *begin_with(enum kind kind, enum how how)
{
	const char *why;

	/* It is what the others are compared with, and takes as long. */
	if (how == LAYER_OFF && !sa_full())
		return "the layer is off: in full mode only";
	signal(SIGPIPE, SIG_IGN);
	remove_device();
	why = begin_how(how, WANTED);
	return why ? why : make_device(kind);
}

static void use_device(struct __test_metadata *_metadata, enum how how, int flags,
		       struct before *b)
{
	ASSERT_EQ(0, sa_mkswap(dev->path, 0));
	ASSERT_EQ(0, swapon(dev->path, flags));
	if (how != LAYER_OFF)
		ASSERT_EQ(0, sa_format(dev->path, how == PACKED ? "packed" : "raw"));
	remember(_metadata, dev->path, how, b);
}

/* --- what is swapped ------------------------------------------------------ */

/* Forget what is in the area, wherever that is, and put something else there. */
static void renew(struct sa_area *a)
{
	madvise(a->p, a->n * SA_PAGE, MADV_DONTNEED);
	a->gen++;
	sa_area_fill(a);
}

/*
 * Look at each page. Returns how many can't be read; *bad grows by those that are wrong, until
 * a few are.
 */
static size_t area_away(const struct sa_area *a, size_t *bad)
{
	size_t away = 0, i;

	for (i = 0; i < a->n; i++) {
		if (sa_bus(a->p + i * SA_PAGE))
			away++;
		else if (*bad < 4)
			*bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	}
	return away;
}

static size_t away(const struct data *d, size_t *bad)
{
	return area_away(&d->random, bad) + area_away(&d->text, bad);
}

/* --- the tests ------------------------------------------------------------ */

FIXTURE(transient)
{
	struct before before;
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
	const char *why = begin_with(variant->kind, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(transient)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Push pages out, of which some can't go, and check that those are in RAM. */
static void check_kept(struct __test_metadata *_metadata, struct data *d)
{
	size_t kept, bad = 0, lost;

	push_data(d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON)) {
		TH_LOG("there is room for all, so nothing is tested");
	}
	kept = stays(d);
	EXPECT_LT(0, kept);
	lost = away(d, &bad);
	EXPECT_EQ(0, bad);
	EXPECT_LE(lost, d->random.n + d->text.n - kept) {
		TH_LOG("%zu pages are in RAM, but %zu can't be read", kept, lost);
	}
	if (dev->kind != NETWORK)
		EXPECT_EQ(0, lost);
}

/*
 * Pages that are out before it begins, some of which nobody wants any more while it lasts, and
 * more that there is no room for, twice; then all of it.
 */
TEST_F_TIMEOUT(transient, back_again, SA_TIMEOUT)
{
	size_t bad = 0, wanted, taken, was_away;
	struct data old, more;

	use_device(_metadata, variant->how, 0, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 1);
	EXPECT_TRUE(goes_out(&old));

	begin_trouble(8);
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 3);
	check_kept(_metadata, &more);
	renew(&old.text);
	renew(&more.random);
	push_data(&old);
	check_kept(_metadata, &more);
	/* With its server gone this can't be read, and is not lost by that. */
	was_away = area_away(&old.random, &bad);
	EXPECT_EQ(variant->kind == NETWORK ? old.random.n : 0, was_away);
	EXPECT_EQ(0, bad);
	if (variant->how != LAYER_OFF)
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
	expect_unmarked(_metadata, dev->path, variant->how);

	ASSERT_EQ(0, end_trouble());
	/* Without the layer what could not be read is in the way until reclaim takes it. */
	if (variant->how == LAYER_OFF)
		EXPECT_TRUE(sa_wait_purged(!away(&old, &bad) && !away(&more, &bad), SOON));
	EXPECT_EQ(0, away(&old, &bad) + away(&more, &bad));
	EXPECT_EQ(0, bad);
	EXPECT_TRUE(goes_out(&more));
	EXPECT_TRUE(goes_out(&old));
	EXPECT_EQ(0, away(&old, &bad) + away(&more, &bad));
	EXPECT_EQ(0, bad);
	unmap_data(&old);
	unmap_data(&more);
	as_before(_metadata, dev->path, variant->how, &self->before);

	/* A packed device hides its reserve. */
	wanted = variant->how == PACKED ? self->before.free / SA_PAGE : PAGES - 1;
	taken = fill_device(_metadata, &self->before);
	EXPECT_EQ(wanted, taken);
	as_before(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/*
 * A memory cgroup that is over its limit, and can't be brought below it: it has all its pages,
 * and is below when the cause is gone.
 */
TEST_F_TIMEOUT(transient, squeezed, SA_TIMEOUT)
{
	size_t n = 6 * SA_MIB_PAGES;
	long long less = n / 6 * SA_PAGE;
	struct sa_holder h;
	char cg[256];

	use_device(_metadata, variant->how, 0, &self->before);
	ASSERT_EQ(0, sa_cg_make("max", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, cg));
	begin_trouble(1);
	EXPECT_EQ(0, sa_cg_write_num(cg, "memory.high", less));
	EXPECT_EQ(-EAGAIN, sa_cg_try_reclaim(cg, n * SA_PAGE));
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_LT(less, sa_cg_num(cg, "memory.current"));
	/* Who is over that limit sleeps seconds for every few pages. */
	EXPECT_EQ(0, sa_cg_write(cg, "memory.high", "max"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));

	ASSERT_EQ(0, end_trouble());
	squeeze(_metadata, cg, less);
	EXPECT_LE(n - n / 6, sa_hold_ask(&h, 's'));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	as_before(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/* --- room that swap itself gives back -------------------------------------- */

FIXTURE(discards)
{
	struct before before;
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
	const char *why = begin_with(variant->kind, variant->how);

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
 * All the room there is has been used up, and whoever had it ends. What is free is discarded,
 * so that the next ones find room, whose pages go to other places on the device.
 */
TEST_F_TIMEOUT(discards, make_room, SA_TIMEOUT)
{
	size_t bad = 0;
	struct data d;
	int round;

	use_device(_metadata, variant->how, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES,
		   &self->before);
	for (round = 0; round < 5; round++) {
		make_data(_metadata, &d, 8 * SA_MIB_PAGES, 31 + 2 * round);
		check_kept(_metadata, &d);
		unmap_data(&d);
		as_before(_metadata, dev->path, variant->how, &self->before);

		make_data(_metadata, &d, 2 * SA_MIB_PAGES, 61 + 2 * round);
		EXPECT_TRUE(goes_out(&d)) {
			TH_LOG("in round %d", round);
		}
		EXPECT_EQ(0, away(&d, &bad));
		EXPECT_EQ(0, bad);
		unmap_data(&d);
		as_before(_metadata, dev->path, variant->how, &self->before);
	}
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

TEST_HARNESS_MAIN
