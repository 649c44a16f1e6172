// SPDX-License-Identifier: GPL-2.0
/*
 * The compressors of packed objects.
 *
 * An object outlives a change of zswap's compressor, and has two bits for what
 * it was compressed with. So there are at most four in the life of a system,
 * each made once and never destroyed; a fifth is refused, and what zswap has
 * compressed with it is written to devices as it was before.
 *
 * Called by mm/swap_abs/packed.c and mm/zswap.c. swap_codec_mutex serializes
 * making one; using one takes no lock. A compressor's per-CPU stream is
 * locked by the crypto API itself, so any number of tasks may use one.
 */
#include <crypto/acompress.h>
#include <linux/cleanup.h>
#include <linux/highmem.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/swap.h>
#include "../swap.h"
#include "codec.h"
#include "desc.h"

#define NR_SWAP_CODECS	BIT(SWAP_DESC_CODEC_BITS)

struct swap_codec {
	char name[CRYPTO_MAX_ALG_NAME];
	struct crypto_acomp *tfm;
};

static struct swap_codec swap_codecs[NR_SWAP_CODECS];
static unsigned int swap_nr_codecs;
static int swap_codec_current = -ENOENT;
static DEFINE_MUTEX(swap_codec_mutex);

static int swap_codec_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < swap_nr_codecs; i++)
		if (!strcmp(swap_codecs[i].name, name))
			return i;
	return -ENOENT;
}

static int swap_codec_make(const char *name)
{
	struct crypto_acomp *tfm;

	if (swap_nr_codecs == NR_SWAP_CODECS)
		return -ENOSPC;
	/* Synchronous: requests are on the stack. */
	tfm = crypto_alloc_acomp(name, 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	strscpy(swap_codecs[swap_nr_codecs].name, name);
	swap_codecs[swap_nr_codecs].tfm = tfm;
	return swap_nr_codecs++;
}

/**
 * swap_codec_get - the index of a compressor, made when it is new
 * @name: of the algorithm
 *
 * From now on it is also what pages are compressed with that never were in
 * zswap.
 *
 * Context: process context, sleeps.
 * Return: its index, -ENOSPC when there are too many already, or an error of
 * the crypto API.
 */
int swap_codec_get(const char *name)
{
	int index;

	guard(mutex)(&swap_codec_mutex);
	index = swap_codec_find(name);
	if (index < 0)
		index = swap_codec_make(name);
	if (index >= 0) {
		/* Who reads the index finds the compressor in order. */
		smp_store_release(&swap_codec_current, index);
	}
	return index;
}

/**
 * swap_codec_default - what a page is compressed with that is not in zswap
 *
 * Context: any.
 * Return: an index, or -ENOENT when there is none yet.
 */
int swap_codec_default(void)
{
	/* Pairs with the release of swap_codec_get(). */
	return smp_load_acquire(&swap_codec_current);
}

/**
 * swap_codec_compress - compress a page
 * @codec: index
 * @page: the page
 * @dst: gets the result, SWAP_OBJECT_MAX_LENGTH bytes at most
 *
 * Context: process context, does not sleep.
 * Return: the length, or an error when it does not become short enough.
 */
int swap_codec_compress(unsigned int codec, struct page *page, void *dst)
{
	ACOMP_REQUEST_ON_STACK(req, swap_codecs[codec].tfm);
	void *src = kmap_local_page(page);
	int err;

	acomp_request_set_src_nondma(req, src, PAGE_SIZE);
	acomp_request_set_dst_nondma(req, dst, SWAP_OBJECT_MAX_LENGTH);
	err = crypto_acomp_compress(req);
	kunmap_local(src);
	if (err)
		return err;
	return req->dlen && req->dlen <= SWAP_OBJECT_MAX_LENGTH ? req->dlen : -ENOSPC;
}

/**
 * swap_codec_decompress - fill a page from an object's data
 * @codec: index, from a descriptor
 * @src: the data, whose checksum was right
 * @length: bytes of it
 * @page: gets the result
 *
 * Context: process context, does not sleep.
 * Return: false when it does not make a page.
 */
bool swap_codec_decompress(unsigned int codec, const void *src,
			   unsigned int length, struct page *page)
{
	ACOMP_REQUEST_ON_STACK(req, swap_codecs[codec].tfm);
	void *dst = kmap_local_page(page);
	int err;

	acomp_request_set_src_nondma(req, src, length);
	acomp_request_set_dst_nondma(req, dst, PAGE_SIZE);
	err = crypto_acomp_decompress(req);
	kunmap_local(dst);
	flush_dcache_page(page);
	return !err && req->dlen == PAGE_SIZE;
}
