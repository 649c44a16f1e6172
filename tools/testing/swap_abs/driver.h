/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a driver of the kernel's files decides and sees: which task goes on,
 * which work begins and how an I/O ends (shim.c), and the devices (around.c).
 */
#ifndef _SWAP_ABS_DRIVER_H
#define _SWAP_ABS_DRIVER_H

#include "shim.h"
#include "device.h"
#include "packed.h"

/* Slots of the virtual area, without 0, which is none */
#ifndef NR_SLOTS
#define NR_SLOTS	704U
#endif

/* Where choices come from: @bytes until they are used up, else @random. */
struct choices {
	const u8 *bytes;
	size_t left;
	u64 random;
};

/* shim.c */
extern struct list_head works, bios;
extern unsigned int nr_tasks, nr_works, nr_bios;
extern unsigned long nr_read_errors;
void choose_from(struct choices *source);
u64 choose64(void);
void task_start(void (*function)(unsigned int argument), unsigned int argument);
void task_resume(unsigned int nth);
void work_start(unsigned int nth);
void bio_end(unsigned int nth, enum device_outcome outcome, u64 random);
void driver_settle(bool all);
void driver_wait(void);

/* around.c: an object of zswap */
struct zswap_object {
	unsigned int slot;
	unsigned int codec;
	struct page page;	/* compressed */
};

extern struct swap_info_struct devices[NR_DEVICES];
extern struct swap_tier tiers[NR_DEVICES];
extern bool retry_asked[NR_DEVICES];	/* for what is bad */
extern unsigned int nr_objects;
extern bool zswap_has_room;	/* always */
bool zswap_store(struct folio *folio);
void zswap_read(swap_desc_t word, struct page *page);
void device_close(struct swap_info_struct *si, bool close);
void around_begin(void);
void around_end(void);

/* check.c */
void check_write(u64 address, const u8 *data, unsigned int size);
void check(bool all);

#endif /* _SWAP_ABS_DRIVER_H */
