// SPDX-License-Identifier: GPL-2.0
/*
 * Whose an object on a packed device is: what its header says is a hint, which only the word
 * of the slot can confirm (rule 9 in mm/swap_abs.c).
 *
 * Called by who has read objects: mm/swap_abs/collect.c and mm/swap_abs/neighbours.c.
 */
#include <linux/swap.h>
#include <linux/swapops.h>
#include "../swap.h"
#include "packed.h"

/**
 * swap_object_find - is an object on a device the data of the slot that its header names?
 * @si: the device
 * @object: what a header on the device says
 * @slot: gets the slot
 * @place: gets the place of its data
 *
 * Context: process context, does not sleep.
 * Return: true when it is, at the moment.
 */
bool swap_object_find(struct swap_info_struct *si, const struct swap_object *object,
		      swp_entry_t *slot, swap_place_t *place)
{
	swap_desc_t word;

	/* What the device says is checked before it is used for anything. */
	if (!object->slot || object->slot >= READ_ONCE(swap_virtual_area->max) ||
	    object->codec >> SWAP_DESC_CODEC_BITS)
		return false;
	*slot = swp_entry(swap_virtual_area->type, object->slot);
	word = swap_desc_packed(si->type, object->address, object->length, object->codec);
	*place = swap_desc_place(word);
	return swap_desc_is_at(swap_desc_read(*slot), *place);
}

/**
 * swap_object_pin - pin the slot that an object on a device may be of
 * @si: the device
 * @object: what a header on the device says
 * @slot: gets the slot
 * @place: gets the place of its data
 *
 * Context: process context, does not sleep.
 * Return: true when the slot's data is that object: the caller is its mover, see
 * swap_desc_pin().
 */
bool swap_object_pin(struct swap_info_struct *si, const struct swap_object *object,
		     swp_entry_t *slot, swap_place_t *place)
{
	return swap_object_find(si, object, slot, place) && swap_desc_pin(*slot, *place);
}
