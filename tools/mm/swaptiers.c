// SPDX-License-Identifier: GPL-2.0
/*
 * swaptiers - show the tiers of swap (CONFIG_SWAP_ABS) as a table, and move what they hold
 *
 * Reads and writes /sys/kernel/mm/swap/tiers/, which
 * Documentation/ABI/testing/sysfs-kernel-mm-swap describes, and adds nothing to it
 * but rates, ratios and progress. See swaptiers.8.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIERS		"/sys/kernel/mm/swap/tiers"
#define SYSCTL		"/proc/sys/vm/swap_abs"
#define MAX_TIERS	64

#define POLL_MS		200	/* between two looks at the progress */
#define LINE_S		2	/* between two lines about it, where there is no terminal */
#define STALL_S		10	/* without progress, draining is taken to be stuck */
#define NO_ROOM		3	/* exit status: the other tiers take no more */

/* Files of a tier, in the order of the JSON output */
enum text { TYPE, DEVICE, FORMAT, STATE, NR_TEXTS };
enum number {
	RANK, CAPACITY, USED, STORED,
	STORE, LOAD, MOVED_IN, MOVED_OUT, ERRORS,
	HIGH, LOW,
	COLLECTED, SEGMENTS, LIVE, DEAD, BAD, REFUSED, WRITTEN,
	NR_NUMBERS,
	FIRST_OPTIONAL = HIGH	/* older kernels may lack it and those behind it */
};

static const char * const text_file[NR_TEXTS] = { "type", "device", "format", "state" };
static const char * const number_file[NR_NUMBERS] = {
	"rank", "capacity", "used", "stored",
	"stats/store", "stats/load", "stats/moved_in", "stats/moved_out", "stats/errors",
	"high_watermark", "low_watermark",
	"stats/collected", "stats/segments", "stats/live_bytes", "stats/dead_bytes",
	"stats/bad", "stats/refused", "stats/written",
};

struct tier {
	char name[NAME_MAX + 1];
	char text[NR_TEXTS][256];
	unsigned long long number[NR_NUMBERS];
	bool has[NR_NUMBERS];
};

struct tiers {
	struct tier tier[MAX_TIERS];
	int nr;
	double when;		/* seconds */
	long on;		/* vm.swap_abs, or -1 */
};

static const char *sysroot = "";
static bool bytes;

static double monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* The first line of a file, without its end; false when it can't be read */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, size, f);
	if (!ok)
		*buf = '\0';
	ok = ok || feof(f);
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

/* false when the tier has gone meanwhile */
static bool read_tier(struct tier *t, const char *name)
{
	char path[PATH_MAX], line[64];
	int i;

	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	for (i = 0; i < NR_TEXTS; i++) {
		snprintf(path, sizeof(path), "%s" TIERS "/%s/%s", sysroot, name, text_file[i]);
		if (!read_line(path, t->text[i], sizeof(t->text[i])))
			return false;
	}
	for (i = 0; i < NR_NUMBERS; i++) {
		snprintf(path, sizeof(path), "%s" TIERS "/%s/%s", sysroot, name, number_file[i]);
		t->has[i] = read_line(path, line, sizeof(line));
		if (!t->has[i] && i < FIRST_OPTIONAL)
			return false;
		t->number[i] = t->has[i] ? strtoull(line, NULL, 10) : 0;
	}
	return true;
}

static int by_rank(const void *a, const void *b)
{
	const struct tier *x = a, *y = b;

	if (x->number[RANK] != y->number[RANK])
		return x->number[RANK] < y->number[RANK] ? -1 : 1;
	return strverscmp(x->name, y->name);
}

