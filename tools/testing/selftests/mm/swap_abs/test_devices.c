// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that have no room, answer with errors, or are away for a while: a loop device whose
 * file is on a full filesystem, a thin volume whose pool is full, a network block device whose
 * server fails or goes away. With the layer the outcome is the one without it: each page stays
 * right, and once the cause is gone the device takes as much as ever.
 *
 * It fails on a kernel that takes such an error for a bad medium, so that the device has less
 * room for good; that loses or mixes up a page; that lets one device's errors count for
 * another one; that never uses a device again that has failed; or whose memory cgroups kill
 * somebody though the device works again.
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

/* Where the file of the loop device is */
#define FULL_DIR	"/tmp/swap_abs_full"
#define FULL_FILE	FULL_DIR "/swap"

/* Of thin volumes, one has a pool that lets writes wait for room. */
enum kind { LOOP, THIN_VOLUME, THIN_WAITS, NETWORK };

enum server { ANSWERS, WRITES_FAIL, GOES_AWAY, QUITS };

/* What the test, its parent, and the server know of the device */
static struct device {
	enum kind kind;
	char path[64];			/* "": there is none */
	int nr;				/* of nbd */
	pid_t server, parent;
	enum server mode;
	__u32 error;			/* what writes fail with */
	long failed, gone;		/* writes, connections */
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

/* Let the filesystem have so many pages. Returns 0 or -errno. */
static int resize_fs(size_t pages, unsigned long flags)
{
	char options[64];

	/* What is on it must not be swapped out to itself. */
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
	 * The driver of 7.3 says of a write that its file has taken in part, because the
	 * filesystem was full by then, that all is well: lo_complete_rq() looks at the count
	 * for reads only. A write of one page can't be short.
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

/* --- a thin volume whose pool is full ------------------------------------ */

/* Create or reload what the pool has its data on, or the pool itself. */
static int data_table(const char *command, size_t pages)
{
	return run("dmsetup %s " THIN_DATA " --table '0 %zu linear %s %zu'", command,
		   SECTORS(pages), sa_dev(0), (size_t)META_SECTORS);
}

static int pool_table(const char *command, size_t pages)
{
	/* Chunks of 64 KiB */
	return run("dmsetup %s " THIN_POOL " --table '0 %zu thin-pool /dev/mapper/" THIN_META
		   " /dev/mapper/" THIN_DATA " 128 0 %s'", command, SECTORS(pages),
		   dev->kind == THIN_WAITS ? "1 skip_block_zeroing" :
					     "2 skip_block_zeroing error_if_no_space");
}

static const char *make_thin(void)
{
	const char *why = begin_thin(PAGES);

	if (why)
		return why;
	strcpy(dev->path, "/dev/mapper/" THIN);
	if (data_table("create", HAS) || pool_table("create", HAS) ||
	    make_volume(THIN, 0) || !thin_path(dev->path, sizeof(dev->path)))
		return "cannot make a thin volume";
	return NULL;
}

static int grow_thin(void)
{
	return data_table("reload", PAGES) || run("dmsetup resume " THIN_DATA) ||
		pool_table("reload", PAGES) || run("dmsetup resume " THIN_POOL);
}

/* --- a network block device ---------------------------------------------- */

/* Answer one request. Returns false when the connection is no more. */
static bool answer(int sock)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	static unsigned char ignored[16 * SA_PAGE];
	struct nbd_request req;
	size_t len;
	void *data;
	bool fails;

	if (!xmit(sock, &req, sizeof(req), false) || be32toh(req.magic) != NBD_REQUEST_MAGIC)
		return false;
	if (dev->mode == GOES_AWAY)
		return false;
	len = be32toh(req.len);
	data = dev->disk + be64toh(req.from);
	memcpy(&reply.cookie, &req.cookie, sizeof(reply.cookie));
	switch (be32toh(req.type) & 0xffff) {
	case NBD_CMD_READ:
		return xmit(sock, &reply, sizeof(reply), true) && xmit(sock, data, len, true);
	case NBD_CMD_WRITE:
		fails = dev->mode == WRITES_FAIL;
		for (; fails && len > sizeof(ignored); len -= sizeof(ignored))
			if (!xmit(sock, ignored, sizeof(ignored), false))
				return false;
		if (!xmit(sock, fails ? ignored : data, len, false))
			return false;
		if (fails) {
			dev->failed++;
			reply.error = htobe32(dev->error);
		}
		return xmit(sock, &reply, sizeof(reply), true);
	case NBD_CMD_DISC:
		return false;
	default:
		return xmit(sock, &reply, sizeof(reply), true);
	}
}

/* Serve the device until somebody says that this is enough, or nobody is there any more. */
static void serve(int sock)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	int n;

