// SPDX-License-Identifier: GPL-2.0
/*
 * What the swap abstraction tests share; swap_abs_lib.h says what each does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "swap_abs_lib.h"

#define WORDS		(SA_PAGE / 8)
#define MAX_DEVS	8
#define FS_DIR		"/tmp/swap_abs_mnt"
#define DM_NAME		"sa_dm0"
#define TRACING		"/sys/kernel/tracing"
#define WRITES		TRACING "/events/block/block_rq_issue/enable"

/* --- page contents ----------------------------------------------------- */

#define PAGE_MAGIC	0x7061676553415053ULL
#define WORD_MAGIC	0xa5c3a5c3a5c3a5c3ULL

const char * const sa_pat_name[SA_NPAT] = {
	"zero", "repeat", "text", "mixed", "random"
};

/* Eight bytes each, little endian or not: only who wrote them compares them. */
static const char vocabulary[32][9] = {
	"the swap", " device ", "and then", " a page ", "of mem  ", "folio = ",
	"return  ", "if (err)", "cluster ", "static  ", "unsigned", "long val",
	"struct  ", "->flags;", "lock(&x)", "unlock()", "count++;", "goto out",
	"offset =", "int ret ", "while (1", "for (i =", "break;\n ", "case 4: ",
	"default:", "NULL);\n ", "sizeof *", "memset  ", "list_add", "list_del",
	"0x0000: ", "} else {",
};