static void read_tiers(struct tiers *all)
{
	char path[PATH_MAX], line[32];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s" TIERS, sysroot);
	dir = opendir(path);
	if (!dir)
		errx(1, "%s: %s\n"
		    "This kernel has no swap abstraction: it needs CONFIG_SWAP_ABS.\n"
		    "What there is of swap is in /proc/swaps, and zswap's figures are in\n"
		    "/sys/kernel/debug/zswap.", path, strerror(errno));
	all->nr = 0;
	while (all->nr < MAX_TIERS && (d = readdir(dir)))
		if (d->d_name[0] != '.' && read_tier(&all->tier[all->nr], d->d_name))
			all->nr++;
	closedir(dir);
	qsort(all->tier, all->nr, sizeof(all->tier[0]), by_rank);

	snprintf(path, sizeof(path), "%s" SYSCTL, sysroot);
	all->on = read_line(path, line, sizeof(line)) ? strtol(line, NULL, 10) : -1;
	all->when = monotonic();
}

/* 1536 is "1.5K", but all digits with --bytes */
static const char *size_text(char *buf, size_t size, unsigned long long n)
{
	static const char unit[] = "BKMGTPE";
	double v = n;
	int i = 0;

	if (bytes) {
		snprintf(buf, size, "%llu", n);
		return buf;
	}
	for (; v >= 999.5 && unit[i + 1]; i++)
		v /= 1024;
	snprintf(buf, size, i && v < 99.95 ? "%.1f%c" : "%.0f%c", v, unit[i]);
	return buf;
}

static const struct tier *same_tier(const struct tiers *all, const struct tier *t)
{
	int i;

	for (i = 0; all && i < all->nr; i++)
		if (!strcmp(all->tier[i].name, t->name) &&
		    !strcmp(all->tier[i].text[DEVICE], t->text[DEVICE]))
			return &all->tier[i];
	return NULL;
}

/* Pages that went there or came from there: a second, or since the tier was made */
static unsigned long long pages(const struct tier *t, const struct tier *before,
				double seconds, enum number n)
{
	if (!before || seconds <= 0 || before->number[n] > t->number[n])
		return t->number[n];
	return (t->number[n] - before->number[n]) / seconds + 0.5;
}

/* What has come since @before, or since the tier was made */
static unsigned long long since(const struct tier *t, const struct tier *before, enum number n)
{
	if (!before || before->number[n] > t->number[n])
		return t->number[n];
	return t->number[n] - before->number[n];
}

/* zswap has the files of a device, too, and always 0 in them. */
static bool is_told(const struct tier *t, enum number n)
{
	return t->has[n] && strcmp(t->text[TYPE], "zswap");
}

static const char *dead_text(char *buf, size_t size, const struct tier *t)
{
	return is_told(t, DEAD) ? size_text(buf, size, t->number[DEAD]) : "-";
}

/*
 * Bytes written for each page that came. The kernel counts neither what collection has
 * written nor how long the pages were, so a factor can't be shown. What the pages that
 * are there take, 4096 by RATIO, is something to compare it with.
 */
static const char *written_text(char *buf, size_t size, const struct tier *t,
				const struct tier *before)
{
	unsigned long long n = since(t, before, STORE) + since(t, before, MOVED_IN);

	if (!n || !is_told(t, WRITTEN))
		return "-";
	snprintf(buf, size, "%.0f", (double)since(t, before, WRITTEN) / n);
	return buf;
}

