// SPDX-License-Identifier: GPL-2.0
/*
 * The compressors of packed objects.
 *
 * An object outlives a change of zswap's compressor, so its descriptor says in
 * two bits what it was compressed with. Therefore at most four compressors are
 * used in the life of a system. Each is made once and is never destroyed. A
 * fifth is refused, so that objects which zswap has compressed with it are
 * decompressed before they go to a device.
 *
 * mm/swap_abs/packed.c, mm/swap_abs/packed_read.c and mm/zswap.c call this.
 * swap_codec_mutex serializes making a compressor; using one takes no lock. The
 * crypto API itself locks a compressor's per-CPU stream, so any number of tasks
 * may use one.
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
	/* It must be synchronous, because requests are on the stack. */
	tfm = crypto_alloc_acomp(name, 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	strscpy(swap_codecs[swap_nr_codecs].name, name);
	swap_codecs[swap_nr_codecs].tfm = tfm;
	return swap_nr_codecs++;
}

/*
 * Return the index of the compressor @name, and make the compressor if it is
 * new. From now on it is also used for pages that never were in zswap. May
 * sleep. Return -ENOSPC when there are too many compressors already, or an
 * error of the crypto API.
 */
int swap_codec_get(const char *name)
{
	int index;

	guard(mutex)(&swap_codec_mutex);
	index = swap_codec_find(name);
	if (index < 0)
		index = swap_codec_make(name);
	if (index >= 0) {
		/*
		 * A task that reads the index must find the compressor
		 * initialized.
		 */
		smp_store_release(&swap_codec_current, index);
	}
	return index;
}

/*
 * Return the index of the compressor for pages that are not in zswap, or
 * -ENOENT when there is none yet.
 */
int swap_codec_default(void)
{
	/* Pairs with the release of swap_codec_get(). */
	return smp_load_acquire(&swap_codec_current);
}

/*
 * Compress a page. @dst has room for SWAP_OBJECT_MAX_LENGTH bytes. Return the
 * length, or an error when the page does not become short enough. Does not
 * sleep.
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
	if (!req->dlen || req->dlen > SWAP_OBJECT_MAX_LENGTH)
		return -ENOSPC;
	return req->dlen;
}

/*
 * Fill a page from an object's data, whose checksum was right. @codec is from
 * the descriptor. Return false when the data does not make a page. Does not
 * sleep.
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