__u64 sa_rand(__u64 *state)
{
	__u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

size_t *sa_shuffled(size_t n, __u64 seed)
{
	size_t *order = calloc(n, sizeof(*order)), i, j;

	for (i = 0; order && i < n; i++) {
		j = sa_rand(&seed) % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

int sa_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static __u64 mix(__u64 a, __u64 b)
{
	__u64 x = a * 0x9e3779b97f4a7c15ULL + b + 1;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 32;
	return x ? x : 1;
}

static void fill_random(__u64 *w, size_t from, size_t to, __u64 state)
{
	for (; from < to; from++)
		w[from] = sa_rand(&state);
}

static void fill_text(__u64 *w, size_t from, size_t to, __u64 state)
{
	static const char hex[16] = "0123456789abcdef";
	__u64 r = 0;
	int left = 0;

	for (; from < to; from++) {
		if (!left) {
			r = sa_rand(&state);
			left = 8;
		}
		left--;
		if (left) {
			memcpy(&w[from], vocabulary[r & 31], 8);
			r >>= 5;
		} else {
			char number[8];
			int i;

			for (i = 0; i < 8; i++, r >>= 3)
				number[i] = hex[r & 15];
			memcpy(&w[from], number, 8);
		}
	}
}

static void fill_word(__u64 *w, size_t from, size_t to, __u64 word)
{
	for (; from < to; from++)
		w[from] = word;
}

void sa_fill(void *page, enum sa_pat pat, __u64 seed, __u32 idx,
	     __u32 gen)
{
	__u64 id = (__u64)gen << 32 | idx;
	__u64 state = mix(seed, id);
	__u64 *w = page;
	int kind = 0;

	if (pat == SA_MIXED) {
		kind = mix(seed ^ 77, idx) & 7;
		if (kind == 0)
			pat = SA_ZERO;
		else if (kind == 1)
			pat = SA_REPEAT;
		else if (kind < 5)
			pat = SA_TEXT;
		else if (kind == 5)
			pat = SA_RANDOM;
	}

	switch (pat) {
	case SA_ZERO:
		memset(w, 0, SA_PAGE);
		return;
	case SA_REPEAT:
		fill_word(w, 0, WORDS, id ^ WORD_MAGIC ^ seed << 20);
		return;
	case SA_TEXT:
		fill_text(w, 4, WORDS, state);
		break;
	case SA_RANDOM:
		fill_random(w, 4, WORDS, state);
		break;
	default:
		fill_random(w, 4, WORDS / 2, state);
		if (kind == 6)
			fill_word(w, WORDS / 2, WORDS, 0);
		else
			fill_text(w, WORDS / 2, WORDS, state);
	}
	w[0] = PAGE_MAGIC;
	w[1] = id;
	w[2] = seed;
	w[3] = state;
}

int sa_check(const void *page, enum sa_pat pat, __u64 seed, __u32 idx,
	     __u32 gen)
{
	const unsigned char *got = page, *want;
	__u64 page_wanted[WORDS];
	__u64 w[4], word;
	size_t i;

	want = (unsigned char *)page_wanted;
	sa_fill(page_wanted, pat, seed, idx, gen);
	if (!memcmp(want, got, SA_PAGE))
		return 0;

	for (i = 0; i < SA_PAGE && want[i] == got[i]; i++)
		;
	if (i == SA_PAGE) {
		sa_log("page %u (%s): differed, and no more at a second look",
		       idx, sa_pat_name[pat]);
		return -1;
	}
	memcpy(w, got, sizeof(w));
	sa_log("page %u (%s, seed %llx, generation %u): byte %zu is %02x, not %02x",
	       idx, sa_pat_name[pat], (unsigned long long)seed, gen, i, got[i],
	       want[i]);
	/* Torn: the rest may be of another time. */
	for (word = 0; w[0] && word < gen + 4; word++) {
		sa_fill(page_wanted, pat, seed, idx, word);
		if (word != gen && !memcmp(want + i, got + i, SA_PAGE - i))
			sa_log("  from there on it is generation %u", (__u32)word);
	}
	word = w[0] ^ WORD_MAGIC ^ seed << 20;
	if (w[0] == PAGE_MAGIC)
		sa_log("  it is page %u of generation %u, seed %llx",
		       (__u32)w[1], (__u32)(w[1] >> 32),
		       (unsigned long long)w[2]);
	else if (w[0] == w[1] && w[1] == w[2] && w[0])
		sa_log("  it is a repeated word: page %u of generation %u, if of this seed",
		       (__u32)word, (__u32)(word >> 32));
	else
		sa_log("  it begins %016llx %016llx %016llx",
		       (unsigned long long)w[0], (unsigned long long)w[1],
		       (unsigned long long)w[2]);
	return -1;
}

int sa_area_map(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed)
{
	size_t align = 2 * SA_MIB, len = n * SA_PAGE;
	unsigned char *p, *q;

	p = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	q = (unsigned char *)(((uintptr_t)p + align - 1) & ~(align - 1));
	if (q > p)
		munmap(p, q - p);
	if (p + align > q)
		munmap(q + len, p + align - q);
	madvise(q, len, MADV_NOHUGEPAGE);
	*a = (struct sa_area){ .p = q, .n = n, .pat = pat, .seed = seed };
	return 0;
}

void sa_area_unmap(struct sa_area *a)
{
	if (a->p)
		munmap(a->p, a->n * SA_PAGE);
	a->p = NULL;
}

void sa_area_fill(struct sa_area *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
}

size_t sa_area_check(const struct sa_area *a)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	return bad;
}

size_t sa_area_fill_until(struct sa_area *a, const char *device, const char *file,
			  long long value)
{
	const size_t step = 64;
	size_t n = 0, i;

	while (sa_tier_num(device, file) < value) {
		if (n + step > a->n)
			return 0;
		for (i = n; i < n + step; i++)
			sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
		sa_pageout(a->p + n * SA_PAGE, step);
		n += step;
	}
	munmap(a->p + n * SA_PAGE, (a->n - n) * SA_PAGE);
	a->n = n;
	return n;
}

int sa_set_make(struct sa_set *set, const struct sa_area *a)
{
	memset(set, 0, sizeof(*set));
	set->a = *a;
	set->rnd = 5;
	set->gens = calloc(a->n, sizeof(*set->gens));
	if (!set->gens)
		return -ENOMEM;
	/* As all that sa_begin() has found: it is not what is to be swapped. */
	return mlock(set->gens, a->n * sizeof(*set->gens)) ? -errno : 0;
}

void sa_set_rewrite(struct sa_set *set, size_t nr)
{
	struct sa_area *a = &set->a;

	while (nr--) {
		size_t i = sa_rand(&set->rnd) % a->n;
		void *p = a->p + i * SA_PAGE;

		if (sa_rand(&set->rnd) % 4 == 0)
			set->bad += !!sa_check(p, a->pat, a->seed, i, set->gens[i]);
		else if (sa_rand(&set->rnd) % 4 == 0)
			madvise(p, SA_PAGE, MADV_DONTNEED);
		set->gens[i]++;
		sa_fill(p, a->pat, a->seed, i, set->gens[i]);
	}
	if (sa_pageout(a->p, a->n) == a->n)
		return;
	/* Refused, while what has died is being collected: not for long. */
	set->refused++;
	sa_wait(sa_pageout(a->p, a->n) == a->n, 5);
	set->missed += a->n - sa_swapped(a->p, a->n);
}

size_t sa_set_check(const struct sa_set *set)
{
	const struct sa_area *a = &set->a;
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, set->gens[i]);
	return bad;
}

static sigjmp_buf bus_env;

static void on_bus(int sig)
{
	siglongjmp(bus_env, 1);
}

bool sa_bus(const void *p)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	static char seen;
	bool bus;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(bus_env, 1)) {
		bus = true;
	} else {
		seen = __atomic_load_n((const char *)p, __ATOMIC_SEQ_CST);
		bus = false;
	}
	(void)seen;
	sigaction(SIGBUS, &old, NULL);
	return bus;
}

/* --- files and knobs --------------------------------------------------- */

void sa_log(const char *fmt, ...)
{
	char line[1024] = "# ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + 2, sizeof(line) - 3, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	strcat(line, "\n");
	/* One write a line, so that processes do not mix theirs. */
	n = write(STDOUT_FILENO, line, strlen(line));
	(void)n;
}

int sa_read(const char *path, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t ret;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n < size - 1) {
		ret = read(fd, buf + n, size - 1 - n);
		if (ret < 0) {
			ret = -errno;
			close(fd);
			return ret;
		}
		if (!ret)
			break;
		n += ret;
	}
	close(fd);
	buf[n] = 0;
	return n;
}

