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
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/loop.h>
#include <linux/nbd.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <unistd.h>

#include "tiers.h"

#ifndef SWAP_FLAG_DISCARD_PAGES
#define SWAP_FLAG_DISCARD_PAGES	0x40000
#endif

/* What the device says it has, and what it has while something else has the rest */
#define PAGES		(16 * SA_MIB_PAGES)
#define HAS		(4 * SA_MIB_PAGES)

/* A device mapper's names, and where their parts are on the first device */
#define THIN_META	"swap_abs_meta"
#define THIN_DATA	"swap_abs_data"
#define THIN_POOL	"swap_abs_pool"
#define THIN_BALLAST	"swap_abs_ballast"
#define THIN		"swap_abs_thin"
#define META_SECTORS	(4 * SA_MIB / 512)
#define SECTORS(_pages)	((_pages) * (SA_PAGE / 512))

enum kind { LOOP, THIN_VOLUME, NETWORK };

enum how { LAYER_OFF, RAW, PACKED };

/* What the test, its parent, and the server know of the device */
static struct device {
	enum kind kind;
	char path[64];			/* "": there is none */
	char ballast[64];		/* a file */
	long long reserved;		/* blocks that no file may have */
	int nr;				/* of nbd and of the loop device */
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
	struct loop_config config = { .block_size = SA_PAGE };
	int control, file, ballast, fd;
	const char *why, *dir;
	struct statvfs fs;
	char name[128];

	if (sa_ndevs() < 2)
		return "needs two block devices";
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return "no loop devices";
	dev->nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (dev->nr < 0)
		return "no free loop device";
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
	snprintf(dev->path, sizeof(dev->path), "/dev/loop%d", dev->nr);
	/*
	 * A direct write that finds no room in the middle of it fails as a whole. Of a buffered
	 * one lo_complete_rq() of 7.3 says that all is well.
	 */
	config.fd = file;
	config.info.lo_flags = LO_FLAGS_DIRECT_IO;
	fd = open(dev->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config)) {
		dev->path[0] = 0;
		if (!why)
			why = "cannot set a loop device up";
	}
	close(fd);
	close(file);
	snprintf(name, sizeof(name), "/sys/block/loop%d/loop/dio", dev->nr);
	if (!why && sa_read_num(name) != 1)
		why = "no direct I/O for a loop device";
	return why;
}

static void remove_loop(void)
{
	int fd = open(dev->path, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, LOOP_CLR_FD))
		sa_log("cannot free %s: %s", dev->path, strerror(errno));
	close(fd);
}

/* --- a thin volume whose pool is full ------------------------------------ */

/* Run a shell's command, its output unseen. Returns its exit status. */
static int run(const char *fmt, ...)
{
	char command[512];
	va_list args;
	int null;
	pid_t pid;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	pid = sa_fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		/* There may be no udev: then it makes the nodes itself. */
		setenv("DM_DISABLE_UDEV", "1", 1);
		execlp("sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return sa_join(pid, 120);
}

static int make_volume(const char *name, int id)
{
	return run("dmsetup message " THIN_POOL " 0 'create_thin %d'", id) ||
		run("dmsetup create %s --table '0 %zu thin /dev/mapper/" THIN_POOL " %d'", name,
		    SECTORS(PAGES), id);
}

static const char *make_thin(void)
{
	const size_t all = PAGES + HAS;
	char zeros[SA_PAGE] = { }, path[PATH_MAX];
	int fd, ret;

	if (run("dmsetup targets | grep -q '^thin-pool '"))
		return "no dmsetup, or no thin pools";
	if (!sa_ndevs() || META_SECTORS + SECTORS(all) > SECTORS(sa_dev_pages(0)))
		return "no block device for a thin pool";
	/* A pool begins with metadata whose first block is zero. */
	fd = open(sa_dev(0), O_RDWR | O_CLOEXEC);
	ret = fd < 0 || pwrite(fd, zeros, SA_PAGE, 0) != (ssize_t)SA_PAGE || fsync(fd);
	close(fd);
	if (ret)
		return "cannot write metadata";
	strcpy(dev->path, "/dev/mapper/" THIN);
	/* Chunks of 64 KiB, so many that the ballast leaves what there is to be had at first */
	if (run("dmsetup create " THIN_META " --table '0 %zu linear %s 0'",
		(size_t)META_SECTORS, sa_dev(0)) ||
	    run("dmsetup create " THIN_DATA " --table '0 %zu linear %s %zu'", SECTORS(all),
		sa_dev(0), (size_t)META_SECTORS) ||
	    run("dmsetup create " THIN_POOL " --table '0 %zu thin-pool /dev/mapper/" THIN_META
		" /dev/mapper/" THIN_DATA " 128 0 2 skip_block_zeroing error_if_no_space'",
		SECTORS(all)) ||
	    make_volume(THIN_BALLAST, 1) ||
	    run("dd if=/dev/zero of=/dev/mapper/" THIN_BALLAST " bs=64k count=%zu oflag=direct",
		PAGES / 16) ||
	    run("dmsetup remove " THIN_BALLAST) || make_volume(THIN, 0) ||
	    !realpath("/dev/mapper/" THIN, path))
		return "cannot make a thin volume";
	/* /proc/swaps does not know links. */
	snprintf(dev->path, sizeof(dev->path), "%.63s", path);
	return NULL;
}

static void remove_thin(void)
{
	/* What is not there is no error, what is there still is one. */
	if (run("for n in %s %s %s %s %s; do dmsetup remove $n; done; dmsetup ls | grep -q %s",
		THIN, THIN_BALLAST, THIN_POOL, THIN_DATA, THIN_META, "swap_abs_") != 1)
		sa_log("cannot remove " THIN);
}

/* --- a network block device ---------------------------------------------- */

/* One request of generic netlink, and what comes back */
struct request {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	char attrs[1024];
};

static void begin_request(struct request *r, int type, int cmd, int version)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	r->genl.cmd = cmd;
	r->genl.version = version;
}