static void show_table(const struct tiers *all, const struct tiers *before)
{
	double seconds = before ? all->when - before->when : 0;
	int wide = bytes ? 15 : 8, width = bytes ? 15 : 6, i;
	char s[5][32];

	printf("%-7s %5s %-6s %-10s %-8s %*s %*s %*s %5s %*s %8s %8s %8s %8s %6s %6s %s\n",
	       "TIER", "RANK", "TYPE", "FORMAT", "STATE", wide, "CAPACITY", width, "USED",
	       width, "STORED", "RATIO", width, "DEAD", before ? "OUT/s" : "OUT",
	       before ? "IN/s" : "IN", before ? "MV-IN/s" : "MV-IN",
	       before ? "MV-OUT/s" : "MV-OUT", "B/PAGE", "ERRORS", "DEVICE");
	for (i = 0; i < all->nr; i++) {
		const struct tier *t = &all->tier[i], *b = same_tier(before, t);
		char ratio[16] = "-";

		if (t->number[USED])
			snprintf(ratio, sizeof(ratio), "%.2f",
				 (double)t->number[STORED] / t->number[USED]);
		printf("%-7s %5llu %-6s %-10s %-8s ", t->name, t->number[RANK],
		       t->text[TYPE], t->text[FORMAT], t->text[STATE]);
		printf("%*s %*s %*s %5s %*s ",
		       wide, size_text(s[0], sizeof(s[0]), t->number[CAPACITY]),
		       width, size_text(s[1], sizeof(s[1]), t->number[USED]),
		       width, size_text(s[2], sizeof(s[2]), t->number[STORED]), ratio,
		       width, dead_text(s[3], sizeof(s[3]), t));
		printf("%8llu %8llu %8llu %8llu %6s %6llu %s\n", pages(t, b, seconds, STORE),
		       pages(t, b, seconds, LOAD), pages(t, b, seconds, MOVED_IN),
		       pages(t, b, seconds, MOVED_OUT), written_text(s[4], sizeof(s[4]), t, b),
		       t->number[ERRORS], t->text[DEVICE]);
	}
	if (all->on == 0)
		puts("vm.swap_abs is 0: what is swapped out now passes the tiers by.");
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void show_json(const struct tiers *all)
{
	int i, k;

	printf("{\n\t\"swap_abs\": %ld,\n\t\"tiers\": [", all->on);
	for (i = 0; i < all->nr; i++) {
		const struct tier *t = &all->tier[i];

		printf("%s\n\t\t{ \"name\": ", i ? "," : "");
		json_string(t->name);
		for (k = 0; k < NR_TEXTS; k++) {
			printf(", \"%s\": ", text_file[k]);
			json_string(t->text[k]);
		}
		for (k = 0; k < NR_NUMBERS; k++) {
			const char *name = strrchr(number_file[k], '/');

			if (!t->has[k])
				continue;
			printf(", \"%s\": %llu", name ? name + 1 : number_file[k], t->number[k]);
		}
		printf(" }");
	}
	printf("\n\t]\n}\n");
}

/* Until somebody stops it; on a terminal the table stays in its place. */
static void watch(double interval, unsigned long count)
{
	struct timespec ts = {
		.tv_sec = interval,
		.tv_nsec = (interval - (long)interval) * 1e9,
	};
	static struct tiers now, before;
	bool terminal = isatty(STDOUT_FILENO);

	read_tiers(&before);
	while (!nanosleep(&ts, NULL)) {
		read_tiers(&now);
		if (terminal)
			printf("\033[H\033[J");
		show_table(&now, &before);
		if (!terminal)
			putchar('\n');
		if (fflush(stdout))
			exit(1);
		before = now;
		if (count && !--count)
			break;
	}
}

/* What can be done to a tier: a word is written to one of its files */
enum { DEMOTE, PROMOTE, DRAIN, ONLINE };

#define ACT	256		/* getopt's value of the first: no letter */

static const struct act {
	const char *option;
	const char *file;
	const char *word;	/* what is written; NULL: the size */
	const char *moved;	/* for those that take a size */
	const char *no_room;
} acts[] = {
	[DEMOTE] = { "demote", "demote", NULL, "demoted", "greater" },
	[PROMOTE] = { "promote", "promote", NULL, "promoted", "smaller" },
	[DRAIN] = { "drain", "state", "draining", NULL, NULL },
	[ONLINE] = { "online", "state", "online", NULL, NULL },
};

struct progress {
	const char *name;
	unsigned long long total;	/* 0: not known */
	double start, shown;
	bool terminal;
};

/* Those that stop us; nothing handles them, wait_signal() takes them as they come. */
static sigset_t stoppers;

/*
 * A size as the kernel's memparse() takes it, so that the percentage is of what the
 * kernel moves. 0 is for "all": the kernel refuses a size of 0.
 */
static unsigned long long parse_size(const char *s)
{
	static const char unit[] = "KMGTPE";
	unsigned long long n;
	const char *u;
	char *end;
	int shift = 0;

	if (!strcmp(s, "all"))
		return 0;
	errno = 0;
	n = strtoull(s, &end, 0);
	u = *end ? strchr(unit, toupper((unsigned char)*end)) : NULL;
	if (u) {
		shift = 10 * (u - unit + 1);
		end++;
	}
	if (!isdigit((unsigned char)*s) || *end || errno || !n || n > ULLONG_MAX >> shift)
		errx(1, "%s: not a size: 64M, 1G, a number of bytes, or all", s);
	return n << shift;
}

static struct tier *find_tier(struct tiers *all, const char *name)
{
	int i;

	for (i = 0; i < all->nr; i++)
		if (!strcmp(all->tier[i].name, name))
			return &all->tier[i];
	fprintf(stderr, "swaptiers: %s: no such tier; there %s", name,
		all->nr ? "are:" : "is none");
	for (i = 0; i < all->nr; i++)
		fprintf(stderr, " %s", all->tier[i].name);
	fputc('\n', stderr);
	exit(1);
}

/* Say why the kernel has refused it; the exit status */
static int refused(const struct act *act, const char *name, int error)
{
	switch (error) {
	case ENOSPC:
		if (!act->no_room)
			break;
		warnx("%s: no tier of a %s rank has room", name, act->no_room);
		return NO_ROOM;
	case EINVAL:
		if (act->word)
			warnx("%s: its state can't be set to \"%s\"%s", name, act->word,
			      strcmp(name, "zswap") ? "" : ": zswap is always online");
		else
			warnx("%s: the kernel does not take this size", name);
		return 1;
	case EACCES:
	case EPERM:
		warnx("%s: only root may --%s", name, act->option);
		return 1;
	case ENODEV:
		warnx("%s: the tier has gone", name);
		return 1;
	}
	warnx("%s: --%s: %s", name, act->option, strerror(error));
	return 1;
}

/* Open the file of @act in tier @name for writing, or end with the reason. */
static int open_act(const struct act *act, const char *name, char *path, size_t size)
{
	struct stat st;
	int fd;

	snprintf(path, size, "%s" TIERS "/%s/%s", sysroot, name, act->file);
	if (stat(path, &st)) {
		if (errno != ENOENT)
			err(1, "%s", path);
		errx(1, "%s: this kernel has no --%s: there is no %s", name, act->option, path);
	}
	/* An older kernel shows the state, but to write it is EACCES, for root too. */
	if (!(st.st_mode & 0222))
		errx(1, "%s: this kernel has no --%s: %s is read-only", name, act->option, path);
	/* O_TRUNC is nothing to sysfs; an ordinary file shall hold the word and no more. */
	fd = open(path, O_WRONLY | O_CLOEXEC | (act->word ? O_TRUNC : 0));
	if (fd < 0)
		exit(refused(act, name, errno));
	return fd;
}

/* 0 or a negative errno */
static int write_word(int fd, const char *word)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s\n", word);
	ssize_t n;

	if (len >= (int)sizeof(line))
		return -EINVAL;
	n = write(fd, line, len);
	if (n < 0)
		return -errno;
	return n == len ? 0 : -EIO;
}