int sa_write(const char *path, const char *text)
{
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

long long sa_read_num(const char *path)
{
	char buf[64], *end;
	long long v;
	int ret;

	ret = sa_read(path, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	v = strtoll(buf, &end, 10);
	return end == buf ? -EINVAL : v;
}

int sa_write_num(const char *path, long long value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%lld", value);
	return sa_write(path, buf);
}

long long sa_read_key(const char *path, const char *key)
{
	static __thread char buf[65536];
	size_t len = strlen(key);
	char *line = buf;
	int ret;

	ret = sa_read(path, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	while (line && *line) {
		if (!strncmp(line, key, len) && strchr(" :\t", line[len]))
			return strtoll(line + len + 1, NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -ENOENT;
}

long long sa_vmstat(const char *key)
{
	return sa_read_key("/proc/vmstat", key);
}

long long sa_meminfo(const char *key)
{
	long long v = sa_read_key("/proc/meminfo", key);

	return v < 0 ? v : v * 1024;
}

long long sa_swap_used(void)
{
	return sa_meminfo("SwapTotal") - sa_meminfo("SwapFree");
}

double sa_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

bool sa_have_layer(void)
{
	return !access(SA_SYSCTL, F_OK);
}

int sa_layer(bool on)
{
	if (!sa_have_layer())
		return on ? -ENOENT : 0;
	return sa_write_num(SA_SYSCTL, on);
}

bool sa_have_zswap(void)
{
	return !access(SA_ZSWAP "/enabled", F_OK);
}

int sa_zswap_param(const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), SA_ZSWAP "/%s", name);
	return sa_write(path, value);
}

int sa_zswap(bool on)
{
	if (!sa_have_zswap())
		return on ? -ENOENT : 0;
	return sa_zswap_param("enabled", on ? "Y" : "N");
}

long long sa_zswapped(void)
{
	long long v = sa_meminfo("Zswapped");

	return v < 0 ? 0 : v;
}

long long sa_zswap_bytes(void)
{
	char cg[256];

	snprintf(cg, sizeof(cg), "%s/sa_self", sa_cg_root());
	return sa_cg_num(cg, "memory.zswap.current");
}

/*
 * A pool that may hold nothing is over its limit at the next store, which it
 * refuses; its worker then shrinks it until nothing is left.
 */
static int store_over_limit(void)
{
	struct sa_area a;
	int ret = sa_area_map(&a, 1, SA_TEXT, 99);

	if (ret)
		return ret;
	sa_area_fill(&a);
	madvise(a.p, SA_PAGE, MADV_PAGEOUT);
	usleep(20000);
	sa_area_unmap(&a);
	return 0;
}

/* With the limit at 0, and put back */
static int at_no_limit(int (*fn)(int), int arg)
{
	char old[32];
	int ret;

	ret = sa_read(SA_ZSWAP "/max_pool_percent", old, sizeof(old));
	if (ret < 0)
		return ret;
	ret = sa_zswap_param("max_pool_percent", "0");
	if (!ret)
		ret = fn(arg);
	sa_zswap_param("max_pool_percent", old);
	return ret;
}

static int kick_once(int arg)
{
	return store_over_limit();
}

int sa_zswap_kick(void)
{
	return at_no_limit(kick_once, 0);
}

/* The worker gives up after some pages that it could not have. */
static int kick_until_empty(int seconds)
{
	double end = sa_now() + seconds;
	int ret = 0;

	while (!ret && sa_zswapped()) {
		if (sa_now() > end) {
			sa_log("zswap still holds %lld bytes after %d s",
			       sa_zswapped(), seconds);
			return -ETIMEDOUT;
		}
		ret = store_over_limit();
	}
	return ret;
}

int sa_zswap_drain(int seconds)
{
	return at_no_limit(kick_until_empty, seconds);
}

long long sa_violations(void)
{
	static char buf[16384];
	char *colon;
	long long n;

	if (sa_read(SA_DEBUG "/check", buf, sizeof(buf)) < 0)
		return 0;
	colon = strchr(buf, ':');
	n = colon ? strtoll(colon + 1, NULL, 10) : -1;
	if (n) {
		char *line, *save = NULL;
		int i = 0;

		for (line = strtok_r(buf, "\n", &save); line && i < 20;
		     line = strtok_r(NULL, "\n", &save), i++)
			sa_log("check: %s", line);
	}
	return n;
}

long long sa_scan(const char *key)
{
	return sa_read_key(SA_DEBUG "/check", key);
}

/* --- the world around a test ------------------------------------------- */

bool sa_uml(void)
{
	static char buf[8192];

	return sa_read("/proc/cpuinfo", buf, sizeof(buf)) > 0 &&
		strstr(buf, "User Mode Linux");
}

bool sa_full(void)
{
	const char *s = getenv("SWAP_ABS_FULL");

	return s && *s == '1';
}

/* User Mode Linux is nobody's machine. */
bool sa_dedicated(void)
{
	const char *s = getenv("SWAP_ABS_GLOBAL");

	return s ? *s == '1' : sa_uml();
}

int sa_seconds(int otherwise)
{
	const char *s = getenv("SWAP_ABS_SECONDS");

	return s && atoi(s) > 0 ? atoi(s) : otherwise;
}

static char devs[MAX_DEVS][256];
static int ndevs;

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

/* A regular file is used through a loop device, for as long as we have that open. */
static int attach_loop(const char *name, char *path, size_t size)
{
	int file = open(name, O_RDWR | O_CLOEXEC), fd;

	if (file < 0)
		return -errno;
	fd = sa_loop_attach(file, LO_FLAGS_AUTOCLEAR, 0, path, size);
	close(file);
	return fd < 0 ? fd : 0;
}

/* Once a program: what a test's own process attached would be lost with it. */
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

static size_t block_pages(const char *path)
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
	return i < sa_ndevs() ? block_pages(devs[i]) : 0;
}

/* Shared: a test makes it in a process of its own, and its parent resets it. */
static bool *zram_made;

static bool is_ours(const char *path)
{
	int i;

	if (!strncmp(path, FS_DIR "/", strlen(FS_DIR "/")))
		return true;
	for (i = 0; i < sa_ndevs(); i++)
		if (!strcmp(path, devs[i]))
			return true;
	if (*zram_made && !strcmp(path, SA_ZRAM))
		return true;
	return sa_dm() && !strcmp(path, sa_dm());
}

/* The n-th device in /proc/swaps */
static bool swaps_line(int n, char *path, size_t plen, size_t *size,
		       size_t *used, int *prio)
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

bool sa_swaps(const char *path, size_t *size, size_t *used, int *prio)
{
	char name[256];
	int i;

	for (i = 0; swaps_line(i, name, sizeof(name), size, used, prio); i++)
		if (!strcmp(name, path))
			return true;
	return false;
}

int sa_nswaps(void)
{
	char name[256];
	int i;

	for (i = 0; swaps_line(i, name, sizeof(name), NULL, NULL, NULL); i++)
		;
	return i;
}

#define NULLB		"/sys/kernel/config/nullb"

static int nullb_set(const char *name, const char *attr, long long value)
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
	if (nullb_set(name, "memory_backed", 1) || nullb_set(name, "blocksize", 4096) ||
	    nullb_set(name, "size", pages / SA_MIB_PAGES) || nullb_set(name, "queue_mode", 2) ||
	    nullb_set(name, "irqmode", 2) || nullb_set(name, "completion_nsec", nsec) ||
	    nullb_set(name, "submit_queues", 1) || nullb_set(name, "hw_queue_depth", 1) ||
	    nullb_set(name, "mbps", mbps) || nullb_set(name, "discard", 1) ||
	    nullb_set(name, "power", 1))
		return NULL;
	snprintf(path, sizeof(path), "/dev/%s", name);
	return access(path, W_OK) ? NULL : path;
}

void sa_nullb_remove(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "/dev/%s", name);
	swapoff(file);
	nullb_set(name, "power", 0);
	snprintf(file, sizeof(file), NULLB "/%s", name);
	rmdir(file);
}

