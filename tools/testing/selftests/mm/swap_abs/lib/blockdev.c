// SPDX-License-Identifier: GPL-2.0
/*
 * Devices and filesystems that a test makes: loop, zram, null_blk, device
 * mapper.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "internal.h"

int sa_dev_write_zeros(const char *path, size_t pages)
{
	char zero[SA_PAGE] = { };
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret = 0;

	if (fd < 0)
		return -errno;
	for (; pages && ret >= 0; pages--)
		ret = write(fd, zero, sizeof(zero));
	if (ret >= 0)
		ret = fsync(fd);
	close(fd);
	return ret < 0 ? -errno : 0;
}

int sa_loop_attach(int file, unsigned int flags, unsigned int block_size, char *path,
		   size_t size)
{
	struct loop_config config = {
		.fd = file, .block_size = block_size, .info.lo_flags = flags,
	};
	int ctl, nr, fd, err;

	path[0] = 0;
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		return -errno;
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	if (nr < 0)
		return -ENODEV;
	snprintf(path, size, "/dev/loop%d", nr);
	fd = open(path, O_RDWR);
	if (fd >= 0 && !ioctl(fd, LOOP_CONFIGURE, &config))
		return fd;
	err = -errno;
	path[0] = 0;
	if (fd >= 0)
		close(fd);
	return err;
}

int sa_loop_detach(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err = 0;

	if (fd < 0 || ioctl(fd, LOOP_CLR_FD))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

#define NULLB		"/sys/kernel/config/nullb"

int sa_nullb_set(const char *name, const char *attr, long long value)
{
	char file[128];

	snprintf(file, sizeof(file), NULLB "/%s/%s", name, attr);
	return sa_write_num(file, value);
}

const char *sa_nullb_make(const char *name, size_t pages, int mbps, int nsec)
{
	static char path[64];
	char file[128];

	if (access(NULLB, W_OK) && mount("none", "/sys/kernel/config", "configfs", 0, NULL))
		return NULL;
	snprintf(file, sizeof(file), NULLB "/%s", name);
	if (mkdir(file, 0755))
		return NULL;
	if (sa_nullb_set(name, "memory_backed", 1) || sa_nullb_set(name, "blocksize", 4096) ||
	    sa_nullb_set(name, "size", pages / SA_MIB_PAGES) ||
	    sa_nullb_set(name, "queue_mode", 2) ||
	    sa_nullb_set(name, "irqmode", 2) || sa_nullb_set(name, "completion_nsec", nsec) ||
	    sa_nullb_set(name, "submit_queues", 1) || sa_nullb_set(name, "hw_queue_depth", 1) ||
	    sa_nullb_set(name, "mbps", mbps) || sa_nullb_set(name, "discard", 1) ||
	    sa_nullb_set(name, "power", 1))
		return NULL;
	snprintf(path, sizeof(path), "/dev/%s", name);
	return access(path, W_OK) ? NULL : path;
}

void sa_nullb_remove(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "/dev/%s", name);
	swapoff(file);
	sa_nullb_set(name, "power", 0);
	snprintf(file, sizeof(file), NULLB "/%s", name);
	rmdir(file);
}

/*
 * The flag is in shared memory because a test sets it in its own process and
 * the parent process resets the device.
 */
static bool *zram_made;

#define ZRAM_DIR	"/sys/block/zram0"

static void __attribute__((constructor)) share_zram(void)
{
	void *p = mmap(NULL, SA_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	zram_made = p;
}

bool sa_zram_made(void)
{
	return *zram_made;
}

void sa_zram_remove(void)
{
	if (!*zram_made)
		return;
	/*
	 * A program that scans new devices may have the device open for a
	 * moment.
	 */
	if (sa_wait(!sa_write(ZRAM_DIR "/reset", "1"), 5))
		*zram_made = false;
	else
		sa_log("cannot reset " SA_ZRAM);
}

int sa_zram_limit(size_t limit)
{
	return sa_write_num(ZRAM_DIR "/mem_limit", limit);
}

const char *sa_zram_make(size_t pages, size_t limit)
{
	if (access(SA_ZRAM, W_OK))
		return "no " SA_ZRAM;
	if (sa_read_num(ZRAM_DIR "/disksize"))
		return SA_ZRAM " is in use";
	if (sa_write_num(ZRAM_DIR "/disksize", pages * SA_PAGE))
		return "cannot set the size of " SA_ZRAM;
	*zram_made = true;
	return sa_zram_limit(limit) ? "cannot limit " SA_ZRAM : NULL;
}

/*
 * Run a program and discard its output. Return its exit status (127: the
 * program does not exist), or a negative number as sa_join() does.
 */
static int run_program(const char * const *argv, const char *input)
{
	int in[2], null;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC))
		return -errno;
	pid = sa_fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(in[0], 0);
		dup2(null, 1);
		dup2(null, 2);
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		/*
		 * dmsetup makes the device nodes itself, because there may be
		 * no udev.
		 */
		setenv("DM_DISABLE_UDEV", "1", 1);
		execvp(argv[0], (char * const *)argv);
		_exit(127);
	}
	close(in[0]);
	/* The pipe buffer is larger than any input of these programs. */
	if (input && write(in[1], input, strlen(input)) < 0)
		sa_log("%s: %s", argv[0], strerror(errno));
	close(in[1]);
	return sa_join(pid, 120);
}

