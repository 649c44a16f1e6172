// SPDX-License-Identifier: GPL-2.0
/*
 * These tests use devices that have no room, answer with errors, or are away
 * for a while: a loop device whose file is on a full filesystem, a thin volume
 * whose pool is full, and a network block device whose server fails or goes
 * away. The outcome with the layer must be the outcome without it: each page
 * stays right, and once the cause is gone the device takes as much as before.
 *
 * The test fails on a kernel that takes such an error for a bad medium, so that
 * the device has less room for good; that loses or mixes up a page; that lets
 * the errors of one device count for another one; that never again uses a
 * device that has failed; or whose memory cgroups kill a process although the
 * device works again.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "nbd.h"
#include "outage.h"

/* The place of the loop device's file */
#define FULL_DIR	"/tmp/swap_abs_full"
#define FULL_FILE	FULL_DIR "/swap"

/* One thin volume has a pool that lets writes wait for room. */
enum kind { LOOP, THIN_VOLUME, THIN_WAITS, NETWORK };

enum server { ANSWERS, WRITES_FAIL, GOES_AWAY, QUITS };

/* The state of the device, which the test, its parent and the server share */
static struct device {
	enum kind kind;
	char path[64];			/* "": there is none */
	int nr;				/* of nbd */
	pid_t server, parent;
	enum server mode;
	__u32 error;			/* error number for failing writes */
	long failed, gone;		/* failed writes, lost connections */
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

/* Set the size of the filesystem in pages. Return 0 or -errno. */
static int resize_fs(size_t pages, unsigned long flags)
{
	char options[64];

	/*
	 * The pages of the filesystem must not be swapped out to the device
	 * itself.
	 */
	snprintf(options, sizeof(options), "noswap,size=%zu", pages * SA_PAGE);
	return mount("swap_abs", FULL_DIR, "tmpfs", flags, options) ? -errno : 0;
}

static const char *make_loop(void)
{
	int file, fd;

	mkdir(FULL_DIR, 0700);
	if (resize_fs(HAS, 0))
		return "cannot mount a tmpfs that is not swapped";
	file = open(FULL_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, PAGES * SA_PAGE))
		return "no sparse file";
	fd = sa_loop_attach(file, 0, 0, dev->path, sizeof(dev->path));
	close(file);
	if (fd < 0)
		return "cannot set a loop device up";
	close(fd);
	/*
	 * The driver of 7.3 reports success for a write that a full filesystem
	 * has taken only in part, because lo_complete_rq() looks at the count
	 * for reads only. The test limits writes to one page because such a
	 * write can't be short.
	 */
	return limit_requests(dev->path, 4) ? "cannot limit the requests of a loop device" : NULL;
}

static void remove_loop(void)
{
	int err;

	limit_requests(dev->path, 0);
	err = sa_loop_detach(dev->path);
	if (err)
		sa_log("cannot free %s: %s", dev->path, strerror(-err));
}

/* --- a thin volume whose pool is full ------------------------------------- */

/* Create or reload the device for the data of the pool */
static int set_data_table(const char *command, size_t pages)
{
	return run_cmd("dmsetup %s " THIN_DATA " --table '0 %zu linear %s %zu'", command,
		       SECTORS(pages), sa_dev(0), (size_t)META_SECTORS);
}

static int set_pool_table(const char *command, size_t pages)
{
	/* Chunks of 64 KiB */
	return run_cmd("dmsetup %s " THIN_POOL " --table '0 %zu thin-pool /dev/mapper/" THIN_META
		       " /dev/mapper/" THIN_DATA " 128 0 %s'", command, SECTORS(pages),
		       dev->kind == THIN_WAITS ? "1 skip_block_zeroing" :
						 "2 skip_block_zeroing error_if_no_space");
}