/*
 * Signals come when we ask for them, from here on. Those that whoever started us
 * ignores (nohup) stay ignored: to be taken they would only have to be blocked.
 */
static void block_signals(void)
{
	static const int stop[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0 };
	struct sigaction sa;
	sigset_t set;
	int i;

	sigemptyset(&stoppers);
	for (i = 0; stop[i]; i++)
		if (!sigaction(stop[i], NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(&stoppers, stop[i]);
	set = stoppers;
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* When it is ignored there is no status of a child to wait for. */
	signal(SIGCHLD, SIG_DFL);
	/* Nobody reads on: found by fflush(), so that the child is waited for. */
	signal(SIGPIPE, SIG_IGN);
}

/* Up to POLL_MS; the signal that is to stop us, SIGCHLD, or 0 */
static int wait_signal(void)
{
	const struct timespec ts = { .tv_nsec = POLL_MS * 1000000L };
	sigset_t set = stoppers;
	int sig;

	sigaddset(&set, SIGCHLD);
	sig = sigtimedwait(&set, NULL, &ts);
	return sig < 0 ? 0 : sig;
}

static void start_progress(struct progress *p, const char *name, unsigned long long total)
{
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->total = total;
	p->start = monotonic();
	p->shown = p->start;
	p->terminal = isatty(STDOUT_FILENO);
}

/* As wide as the terminal leaves room for next to @rest columns of text */
static void draw_bar(int percent, int rest)
{
	struct winsize ws = { .ws_col = 0 };
	int width, i;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_col)
		ws.ws_col = 80;
	width = ws.ws_col - rest;
	if (width > 40)
		width = 40;
	if (width < 5)
		return;
	putchar('[');
	for (i = 0; i < width; i++)
		putchar(i < width * percent / 100 ? '#' : '-');
	fputs("] ", stdout);
}

/* false when it can't be written */
static bool show_progress(struct progress *p, unsigned long long done)
{
	const double mib = 1 << 20;
	double when = monotonic(), seconds = when - p->start;
	double rate = seconds > 0 ? done / mib / seconds : 0;
	int percent = 0;
	char text[96];

	if (!p->terminal && when - p->shown < LINE_S)
		return true;
	p->shown = when;
	/* The kernel rounds up to a page. */
	if (p->total)
		percent = done < p->total ? (int)(100.0 * done / p->total) : 100;
	if (p->total)
		snprintf(text, sizeof(text), "%3d%%  %.1f of %.1f MiB  %.1f MiB/s", percent,
			 done / mib, p->total / mib, rate);
	else
		snprintf(text, sizeof(text), "%.1f MiB  %.1f MiB/s", done / mib, rate);
	if (p->terminal) {
		printf("\r%s ", p->name);
		if (p->total)	/* [, ], two blanks, and the last column stays free */
			draw_bar(percent, strlen(p->name) + strlen(text) + 5);
		printf("%s\033[K", text);
	} else {
		printf("%s: %s\n", p->name, text + strspn(text, " "));
	}
	return !fflush(stdout);
}

/* The line is free for what is said last. */
static void end_progress(const struct progress *p)
{
	if (p->terminal)
		fputs("\r\033[K", stdout);
	fflush(stdout);
}

/*
 * The child: its status is the errno of the write. It gets no signal but SIGKILL: any
 * other would end the write too, Ctrl-Z included. When the parent is killed it dies.
 */
static void write_and_exit(int fd, const char *size, pid_t parent)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EINTR);
	_exit(-write_word(fd, size));
}

