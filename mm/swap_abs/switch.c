// SPDX-License-Identifier: GPL-2.0
/*
 * The switch of the swap abstraction: vm.swap_abs, and its value at boot.
 *
 * At boot the layer is off, unless CONFIG_SWAP_ABS_DEFAULT_ON is set. The
 * virtual area is created when the layer is switched on for the first time
 * (mm/swap_abs/area.c). Both directions of the switch tell the tiers
 * (mm/swap_abs/device.c), because the layer counts their capacity in a way of
 * its own.
 *
 * sysctl and the KUnit tests call this file. It takes swap_abs_mutex.
 */
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"

/*
 * Make new swap entries virtual (@on) or physical. The caller may do so at any
 * time, because entries of both kinds work next to each other and the switch
 * only decides about new ones.
 *
 * When the layer is switched on, the free slots of devices are first counted as
 * the layer can use them, because it must not promise others. Sleeps. Return 0;
 * -ENOMEM; or -EPERM when all swap types are in use.
 */
int swap_abs_switch(bool on)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (on == swap_abs_on)
		goto out;

	if (on) {
		err = IS_ENABLED(CONFIG_ZSWAP) && !swap_zswap_tier ?
			      -ENOMEM :
			      swap_area_create();
		if (err)
			goto out;
		swap_tiers_adopt(true);
		WRITE_ONCE(swap_abs_on, true);
	} else {
		WRITE_ONCE(swap_abs_on, false);
		swap_tiers_adopt(false);
	}
out:
	mutex_unlock(&swap_abs_mutex);
	return err;
}

static int swap_abs_sysctl(const struct ctl_table *table, int write,
			   void *buffer, size_t *lenp, loff_t *ppos)
{
	int val = READ_ONCE(swap_abs_on), ret;
	const struct ctl_table copy = {
		.data		= &val,
		.maxlen		= sizeof(val),
		.mode		= table->mode,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	};

	ret = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	if (ret || !write)
		return ret;
	return swap_abs_switch(val);
}

static const struct ctl_table swap_abs_sysctl_table[] = {
	{
		.procname	= "swap_abs",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= swap_abs_sysctl,
	},
};

static int __init swap_abs_init(void)
{
	/*
	 * Freezable, because a work on it returns lent clusters to their
	 * devices, and a hibernation image has recorded them as lent.
	 */
	swap_abs_wq = alloc_workqueue("swap_abs",
				      WQ_MEM_RECLAIM | WQ_UNBOUND |
				      WQ_FREEZABLE, 0);
	if (!swap_abs_wq)
		return -ENOMEM;

	register_sysctl_init("vm", swap_abs_sysctl_table);
	if (IS_ENABLED(CONFIG_SWAP_ABS_DEFAULT_ON))
		return swap_abs_switch(true);
	return 0;
}
late_initcall(swap_abs_init);
