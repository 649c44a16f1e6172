// SPDX-License-Identifier: GPL-2.0
/*
 * What is around the packed tier: swap devices, the virtual area, tiers, a
 * zswap that is a number of objects, and a compressor that changes each byte;
 * see driver.h.
 */
#include "driver.h"

#define DEVICE_PAGES	(DEVICE_CLUSTERS * SWAPFILE_CLUSTER)
#define NR_OBJECTS	(NR_SLOTS / 3)

struct swap_info_struct devices[NR_DEVICES];
struct swap_tier tiers[NR_DEVICES];
bool retry_asked[NR_DEVICES];
unsigned int nr_objects;
bool zswap_has_room;

static struct swap_cluster_info device_clusters[NR_DEVICES][DEVICE_CLUSTERS];
static struct swap_cluster_info area_clusters[NR_SLOTS / SWAPFILE_CLUSTER];
static swap_desc_t area_words[NR_SLOTS];
static struct block_device bdevs[NR_DEVICES];
static struct swap_tier_stats stats[NR_DEVICES + 1];
static struct swap_info_struct area = {
	.type = NR_DEVICES,
	.max = NR_SLOTS,
	.cluster_info = area_clusters,
};

static struct swap_tier zswap_tier = { .stats = &stats[NR_DEVICES] };

const struct swap_ops swap_bdev_ops;
struct swap_ops swap_virtual_ops;
struct swap_info_struct *swap_info[MAX_SWAPFILES];
struct swap_info_struct *swap_virtual_area = &area;
struct swap_tier *swap_zswap_tier = &zswap_tier;
struct plist_head swap_tiers;
struct lock swap_tiers_lock;
unsigned long swap_tiers_present = BIT(NR_DEVICES) - 1;
struct lock swap_abs_mutex;
struct workqueue_struct *swap_abs_wq;
atomic_long_t nr_swap_pages, swap_bytes_moving;
struct notifier_block *pm_notifier;
bool storage_is_suspended;

struct swap_cluster_info *swap_cluster_lend(struct swap_info_struct *si,
					    enum swap_cluster_flags flags)
{
	unsigned int i;

	for (i = 0; i < DEVICE_CLUSTERS && (si->flags & SWP_WRITEOK); i++) {
		struct swap_cluster_info *ci = &si->cluster_info[i];

		if (ci->flags != CLUSTER_FLAG_FREE)
			continue;
		spin_lock(&ci->lock);
		ci->flags = flags;
		return ci;
	}
	return NULL;
}

void swap_cluster_return(struct swap_info_struct *si, struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);
	must(ci->flags == CLUSTER_FLAG_LENT_SEGMENT && !ci->segment);
	ci->flags = CLUSTER_FLAG_FREE;
}

/* The first half is an extent, and the second one many. */
sector_t swap_device_run(struct swap_info_struct *si, pgoff_t offset, unsigned int *nr)
{
	must(offset + *nr <= si->max);
	*nr = min(*nr, offset < si->max / 2 ? si->max / 2 - offset : 5 - offset % 5);
	return (sector_t)offset << (PAGE_SHIFT - 9);
}

/* As swap_device_close() and swap_device_close_lent() */
void device_close(struct swap_info_struct *si, bool close)
{
	long pages = DEVICE_PAGES - SWAPFILE_CLUSTER;
	unsigned int i;

	if (close)
		si->flags &= ~SWP_WRITEOK;
	else
		si->flags |= SWP_WRITEOK;
	swap_promise_put(close ? -pages : pages);
	for (i = 0; i < DEVICE_CLUSTERS; i++) {
		struct swap_cluster_info *ci = &si->cluster_info[i];

		spin_lock(&ci->lock);
		if (ci->flags == CLUSTER_FLAG_LENT_SEGMENT) {
			pages = swap_packed_close_segment(ci, close);
			swap_promise_put(close ? pages : -pages);
		}
		spin_unlock(&ci->lock);
	}
}

void swap_read_submit(struct swap_io_ctx *ctx)
{
	if (ctx->sio)
		swap_virtual_ops.submit_read(ctx);
	ctx->sio = NULL;
}