#define ZRAM_DIR	"/sys/block/zram0"

static void __attribute__((constructor)) share_zram(void)
{
	void *p = mmap(NULL, SA_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	zram_made = p;
}

static void zram_remove(void)
{
	if (!*zram_made)
		return;
	/* Who looks at new devices may have it open for a moment. */
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

static void all_cgs(void (*fn)(const char *))
{
	char path[1024];
	struct dirent *d;
	DIR *dir;

	dir = sa_cg_root() ? opendir(sa_cg_root()) : NULL;
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "sa_", 3))
			continue;
		snprintf(path, sizeof(path), "%s/%s", sa_cg_root(), d->d_name);
		fn(path);
	}
	if (dir)
		closedir(dir);
}

static void destroy_cg(const char *cg)
{
	sa_cg_destroy(cg);
}

static void purge_cg(const char *cg)
{
	long long cached = sa_cg_key(cg, "memory.stat", "swapcached");

	if (cached > 0)
		sa_cg_reclaim(cg, cached);
}

void sa_purge(void)
{
	all_cgs(purge_cg);
}

/* What the CPUs have counted each for itself would be missing from the sum. */
static void refresh_stats(void)
{
	sa_write_num("/proc/sys/vm/stat_refresh", 1);
}

long long sa_swap_cached(void)
{
	refresh_stats();
	return sa_meminfo("SwapCached");
}

static bool some_cached;

static void find_cached(const char *cg)
{
	if (sa_cg_key(cg, "memory.stat", "swapcached") > 0)
		some_cached = true;
}

/*
 * Others fault in what a test of the whole machine has had swapped out: their pages come to
 * the swap cache at any time.
 */
bool sa_only_swapped(void)
{
	return sa_wait_purged((some_cached = false, all_cgs(find_cached), !some_cached), 20);
}

bool sa_area_only_swapped(const struct sa_area *a)
{
	return sa_wait_purged(!sa_in_cache(a->p, a->n), 20);
}

/*
 * Pages of others, pushed into zswap by a test of the whole machine: out to a device, and
 * from there to RAM, so that the next test begins with nothing. A few may stay, which
 * their processes have mapped from the swap cache: nobody has a reason to take these.
 */
static void empty_zswap(void)
{
	if (!sa_have_layer() || !sa_have_zswap() || !sa_ndevs() || !sa_zswapped())
		return;
	if (sa_layer(true) || sa_zswap(true) || sa_swapon(sa_dev(0), 64 * SA_MIB_PAGES, -1)) {
		sa_log("cannot empty zswap: %s", strerror(errno));
		return;
	}
	sa_zswap_drain(5);
	if (sa_zswap(false) || sa_swapoff(sa_dev(0)))
		sa_log("cannot take %s from swap: %s", sa_dev(0), strerror(errno));
}

