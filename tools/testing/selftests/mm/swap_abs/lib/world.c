// SPDX-License-Identifier: GPL-2.0
/* The begin and the end of a test, and the needs of a test. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <unistd.h>

#include "internal.h"

bool sa_is_uml(void)
{
	static char buf[8192];

	return sa_read("/proc/cpuinfo", buf, sizeof(buf)) > 0 &&
		strstr(buf, "User Mode Linux");
}

bool sa_is_full(void)
{
	const char *s = getenv("SWAP_ABS_FULL");

	return s && *s == '1';
}

/* Assume that a User Mode Linux is dedicated to tests */
bool sa_is_dedicated(void)
{
	const char *s = getenv("SWAP_ABS_GLOBAL");

	return s ? *s == '1' : sa_is_uml();
}

int sa_seconds(int otherwise)
{
	const char *s = getenv("SWAP_ABS_SECONDS");

	return s && atoi(s) > 0 ? atoi(s) : otherwise;
}

/* The global settings that tests change, and their old values */
static struct {
	const char *path;
	char was[64];
} knobs[] = {
	{ SA_SYSCTL }, { SA_PAGE_CLUSTER }, { SA_ZSWAP "/max_pool_percent" },
	{ SA_ZSWAP "/shrinker_enabled" }, { SA_ZSWAP "/enabled" }, { "/sys/kernel/mm/ksm/run" },
};

/* The process that saved the settings, which is not a test's own process */
static pid_t saver;

static void __attribute__((constructor)) save_knobs(void)
{
	size_t i;

	if (geteuid())
		return;
	saver = getpid();
	for (i = 0; i < sizeof(knobs) / sizeof(*knobs); i++)
		if (sa_read(knobs[i].path, knobs[i].was, sizeof(knobs[i].was)) < 0)
			knobs[i].was[0] = 0;
}

static void __attribute__((destructor)) restore_knobs(void)
{
	char now[64];
	size_t i;

	if (getpid() != saver)
		return;
	for (i = 0; i < sizeof(knobs) / sizeof(*knobs); i++)
		if (sa_read(knobs[i].path, now, sizeof(now)) > 0 && knobs[i].was[0] &&
		    strcmp(now, knobs[i].was))
			sa_write(knobs[i].path, knobs[i].was);
}

static bool is_ours(const char *path)
{
	int i;

	if (!strncmp(path, FS_DIR "/", strlen(FS_DIR "/")))
		return true;
	for (i = 0; i < sa_ndevs(); i++)
		if (!strcmp(path, sa_dev(i)))
			return true;
	if (sa_zram_made() && !strcmp(path, SA_ZRAM))
		return true;
	return sa_dm() && !strcmp(path, sa_dm());
}

static void destroy_cg(const char *cg)
{
	sa_cg_destroy(cg);
}

/*
 * Move the pages of other processes, which a test of the whole machine has
 * pushed into zswap, to a device and from there to RAM, so that the next test
 * begins with an empty zswap. A few pages may stay that a process has mapped
 * from the swap cache, because nothing takes these.
 */
static void empty_zswap(void)
{
	if (!sa_have_layer() || !sa_have_zswap() || !sa_ndevs() || !sa_zswapped())
		return;
	if (sa_set_layer(true) || sa_set_zswap(true) ||
	    sa_swapon(sa_dev(0), 64 * SA_MIB_PAGES, -1)) {
		sa_log("cannot empty zswap: %s", strerror(errno));
		return;
	}
	sa_zswap_drain(5);
	if (sa_set_zswap(false) || sa_swapoff(sa_dev(0)))
		sa_log("cannot take %s from swap: %s", sa_dev(0), strerror(errno));
}