long swap_promise_needed(struct folio *folio)
{
	long needed = 0;
	unsigned int i;

	for (i = 0; i < folio->nr; i++)
		needed += !swap_desc_is_promised(swap_desc_read((swp_entry_t){
			folio->swap.val + i }));
	return needed;
}

unsigned long swap_tier_free_clusters(struct swap_tier *tier)
{
	unsigned long i, nr = 0;

	for (i = 0; i < DEVICE_CLUSTERS && (tier->si->flags & SWP_WRITEOK); i++)
		nr += tier->si->cluster_info[i].flags == CLUSTER_FLAG_FREE;
	return nr;
}

void swap_tier_hide(struct swap_tier *tier, long pages)
{
	tier->hidden += pages;
	if (pages < 0)
		swap_promise_put(-pages);
}

bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status)
{
	return status == BLK_STS_MEDIUM;
}

unsigned long swap_tier_stat_sum(struct swap_tier *tier, enum swap_tier_stat stat)
{
	return tier->stats->count[stat];
}

bool swap_tier_has_slots(struct swap_tier *tier)
{
	return false;
}

/* All have the same priority. */
void plist_requeue(struct plist_node *node, struct plist_head *head)
{
	list_move_tail(&node->node_list, &head->node_list);
}

bool swap_neighbours_on;

bool swap_neighbours_wanted(void)
{
	return false;
}

void swap_neighbours_keep(struct swap_tier *tier, pgoff_t offset, const void *buf,
			  unsigned int size, unsigned int pos, u32 seq)
{
}

void swap_format_register(const struct swap_format *format) { }
void swap_tier_check_high(struct swap_tier *tier) { }
void swap_tier_compact(struct swap_tier *tier) { }
void swap_tier_io_done(struct swap_tier *tier, int rw, bool failed) { }
void swap_vain_room_gained(void) { }

void swap_tier_retry_bad(struct swap_tier *tier)
{
	retry_asked[tier - tiers] = true;
}

int swap_codec_get(const char *name)
{
	return 0;
}

int swap_codec_default(void)
{
	return choose(1 << SWAP_DESC_CODEC_BITS);
}

/* Another compressor makes another page of it. */
static void convert(u8 *to, const u8 *from, unsigned int length, unsigned int codec)
{
	unsigned int i;

	for (i = 0; i < length; i++)
		to[i] = from[i] ^ codec << 3;
}

int swap_codec_compress(unsigned int codec, struct page *page, void *dst)
{
	convert(dst, page->data, page->length, codec);
	return page->length;
}

bool swap_codec_decompress(unsigned int codec, const void *src, unsigned int length,
			   struct page *page)
{
	convert(page->data, src, length, codec);
	page->length = length;
	return true;
}

static struct zswap_object *object_alloc(swp_entry_t slot, unsigned int codec,
					 unsigned int length, const void *data)
{
	struct zswap_object *object;

	if (nr_objects >= NR_OBJECTS && !zswap_has_room)
		return NULL;
	object = malloc(sizeof(*object));
	must(object);
	nr_objects++;
	object->slot = swp_offset(slot);
	object->codec = codec;
	object->page.length = length;
	memcpy(object->page.data, data, length);
	return object;
}

static void object_free(struct zswap_object *object)
{
	must(nr_objects--);
	/* Nobody takes what is stale for what is there. */
	memset(object, 0xa5, sizeof(*object));
	free(object);
}

/* Of a locked folio of one page. What is reserved for it stays so, or not. */
bool zswap_store(struct folio *folio)
{
	unsigned int codec = swap_codec_default();
	struct zswap_object *object = object_alloc(folio->swap, codec, folio->page.length,
						   folio->page.data);
	swap_desc_t word;

	if (!object)
		return false;
	convert(object->page.data, object->page.data, object->page.length, codec);
	word = swap_desc_zswap(object, 0, 0, false);
	if (swap_desc_slot_is_promised(folio->swap) && choose(2))
		word = swap_desc_set_promised(word);
	swap_desc_install(folio, &word, 0);
	return true;
}

