// SPDX-License-Identifier: GPL-2.0
/*
 * swaptiers - show the tiers of swap (CONFIG_SWAP_ABS) as a table, and move
 * data between them
 *
 * The program reads and writes the files in /sys/kernel/mm/swap/tiers/, which
 * Documentation/ABI/testing/sysfs-kernel-mm-swap describes. All that it adds is
 * rates, ratios and progress. See swaptiers.8.
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

#define POLL_MS		200	/* time between two looks at the progress */
#define LINE_S		2	/* time between two lines, without a terminal */
#define STALL_S		10	/* time without progress that means "stuck" */
#define NO_ROOM		3	/* exit status: the other tiers have no room */

/* The files of a tier, in the order of the JSON output */
enum text { TYPE, DEVICE, FORMAT, STATE, NR_TEXTS };
enum number {
	RANK, CAPACITY, USED, STORED,
	STORE, LOAD, MOVED_IN, MOVED_OUT, ERRORS,
	HIGH, LOW,
	COLLECTED, SEGMENTS, LIVE, DEAD, BAD, REFUSED, WRITTEN,
	NR_NUMBERS,
	FIRST_OPTIONAL = HIGH	/* older kernels may lack it and the rest */
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
	long on;		/* vm.swap_abs, or -1 if it can't be read */
};

static const char *sysroot = "";
static bool bytes;

static double monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Read the first line of a file without its newline. Return false when the file
 * can't be read; an empty file is an empty line.
 */
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

/* Read the files of a tier. Return false when the tier has gone. */
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
		    "See /proc/swaps for the swap devices, and /sys/kernel/debug/zswap for zswap.",
		    path, strerror(errno));
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

/* Print 1536 as "1.5K", or with --bytes as "1536". */
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

/*
 * Return a counter of pages: per second since @before, or since the tier was
 * created if there is no @before or the counter started anew.
 */
static unsigned long long pages(const struct tier *t, const struct tier *before,
				double seconds, enum number n)
{
	if (!before || seconds <= 0 || before->number[n] > t->number[n])
		return t->number[n];
	return (t->number[n] - before->number[n]) / seconds + 0.5;
}

/* Return how much a counter grew since @before, or since it started. */
static unsigned long long since(const struct tier *t, const struct tier *before, enum number n)
{
	if (!before || before->number[n] > t->number[n])
		return t->number[n];
	return t->number[n] - before->number[n];
}

/*
 * Tell whether a number of a device means something for this tier: the kernel
 * may lack its file, and zswap has the file but always shows 0.
 */
static bool is_told(const struct tier *t, enum number n)
{
	return t->has[n] && strcmp(t->text[TYPE], "zswap");
}

static const char *dead_text(char *buf, size_t size, const struct tier *t)
{
	return is_told(t, DEAD) ? size_text(buf, size, t->number[DEAD]) : "-";
}

/*
 * Print the bytes written to the device for each page that came to it. A factor
 * of write amplification can't be shown, because the kernel counts neither what
 * collection alone has written nor the lengths of the compressed pages. The
 * user can compare the number with the bytes that a page there takes now, which
 * is 4096 divided by RATIO.
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
		puts("vm.swap_abs is 0: pages that are swapped out now bypass the tiers.");
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

/*
 * Show the table again and again, @count times or until a signal ends the
 * program. On a terminal each table replaces the one before.
 */
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

/* The actions on a tier, each of which writes a word to one of its files */
enum { DEMOTE, PROMOTE, DRAIN, ONLINE };

#define ACT	256		/* first value for getopt that is no letter */

static const struct act {
	const char *option;
	const char *file;
	const char *word;	/* the word to write, or NULL for the size */
	const char *moved;	/* participle, for actions that take a size */
	const char *no_room;	/* the ranks that have no room at ENOSPC */
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

/*
 * The signals that stop the program. They have no handlers and are blocked;
 * wait_signal() takes them.
 */
static sigset_t stoppers;

/*
 * Parse a size as the kernel's memparse() does, so that the percentage shown
 * refers to the size that the kernel moves. Return 0 for "all", because the
 * kernel refuses a size of 0.
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
		errx(1, "%s: not a size; examples are 64M, 1G, 4096 (bytes) and all", s);
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

/* Print why the kernel has refused an action. Return the exit status. */
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

/* Open the file of @act in tier @name for writing, or exit with the reason. */
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
	/*
	 * An older kernel shows the state, but refuses to have it written with
	 * EACCES even by root.
	 */
	if (!(st.st_mode & 0222))
		errx(1, "%s: this kernel has no --%s: %s is read-only", name, act->option, path);
	/*
	 * sysfs ignores O_TRUNC. With --sysroot the file may be an ordinary
	 * one, which must contain nothing but the word.
	 */
	fd = open(path, O_WRONLY | O_CLOEXEC | (act->word ? O_TRUNC : 0));
	if (fd < 0)
		exit(refused(act, name, errno));
	return fd;
}