static void put_attr(struct request *r, int type, const void *value, size_t size)
{
	struct nlattr *attr = (void *)r + r->head.nlmsg_len;

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + size;
	memcpy((void *)attr + NLA_HDRLEN, value, size);
	r->head.nlmsg_len += NLA_ALIGN(attr->nla_len);
}

static void put_num(struct request *r, int type, __u64 value)
{
	put_attr(r, type, &value, sizeof(value));
}

/* Find an attribute of two bytes. Returns it, or -ENOENT. */
static int attr_of(const struct request *r, int type)
{
	const void *end = (void *)r + r->head.nlmsg_len;
	const struct nlattr *attr = (void *)r + NLMSG_LENGTH(GENL_HDRLEN);

	for (; (void *)(attr + 1) <= end && attr->nla_len >= NLA_HDRLEN;
	     attr = (void *)attr + NLA_ALIGN(attr->nla_len))
		if (attr->nla_type == type)
			return *(__u16 *)((void *)attr + NLA_HDRLEN);
	return -ENOENT;
}

/* Send a request; the answer replaces it. Returns 0 or -errno. */
static int send_request(struct request *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request answer;
	struct nlmsgerr *err;
	int fd, ret = -EIO;
	ssize_t n;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	if (sendto(fd, r, r->head.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while ((n = recv(fd, &answer, sizeof(answer), 0)) >= (ssize_t)sizeof(answer.head)) {
		if (answer.head.nlmsg_type == NLMSG_ERROR) {
			err = NLMSG_DATA(&answer.head);
			ret = err->error;
			break;
		}
		*r = answer;
	}
	close(fd);
	return ret;
}

/* Ask for the number of the netlink family. Returns it, or -errno. */
static int nbd_family(void)
{
	struct request r;
	int ret;

	begin_request(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	put_attr(&r, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof(NBD_GENL_FAMILY_NAME));
	ret = send_request(&r);
	return ret ? ret : attr_of(&r, CTRL_ATTR_FAMILY_ID);
}

/* Tell the driver something of the device, and give it a socket if it is one. */
static int nbd_command(int cmd, int sock)
{
	struct {
		struct nlattr item, fd;
		__u32 sock;
	} socks = {
		.item = { sizeof(socks), NBD_SOCK_ITEM | NLA_F_NESTED },
		.fd = { sizeof(socks) - sizeof(socks.item), NBD_SOCK_FD },
		.sock = sock,
	};
	int family = nbd_family();
	__u32 index = dev->nr;
	struct request r;

	if (family < 0)
		return family;
	begin_request(&r, family, cmd, NBD_GENL_VERSION);
	put_attr(&r, NBD_ATTR_INDEX, &index, sizeof(index));
	if (cmd == NBD_CMD_CONNECT) {
		put_num(&r, NBD_ATTR_SIZE_BYTES, PAGES * SA_PAGE);
		put_num(&r, NBD_ATTR_BLOCK_SIZE_BYTES, SA_PAGE);
		put_num(&r, NBD_ATTR_SERVER_FLAGS, NBD_FLAG_HAS_FLAGS);
		/* A second for what is on its way; what comes later fails at once. */
		put_num(&r, NBD_ATTR_TIMEOUT, 1);
	}
	if (sock >= 0)
		put_attr(&r, NBD_ATTR_SOCKETS | NLA_F_NESTED, &socks, sizeof(socks));
	return send_request(&r);
}

/* Send or receive all of it. Returns false when the connection is no more. */
static bool xmit(int sock, void *buf, size_t size, bool out)
{
	ssize_t n;

	for (; size; size -= n, buf += n) {
		n = out ? send(sock, buf, size, MSG_NOSIGNAL) : recv(sock, buf, size, MSG_WAITALL);
		if (n <= 0)
			return false;
	}
	return true;
}

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

/* Connect the device, or connect it again. Returns the server's socket, or -errno. */
static int nbd_connect(int cmd)
{
	double end = sa_now() + SOON;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	/* Until the driver has seen that the old socket is dead, it takes no other. */
	do {
		ret = nbd_command(cmd, pair[0]);
	} while (ret == -ENOSPC && sa_now() < end && !usleep(5000));
	close(pair[0]);
	if (!ret)
		return pair[1];
	close(pair[1]);
	return ret;
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
			wait.fd = nbd_connect(NBD_CMD_RECONFIGURE);
			dev->serves = wait.fd >= 0;
		} else {
			usleep(5000);
		}
	}
	dev->server = 0;
}

/* Let one request have so many kilobytes, 0: as many as can be. Returns 0 or -errno. */
static int limit_requests(int kb)
{
	char name[128];

	snprintf(name, sizeof(name), "/sys/block/nbd%d/queue/max_sectors_kb", dev->nr);
	return sa_write_num(name, kb);
}

static const char *make_nbd(void)
{
	int sock = -EBUSY;

	if (nbd_family() < 0)
		return "no nbd";
	for (dev->nr = 0; sock == -EBUSY && dev->nr < 16; dev->nr++)
		sock = nbd_connect(NBD_CMD_CONNECT);
	dev->nr--;
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
	return limit_requests(128) ? "cannot limit the requests of nbd" : NULL;
}

static void remove_nbd(void)
{
	int ret = nbd_command(NBD_CMD_DISCONNECT, -1);

	limit_requests(0);
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
	why = sa_begin(how != LAYER_OFF);
	if (!why && how == PACKED && !sa_have_zswap())
		why = "no zswap, hence nothing packed";
	/* An error is about one page. */
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	/* All of this is wanted, or comes of a device that is made and removed. */
	sa_log_expect(WANTED);
	return why ? why : make_device(kind);
}

struct before {
	long long free, killed;
	size_t size, used;
};

/*
 * Use the device, and look at what it has. A packed one hides its reserve when the first page
 * comes, so one comes at once.
 */
static void use_device(struct __test_metadata *_metadata, enum how how, int flags,
		       struct before *b)
{
	struct sa_area first;

	ASSERT_EQ(0, sa_mkswap(dev->path, 0));
	ASSERT_EQ(0, swapon(dev->path, flags));
	if (how != LAYER_OFF)
		ASSERT_EQ(0, sa_format(dev->path, how == PACKED ? "packed" : "raw"));
	if (how == PACKED) {
		put(_metadata, &first, 8, SA_TEXT, 99);
		sa_area_unmap(&first);
		EXPECT_TRUE(comes_to_hold(dev->path, 0));
	}
	b->free = sa_meminfo("SwapFree");
	b->killed = sa_vmstat("oom_kill");
	ASSERT_TRUE(sa_swaps(dev->path, &b->size, &b->used, NULL));
}

/* Check that the device has what it had, is called neither bad nor failed, and no one died. */
static void as_before(struct __test_metadata *_metadata, enum how how, const struct before *b)
{
	size_t size = 0, used = 0;

	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == b->free, SOON)) {
		TH_LOG("%lld bytes are free, %lld were", sa_meminfo("SwapFree"), b->free);
	}
	EXPECT_TRUE(sa_wait_purged(sa_swaps(dev->path, &size, &used, NULL) && used == b->used,
				   SOON)) {
		TH_LOG("%zu pages are in use, %zu were", used, b->used);
	}
	EXPECT_EQ(b->size, size);
	EXPECT_EQ(b->killed, sa_vmstat("oom_kill"));
	if (how == LAYER_OFF)
		return;
	EXPECT_EQ(0, sa_tier_num(dev->path, "stats/bad"));
	EXPECT_STATE("online", dev->path);
	EXPECT_EQ(0, sa_violations());
}

