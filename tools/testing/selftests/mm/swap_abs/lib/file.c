// SPDX-License-Identifier: GPL-2.0
/*
 * Files of procfs and sysfs, the log of a test, and time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

void sa_log(const char *fmt, ...)
{
	char line[1024] = "# ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + 2, sizeof(line) - 3, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	strcat(line, "\n");
	/* A line is one write so that processes do not mix their lines. */
	n = write(STDOUT_FILENO, line, strlen(line));
	(void)n;
}

int sa_read(const char *path, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t ret;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n < size - 1) {
		ret = read(fd, buf + n, size - 1 - n);
		if (ret < 0) {
			ret = -errno;
			close(fd);
			return ret;
		}
		if (!ret)
			break;
		n += ret;
	}
	close(fd);
	buf[n] = 0;
	return n;
}

int sa_write(const char *path, const char *text)
{
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

long long sa_read_num(const char *path)
{
	char buf[64], *end;
	long long v;
	int ret;

	ret = sa_read(path, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	v = strtoll(buf, &end, 10);
	return end == buf ? -EINVAL : v;
}

int sa_write_num(const char *path, long long value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%lld", value);
	return sa_write(path, buf);
}

long long sa_read_key(const char *path, const char *key)
{
	static __thread char buf[65536];
	size_t len = strlen(key);
	char *line = buf;
	int ret;

	ret = sa_read(path, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	while (line && *line) {
		if (!strncmp(line, key, len) && strchr(" :\t", line[len]))
			return strtoll(line + len + 1, NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -ENOENT;
}

long long sa_vmstat(const char *key)
{
	return sa_read_key("/proc/vmstat", key);
}

long long sa_meminfo(const char *key)
{
	long long v = sa_read_key("/proc/meminfo", key);

	return v < 0 ? v : v * 1024;
}

long long sa_swap_used(void)
{
	return sa_meminfo("SwapTotal") - sa_meminfo("SwapFree");
}

double sa_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
