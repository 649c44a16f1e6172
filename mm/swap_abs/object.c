// SPDX-License-Identifier: GPL-2.0
/*
 * Owners of objects on a packed device. An object's header says which slot the
 * object may belong to, but that is a hint, which only the word of the slot can
 * confirm (rule 9 in mm/swap_abs.c).
 *
 * mm/swap_abs/collect.c and mm/swap_abs/neighbours.c call this for the objects
 * that they have read.
 */
#include <linux/swap.h>
#include <linux/swapops.h>
#include "../swap.h"
#include "packed.h"

/*
 * Tell whether an object that was found on @si is the data of the slot that its
 * header names. Without the pin that is true only at the moment. @slot and
 * @place get the slot and the place of the object.
 */
bool swap_object_find(struct swap_info_struct *si,
		      const struct swap_object *object, swp_entry_t *slot,
		      swap_place_t *place)
{
	swap_desc_t word;

	/* Check what the device says before it is used for anything. */
	if (!object->slot ||
	    object->slot >= READ_ONCE(swap_virtual_area->max) ||
	    object->codec >> SWAP_DESC_CODEC_BITS)
		return false;
	*slot = swp_entry(swap_virtual_area->type, object->slot);
	word = swap_desc_packed(si->type, object->address, object->length,
				object->codec);
	*place = swap_desc_place(word);
	return swap_desc_is_at(swap_desc_read(*slot), *place);
}

/*
 * Pin the slot that an object on @si may belong to. Return true when the slot's
 * data is that object: the caller is its mover then, see swap_desc_pin().
 */
bool swap_object_pin(struct swap_info_struct *si,
		     const struct swap_object *object, swp_entry_t *slot,
		     swap_place_t *place)
{
	return swap_object_find(si, object, slot, place) &&
	       swap_desc_pin(*slot, *place);
}