/* --- what is swapped ------------------------------------------------------ */

/* Pages of which half do not compress, so that a packed device has some of them raw */
struct data {
	struct sa_area random, text;
};

static void make_data(struct __test_metadata *_metadata, struct data *d, size_t n, __u64 seed)
{
	make(_metadata, &d->random, n / 2, SA_RANDOM, seed);
	make(_metadata, &d->text, n / 2, SA_TEXT, seed + 1);
}

static void unmap_data(struct data *d)
{
	sa_area_unmap(&d->random);
	sa_area_unmap(&d->text);
}

/* Push pages out, once. Those that can't be written are in the swap cache then. */
static void push_data(struct data *d)
{
	sa_pageout(d->random.p, d->random.n);
	sa_pageout(d->text.p, d->text.n);
	sa_settle();
}

/* Forget what is in the area, wherever that is, and put something else there. */
static void renew(struct sa_area *a)
{
	madvise(a->p, a->n * SA_PAGE, MADV_DONTNEED);
	a->gen++;
	sa_area_fill(a);
}

/* Count the pages that are in RAM, in the swap cache or not. */
static size_t area_stays(const struct sa_area *a)
{
	return a->n - sa_swapped(a->p, a->n) + sa_in_cache(a->p, a->n);
}

static size_t stays(const struct data *d)
{
	return area_stays(&d->random) + area_stays(&d->text);
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

/* Does all of it come to be on the device and nowhere else? */
static bool goes_out(struct data *d)
{
	double end = sa_now() + SOON;
	size_t left;

	do {
		push_data(d);
		sa_purge();
		left = stays(d);
	} while (left && sa_now() < end);
	if (left)
		sa_log("%zu pages stay in RAM", left);
	return !left;
}

/* Fill all that is free. Returns how many pages have gone there. */
static size_t fill_device(struct __test_metadata *_metadata, const struct before *b)
{
	/* Where nothing is free, nobody looks at the swap cache any more. */
	const size_t last = 64;
	struct sa_area a, most;
	size_t n;

	make(_metadata, &a, b->free / SA_PAGE + last, SA_RANDOM, 77);
	most = a;
	most.n -= 2 * last;
	sa_pageout(most.p, most.n);
	EXPECT_TRUE(sa_settle());
	EXPECT_TRUE(sa_wait_purged(!area_stays(&most), SOON));
	n = sa_pageout(a.p, a.n);
	EXPECT_TRUE(sa_settle());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	return n;
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
	if (variant->how != LAYER_OFF) {
		EXPECT_LT(0, sa_tier_num(dev->path, "stats/errors"));
		EXPECT_EQ(0, sa_tier_num(dev->path, "stats/bad"));
		EXPECT_STATE("online", dev->path);
		EXPECT_EQ(0, sa_violations());
	}

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
	as_before(_metadata, variant->how, &self->before);

	/* A packed device hides its reserve. */
	wanted = variant->how == PACKED ? self->before.free / SA_PAGE : PAGES - 1;
	taken = fill_device(_metadata, &self->before);
	EXPECT_EQ(wanted, taken);
	as_before(_metadata, variant->how, &self->before);
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
	/* Who lowers memory.max kills for what is being written still, with the layer or not. */
	EXPECT_TRUE(sa_wait(!sa_cg_write_num(cg, "memory.high", less) &&
			    sa_cg_num(cg, "memory.current") <= less, SOON)) {
		TH_LOG("%lld bytes stay, %lld may", sa_cg_num(cg, "memory.current"), less);
	}
	EXPECT_EQ(0, sa_cg_write_num(cg, "memory.max", less));
	EXPECT_EQ(0, sa_cg_write(cg, "memory.high", "max"));
	EXPECT_LE(n - n / 6, sa_hold_ask(&h, 's'));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	as_before(_metadata, variant->how, &self->before);
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
		as_before(_metadata, variant->how, &self->before);

		make_data(_metadata, &d, 2 * SA_MIB_PAGES, 61 + 2 * round);
		EXPECT_TRUE(goes_out(&d)) {
			TH_LOG("in round %d", round);
		}
		EXPECT_EQ(0, away(&d, &bad));
		EXPECT_EQ(0, bad);
		unmap_data(&d);
		as_before(_metadata, variant->how, &self->before);
	}
	EXPECT_EQ(0, sa_swapoff_child(dev->path, LIMIT));
}

TEST_HARNESS_MAIN