/*
 * The file counts what the last write has moved, which may be one before ours: until it
 * differs from what was there in the beginning, nothing has been moved.
 */
static unsigned long long moved_by_us(const char *path, unsigned long long before, bool *begun)
{
	unsigned long long n = 0;
	char line[64];

	if (read_line(path, line, sizeof(line)))
		n = strtoull(line, NULL, 10);
	if (n != before)
		*begun = true;
	return *begun ? n : 0;
}

static int wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int moved(const struct act *act, const struct progress *p, unsigned long long done,
		 unsigned long long asked, int sig)
{
	char s[2][32];

	end_progress(p);
	printf("%s: %s %s in %.1f s", p->name, size_text(s[0], sizeof(s[0]), done), act->moved,
	       monotonic() - p->start);
	if (sig)
		fputs(", then interrupted", stdout);
	else if (done < asked)
		printf(" (%s asked for)", size_text(s[1], sizeof(s[1]), asked));
	putchar('\n');
	if (sig)
		return 128 + sig;
	return fflush(stdout) ? 1 : 0;
}

/* --demote and --promote: the child writes and is in the kernel until all is moved. */
static int move(const struct act *act, const struct tier *t, const char *size)
{
	unsigned long long asked = parse_size(size), before, done;
	int fd, sig, stop = 0, error;
	bool begun = false, ignored;
	pid_t pid, self = getpid();
	struct progress p;
	char path[PATH_MAX];

	fd = open_act(act, t->name, path, sizeof(path));
	before = moved_by_us(path, 0, &begun);
	begun = false;
	block_signals();
	fflush(stdout);
	start_progress(&p, t->name, asked ? asked : t->number[STORED]);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		write_and_exit(fd, size, self);
	close(fd);

	while ((sig = wait_signal()) != SIGCHLD) {
		if (!sig && !show_progress(&p, moved_by_us(path, before, &begun)))
			sig = SIGPIPE;
		if (!sig)
			continue;
		stop = sig;
		kill(pid, SIGKILL);
		break;
	}
	error = wait_child(pid);
	if (!error)		/* also when it is by chance as much as the last time */
		return moved(act, &p, moved_by_us(path, 0, &ignored), asked, 0);
	done = moved_by_us(path, before, &begun);
	if (error == EINTR)
		return moved(act, &p, done, asked, stop ? stop : SIGKILL);
	end_progress(&p);
	return refused(act, t->name, error);
}

