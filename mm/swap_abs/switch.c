// SPDX-License-Identifier: GPL-2.0
/*
 * The switch of the swap abstraction: vm.swap_abs, and how the system boots.
 *
 * Off at first, and then the virtual area is not even made (mm/swap_abs/area.c). Either way,
 * tiers are told (mm/swap_abs/device.c), whose capacity is counted in another way.
 *
 * Called by sysctl, and by KUnit tests. Takes swap_abs_mutex.
 */
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"

/**
 * swap_abs_switch - make new swap entries virtual, or physical
 * @on: which
 *
 * Either may happen at any time: entries of both kinds work next to each other,
 * and only where new ones go changes. The devices are counted as the layer can
 * use them before it promises anything.
 *
 * Context: process context, sleeps.
 * Return: 0, -ENOMEM, or -EPERM when all swap types are in use.
 */
int swap_abs_switch(bool on)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (on == swap_abs_on)
		goto out;

	if (on) {
		err = IS_ENABLED(CONFIG_ZSWAP) && !swap_zswap_tier ? -ENOMEM : swap_area_create();
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
	/* Frozen while there is a hibernation image: it knows lent clusters as lent. */
	swap_abs_wq = alloc_workqueue("swap_abs",
				      WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!swap_abs_wq)
		return -ENOMEM;

	register_sysctl_init("vm", swap_abs_sysctl_table);
	if (IS_ENABLED(CONFIG_SWAP_ABS_DEFAULT_ON))
		return swap_abs_switch(true);
	return 0;
}
late_initcall(swap_abs_init);