void sa_reset(void)
{
	char name[256];
	int i;

	sa_write_num(SA_DEBUG "/move_delay_ms", 0);
	/* A device that fails on purpose stays in use. */
	sa_write(SA_DEBUG "/max_io_errors", "4294967295");
	/* A failed device stays failed so that a test can look at its state. */
	sa_write(SA_DEBUG "/reopen_delay", "600");
	sa_write(SA_DEBUG "/medium_errors", "N");
	/* Tests rely on the tier that each page is read from. */
	sa_write(SA_DEBUG "/keep_neighbours", "N");
	sa_trace_off();
	/* The watermarks of a device vanish with the device. */
	sa_set_watermarks(NULL, 90, 80);
	/* Swapoff must be able to read the rest of the data. */
	if (sa_dm())
		sa_dm_set(NULL);
	sa_all_cgs(destroy_cg);

	for (i = 0; sa_swaps_line(i, name, sizeof(name), NULL, NULL, NULL);)
		if (!is_ours(name) || swapoff(name))
			i++;
	sa_dm_remove();
	sa_zram_remove();
	empty_zswap();
	sa_set_layer(false);
	sa_set_zswap(false);
	if (sa_have_zswap()) {
		sa_zswap_param("max_pool_percent", "20");
		sa_zswap_param("shrinker_enabled", "N");
	}
	sa_write(SA_PAGE_CLUSTER, "3");
	sa_write(SA_MOVE_DELAY, "0");
	umount2(FS_DIR, MNT_DETACH);
	rmdir(FS_DIR);
}

const char *sa_setup(void)
{
	struct rlimit none = { };
	char name[256];
	int i;

	if (geteuid())
		return "needs root";
	/* A failed assertion aborts, which is no reason to write a core. */
	setrlimit(RLIMIT_CORE, &none);
	sa_reset();
	for (i = 0; sa_swaps_line(i, name, sizeof(name), NULL, NULL, NULL); i++) {
		static char why[300];

		snprintf(why, sizeof(why), "%s is in use as swap", name);
		return why;
	}
	if (!sa_cg_root())
		return "no cgroup v2 with the memory controller";
	return NULL;
}

const char *sa_begin(bool on, unsigned int needs)
{
	const char *why = sa_setup();
	char cg[256];

	if (!why && on)
		why = sa_check_needs(SA_NEED_LAYER);
	if (!why && sa_set_layer(on))
		why = "cannot switch the layer";
	if (!why && (sa_cg_make("self", 0, cg, sizeof(cg)) || sa_cg_enter(cg)))
		why = "cannot make a cgroup";
	if (!why)
		mlockall(MCL_CURRENT);
	return why ? why : sa_check_needs(needs);
}

const char *sa_begin_backed(bool on, bool zswap)
{
	const char *why = sa_begin(on, 0);

	if (why)
		return why;
	if (zswap && sa_set_zswap(true))
		return "no zswap";
	if (zswap && on)
		return NULL;
	why = sa_check_needs(SA_NEED_DEV);
	if (why)
		return why;
	return sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1) ? "swapon failed" : NULL;
}

long long sa_end(void)
{
	long long n = sa_violations();

	sa_reset();
	return n;
}

static bool have_limits(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/sa_self/" SA_TIERS_MAX, sa_cg_root());
	return !access(path, F_OK);
}

const char *sa_check_needs(unsigned int what)
{
	if ((what & SA_NEED_LAYER) && !sa_have_layer())
		return "this kernel has no vm.swap_abs";
	if ((what & SA_NEED_DEV) && !sa_ndevs())
		return "no block device to swap on";
	if ((what & SA_NEED_DEVS) && sa_ndevs() < 2)
		return "needs two block devices";
	if ((what & SA_NEED_ZSWAP) && !sa_have_zswap())
		return "no zswap";
	if ((what & SA_NEED_LIMITS) && !have_limits())
		return "no " SA_TIERS_MAX;
	if ((what & SA_NEED_DEBUGFS) && access(SA_DEBUG, X_OK))
		return "no debugfs";
	if ((what & SA_NEED_THP) && access("/sys/kernel/mm/transparent_hugepage", F_OK))
		return "no transparent huge pages";
	if ((what & SA_NEED_PACKED) && access(SA_DEBUG "/keep_neighbours", F_OK))
		return "no packed format";
	if ((what & SA_NEED_STATES) && access(SA_TIERS "/zswap/state", F_OK))
		return "tiers have no states";
	return NULL;
}