/* Where could it go? */
static void show_room(const char *name)
{
	static struct tiers all;
	bool room = false;
	char s[2][32];
	int i;

	read_tiers(&all);
	for (i = 0; i < all.nr; i++) {
		const struct tier *t = &all.tier[i];
		unsigned long long capacity = t->number[CAPACITY], used = t->number[USED];

		if (!strcmp(t->name, name) || strcmp(t->text[STATE], "online") ||
		    used >= capacity)
			continue;
		room = true;
		fprintf(stderr, "  %s has room for %s of %s\n", t->name,
			size_text(s[0], sizeof(s[0]), capacity - used),
			size_text(s[1], sizeof(s[1]), capacity));
	}
	if (!room)
		fputs("  no other tier has room\n", stderr);
}

static int stalled(const struct progress *p, unsigned long long left)
{
	char s[32];

	end_progress(p);
	warnx("%s: for %d s nothing has been moved away, %s left:\n"
	      "there may be no room in the other tiers", p->name, STALL_S,
	      size_text(s, sizeof(s), left));
	show_room(p->name);
	fprintf(stderr, "The kernel goes on trying; swaptiers --online %s takes it back.\n",
		p->name);
	return NO_ROOM;
}

static int drain_stopped(const struct progress *p, unsigned long long left, int sig)
{
	char s[32];

	end_progress(p);
	printf("%s: the draining goes on in the kernel, %s left; ", p->name,
	       size_text(s, sizeof(s), left));
	printf("swaptiers --online %s takes it back\n", p->name);
	fflush(stdout);
	return 128 + sig;
}

static int drain_done(const struct progress *p, bool gone)
{
	char s[32];

	end_progress(p);
	printf("%s: %s drained in %.1f s; ", p->name, size_text(s, sizeof(s), p->total),
	       monotonic() - p->start);
	if (gone)
		puts("the tier has gone");
	else
		printf("swaptiers --online %s puts it to use again\n", p->name);
	return fflush(stdout) ? 1 : 0;
}

/* The kernel drains in the background: we only watch. */
static int watch_drain(const struct tier *t)
{
	unsigned long long least = t->number[USED], left;
	struct progress p;
	struct tier new;
	double fell;
	int sig;

	block_signals();
	start_progress(&p, t->name, least);
	fell = p.start;
	do {
		/* Gone: swapoff was faster, and the name may have come back. */
		if (!read_tier(&new, t->name) || strcmp(new.text[DEVICE], t->text[DEVICE]))
			return drain_done(&p, true);
		left = new.number[USED];
		if (!left)
			return drain_done(&p, false);
		if (strcmp(new.text[STATE], "draining")) {
			end_progress(&p);
			errx(1, "%s: no longer draining: its state is %s", t->name,
			     new.text[STATE]);
		}
		if (left < least) {
			least = left;
			fell = monotonic();
		} else if (monotonic() - fell >= STALL_S) {
			return stalled(&p, left);
		}
		sig = wait_signal();
		if (!sig && !show_progress(&p, p.total > left ? p.total - left : 0))
			sig = SIGPIPE;
	} while (!sig || sig == SIGCHLD);
	return drain_stopped(&p, left, sig);
}

