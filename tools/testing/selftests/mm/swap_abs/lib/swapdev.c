// SPDX-License-Identifier: GPL-2.0
/* The devices that the environment gives to the tests, and swap on them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

#define MAX_DEVS	8

static char devs[MAX_DEVS][256];
static int ndevs;

/*
 * Attach a loop device to a regular file while this program has the device open
 */
static int attach_loop(const char *name, char *path, size_t size)
{
	int file = open(name, O_RDWR | O_CLOEXEC), fd;

	if (file < 0)
		return -errno;
	fd = sa_loop_attach(file, LO_FLAGS_AUTOCLEAR, 0, path, size);
	close(file);
	return fd < 0 ? fd : 0;
}

/*
 * Find the devices once in a program, because a loop device that a test's own
 * process attached would go away with that process
 */
static void __attribute__((constructor)) find_devs(void)
{
	const char *env = getenv("SWAP_ABS_DEVS");
	char list[1024], *p, *save = NULL;
	struct stat st;

	snprintf(list, sizeof(list), "%s", env ? env : "/dev/ram0 /dev/ram1");
	for (p = strtok_r(list, " ", &save); p && ndevs < MAX_DEVS;
	     p = strtok_r(NULL, " ", &save)) {
		if (stat(p, &st))
			continue;
		if (S_ISBLK(st.st_mode))
			snprintf(devs[ndevs++], sizeof(devs[0]), "%s", p);
		else if (S_ISREG(st.st_mode) &&
			 !attach_loop(p, devs[ndevs], sizeof(devs[0])))
			ndevs++;
	}
}

int sa_ndevs(void)
{
	return ndevs;
}

const char *sa_dev(int i)
{
	return i < sa_ndevs() ? devs[i] : NULL;
}

size_t sa_block_pages(const char *path)
{
	__u64 bytes = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		bytes = 0;
	close(fd);
	return bytes / SA_PAGE;
}

size_t sa_dev_pages(int i)
{
	return i < sa_ndevs() ? sa_block_pages(devs[i]) : 0;
}

bool sa_swaps_line(int n, char *path, size_t plen, size_t *size, size_t *used, int *prio)
{
	static __thread char buf[16384];
	char name[256], type[32], *line = buf;
	unsigned long long kb_size, kb_used;
	int p;

	if (sa_read("/proc/swaps", buf, sizeof(buf)) < 0)
		return false;
	while (n-- >= 0) {
		line = strchr(line, '\n');
		if (!line || !line[1])
			return false;
		line++;
	}
	if (sscanf(line, "%255s %31s %llu %llu %d", name, type, &kb_size,
		   &kb_used, &p) != 5)
		return false;
	snprintf(path, plen, "%s", name);
	if (size)
		*size = kb_size * 1024 / SA_PAGE;
	if (used)
		*used = kb_used * 1024 / SA_PAGE;
	if (prio)
		*prio = p;
	return true;
}

bool sa_swaps_read(const char *path, size_t *size, size_t *used, int *prio)
{
	char name[256];
	int i;

	for (i = 0; sa_swaps_line(i, name, sizeof(name), size, used, prio); i++)
		if (!strcmp(name, path))
			return true;
	return false;
}

int sa_nswaps(void)
{
	char name[256];
	int i;

	for (i = 0; sa_swaps_line(i, name, sizeof(name), NULL, NULL, NULL); i++)
		;
	return i;
}

/* The offset of the list of bad pages in union swap_header */
#define BAD_AT		1536

int sa_mkswap_bad(const char *path, size_t pages, const __u32 *bad, size_t nr)
{
	static const char magic[] = "SWAPSPACE2";
	__u32 head[3] = { 1, 0, nr };	/* version, last page, bad pages */
	char page[SA_PAGE] = { };
	struct stat st;
	__u64 bytes;
	int fd, ret = 0;

	if (nr > (SA_PAGE - BAD_AT - strlen(magic)) / sizeof(*bad))
		return -E2BIG;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!pages) {
		if (fstat(fd, &st))
			ret = -errno;
		else if (S_ISREG(st.st_mode))
			pages = st.st_size / SA_PAGE;
		else if (ioctl(fd, BLKGETSIZE64, &bytes))
			ret = -errno;
		else
			pages = bytes / SA_PAGE;
	}
	head[1] = pages - 1;
	memcpy(page + 1024, head, sizeof(head));
	if (nr)
		memcpy(page + BAD_AT, bad, nr * sizeof(*bad));
	memcpy(page + SA_PAGE - strlen(magic), magic, strlen(magic));
	if (!ret && pwrite(fd, page, SA_PAGE, 0) != (ssize_t)SA_PAGE)
		ret = -EIO;
	if (!ret && fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

int sa_mkswap(const char *path, size_t pages)
{
	return sa_mkswap_bad(path, pages, NULL, 0);
}

int sa_swapon(const char *path, size_t pages, int prio)
{
	int flags = 0, ret;

	ret = sa_mkswap(path, pages);
	if (ret)
		return ret;
	if (prio >= 0)
		flags = SWAP_FLAG_PREFER | (prio & SWAP_FLAG_PRIO_MASK);
	if (swapon(path, flags))
		return -errno;
	/*
	 * A device that can't be packed stays raw, and so do all devices on a
	 * kernel without formats.
	 */
	sa_set_format(path, sa_is_packed() ? "packed" : "raw");
	return 0;
}

bool sa_is_packed(void)
{
	const char *format = getenv("SWAP_ABS_FORMAT");

	return format && !strcmp(format, "packed");
}

int sa_set_format(const char *path, const char *format)
{
	char file[512];
	const char *tier = sa_tier_name(path);

	if (!tier)
		return -ENOENT;
	snprintf(file, sizeof(file), SA_TIERS "/%s/format", tier);
	return sa_write(file, format);
}

int sa_swapon_packed(const char *path, size_t pages, int prio)
{
	int ret = sa_swapon(path, pages, prio);

	return ret ? ret : sa_set_format(path, "packed");
}

const char *sa_kernel_name(const char *path)
{
	static __thread char name[256];
	char file[64], *slash;
	struct stat st;
	ssize_t n;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return NULL;
	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	n = readlink(file, name, sizeof(name) - 1);
	if (n < 0)
		return NULL;
	name[n] = 0;
	slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

int sa_io_read(const char *path, struct sa_io *io)
{
	const char *name = sa_kernel_name(path);
	char file[512], text[512];
	int ret;

	if (!name)
		return -ENOTBLK;
	snprintf(file, sizeof(file), "/sys/class/block/%s/stat", name);
	ret = sa_read(file, text, sizeof(text));
	if (ret < 0)
		return ret;
	return sscanf(text, "%lld %*d %lld %*d %lld %*d %lld", &io->reads,
		      &io->read_sectors, &io->writes, &io->write_sectors) == 4 ?
		0 : -EINVAL;
}

long long sa_bytes_written(const char *path)
{
	struct sa_io io = { };

	sa_io_read(path, &io);
	return io.write_sectors * 512;
}

/* Make the CPUs add their own counts to the sums */
void sa_refresh_stats(void)
{
	sa_write_num("/proc/sys/vm/stat_refresh", 1);
}

static long long nr_writeback(void)
{
	sa_refresh_stats();
	return sa_vmstat("nr_writeback");
}

bool sa_wait_writeback(void)
{
	return sa_wait(!nr_writeback(), 60);
}

size_t sa_cluster_slots(void)
{
	return access("/sys/kernel/mm/transparent_hugepage", F_OK) ? 256 : 512;
}

int sa_swapoff(const char *path)
{
	return swapoff(path) ? -errno : 0;
}