	while (dev->mode != QUITS && !kill(dev->parent, 0)) {
		n = poll(&wait, 1, 50);
		if (n < 0 || (n && !answer(wait.fd))) {
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
	/* For a minute it may be without a server. */
	sock = nbd_connect_any(&dev->nr, PAGES, 60);
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
	/* The server outlives the test, whose parent takes the device out of use. */
	dev->parent = getppid();
	dev->server = fork();
	if (!dev->server) {
		/* What it serves must not be swapped, and it must not wait for itself. */
		mlockall(MCL_CURRENT | MCL_FUTURE);
		prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
		signal(SIGPIPE, SIG_IGN);
		serve(sock);
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

/* --- all of them ---------------------------------------------------------- */

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

/* Take the device out of use and undo make_device(), whatever has become of it. */
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
	if (sa_swaps(dev->path, NULL, NULL, NULL) && sa_swapoff_child(dev->path, LIMIT))
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

/* Let writes fail from now on: all of them, or those for which there is no room. */
static void begin_trouble(void)
{
	if (dev->kind == NETWORK)
		dev->mode = WRITES_FAIL;
}

/* Tell whether there is no room, or some write has failed. */
static bool is_in_trouble(void)
{
	struct statvfs fs;

	switch (dev->kind) {
	case LOOP:
		return !statvfs(FULL_DIR, &fs) && !fs.f_bfree;
	case THIN_VOLUME:
	case THIN_WAITS:
		return !run("dmsetup status --noflush " THIN_POOL " | grep -q out_of_data_space");
	default:
		return dev->failed;
	}
}

/* Remove the cause: give the device room, or let the server write. Returns 0 when done. */
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

static void use_device(struct __test_metadata *_metadata, enum how how, int prio)
{
	ASSERT_EQ(0, sa_swapon(dev->path, 0, prio));
	if (how != LAYER_OFF)
		ASSERT_EQ(0, sa_format(dev->path, how == PACKED ? "packed" : "raw"));
}

/* --- what is swapped ------------------------------------------------------ */

static void rewrite(struct data *d)
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

static void use_and_remember(struct __test_metadata *_metadata, enum how how, struct before *b)
{
	use_device(_metadata, how, 5);
	remember(_metadata, dev->path, how, b);
}

/* Give all pages back: the device has what it had, is not called bad, and can be taken away. */
static void give_back(struct __test_metadata *_metadata, enum how how, const struct before *b,
		      struct data *old, struct data *more)
{
	unmap_data(old);
	unmap_data(more);
	as_before(_metadata, dev->path, how, b);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

FIXTURE(devices)
{
	struct before before;
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
	const char *why = begin_with(variant->kind, variant->how);

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
 * Pages that are out before it begins, more than the device has room for, and others in their
 * place, while it lasts; then all of it.
 */
TEST_F_TIMEOUT(devices, work_again, SA_TIMEOUT)
{
	struct data old, more;
	int round;

	use_and_remember(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 1);
	EXPECT_TRUE(goes_out(&old));

	begin_trouble();
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 3);
	for (round = 0; round < 2; round++) {
		/* Some other error, the second time. */
		dev->error = round ? ENOSPC : EIO;
		push_data(&more);
		EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
		EXPECT_EQ(0, check_data(&old));
		EXPECT_EQ(0, check_data(&more));
		rewrite(&old);
		push_data(&old);
		EXPECT_EQ(0, check_data(&old));
		rewrite(&more);
	}
	push_data(&more);
	if (variant->how != LAYER_OFF)
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
	expect_unmarked(_metadata, dev->path, variant->how);

	ASSERT_EQ(0, end_trouble());
	EXPECT_TRUE(goes_out(&more));
	EXPECT_TRUE(goes_out(&old));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	unmap_data(&old);
	unmap_data(&more);
	as_before(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(self->before.free, (long long)(fill_device(_metadata, &self->before) * SA_PAGE));
	as_before(_metadata, dev->path, variant->how, &self->before);
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

/* swapoff needs no write: it takes what is there, and what could not go there. */
TEST_F_TIMEOUT(devices, swapoff_meanwhile, SA_TIMEOUT)
{
	struct data d;

	use_and_remember(_metadata, variant->how, &self->before);
	make_data(_metadata, &d, 7 * SA_MIB_PAGES, 5);
	sa_pageout(d.text.p, d.text.n / 2);
	begin_trouble();
	push_data(&d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
	EXPECT_EQ(0, check_data(&d));
	ASSERT_EQ(0, end_trouble());
	use_device(_metadata, variant->how, 5);
	EXPECT_TRUE(goes_out(&d));
	EXPECT_EQ(0, check_data(&d));
	unmap_data(&d);
	as_before(_metadata, dev->path, variant->how, &self->before);
}

/* Take half of its memory from a cgroup with one process: nobody is killed, all is right. */
static void halve(struct __test_metadata *_metadata, struct sa_holder *h, const char *cg)
{
	size_t half = h->a.n / 2;

	squeeze(_metadata, cg, half * SA_PAGE);
	EXPECT_LE(half - SA_MIB_PAGES, sa_hold_ask(h, 's'));
	EXPECT_EQ(0, sa_hold_ask(h, 'c'));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_hold_end(h));
}

/* A memory cgroup that needs swap finds it once the cause is gone, and kills nobody. */
TEST_F_TIMEOUT(devices, memory_max, SA_TIMEOUT)
{
	size_t n = 6 * SA_MIB_PAGES;
	struct sa_holder h;
	char cg[256], io[300];

	ASSERT_EQ(0, sa_cg_make("max", 0, cg, sizeof(cg)));
	snprintf(io, sizeof(io), "%s/io.stat", cg);
	/* What a loop device's file takes is charged to whom it is for. */
	if (variant->kind == LOOP && !access(io, F_OK))
		SKIP(return, "the cgroup pays for the file");
	use_and_remember(_metadata, variant->how, &self->before);
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, cg));
	begin_trouble();
	EXPECT_LE(0, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	ASSERT_EQ(0, end_trouble());
	halve(_metadata, &h, cg);
	as_before(_metadata, dev->path, variant->how, &self->before);
}

/* Another device works meanwhile: it has its pages, and nothing is said of it. */
TEST_F_TIMEOUT(devices, beside_another, SA_TIMEOUT)
{
	const char *why;
	struct data there, d;

	why = sa_need(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dev(1), PAGES, 3));
	if (variant->how != LAYER_OFF)
		ASSERT_EQ(0, sa_format(sa_dev(1), variant->how == PACKED ? "packed" : "raw"));
	make_data(_metadata, &there, SA_MIB_PAGES, 7);
	EXPECT_TRUE(goes_out(&there));
	use_device(_metadata, variant->how, 5);
	begin_trouble();
	make_data(_metadata, &d, 8 * SA_MIB_PAGES, 9);
	push_data(&d);
	EXPECT_TRUE(sa_wait(is_in_trouble(), SOON));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	rewrite(&there);
	push_data(&there);
	if (variant->how != LAYER_OFF) {
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
		EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/errors"));
	}
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	expect_unmarked(_metadata, dev->path, variant->how);
	ASSERT_EQ(0, end_trouble());
	EXPECT_TRUE(goes_out(&d));
	EXPECT_TRUE(goes_out(&there));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
}

/* --- a device that has failed -------------------------------------------- */

FIXTURE(failed)
{
	struct before before;
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
	const char *why = begin_with(variant->kind, variant->how);

	if (!why && !sa_full())
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
 * Errors and nothing else for more than five seconds: the layer takes the device out of use,
 * and uses it again by itself soon after they are over.
 */
TEST_F_TIMEOUT(failed, used_again, SA_TIMEOUT)
{
	struct data old, more;
	double end, lasted, over;

	ASSERT_EQ(0, sa_write(SA_DEBUG "/reopen_delay", "5"));
	use_and_remember(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 11);
	EXPECT_TRUE(goes_out(&old));
	begin_trouble();
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 13);
	push_data(&more);
	/* What is not out is written again and again. To read what is would be a success. */
	lasted = sa_now();
	end = lasted + SOON;
	while (!sa_tier_failed(dev->path) && sa_now() < end) {
		if (variant->kind == NETWORK) {
			EXPECT_EQ(0, check_data(&more));
			push_data(&more);
		} else {
			sa_purge();
		}
		usleep(200000);
	}
	EXPECT_TRUE(sa_tier_failed(dev->path));
	/* It is tried in vain, fails again, and is given more time. */
	EXPECT_TRUE(sa_wait(!sa_tier_failed(dev->path), 8));
	end = sa_now() + SOON;
	while (!sa_tier_failed(dev->path) && sa_now() < end) {
		sa_purge();
		push_data(&more);
		usleep(200000);
	}
	EXPECT_STATE("failed", dev->path);
	EXPECT_TRUE(is_in_trouble());
	EXPECT_FALSE(sa_wait(!sa_tier_failed(dev->path), 7));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	push_data(&old);
	push_data(&more);
	EXPECT_EQ(0, sa_violations());

	ASSERT_EQ(0, end_trouble());
	over = sa_now();
	lasted = over - lasted;
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	EXPECT_TRUE(sa_wait(!sa_tier_failed(dev->path), SOON));
	TH_LOG("used again %.1f s after an outage of %.1f s", sa_now() - over, lasted);
	EXPECT_LE(sa_now() - over, lasted + 2);
	EXPECT_TRUE(goes_out(&old));
	EXPECT_TRUE(goes_out(&more));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	give_back(_metadata, variant->how, &self->before, &old, &more);
}

/* The same for reclaim of a cgroup: it kills nobody, and finds the device when it is back. */
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
	use_and_remember(_metadata, variant->how, &self->before);
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
	halve(_metadata, &h, cg);
	as_before(_metadata, dev->path, variant->how, &self->before);
}

/* --- a pool that lets writes wait ----------------------------------------- */

FIXTURE(waits)
{
	struct before before;
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
	const char *why = begin_with(THIN_WAITS, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(waits)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Give the pool room when it has been without for a while. */
static int grow_later(void *unused)
{
	if (!sa_wait(is_in_trouble(), SOON))
		return 1;
	usleep(200000);
	return end_trouble() ? 2 : 0;
}

/* No write fails. Who pushes pages out may have to wait as well. */
TEST_F_TIMEOUT(waits, for_room, SA_TIMEOUT)
{
	struct data old, more;
	pid_t pid;

	use_and_remember(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 23);
	EXPECT_TRUE(goes_out(&old));
	/* What it would share with us could not be pushed out. */
	pid = sa_start(NULL, grow_later, NULL);
	make_data(_metadata, &more, 7 * SA_MIB_PAGES, 25);
	push_data(&more);
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	EXPECT_TRUE(goes_out(&more));
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(0, check_data(&more));
	if (variant->how != LAYER_OFF)
		EXPECT_EQ(0, sa_tier_num(dev->path, "stats/errors"));
	give_back(_metadata, variant->how, &self->before, &old, &more);
}

/* --- a server ------------------------------------------------------------- */

FIXTURE(server)
{
	struct before before;
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
	const char *why = begin_with(NETWORK, variant->how);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(server)
{
	remove_device();
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* It loses a request with its connection. The driver waits for another one, so none fails. */
TEST_F_TIMEOUT(server, connects_again, SA_TIMEOUT)
{
	struct data old, more;

	use_and_remember(_metadata, variant->how, &self->before);
	make_data(_metadata, &old, SA_MIB_PAGES, 15);
	EXPECT_TRUE(goes_out(&old));
	make_data(_metadata, &more, 2 * SA_MIB_PAGES, 17);
	dev->mode = GOES_AWAY;
	push_data(&more);
	EXPECT_TRUE(sa_wait(dev->gone == 1, SOON));
	EXPECT_TRUE(goes_out(&more));
	EXPECT_EQ(0, check_data(&more));
	/* A read is lost. */
	dev->mode = GOES_AWAY;
	EXPECT_EQ(0, check_data(&old));
	EXPECT_EQ(2, dev->gone);
	if (variant->how != LAYER_OFF)
		EXPECT_EQ(0, sa_tier_num(dev->path, "stats/errors"));
	give_back(_metadata, variant->how, &self->before, &old, &more);
}

/* An error of the medium marks places of that device for a while, and of no other one. */
TEST_F_TIMEOUT(server, bad_medium, SA_TIMEOUT)
{
	const char *why;
	struct data there, d;

	if (variant->how == LAYER_OFF)
		SKIP(return, "about the layer");
	why = sa_need(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	if (sa_write(SA_DEBUG "/medium_errors", "Y"))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, sa_swapon(sa_dev(1), PAGES, 3));
	ASSERT_EQ(0, sa_format(sa_dev(1), variant->how == PACKED ? "packed" : "raw"));
	make_data(_metadata, &there, SA_MIB_PAGES, 19);
	EXPECT_TRUE(goes_out(&there));
	use_and_remember(_metadata, variant->how, &self->before);

	begin_trouble();
	make_data(_metadata, &d, SA_MIB_PAGES, 21);
	push_data(&d);
	EXPECT_TRUE(sa_wait(dev->failed, SOON));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	/* What nothing refers to any more counts as bad. */
	rewrite(&d);
	EXPECT_TRUE(sa_wait(sa_tier_num(dev->path, "stats/bad") > 0, SOON));
	expect_unmarked(_metadata, sa_dev(1), variant->how);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/errors"));

	ASSERT_EQ(0, end_trouble());
	EXPECT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "N"));
	EXPECT_TRUE(goes_out(&d));
	EXPECT_TRUE(goes_out(&there));
	EXPECT_EQ(0, check_data(&d));
	EXPECT_EQ(0, check_data(&there));
	EXPECT_EQ(0, sa_write(SA_DEBUG "/retry", "1"));
	EXPECT_TRUE(sa_wait(!sa_tier_num(dev->path, "stats/bad"), SOON));
	expect_unmarked(_metadata, dev->path, variant->how);
	unmap_data(&d);
	unmap_data(&there);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	EXPECT_TRUE(sa_wait_purged(!sa_swap_used(), SOON));
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

TEST_HARNESS_MAIN
