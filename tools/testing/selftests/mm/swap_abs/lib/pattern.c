// SPDX-License-Identifier: GPL-2.0
/*
 * Page contents that can be verified.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define WORDS		(SA_PAGE / 8)
#define PAGE_MAGIC	0x7061676553415053ULL
#define WORD_MAGIC	0xa5c3a5c3a5c3a5c3ULL

const char * const sa_pat_name[SA_NPAT] = {
	"zero", "repeat", "text", "mixed", "random"
};

/*
 * Each word has eight bytes. Its byte order does not matter because the writer
 * itself compares it.
 */
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

size_t *sa_shuffled_order(size_t n, __u64 seed)
{
	size_t *order = calloc(n, sizeof(*order)), i, j;

	for (i = 0; order && i < n; i++) {
		j = sa_rand(&seed) % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

int sa_compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static __u64 mix_words(__u64 a, __u64 b)
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

void sa_fill_page(void *page, enum sa_pat pat, __u64 seed, __u32 idx,
		  __u32 gen)
{
	__u64 id = (__u64)gen << 32 | idx;
	__u64 state = mix_words(seed, id);
	__u64 *w = page;
	int kind = 0;

	if (pat == SA_MIXED) {
		kind = mix_words(seed ^ 77, idx) & 7;
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

int sa_check_page(const void *page, enum sa_pat pat, __u64 seed, __u32 idx,
		  __u32 gen)
{
	const unsigned char *got = page, *want;
	__u64 page_wanted[WORDS];
	__u64 w[4], word;
	size_t i;

	want = (unsigned char *)page_wanted;
	sa_fill_page(page_wanted, pat, seed, idx, gen);
	if (!memcmp(want, got, SA_PAGE))
		return 0;

	for (i = 0; i < SA_PAGE && want[i] == got[i]; i++)
		;
	if (i == SA_PAGE) {
		sa_log("page %u (%s): differed at the first look only",
		       idx, sa_pat_name[pat]);
		return -1;
	}
	memcpy(w, got, sizeof(w));
	sa_log("page %u (%s, seed %llx, generation %u): byte %zu is %02x, not %02x",
	       idx, sa_pat_name[pat], (unsigned long long)seed, gen, i, got[i],
	       want[i]);
	/* The page may be torn: its rest may be of another generation. */
	for (word = 0; w[0] && word < gen + 4; word++) {
		sa_fill_page(page_wanted, pat, seed, idx, word);
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