static int set_state(const struct act *act, const struct tier *t)
{
	char path[PATH_MAX];
	int fd, error;

	fd = open_act(act, t->name, path, sizeof(path));
	error = write_word(fd, act->word);
	close(fd);
	if (error)
		return refused(act, t->name, -error);
	if (act == &acts[DRAIN])
		return watch_drain(t);
	printf("%s: %s\n", t->name, act->word);
	return fflush(stdout) ? 1 : 0;
}

static int do_act(const struct act *act, const char *name, const char *size)
{
	static struct tiers all;
	struct tier *t;

	read_tiers(&all);
	t = find_tier(&all, name);
	return act->word ? set_state(act, t) : move(act, t, size);
}

static int usage(FILE *out, int status)
{
	fputs("Usage: swaptiers [OPTION]...\n"
	      "       swaptiers --demote TIER SIZE | --promote TIER SIZE\n"
	      "       swaptiers --drain TIER | --online TIER\n"
	      "Show the tiers of swap: what each one holds, and what has gone in and out; or\n"
	      "move what they hold.\n\n"
	      "  -w, --watch[=SECONDS]  again and again, with pages a second (default 1)\n"
	      "  -n, --count=N          with --watch: end after N tables\n"
	      "  -b, --bytes            sizes in bytes\n"
	      "  -j, --json             as JSON, for programs\n"
	      "      --demote TIER SIZE\n"
	      "                         move SIZE (64M, 1G, all) to the tiers below it\n"
	      "      --promote TIER SIZE\n"
	      "                         move SIZE to the tiers above it\n"
	      "      --drain TIER       let it take nothing new, and empty it\n"
	      "      --online TIER      let it take pages again: the end of --drain, and of\n"
	      "                         the state \"failed\"\n"
	      "      --sysroot=DIR      look for /sys and /proc there\n"
	      "  -h, --help             this text\n\n"
	      "Columns are explained in swaptiers(8).\n", out);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "watch", optional_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'n' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "demote", required_argument, NULL, ACT + DEMOTE },
		{ "promote", required_argument, NULL, ACT + PROMOTE },
		{ "drain", required_argument, NULL, ACT + DRAIN },
		{ "online", required_argument, NULL, ACT + ONLINE },
		{ "sysroot", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	double interval = 0;
	unsigned long count = 0;
	static struct tiers all;
	const struct act *act = NULL;
	const char *name = NULL;
	bool json = false;
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, "w::n:bjh", options, NULL)) != -1) {
		switch (opt) {
		case 'w':
			interval = 1;
			if (!optarg)
				break;
			interval = strtod(optarg, &end);
			if (*end || !(interval >= 0.1 && interval <= 86400))
				errx(1, "%s: not 0.1 to 86400 seconds", optarg);
			break;
		case 'n':
			count = strtoul(optarg, &end, 10);
			if (!isdigit((unsigned char)*optarg) || *end || !count)
				errx(1, "%s: not a number of tables", optarg);
			break;
		case 'b':
			bytes = true;
			break;
		case 'j':
			json = true;
			break;
		case 'r':
			sysroot = optarg;
			break;
		case ACT + DEMOTE:
		case ACT + PROMOTE:
		case ACT + DRAIN:
		case ACT + ONLINE:
			if (act)
				errx(1, "only one of --demote, --promote, --drain and --online");
			act = &acts[opt - ACT];
			name = optarg;
			break;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	if (argc - optind != (act && act->moved))
		return usage(stderr, 2);
	if (json && interval)
		errx(1, "--json and --watch do not go together");
	if (count && !interval)
		errx(1, "--count is for --watch");

	if (act && (json || interval))
		errx(1, "--%s does not go together with --json or --watch", act->option);
	if (act)
		return do_act(act, name, argv[optind]);
	if (interval) {
		watch(interval, count);
		return 0;
	}
	read_tiers(&all);
	if (json)
		show_json(&all);
	else
		show_table(&all, NULL);
	return fflush(stdout) ? 1 : 0;
}