static const char *make_thin(void)
{
	const char *why = make_thin_metadata(PAGES);

	if (why)
		return why;
	strcpy(dev->path, "/dev/mapper/" THIN);
	if (set_data_table("create", HAS) || set_pool_table("create", HAS) ||
	    make_thin_volume(THIN, 0) || !read_thin_path(dev->path, sizeof(dev->path)))
		return "cannot make a thin volume";
	return NULL;
}

static int grow_thin(void)
{
	return set_data_table("reload", PAGES) || run_cmd("dmsetup resume " THIN_DATA) ||
		set_pool_table("reload", PAGES) || run_cmd("dmsetup resume " THIN_POOL);
}

/* --- a network block device ----------------------------------------------- */

/* Answer one request. Return false when the connection is closed. */
static bool answer_request(int sock)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	static unsigned char ignored[16 * SA_PAGE];
	struct nbd_request req;
	size_t len;
	void *data;
	bool fails;

	if (!sock_transfer(sock, &req, sizeof(req), false) ||
	    be32toh(req.magic) != NBD_REQUEST_MAGIC)
		return false;
	if (dev->mode == GOES_AWAY)
		return false;
	len = be32toh(req.len);
	data = dev->disk + be64toh(req.from);
	memcpy(&reply.cookie, &req.cookie, sizeof(reply.cookie));
	switch (be32toh(req.type) & 0xffff) {
	case NBD_CMD_READ:
		return sock_transfer(sock, &reply, sizeof(reply), true) &&
		       sock_transfer(sock, data, len, true);
	case NBD_CMD_WRITE:
		fails = dev->mode == WRITES_FAIL;
		for (; fails && len > sizeof(ignored); len -= sizeof(ignored))
			if (!sock_transfer(sock, ignored, sizeof(ignored), false))
				return false;
		if (!sock_transfer(sock, fails ? ignored : data, len, false))
			return false;
		if (fails) {
			dev->failed++;
			reply.error = htobe32(dev->error);
		}
		return sock_transfer(sock, &reply, sizeof(reply), true);
	case NBD_CMD_DISC:
		return false;
	default:
		return sock_transfer(sock, &reply, sizeof(reply), true);
	}
}

/* Serve the device until the test sets QUITS, or until the parent has ended */
static void serve_nbd_dev(int sock)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	int n;

	while (dev->mode != QUITS && !kill(dev->parent, 0)) {
		n = poll(&wait, 1, 50);
		if (n < 0 || (n && !answer_request(wait.fd))) {
			close(wait.fd);
			if (dev->mode == QUITS)
				break;
			usleep(200000);
			dev->mode = ANSWERS;
			dev->gone++;
			wait.fd = nbd_connect(NBD_CMD_RECONFIGURE, dev->nr, 0, 0);
			if (wait.fd < 0) {
				sa_log("cannot connect nbd%d again: %d", dev->nr, wait.fd);
				break;
			}
		}
	}
	dev->server = 0;
}