const char *sa_mkfs(int i, const char **dir)
{
	const char * const argv[] = {
		"mkfs.ext4", "-F", "-q", "-b", "4096", "-O", "^has_journal",
		"-E", "nodiscard", sa_dev(i), "128M", NULL
	};
	int ret;

	if (i >= sa_ndevs())
		return "no device for a filesystem";
	ret = run_program(argv, NULL);
	if (ret)
		return ret == 127 ? "no mkfs.ext4" : "mkfs.ext4 failed";
	mkdir(FS_DIR, 0700);
	if (mount(sa_dev(i), FS_DIR, "ext4", 0, NULL))
		return "cannot mount ext4";
	*dir = FS_DIR;
	return NULL;
}

static int nr_extents(int fd)
{
	struct fiemap f = {
		.fm_length = FIEMAP_MAX_OFFSET,
		.fm_flags = FIEMAP_FLAG_SYNC,
	};

	return ioctl(fd, FS_IOC_FIEMAP, &f) ? -errno : (int)f.fm_mapped_extents;
}

/*
 * Fill the filesystem with files of 1 MiB and remove every other one, so that
 * the next file lies in the gaps.
 */
int sa_make_fragmented(const char *dir, const char *path, size_t pages, int extents)
{
	char name[512];
	int i, n, fd, ret = 0;

	for (n = 0; n < 1024; n++) {
		snprintf(name, sizeof(name), "%s/f%d", dir, n);
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || posix_fallocate(fd, 0, SA_MIB))
			break;
		close(fd);
	}
	close(fd);
	for (i = 0; i < n; i += 2) {
		snprintf(name, sizeof(name), "%s/f%d", dir, i);
		unlink(name);
	}
	sync();
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = -posix_fallocate(fd, 0, pages * SA_PAGE);
	if (!ret) {
		n = nr_extents(fd);
		if (n < 0)
			ret = n;
		else if (n < extents)
			ret = -ERANGE;
		sa_log("swapfile of %zu pages in %d extents", pages, n);
	}
	close(fd);
	return ret;
}

#define DM_NAME		"sa_dm0"

static const char * const dm_target[] = {
	[SA_WORKS]		= "linear %1$s %2$zu",
	/*
	 * The target is always down: it is up for 0 seconds and down for 1
	 * second.
	 */
	[SA_WRITE_FAILS]	= "flakey %1$s %2$zu 0 1 1 error_writes",
	[SA_FAILS]		= "error",
	[SA_WRITE_WAITS]	= "delay %1$s %2$zu 0 %1$s %2$zu 50",
};

/*
 * Write the table of a device mapper device, one line for each run of equal
 * pages
 */
static int dm_table(const unsigned char *faults, size_t pages, char *buf,
		    size_t size)
{
	const size_t sectors = SA_PAGE / 512;
	size_t i, run, len = 0;
	enum sa_fault fault;
	char target[512];

	for (i = 0; i < pages; i += run) {
		fault = faults ? faults[i] : SA_WORKS;
		for (run = 1; i + run < pages; run++)
			if (faults && faults[i + run] != fault)
				break;
		snprintf(target, sizeof(target), dm_target[fault], sa_dev(0),
			 i * sectors);
		len += snprintf(buf + len, size - len, "%zu %zu %s\n",
				i * sectors, run * sectors, target);
		if (len >= size)
			return -E2BIG;
	}
	return 0;
}

const char *sa_dm(void)
{
	static char path[4096];

	return realpath("/dev/mapper/" DM_NAME, path);
}

const char *sa_dm_make(size_t pages)
{
	static const char * const argv[] = { "dmsetup", "create", DM_NAME, NULL };
	char table[512];
	int ret;

	if (!sa_ndevs() || pages > sa_dev_pages(0))
		return "no block device for the device mapper";
	ret = dm_table(NULL, pages, table, sizeof(table));
	if (!ret)
		ret = run_program(argv, table);
	if (ret == 127)
		return "no dmsetup";
	return !ret && sa_dm() ? NULL : "no device mapper";
}

int sa_dm_hang(bool hang)
{
	const char *const argv[] = { "dmsetup", hang ? "suspend" : "resume", DM_NAME, NULL };

	return run_program(argv, NULL);
}

int sa_dm_set(const unsigned char *faults)
{
	static const char * const reload[] = { "dmsetup", "reload", DM_NAME, NULL };
	static const char * const resume[] = { "dmsetup", "resume", DM_NAME, NULL };
	static char table[32768];
	int ret;

	ret = dm_table(faults, sa_block_pages(sa_dm()), table, sizeof(table));
	if (!ret)
		ret = run_program(reload, table);
	return ret ? ret : run_program(resume, NULL);
}

int sa_dm_set_all(enum sa_fault fault)
{
	size_t pages = sa_block_pages(sa_dm());
	unsigned char *faults = malloc(pages);
	int ret = -ENOMEM;

	if (faults) {
		memset(faults, fault, pages);
		ret = sa_dm_set(faults);
	}
	free(faults);
	return ret;
}

void sa_dm_remove(void)
{
	static const char * const argv[] = { "dmsetup", "remove", DM_NAME, NULL };
	int ret;

	if (!sa_dm())
		return;
	ret = run_program(argv, NULL);
	if (ret)
		sa_log("cannot remove %s: %d", sa_dm(), ret);
}