void sa_reset(void)
{
	char name[256];
	int i;

	sa_write_num(SA_DEBUG "/move_delay_ms", 0);
	/* Devices that fail on purpose stay in use. */
	sa_write(SA_DEBUG "/max_io_errors", "4294967295");
	/* What has failed stays so, for who looks at that. */
	sa_write(SA_DEBUG "/reopen_delay", "600");
	sa_write(SA_DEBUG "/medium_errors", "N");
	/* Tests count from where pages are read. */
	sa_write(SA_DEBUG "/read_ahead", "N");
	sa_write(TRACING "/events/swap_abs/enable", "0");
	sa_write(WRITES, "0");
	/* Those of devices go with them. */
	sa_watermarks(NULL, 90, 80);
	/* What is left must be readable. */
	if (sa_dm())
		sa_dm_set(NULL);
	all_cgs(destroy_cg);

	for (i = 0; swaps_line(i, name, sizeof(name), NULL, NULL, NULL);)
		if (!is_ours(name) || swapoff(name))
			i++;
	sa_dm_remove();
	zram_remove();
	empty_zswap();
	sa_layer(false);
	sa_zswap(false);
	if (sa_have_zswap()) {
		sa_zswap_param("max_pool_percent", "20");
		sa_zswap_param("shrinker_enabled", "N");
	}
	sa_write(SA_PAGE_CLUSTER, "3");
	sa_write(SA_MOVE_DELAY, "0");
	umount2(FS_DIR, MNT_DETACH);
	rmdir(FS_DIR);
}

const char *sa_setup(void)
{
	struct rlimit none = { };
	char name[256];
	int i;

	if (geteuid())
		return "needs root";
	/* A failed assertion aborts: that is no reason to write a core. */
	setrlimit(RLIMIT_CORE, &none);
	sa_reset();
	for (i = 0; swaps_line(i, name, sizeof(name), NULL, NULL, NULL); i++) {
		static char why[300];

		snprintf(why, sizeof(why), "%s is in use as swap", name);
		return why;
	}
	if (!sa_cg_root())
		return "no cgroup v2 with the memory controller";
	return NULL;
}

const char *sa_begin(bool on)
{
	const char *why = sa_setup();

	char cg[256];

	if (!why && sa_layer(on))
		why = "this kernel has no vm.swap_abs";
	if (!why && (sa_cg_make("self", 0, cg, sizeof(cg)) || sa_cg_enter(cg)))
		why = "cannot make a cgroup";
	if (!why)
		mlockall(MCL_CURRENT);
	return why;
}

const char *sa_begin_backed(bool on, bool zswap)
{
	const char *why = sa_begin(on);

	if (why)
		return why;
	if (zswap && sa_zswap(true))
		return "no zswap";
	if (zswap && on)
		return NULL;
	if (!sa_ndevs())
		return "no block device to swap on";
	return sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1) ? "swapon failed" : NULL;
}

long long sa_end(void)
{
	long long n = sa_violations();

	sa_reset();
	return n;
}

/* --- swap devices ------------------------------------------------------ */

/* Where union swap_header has the list of bad pages */
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
	/* Devices that can't have it, and kernels that don't know it, stay raw. */
	sa_format(path, sa_packed() ? "packed" : "raw");
	return 0;
}

bool sa_packed(void)
{
	const char *format = getenv("SWAP_ABS_FORMAT");

	return format && !strcmp(format, "packed");
}

int sa_format(const char *path, const char *format)
{
	char file[512];
	const char *tier = sa_tier(path);

	if (!tier)
		return -ENOENT;
	snprintf(file, sizeof(file), SA_TIERS "/%s/format", tier);
	return sa_write(file, format);
}

int sa_swapon_packed(const char *path, size_t pages, int prio)
{
	int ret = sa_swapon(path, pages, prio);

	return ret ? ret : sa_format(path, "packed");
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

int sa_io(const char *path, struct sa_io *io)
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

long long sa_written(const char *path)
{
	struct sa_io io = { };

	sa_io(path, &io);
	return io.write_sectors * 512;
}

static long long nr_writeback(void)
{
	refresh_stats();
	return sa_vmstat("nr_writeback");
}

bool sa_settle(void)
{
	return sa_wait(!nr_writeback(), 60);
}

size_t sa_cluster(void)
{
	return access("/sys/kernel/mm/transparent_hugepage", F_OK) ? 256 : 512;
}

int sa_swapoff(const char *path)
{
	return swapoff(path) ? -errno : 0;
}

/*
 * Run a program, its output unseen. Its exit status (127: there is no such
 * program), or as sa_join() says.
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
		/* There may be no udev: then it makes the nodes itself. */
		setenv("DM_DISABLE_UDEV", "1", 1);
		execvp(argv[0], (char * const *)argv);
		_exit(127);
	}
	close(in[0]);
	/* A pipe takes more than any input here. */
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
 * Fill the filesystem with files of 1 MiB, remove every other one: what comes
 * then lies in the gaps.
 */
int sa_fragmented(const char *dir, const char *path, size_t pages, int extents)
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

static const char * const dm_target[] = {
	[SA_WORKS]		= "linear %1$s %2$zu",
	/* Always down: up for no second, down for one, and so on. */
	[SA_WRITE_FAILS]	= "flakey %1$s %2$zu 0 1 1 error_writes",
	[SA_FAILS]		= "error",
	[SA_WRITE_WAITS]	= "delay %1$s %2$zu 0 %1$s %2$zu 50",
};

/* The table of a device mapper device: a line for each run of equal pages */
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

	ret = dm_table(faults, block_pages(sa_dm()), table, sizeof(table));
	if (!ret)
		ret = run_program(reload, table);
	return ret ? ret : run_program(resume, NULL);
}

