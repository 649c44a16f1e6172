/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The compressors of objects that are written to devices as they are
 * (mm/swap_abs/codec.c).
 */
#ifndef _MM_SWAP_ABS_CODEC_H
#define _MM_SWAP_ABS_CODEC_H

#include <linux/errno.h>
#include <linux/types.h>

struct page;

#ifdef CONFIG_SWAP_ABS_PACKED
int swap_codec_get(const char *name);
int swap_codec_default(void);
int swap_codec_compress(unsigned int codec, struct page *page, void *dst);
bool swap_codec_decompress(unsigned int codec, const void *src,
			   unsigned int length, struct page *page);
#else
static inline int swap_codec_get(const char *name)
{
	return -ENOENT;
}
#endif

#ifdef CONFIG_ZSWAP
/* The compressor to use before zswap has chosen one. */
#define SWAP_CODEC_FALLBACK	CONFIG_ZSWAP_COMPRESSOR_DEFAULT
#else
#define SWAP_CODEC_FALLBACK	"lzo"
#endif

#endif /* _MM_SWAP_ABS_CODEC_H */