static const char *make_nbd(void)
{
	int sock;

	if (nbd_family() < 0)
		return "no nbd";
	/* The driver lets the device be without a server for a minute. */
	sock = nbd_connect_free(&dev->nr, PAGES, 60);
	if (sock < 0)
		return "cannot connect a network block device";
	snprintf(dev->path, sizeof(dev->path), "/dev/nbd%d", dev->nr);
	dev->mode = ANSWERS;
	dev->failed = 0;
	dev->gone = 0;
	dev->error = EIO;
	dev->disk = mmap(NULL, PAGES * SA_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (dev->disk == MAP_FAILED)
		return "no memory for a server";
	/*
	 * The server outlives the test, because the parent takes the device out
	 * of use.
	 */
	dev->parent = getppid();
	dev->server = fork();
	if (!dev->server) {
		/*
		 * The memory of the server must not be swapped, and the server
		 * must not wait for its own device.
		 */
		mlockall(MCL_CURRENT | MCL_FUTURE);
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
		signal(SIGPIPE, SIG_IGN);
		serve_nbd_dev(sock);
		_exit(0);
	}
	close(sock);
	munmap(dev->disk, PAGES * SA_PAGE);
	return dev->server < 0 ? "no server" : NULL;
}

static void remove_nbd(void)
{
	int ret = nbd_command(NBD_CMD_DISCONNECT, dev->nr, 0, 0, -1);

	if (ret)
		sa_log("cannot disconnect %s: %d", dev->path, ret);
}

/* --- all devices ---------------------------------------------------------- */

static const char *make_device(enum kind kind)
{
	dev->kind = kind;
	switch (kind) {
	case LOOP:
		return make_loop();
	case THIN_VOLUME:
	case THIN_WAITS:
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
	bool served = dev->server > 0 && !kill(dev->server, 0);

	if (!dev->path[0])
		return;
	if (dev->mode != GOES_AWAY)
		dev->mode = ANSWERS;
	/* Without a server the driver would wait for one. */
	if (dev->kind == NETWORK && !served)
		remove_nbd();
	if (sa_swaps_read(dev->path, NULL, NULL, NULL) && sa_swapoff_child(dev->path, LIMIT))
		sa_log("swapoff of %s has failed", dev->path);
	switch (dev->kind) {
	case LOOP:
		remove_loop();
		break;
	case THIN_VOLUME:
	case THIN_WAITS:
		remove_thin();
		break;
	case NETWORK:
		dev->mode = QUITS;
		if (served)
			remove_nbd();
		sa_wait(!dev->server, 5);
	}
	umount2(FULL_DIR, MNT_DETACH);
	rmdir(FULL_DIR);
	dev->path[0] = 0;
	dev->server = 0;
}

/*
 * Let writes fail from now on: all writes, or those for which there is no room
 */
static void begin_trouble(void)
{
	if (dev->kind == NETWORK)
		dev->mode = WRITES_FAIL;
}

/* Tell whether there is no room, or whether a write has failed */
static bool is_in_trouble(void)
{
	struct statvfs fs;

	switch (dev->kind) {
	case LOOP:
		return !statvfs(FULL_DIR, &fs) && !fs.f_bfree;
	case THIN_VOLUME:
	case THIN_WAITS:
		return !run_cmd("dmsetup status --noflush " THIN_POOL
				" | grep -q out_of_data_space");
	default:
		return dev->failed;
	}
}

/*
 * Remove the cause: give the device room, or let the server write. Return 0 on
 * success.
 */
static int end_trouble(void)
{
	switch (dev->kind) {
	case LOOP:
		return resize_fs(PAGES + SA_MIB_PAGES, MS_REMOUNT);
	case THIN_VOLUME:
	case THIN_WAITS:
		return grow_thin();
	default:
		dev->mode = ANSWERS;
		return 0;
	}
}

#define WANTED		"rite.error on|I/O error|space allocation error|has failed|" \
			"partition table|nbd[0-9]*: |out-of-data-space|low water mark"

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

static void swapon_device(struct __test_metadata *_metadata, enum how how, int prio)
{
	ASSERT_EQ(0, sa_swapon(dev->path, 0, prio));
	if (how != LAYER_OFF)
		ASSERT_EQ(0, sa_set_format(dev->path, how == PACKED ? "packed" : "raw"));
}

/* --- data that is swapped ------------------------------------------------- */

static void rewrite_data(struct data *d)
{
	d->random.gen++;
	sa_area_fill(&d->random);
	d->text.gen++;
	sa_area_fill(&d->text);
}

static size_t check_data(struct data *d)
{
	return sa_area_check(&d->random) + sa_area_check(&d->text);
}

/* --- the tests ------------------------------------------------------------ */

static void swapon_and_save_state(struct __test_metadata *_metadata, enum how how,
				  struct dev_state *b)
{
	swapon_device(_metadata, how, 5);
	save_dev_state(_metadata, dev->path, how, b);
}

/*
 * Give all pages back, and check that the device has its old capacity, that no
 * slot is marked as bad, and that swapoff works
 */
static void check_all_given_back(struct __test_metadata *_metadata, enum how how,
				 const struct dev_state *b, struct data *old, struct data *more)
{
	unmap_data(old);
	unmap_data(more);
	expect_dev_state(_metadata, dev->path, how, b);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

FIXTURE(devices)
{
	struct dev_state before;
};

FIXTURE_VARIANT(devices)
{
	enum kind kind;
	enum how how;
};

FIXTURE_VARIANT_ADD(devices, loop_off) { .kind = LOOP, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(devices, loop_raw) { .kind = LOOP, .how = RAW };

FIXTURE_VARIANT_ADD(devices, loop_packed) { .kind = LOOP, .how = PACKED };

FIXTURE_VARIANT_ADD(devices, thin_off) { .kind = THIN_VOLUME, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(devices, thin_raw) { .kind = THIN_VOLUME, .how = RAW };

FIXTURE_VARIANT_ADD(devices, thin_packed) { .kind = THIN_VOLUME, .how = PACKED };

FIXTURE_VARIANT_ADD(devices, nbd_off) { .kind = NETWORK, .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(devices, nbd_raw) { .kind = NETWORK, .how = RAW };

FIXTURE_VARIANT_ADD(devices, nbd_packed) { .kind = NETWORK, .how = PACKED };

FIXTURE_SETUP(devices)
{
	const char *why = begin_with_device(variant->kind, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(devices)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * Swap pages out before the trouble begins. During the trouble, write more
 * pages than the device has room for, and other ones in their place. After
 * that, all pages must go out.
 */
TEST_F_TIMEOUT(devices, work_again, SA_TIMEOUT)
{
	struct data old, more;
	int round;

	swapon_and_save_state(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 1);
	EXPECT_TRUE(wait_data_swapped_out(&old));

	begin_trouble();
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 3);
	for (round = 0; round < 2; round++) {
		/* The second round uses another error. */
		dev->error = round ? ENOSPC : EIO;
		swap_out_data(&more);
		EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
		EXPECT_EQ(0, check_data(&old));
		EXPECT_EQ(0, check_data(&more));
		rewrite_data(&old);
		swap_out_data(&old);
		EXPECT_EQ(0, check_data(&old));
		rewrite_data(&more);
	}
	swap_out_data(&more);
	if (variant->how != LAYER_OFF)
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
	expect_unmarked(_metadata, dev->path, variant->how);

	ASSERT_EQ(0, end_trouble());
	EXPECT_TRUE(wait_data_swapped_out(&more));
	EXPECT_TRUE(wait_data_swapped_out(&old));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	unmap_data(&old);
	unmap_data(&more);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(self->before.free,
		  (long long)(fill_all_swap(_metadata, &self->before) * SA_PAGE));
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/*
 * swapoff needs no writes: it must read the pages on the device, and take the
 * pages that could not be written
 */
TEST_F_TIMEOUT(devices, swapoff_meanwhile, SA_TIMEOUT)
{
	struct data d;

	swapon_and_save_state(_metadata, variant->how, &self->before);
	make_data(_metadata, &d, 7 * SA_MIB_PAGES, 5);
	sa_pageout(d.text.p, d.text.n / 2);
	begin_trouble();
	swap_out_data(&d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
	EXPECT_EQ(0, check_data(&d));
	ASSERT_EQ(0, end_trouble());
	swapon_device(_metadata, variant->how, 5);
	EXPECT_TRUE(wait_data_swapped_out(&d));
	EXPECT_EQ(0, check_data(&d));
	unmap_data(&d);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
}

/*
 * Take half of its memory from a cgroup with one process: nobody may be killed,
 * and all pages must be right
 */
static void halve_cgroup_memory(struct __test_metadata *_metadata, struct sa_holder *h,
				const char *cg)
{
	size_t half = h->a.n / 2;

	shrink_cgroup(_metadata, cg, half * SA_PAGE);
	EXPECT_LE(half - SA_MIB_PAGES, sa_hold_ask(h, 's'));
	EXPECT_EQ(0, sa_hold_ask(h, 'c'));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_hold_end(h));
}

/*
 * A memory cgroup that needs swap must find it once the cause is gone, and must
 * not kill
 */
TEST_F_TIMEOUT(devices, memory_max, SA_TIMEOUT)
{
	size_t n = 6 * SA_MIB_PAGES;
	struct sa_holder h;
	char cg[256], io[300];

	ASSERT_EQ(0, sa_cg_make("max", 0, cg, sizeof(cg)));
	snprintf(io, sizeof(io), "%s/io.stat", cg);
	/*
	 * The memory of a loop device's file is charged to the cgroup that
	 * swaps.
	 */
	if (variant->kind == LOOP && !access(io, F_OK))
		SKIP(return, "the cgroup pays for the file");
	swapon_and_save_state(_metadata, variant->how, &self->before);
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, cg));
	begin_trouble();
	EXPECT_LE(0, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	ASSERT_EQ(0, end_trouble());
	halve_cgroup_memory(_metadata, &h, cg);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
}

/*
 * Another device must keep working meanwhile, with its pages, and without a bad
 * slot
 */
TEST_F_TIMEOUT(devices, beside_another, SA_TIMEOUT)
{
	const char *why;
	struct data there, d;

	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dev(1), PAGES, 3));
	if (variant->how != LAYER_OFF)
		ASSERT_EQ(0, sa_set_format(sa_dev(1), variant->how == PACKED ? "packed" : "raw"));
	make_data(_metadata, &there, SA_MIB_PAGES, 7);
	EXPECT_TRUE(wait_data_swapped_out(&there));
	swapon_device(_metadata, variant->how, 5);
	begin_trouble();
	make_data(_metadata, &d, 8 * SA_MIB_PAGES, 9);
	swap_out_data(&d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	rewrite_data(&there);
	swap_out_data(&there);
	if (variant->how != LAYER_OFF) {
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
		EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/errors"));
	}
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	expect_unmarked(_metadata, dev->path, variant->how);
	ASSERT_EQ(0, end_trouble());
	EXPECT_TRUE(wait_data_swapped_out(&d));
	EXPECT_TRUE(wait_data_swapped_out(&there));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
}

/* --- a device that has failed --------------------------------------------- */

FIXTURE(failed)
{
	struct dev_state before;
};

FIXTURE_VARIANT(failed)
{
	enum kind kind;
	enum how how;
};

FIXTURE_VARIANT_ADD(failed, loop_raw) { .kind = LOOP, .how = RAW };

FIXTURE_VARIANT_ADD(failed, nbd_packed) { .kind = NETWORK, .how = PACKED };

FIXTURE_SETUP(failed)
{
	const char *why = begin_with_device(variant->kind, variant->how);

	if (!why && !sa_is_full())
		why = "waits until a device has failed: in full mode only";
	if (!why && sa_write(SA_DEBUG "/max_io_errors", "32"))
		why = "no debugfs";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(failed)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * The device returns only errors for more than five seconds. The layer must
 * take it out of use, and must use it again by itself soon after the errors
 * end.
 */
TEST_F_TIMEOUT(failed, used_again, SA_TIMEOUT)
{
	struct data old, more;
	double end, lasted, over;

	ASSERT_EQ(0, sa_write(SA_DEBUG "/reopen_delay", "5"));
	swapon_and_save_state(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 11);
	EXPECT_TRUE(wait_data_swapped_out(&old));
	begin_trouble();
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 13);
	swap_out_data(&more);
	/*
	 * The test writes the pages in RAM again and again. A read from the
	 * device would be a success.
	 */
	lasted = sa_now();
	end = lasted + SOON;
	while (!sa_tier_failed(dev->path) && sa_now() < end) {
		if (variant->kind == NETWORK) {
			EXPECT_EQ(0, check_data(&more));
			swap_out_data(&more);
		} else {
			sa_purge_cache();
		}
		usleep(200000);
	}
	EXPECT_TRUE(sa_tier_failed(dev->path));
	/*
	 * The layer tries the device in vain; the device fails again, and the
	 * layer waits longer.
	 */
	EXPECT_TRUE(sa_wait(!sa_tier_failed(dev->path), 8));
	end = sa_now() + SOON;
	while (!sa_tier_failed(dev->path) && sa_now() < end) {
		sa_purge_cache();
		swap_out_data(&more);
		usleep(200000);
	}
	EXPECT_STATE("failed", dev->path);
	EXPECT_TRUE(is_in_trouble());
	EXPECT_FALSE(sa_wait(!sa_tier_failed(dev->path), 7));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	swap_out_data(&old);
	swap_out_data(&more);
	EXPECT_EQ(0, sa_violations());

	ASSERT_EQ(0, end_trouble());
	over = sa_now();
	lasted = over - lasted;
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	EXPECT_TRUE(sa_wait(!sa_tier_failed(dev->path), SOON));
	TH_LOG("used again %.1f s after an outage of %.1f s", sa_now() - over, lasted);
	EXPECT_LE(sa_now() - over, lasted + 2);
	EXPECT_TRUE(wait_data_swapped_out(&old));
	EXPECT_TRUE(wait_data_swapped_out(&more));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	check_all_given_back(_metadata, variant->how, &self->before, &old, &more);
}

/*
 * Reclaim of a cgroup sees the same: it must not kill, and must find the device
 * when it works again
 */
TEST_F_TIMEOUT(failed, squeezed, SA_TIMEOUT)
{
	size_t n = 6 * SA_MIB_PAGES;
	struct sa_holder h;
	char cg[256];
	double end;

	if (variant->kind == LOOP)
		SKIP(return, "the cgroup may pay for the file");
	ASSERT_EQ(0, sa_write(SA_DEBUG "/reopen_delay", "5"));
	ASSERT_EQ(0, sa_cg_make("max", 0, cg, sizeof(cg)));
	swapon_and_save_state(_metadata, variant->how, &self->before);
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, cg));
	begin_trouble();
	end = sa_now() + SOON;
	while (!sa_tier_failed(dev->path) && sa_now() < end) {
		EXPECT_EQ(-EAGAIN, sa_cg_try_reclaim(cg, n * SA_PAGE));
		usleep(100000);
	}
	EXPECT_STATE("failed", dev->path);
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));

	ASSERT_EQ(0, end_trouble());
	EXPECT_TRUE(sa_wait(!sa_tier_failed(dev->path), SOON));
	halve_cgroup_memory(_metadata, &h, cg);
	expect_dev_state(_metadata, dev->path, variant->how, &self->before);
}

/* --- a pool that lets writes wait ----------------------------------------- */

FIXTURE(waits)
{
	struct dev_state before;
};

FIXTURE_VARIANT(waits)
{
	enum how how;
};

FIXTURE_VARIANT_ADD(waits, off) { .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(waits, raw) { .how = RAW };

FIXTURE_VARIANT_ADD(waits, packed) { .how = PACKED };

FIXTURE_SETUP(waits)
{
	const char *why = begin_with_device(THIN_WAITS, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(waits)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Give the pool room after it has been full for a while */
static int grow_device_later(void *unused)
{
	if (!sa_wait(is_in_trouble(), SOON))
		return 1;
	usleep(200000);
	return end_trouble() ? 2 : 0;
}

/* No write fails. A process that pushes pages out may have to wait. */
TEST_F_TIMEOUT(waits, for_room, SA_TIMEOUT)
{
	struct data old, more;
	pid_t pid;

	swapon_and_save_state(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 23);
	EXPECT_TRUE(wait_data_swapped_out(&old));
	/*
	 * The test makes its pages after the fork, because shared pages could
	 * not be pushed out.
	 */
	pid = sa_start(NULL, grow_device_later, NULL);
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 25);
	swap_out_data(&more);
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	EXPECT_TRUE(wait_data_swapped_out(&more));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	if (variant->how != LAYER_OFF)
		EXPECT_EQ(0, sa_tier_num(dev->path, "stats/errors"));
	check_all_given_back(_metadata, variant->how, &self->before, &old, &more);
}

/* --- a server ------------------------------------------------------------- */

FIXTURE(server)
{
	struct dev_state before;
};

FIXTURE_VARIANT(server)
{
	enum how how;
};

FIXTURE_VARIANT_ADD(server, off) { .how = LAYER_OFF };

FIXTURE_VARIANT_ADD(server, raw) { .how = RAW };

FIXTURE_VARIANT_ADD(server, packed) { .how = PACKED };

FIXTURE_SETUP(server)
{
	const char *why = begin_with_device(NETWORK, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(server)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * The server loses a request with its connection. The driver waits for another
 * connection, so no request fails.
 */
TEST_F_TIMEOUT(server, connects_again, SA_TIMEOUT)
{
	struct data old, more;

	swapon_and_save_state(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 15);
	EXPECT_TRUE(wait_data_swapped_out(&old));
	make_data(_metadata, &more, 2 * SA_MIB_PAGES, 17);
	dev->mode = GOES_AWAY;
	swap_out_data(&more);
	EXPECT_TRUE(sa_wait(dev->gone == 1, SOON));
	EXPECT_TRUE(wait_data_swapped_out(&more));
	EXPECT_EQ(0, check_data(&more));
	/* The server loses a read. */
	dev->mode = GOES_AWAY;
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(2, dev->gone);
	if (variant->how != LAYER_OFF)
		EXPECT_EQ(0, sa_tier_num(dev->path, "stats/errors"));
	check_all_given_back(_metadata, variant->how, &self->before, &old, &more);
}

/*
 * A medium error must mark slots of that device for a while, and slots of no
 * other device
 */
TEST_F_TIMEOUT(server, bad_medium, SA_TIMEOUT)
{
	const char *why;
	struct data there, d;

	if (variant->how == LAYER_OFF)
		SKIP(return, "this test needs the layer");
	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	if (sa_write(SA_DEBUG "/medium_errors", "Y"))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, sa_swapon(sa_dev(1), PAGES, 3));
	ASSERT_EQ(0, sa_set_format(sa_dev(1), variant->how == PACKED ? "packed" : "raw"));
	make_data(_metadata, &there, SA_MIB_PAGES, 19);
	EXPECT_TRUE(wait_data_swapped_out(&there));
	swapon_and_save_state(_metadata, variant->how, &self->before);

	begin_trouble();
	make_data(_metadata, &d, SA_MIB_PAGES, 21);
	swap_out_data(&d);
	EXPECT_TRUE(sa_wait(dev->failed, SOON));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	/* A bad slot counts as bad when its page has left it. */
	rewrite_data(&d);
	EXPECT_TRUE(sa_wait(sa_tier_num(dev->path, "stats/bad") > 0, SOON));
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/errors"));

	ASSERT_EQ(0, end_trouble());
	EXPECT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "N"));
	EXPECT_TRUE(wait_data_swapped_out(&d));
	EXPECT_TRUE(wait_data_swapped_out(&there));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	/* Again, because a segment may be on the list of bad ones only later. */
	EXPECT_TRUE(sa_wait(!sa_write(SA_DEBUG "/retry", "1") &&
			    !sa_tier_num(dev->path, "stats/bad"), SOON));
	expect_unmarked(_metadata, dev->path, variant->how);
	unmap_data(&d);
	unmap_data(&there);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	EXPECT_TRUE(sa_wait_purged(!sa_swap_used(), SOON));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

TEST_HARNESS_MAIN