int sa_dm_set_all(enum sa_fault fault)
{
	size_t pages = block_pages(sa_dm());
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

/* --- tiers ------------------------------------------------------------- */

const char *sa_tier(const char *device)
{
	static __thread char name[64];
	char path[512], text[256];
	const char *found = NULL;
	struct dirent *d;
	DIR *dir;

	dir = opendir(SA_TIERS);
	while (dir && !found && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SA_TIERS "/%s/device", d->d_name);
		if (sa_read(path, text, sizeof(text)) < 0)
			continue;
		text[strcspn(text, "\n")] = 0;
		if (device ? !strcmp(text, device) : !strcmp(d->d_name, "zswap")) {
			snprintf(name, sizeof(name), "%.63s", d->d_name);
			found = name;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

int sa_tier_path(const char *device, const char *file, char *path, size_t size)
{
	const char *tier = sa_tier(device);

	if (!tier)
		return -ENOENT;
	snprintf(path, size, SA_TIERS "/%s/%s", tier, file);
	return 0;
}

long long sa_tier_num(const char *device, const char *file)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	return ret ? ret : sa_read_num(path);
}

int sa_tier_str(const char *device, const char *file, char *buf, size_t size)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	if (ret)
		return ret;
	ret = sa_read(path, buf, size);
	if (ret < 0)
		return ret;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

bool sa_tier_failed(const char *device)
{
	char state[64] = "";

	sa_tier_str(device, "state", state, sizeof(state));
	return !strcmp(state, "failed");
}

int sa_tier_write(const char *device, const char *file, const char *text)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	return ret ? ret : sa_write(path, text);
}

static int write_mark(const char *device, const char *file, int percent)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", percent);
	return sa_tier_write(device, file, text);
}

int sa_watermarks(const char *device, int high, int low)
{
	bool low_first = low <= sa_tier_num(device, "high_watermark");
	int ret;

	/* Valid in between too, and then not lower than wanted: it acts at once. */
	ret = low_first ? write_mark(device, "low_watermark", low) : 0;
	if (!ret)
		ret = write_mark(device, "high_watermark", high);
	if (!ret && !low_first)
		ret = write_mark(device, "low_watermark", low);
	return ret;
}

/* --- the kernel's log and tracepoints ----------------------------------- */

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
	char record[2048], *text;
	size_t len = 0;
	ssize_t n;

	buf[0] = 0;
	/* Each read is a record: "6,1234,5678,-;text\n", then lines of its own. */
	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		len += snprintf(buf + len, size - len, "%s\n", text);
		if (len >= size) {
			close(fd);
			return -E2BIG;
		}
	}
	/* More has come than the kernel keeps. */
	n = n < 0 && errno == EPIPE ? -EPIPE : 0;
	close(fd);
	return n;
}

int sa_trace_start(void)
{
	int fd;

	sa_write(TRACING "/buffer_size_kb", "4096");
	/* Truncating it empties the buffers. */
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

/* The descriptor's layout is that of mm/swap_abs/desc.h. */
static bool parse_event(const char *line, struct sa_event *e)
{
	static const char * const names[] = {
		[SA_STORE]	= "swap_abs_store: ",
		[SA_LOAD]	= "swap_abs_load: ",
		[SA_MOVE]	= "swap_abs_move: ",
		[SA_COLLECT]	= "swap_abs_collect: ",
	};
	const char *p = NULL;
	unsigned long word;
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
		return sscanf(p, "type=%u segment=%lu live=%u left=%u err=%d", &e->type,
			      &e->slot, &e->live, &e->left, &e->err) == 5;
	if (sscanf(p, "slot=%lu nr=%zu place=%7s word=%lx", &e->slot, &e->nr,
		   e->kind == SA_STORE ? e->to : e->from, &word) != 4)
		return false;
	e->type = word >> 57 & 31;
	e->offset = (word & ((1UL << 57) - 1)) >> 3;
	return true;
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

/* --- cgroups ----------------------------------------------------------- */

const char *sa_cg_root(void)
{
	static char root[256];
	static int known;
	char buf[4096], path[512], *line, *save = NULL;

	if (known)
		return root[0] ? root : NULL;
	known = 1;
	if (sa_read("/proc/mounts", buf, sizeof(buf)) < 0)
		return NULL;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char where[256], type[64];

		if (sscanf(line, "%*s %255s %63s", where, type) != 2 ||
		    strcmp(type, "cgroup2"))
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", where);
		if (!sa_write(path, "+memory")) {
			snprintf(root, sizeof(root), "%s", where);
			return root;
		}
	}
	return NULL;
}

int sa_cg_make(const char *name, size_t max_bytes, char *path, size_t size)
{
	int ret = 0;

	snprintf(path, size, "%s/sa_%s", sa_cg_root(), name);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (max_bytes)
		ret = sa_cg_write_num(path, "memory.max", max_bytes);
	return ret;
}

int sa_cg_write(const char *cg, const char *file, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_write(path, value);
}

int sa_cg_write_num(const char *cg, const char *file, long long value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_write_num(path, value);
}

long long sa_cg_num(const char *cg, const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_read_num(path);
}

long long sa_cg_key(const char *cg, const char *file, const char *key)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_read_key(path, key);
}

int sa_cg_enter(const char *cg)
{
	return sa_cg_write(cg, "cgroup.procs", "0");
}

long long sa_cg_tier(const char *cg, const char *device)
{
	const char *tier = sa_tier(device);
	char key[128];

	if (!tier)
		return -ENOENT;
	snprintf(key, sizeof(key), "swap_tier_%s", tier);
	return sa_cg_key(cg, "memory.stat", key);
}

