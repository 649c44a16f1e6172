/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of procfs and sysfs, the log of a test, and time.
 */
#ifndef SWAP_ABS_LIB_FILE_H
#define SWAP_ABS_LIB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* Print a line that TAP parsers ignore */
void sa_log(const char *fmt, ...);
/* Read a file; return the length or -errno */
int sa_read(const char *path, char *buf, size_t size);
int sa_write(const char *path, const char *text);
/*
 * Return the number in a file, or -errno (no file here has a negative number)
 */
long long sa_read_num(const char *path);
int sa_write_num(const char *path, long long value);
/* Return the number after a word at the start of a line, or -ENOENT */
long long sa_read_key(const char *path, const char *key);
long long sa_vmstat(const char *key);
/* Return a value in bytes */
long long sa_meminfo(const char *key);
/* Return the time of the monotonic clock in seconds */
double sa_now(void);

/* Wait until cond is true, for at most some seconds; return cond */
#define sa_wait(cond, seconds)						\
({									\
	double __end = sa_now() + (seconds);				\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && sa_now() < __end)			\
		usleep(5000);						\
	__ok;								\
})

#endif
