// SPDX-License-Identifier: GPL-2.0
/*
 * swaptiers - show the tiers of swap (CONFIG_SWAP_ABS) as a table
 *
 * Reads /sys/kernel/mm/swap/tiers/, which
 * Documentation/ABI/testing/sysfs-kernel-mm-swap describes, and adds nothing to it
 * but rates and ratios. See swaptiers.8.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIERS		"/sys/kernel/mm/swap/tiers"
#define SYSCTL		"/proc/sys/vm/swap_abs"
#define MAX_TIERS	64

/* Files of a tier, in the order of the JSON output */
enum text { TYPE, DEVICE, FORMAT, STATE, NR_TEXTS };
enum number {
	RANK, CAPACITY, USED, STORED,
	STORE, LOAD, MOVED_IN, MOVED_OUT, ERRORS,
	NR_NUMBERS
};

static const char * const text_file[NR_TEXTS] = { "type", "device", "format", "state" };
static const char * const number_file[NR_NUMBERS] = {
	"rank", "capacity", "used", "stored",
	"stats/store", "stats/load", "stats/moved_in", "stats/moved_out", "stats/errors",
};

struct tier {
	char name[NAME_MAX + 1];
	char text[NR_TEXTS][256];
	unsigned long long number[NR_NUMBERS];
};

struct tiers {
	struct tier tier[MAX_TIERS];
	int nr;
	double when;		/* seconds */
	long on;		/* vm.swap_abs, or -1 */
};

static const char *sysroot = "";
static bool bytes;

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
		if (!read_line(path, line, sizeof(line)))
			return false;
		t->number[i] = strtoull(line, NULL, 10);
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
	struct timespec ts;
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
	clock_gettime(CLOCK_MONOTONIC, &ts);
	all->when = ts.tv_sec + ts.tv_nsec / 1e9;
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

static void show_table(const struct tiers *all, const struct tiers *before)
{
	double seconds = before ? all->when - before->when : 0;
	int width = bytes ? 15 : 8, i;
	char s[3][32];

	printf("%-7s %4s %-6s %-10s %-8s %*s %*s %*s %5s %9s %9s %9s %9s %6s %s\n",
	       "TIER", "RANK", "TYPE", "FORMAT", "STATE", width, "CAPACITY", width, "USED",
	       width, "STORED", "RATIO", before ? "OUT/s" : "OUT", before ? "IN/s" : "IN",
	       before ? "MV-IN/s" : "MOVED-IN", before ? "MV-OUT/s" : "MOVED-OUT",
	       "ERRORS", "DEVICE");
	for (i = 0; i < all->nr; i++) {
		const struct tier *t = &all->tier[i], *b = same_tier(before, t);
		char ratio[16] = "-";

		if (t->number[USED])
			snprintf(ratio, sizeof(ratio), "%.2f",
				 (double)t->number[STORED] / t->number[USED]);
		printf("%-7s %4llu %-6s %-10s %-8s ", t->name, t->number[RANK],
		       t->text[TYPE], t->text[FORMAT], t->text[STATE]);
		printf("%*s %*s %*s %5s ",
		       width, size_text(s[0], sizeof(s[0]), t->number[CAPACITY]),
		       width, size_text(s[1], sizeof(s[1]), t->number[USED]),
		       width, size_text(s[2], sizeof(s[2]), t->number[STORED]), ratio);
		printf("%9llu %9llu %9llu %9llu %6llu %s\n", pages(t, b, seconds, STORE),
		       pages(t, b, seconds, LOAD), pages(t, b, seconds, MOVED_IN),
		       pages(t, b, seconds, MOVED_OUT), t->number[ERRORS], t->text[DEVICE]);
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

static int usage(FILE *out, int status)
{
	fputs("Usage: swaptiers [OPTION]...\n"
	      "Show the tiers of swap: what each one holds, and what has gone in and out.\n\n"
	      "  -w, --watch[=SECONDS]  again and again, with pages a second (default 1)\n"
	      "  -n, --count=N          with --watch: end after N tables\n"
	      "  -b, --bytes            sizes in bytes\n"
	      "  -j, --json             as JSON, for programs\n"
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
		{ "sysroot", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	double interval = 0;
	unsigned long count = 0;
	static struct tiers all;
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
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc)
		return usage(stderr, 2);
	if (json && interval)
		errx(1, "--json and --watch do not go together");
	if (count && !interval)
		errx(1, "--count is for --watch");

	if (interval) {
		watch(interval, count);
		return 0;
	}
	read_tiers(&all);
	if (json)
		show_json(&all);
	else
		show_table(&all, NULL);
	return 0;
}