long long sa_cg_tier_max(const char *cg, const char *device)
{
	char path[512], text[4096], *line, *save = NULL;
	const char *tier = sa_tier(device);
	size_t len = tier ? strlen(tier) : 0;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", cg, SA_TIERS_MAX);
	ret = sa_read(path, text, sizeof(text));
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &save); tier && line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, tier, len) || line[len] != ' ')
			continue;
		line += len + 1;
		return strcmp(line, "max") ? strtoll(line, NULL, 10) : SA_NO_LIMIT;
	}
	return -ENOENT;
}

int sa_cg_limit_tier(const char *cg, const char *device, const char *limit)
{
	const char *tier = sa_tier(device);
	char text[128];

	if (!tier)
		return -ENOENT;
	snprintf(text, sizeof(text), "%s %s", tier, limit);
	return sa_cg_write(cg, SA_TIERS_MAX, text);
}

static void remove_children(const char *cg)
{
	char path[1024];
	struct dirent *d;
	DIR *dir = opendir(cg);

	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", cg, d->d_name);
		rmdir(path);
	}
	if (dir)
		closedir(dir);
}

int sa_cg_destroy(const char *cg)
{
	long long left;

	sa_cg_write(cg, "cgroup.kill", "1");
	sa_wait(sa_cg_key(cg, "cgroup.events", "populated") != 1, 20);
	/* Swap-cache folios that nobody has hold slots, and would go elsewhere. */
	left = sa_cg_num(cg, "memory.current");
	if (left > 0)
		sa_cg_reclaim(cg, left);
	remove_children(cg);
	return sa_wait(!rmdir(cg) || errno == ENOENT, 20) ? 0 : -EBUSY;
}

int sa_cg_try_reclaim(const char *cg, size_t bytes)
{
	char text[64];
	int ret;

	/* Reclaim goes by counters that are summed up when this is read. */
	sa_cg_key(cg, "memory.stat", "anon");
	snprintf(text, sizeof(text), "%zu swappiness=max", bytes);
	ret = sa_cg_write(cg, "memory.reclaim", text);
	return ret == -EINVAL ? sa_cg_write_num(cg, "memory.reclaim", bytes) : ret;
}

void sa_cg_reclaim(const char *cg, size_t bytes)
{
	int i;

	for (i = 0; i < 3; i++)
		sa_cg_try_reclaim(cg, bytes);
}

/* --- processes --------------------------------------------------------- */

void *sa_shared(void)
{
	void *p = mmap(NULL, SA_PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	mlock(p, SA_PAGE);
	return p;
}

pid_t sa_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid < 0 ? -errno : pid;
}

pid_t sa_start(const char *cg, int (*fn)(void *), void *arg)
{
	pid_t pid = sa_fork();

	if (!pid) {
		/* If memory runs out, it is this one that goes. */
		sa_write("/proc/self/oom_score_adj", "500");
		if (cg && sa_cg_enter(cg))
			_exit(99);
		_exit(fn(arg));
	}
	return pid;
}

int sa_join(pid_t pid, int seconds)
{
	double end = sa_now() + seconds;
	int status = 0, ret = 0;

	if (pid <= 0)
		return pid ? pid : -ECHILD;
	for (;;) {
		ret = waitpid(pid, &status, WNOHANG);
		if (ret || sa_now() > end)
			break;
		usleep(2000);
	}
	if (!ret) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return SA_LATE;
	}
	if (ret < 0)
		return -errno;
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

int sa_run(const char *cg, int (*fn)(void *), void *arg, int seconds)
{
	return sa_join(sa_start(cg, fn, arg), seconds);
}

/*
 * handle_page_fault() of User Mode Linux turns the fault of a process that is being
 * killed into a SIGSEGV, which then comes first.
 */
bool sa_was_killed(int status)
{
	return status == -SIGKILL || status == -SIGSEGV;
}

int sa_load(void *arg)
{
	struct sa_load *l = arg;
	double end = sa_now() + l->seconds;
	__u64 rnd = getpid();
	struct sa_area a;
	size_t bad = 0;

	if (sa_area_map(&a, l->pages, SA_MIXED, rnd))
		return 2;
	while (!bad && sa_now() < end) {
		size_t from = sa_rand(&rnd) % a.n;

		a.gen++;
		sa_area_fill(&a);
		madvise(a.p + from * SA_PAGE, (a.n - from) * SA_PAGE, MADV_PAGEOUT);
		bad += sa_area_check(&a);
	}
	return bad ? 1 : 0;
}

struct nobody {
	const char *path, *text;
};

static int write_as_nobody(void *arg)
{
	struct nobody *n = arg;

	return seteuid(65534) ? 255 : -sa_write(n->path, n->text);
}

int sa_nobody_writes(const char *path, const char *text)
{
	struct nobody n = { .path = path, .text = text };
	int ret = sa_run(NULL, write_as_nobody, &n, 30);

	return ret > 0 ? -ret : ret;
}