void zswap_read(swap_desc_t word, struct page *page)
{
	struct zswap_object *object = swap_desc_handle(word);

	swap_codec_decompress(object->codec, object->page.data, object->page.length, page);
}

int zswap_adopt_object(swp_entry_t slot, swap_place_t from, const struct swap_object *object,
		       bool neighbour)
{
	struct zswap_object *copy;

	if (!zswap_has_room && choose(2))
		return -ENOSPC;
	copy = object_alloc(slot, object->codec, object->length, object->data);
	if (!copy)
		return -ENOMEM;
	if (swap_move_commit(slot, from, swap_desc_zswap(copy, 0, 0, false), NULL, 0))
		return 0;
	object_free(copy);
	return -EAGAIN;
}

static long zswap_drop(const swap_desc_t *words, unsigned int nr)
{
	while (nr--)
		object_free(swap_desc_handle(*words++));
	return 0;
}

static void zswap_moved(swp_entry_t slot, swap_place_t place,
			struct folio *folio)
{
	object_free(swap_desc_handle(swap_place_word(place)));
}

static const struct swap_backend zswap_backend = {
	.drop = zswap_drop,
	.moved = zswap_moved,
};

static int zswap_init(void)
{
	swap_backend_register(SWAP_DESC_ZSWAP, &zswap_backend);
	return 0;
}

subsys_initcall(zswap_init);

void around_begin(void)
{
	unsigned int i;

	if (!swap_abs_wq)
		swap_abs_wq = alloc_workqueue("swap_abs", 0, 0);
	memset(area_clusters, 0, sizeof(area_clusters));
	memset(area_words, 0, sizeof(area_words));
	memset(device_clusters, 0, sizeof(device_clusters));
	for (i = 0; i < ARRAY_SIZE(area_clusters); i++)
		area_clusters[i].desc = area_words + i * SWAPFILE_CLUSTER;
	swap_info[area.type] = &area;
	INIT_LIST_HEAD(&swap_tiers.node_list);
	atomic_set(&nr_swap_pages, 0);
	swap_collect_image = 0;
	storage_is_suspended = false;
	jiffies = HZ;
	for (i = 0; i < NR_DEVICES; i++) {
		bdevs[i].type = i;
		devices[i] = (struct swap_info_struct) {
			.type = i,
			.max = DEVICE_PAGES,
			.flags = SWP_WRITEOK,
			.ops = &swap_bdev_ops,
			.bdev = &bdevs[i],
			.tier = &tiers[i],
			.cluster_info = device_clusters[i],
		};
		/* The header of the device is there. */
		device_clusters[i][0].flags = CLUSTER_FLAG_FULL;
		swap_info[i] = &devices[i];
		swap_promise_put(DEVICE_PAGES - SWAPFILE_CLUSTER);
		memset(&tiers[i], 0, sizeof(tiers[i]));
		tiers[i].si = &devices[i];
		tiers[i].state = SWAP_TIER_ONLINE;
		tiers[i].stats = &stats[i];
		tiers[i].format = &swap_packed_format;
		list_add_tail(&tiers[i].node.node_list, &swap_tiers.node_list);
		mutex_lock(&swap_abs_mutex);
		must(!swap_packed_format.start(&tiers[i]));
		mutex_unlock(&swap_abs_mutex);
	}
	device_reset();
}

/* All slots are free. */
void around_end(void)
{
	unsigned int i;

	for (i = 0; i < NR_DEVICES; i++) {
		mutex_lock(&swap_abs_mutex);
		swap_packed_format.stop(&tiers[i]);
		mutex_unlock(&swap_abs_mutex);
		driver_settle(true);
		swap_packed_format.forget_bad(&tiers[i]);
		swap_packed_format.free(&tiers[i]);
		must(swap_tier_free_clusters(&tiers[i]) == DEVICE_CLUSTERS - 1);
	}
	swap_packed_forget_hints();
	must(!nr_objects);
}