/* Write a line to a file. Return 0 or a negative errno. */
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
 * Block the signals that stop the program, so that wait_signal() can take them.
 * Leave out the signals that the parent has set to be ignored (as nohup does),
 * because sigtimedwait() would take blocked signals even though they are
 * ignored.
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
	/* While SIGCHLD is ignored, waitpid() gets no status of a child. */
	signal(SIGCHLD, SIG_DFL);
	/*
	 * When the reader of the output has gone, let fflush() report that, so
	 * that the program still waits for its child.
	 */
	signal(SIGPIPE, SIG_IGN);
}

/*
 * Wait for a signal, up to POLL_MS. Return one that stops the program, SIGCHLD,
 * or 0 for none.
 */
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

/* Draw a bar that leaves room for @rest columns of text on the terminal. */
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

/* Show the progress. Return false when the output can't be written. */
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
	/* @done may exceed the total, as the kernel rounds up to a page. */
	if (p->total)
		percent = done < p->total ? (int)(100.0 * done / p->total) : 100;
	if (p->total)
		snprintf(text, sizeof(text), "%3d%%  %.1f of %.1f MiB  %.1f MiB/s", percent,
			 done / mib, p->total / mib, rate);
	else
		snprintf(text, sizeof(text), "%.1f MiB  %.1f MiB/s", done / mib, rate);
	if (p->terminal) {
		printf("\r%s ", p->name);
		if (p->total)	/* 5 is [, ], two blanks and one free column */
			draw_bar(percent, strlen(p->name) + strlen(text) + 5);
		printf("%s\033[K", text);
	} else {
		printf("%s: %s\n", p->name, text + strspn(text, " "));
	}
	return !fflush(stdout);
}

/* Clear the line of the progress for the last message. */
static void end_progress(const struct progress *p)
{
	if (p->terminal)
		fputs("\r\033[K", stdout);
	fflush(stdout);
}

/*
 * Write the size, in the child, and exit with the errno of the write. The child
 * blocks all signals, because any signal would end the write, Ctrl-Z included.
 * Only SIGKILL remains, which the parent sends to stop it, or the kernel when
 * the parent dies.
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
 * Return how many bytes our write has moved. The file shows what the last write
 * has moved, which may be an earlier write than ours. So as long as the file
 * shows the number from before our write, ours has moved nothing.
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

/*
 * Do --demote or --promote. A child writes the size, which takes until the
 * kernel has moved all of it; the parent shows the progress.
 */
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
	if (!error)	/* read anew: ours may have moved as much as the last */
		return moved(act, &p, moved_by_us(path, 0, &ignored), asked, 0);
	done = moved_by_us(path, before, &begun);
	if (error == EINTR)
		return moved(act, &p, done, asked, stop ? stop : SIGKILL);
	end_progress(&p);
	return refused(act, t->name, error);
}

/* Print which other tiers have room for the data of a tier. */
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

/* Watch while the kernel drains a tier in the background. */
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
		/*
		 * swapoff may have removed the tier, and swapon may have given
		 * its name to another device.
		 */
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
	      "Show the tiers of swap with the data that each tier holds and the pages that\n"
	      "have gone in and out, or move data between the tiers.\n\n"
	      "  -w, --watch[=SECONDS]  show the table every SECONDS (default 1), with pages\n"
	      "                         per second\n"
	      "  -n, --count=N          with --watch: stop after N tables\n"
	      "  -b, --bytes            show sizes in bytes\n"
	      "  -j, --json             print JSON, for programs\n"
	      "      --demote TIER SIZE\n"
	      "                         move SIZE (64M, 1G, all) to the tiers below TIER\n"
	      "      --promote TIER SIZE\n"
	      "                         move SIZE to the tiers above TIER\n"
	      "      --drain TIER       stop storing to TIER, and empty it\n"
	      "      --online TIER      store to TIER again, after --drain or when its state\n"
	      "                         is \"failed\"\n"
	      "      --sysroot=DIR      look for /sys and /proc in DIR\n"
	      "  -h, --help             show this help\n\n"
	      "swaptiers(8) explains the columns.\n", out);
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
				errx(1, "%s: the interval must be 0.1 to 86400 seconds", optarg);
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
				errx(1, "use only one of --demote, --promote, --drain, --online");
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
		errx(1, "--json and --watch can't be combined");
	if (count && !interval)
		errx(1, "--count needs --watch");

	if (act && (json || interval))
		errx(1, "--%s can't be combined with --json or --watch", act->option);
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