int sa_bench(int (*measure)(void *), void *arg)
{
	int status;
	pid_t pid;

	/* sa_end() kills whoever is in the cgroup. */
	pid = fork();
	if (!pid) {
		status = measure(arg);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	if (sa_end() && !WEXITSTATUS(status))
		return 1;
	return WEXITSTATUS(status);
}

int sa_task_start(struct sa_task *t, void *(*fn)(void *), void *arg)
{
	t->pid = 0;
	if (!sa_uml())
		return -pthread_create(&t->thread, NULL, fn, arg);
	t->pid = sa_fork();
	if (!t->pid)
		_exit(!!fn(arg));
	return t->pid < 0 ? t->pid : 0;
}

int sa_task_end(struct sa_task *t, int seconds)
{
	void *found = NULL;
	int ret;

	if (!t->pid) {
		pthread_join(t->thread, &found);
		return !!found;
	}
	ret = sa_join(t->pid, seconds);
	if (ret && ret != 1)
		sa_log("process %d of the job: status %d", t->pid, ret);
	return sa_was_killed(ret) ? SA_KILLED : !!ret;
}

static int do_swapoff(void *path)
{
	return -sa_swapoff(path);
}

int sa_swapoff_child(const char *path, int seconds)
{
	int ret = sa_run(NULL, do_swapoff, (void *)path, seconds);

	return ret == SA_LATE ? ret : ret > 0 ? -ret : ret;
}

static void on_signal(int sig)
{
}

struct signalled {
	int (*fn)(void *arg);
	void *arg;
	int usec;
};

static int do_signalled(void *arg)
{
	struct signalled *s = arg;
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval it = {
		.it_value = { .tv_usec = s->usec }, .it_interval = { .tv_usec = 1000 },
	};
	int ret;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	ret = s->fn(s->arg);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	return ret;
}

int sa_signalled(int (*fn)(void *), void *arg, int usec, int seconds)
{
	struct signalled s = { .fn = fn, .arg = arg, .usec = usec };
	int ret = sa_run(NULL, do_signalled, &s, seconds);

	return ret == SA_LATE ? ret : ret > 0 ? -ret : ret;
}

int sa_swapoff_signalled(const char *path, int usec, int seconds)
{
	return sa_signalled(do_swapoff, (void *)path, usec, seconds);
}

static size_t check_every(const struct sa_area *a, size_t step)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i += step)
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	return bad;
}

static int hold(void *arg)
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
			bad = sa_swapped(h->a.p, h->a.n);
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
	h->pid = sa_start(cg, hold, h);
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

static int blow_up(void *arg)
{
	struct balloon *b = arg;
	long long avail = sa_meminfo("MemAvailable");
	long long want = avail - (long long)b->leave;
	long long grain = 4 * SA_MIB;
	char ok = 1;

	/* The worker is to be the victim, never this. */
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

pid_t sa_balloon(size_t leave)
{
	struct balloon b = { .leave = leave };
	struct pollfd pfd;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	b.fd = fds[1];
	pid = sa_start(NULL, blow_up, &b);
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

/* --- pages and page tables --------------------------------------------- */

int sa_pagemap(const void *addr, size_t n, __u64 *map)
{
	off_t off = (uintptr_t)addr / SA_PAGE * 8;
	ssize_t ret;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = pread(fd, map, n * 8, off);
	close(fd);
	return ret == (ssize_t)(n * 8) ? 0 : -EIO;
}

static size_t count_pages(const void *addr, size_t n, __u64 bit)
{
	__u64 map[256];
	size_t i, part, found = 0;

	for (; n; n -= part, addr = (const char *)addr + part * SA_PAGE) {
		part = n < 256 ? n : 256;
		if (sa_pagemap(addr, part, map))
			return 0;
		for (i = 0; i < part; i++)
			found += !!(map[i] & bit);
	}
	return found;
}

size_t sa_swapped(const void *addr, size_t n)
{
	return count_pages(addr, n, SA_PM_SWAP);
}

/* For what is swapped mincore() tells whether the swap cache has it. */
size_t sa_in_cache(const void *addr, size_t n)
{
	unsigned char in[256];
	size_t i, part, found = 0;

	for (; n; n -= part, addr = (const char *)addr + part * SA_PAGE) {
		part = n < sizeof(in) ? n : sizeof(in);
		if (mincore((void *)addr, part * SA_PAGE, in))
			return n;
		for (i = 0; i < part; i++)
			found += (in[i] & 1) &&
				 sa_swapped((const char *)addr + i * SA_PAGE, 1);
	}
	return found;
}

size_t sa_present(const void *addr, size_t n)
{
	return count_pages(addr, n, SA_PM_PRESENT);
}

size_t sa_pageout(void *addr, size_t n)
{
	size_t left = sa_present(addr, n), was;
	int idle = 0;

	while (left && idle < 4) {
		/*
		 * Another CPU may have them in a batch: this drains all. Or they
		 * are being written still, what is packed after a while only.
		 */
		if (idle) {
			sa_write("/proc/sys/vm/drop_caches", "1");
			usleep(10000);
		}
		madvise(addr, n * SA_PAGE, MADV_PAGEOUT);
		was = left;
		left = sa_present(addr, n);
		idle = left < was ? 0 : idle + 1;
	}
	return sa_swapped(addr, n);
}

long long sa_smaps(const void *addr, const char *field)
{
	char line[512];
	unsigned long from, to;
	long long v = -ENOENT;
	size_t len = strlen(field);
	bool in = false;
	FILE *f;

	f = fopen("/proc/self/smaps", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			in = (uintptr_t)addr >= from && (uintptr_t)addr < to;
		} else if (in && !strncmp(line, field, len) && line[len] == ':') {
			v = strtoll(line + len + 1, NULL, 10) * 1024;
			break;
		}
	}
	fclose(f);
	return v;
}
