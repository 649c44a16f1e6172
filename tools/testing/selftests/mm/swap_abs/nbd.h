/* SPDX-License-Identifier: GPL-2.0 */
/*
 * These helpers set up a network block device whose server is in the test: they
 * tell the driver about it by generic netlink, and transfer data on its socket.
 * The test decides what the server answers.
 */
#ifndef SWAP_ABS_NBD_H
#define SWAP_ABS_NBD_H

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tiers.h"

/* A request of generic netlink; the answer replaces it */
struct request {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	char attrs[1024];
};

static inline void init_request(struct request *r, int type, int cmd, int version)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	r->genl.cmd = cmd;
	r->genl.version = version;
}

/*
 * Append an attribute. An attribute without a size is nested: the caller
 * appends others to it and then calls end_attr().
 */
static inline struct nlattr *put_attr(struct request *r, int type, const void *value, size_t size)
{
	struct nlattr *attr = (void *)r + NLMSG_ALIGN(r->head.nlmsg_len);

	attr->nla_type = type | (value ? 0 : NLA_F_NESTED);
	attr->nla_len = NLA_HDRLEN + size;
	if (value)
		memcpy((void *)attr + NLA_HDRLEN, value, size);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + NLA_ALIGN(attr->nla_len);
	return attr;
}

static inline void put_attr_num(struct request *r, int type, __u64 value)
{
	put_attr(r, type, &value, sizeof(value));
}

/* Set the length of a nested attribute after others were appended to it */
static inline void end_attr(struct request *r, struct nlattr *attr)
{
	attr->nla_len = (void *)r + r->head.nlmsg_len - (void *)attr;
}

/* Find an attribute of two bytes. Return it, or -ENOENT. */
static inline int get_attr_u16(const struct request *r, int type)
{
	const void *end = (void *)r + r->head.nlmsg_len;
	const struct nlattr *attr = (void *)r + NLMSG_LENGTH(GENL_HDRLEN);

	for (; (void *)(attr + 1) <= end && attr->nla_len >= NLA_HDRLEN;
	     attr = (void *)attr + NLA_ALIGN(attr->nla_len))
		if (attr->nla_type == type)
			return *(__u16 *)((void *)attr + NLA_HDRLEN);
	return -ENOENT;
}

/* Send a request, and read the answer into it. Return 0 or -errno. */
static inline int send_request(struct request *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request answer;
	struct nlmsgerr *err;
	int fd, ret = -EIO;
	ssize_t n;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	if (sendto(fd, r, r->head.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while ((n = recv(fd, &answer, sizeof(answer), 0)) >= (ssize_t)sizeof(answer.head)) {
		if (answer.head.nlmsg_type == NLMSG_ERROR) {
			err = NLMSG_DATA(&answer.head);
			ret = err->error;
			break;
		}
		*r = answer;
	}
	close(fd);
	return ret;
}

/* Ask for the number of the netlink family. Return it, or -errno. */
static inline int nbd_family(void)
{
	struct request r;
	int ret;

	init_request(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	put_attr(&r, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof(NBD_GENL_FAMILY_NAME));
	ret = send_request(&r);
	return ret ? ret : get_attr_u16(&r, CTRL_ATTR_FAMILY_ID);
}

/*
 * Send a command about a device to the driver, with a socket if @sock is one.
 * @pages and @patience are for NBD_CMD_CONNECT: the size of the device, and the
 * seconds without a connection after which requests fail (0: requests fail at
 * once).
 */
static inline int nbd_command(int cmd, int nr, size_t pages, int patience, int sock)
{
	struct nlattr *socks, *item;
	int family = nbd_family();
	__u32 fd = sock, index = nr;
	struct request r;

	if (family < 0)
		return family;
	init_request(&r, family, cmd, NBD_GENL_VERSION);
	put_attr(&r, NBD_ATTR_INDEX, &index, sizeof(index));
	if (cmd == NBD_CMD_CONNECT) {
		put_attr_num(&r, NBD_ATTR_SIZE_BYTES, pages * SA_PAGE);
		put_attr_num(&r, NBD_ATTR_BLOCK_SIZE_BYTES, SA_PAGE);
		put_attr_num(&r, NBD_ATTR_SERVER_FLAGS, NBD_FLAG_HAS_FLAGS);
		/*
		 * The driver waits one second for a request that it has sent.
		 */
		put_attr_num(&r, NBD_ATTR_TIMEOUT, 1);
		if (patience)
			put_attr_num(&r, NBD_ATTR_DEAD_CONN_TIMEOUT, patience);
	}
	if (sock >= 0) {
		socks = put_attr(&r, NBD_ATTR_SOCKETS, NULL, 0);
		item = put_attr(&r, NBD_SOCK_ITEM, NULL, 0);
		put_attr(&r, NBD_SOCK_FD, &fd, sizeof(fd));
		end_attr(&r, item);
		end_attr(&r, socks);
	}
	return send_request(&r);
}

/*
 * Connect the device, or connect it again. Return the server's socket, or
 * -errno.
 */
static inline int nbd_connect(int cmd, int nr, size_t pages, int patience)
{
	double end = sa_now() + SOON;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	/*
	 * The driver takes no other socket until it has seen that the old one
	 * is dead.
	 */
	do {
		ret = nbd_command(cmd, nr, pages, patience, pair[0]);
	} while (ret == -ENOSPC && sa_now() < end && !usleep(5000));
	close(pair[0]);
	if (!ret)
		return pair[1];
	close(pair[1]);
	return ret;
}

/*
 * Connect the first device that is free. Return the server's socket, or -errno.
 */
static inline int nbd_connect_free(int *nr, size_t pages, int patience)
{
	int sock = -EBUSY;

	for (*nr = 0; sock == -EBUSY && *nr < 16; ++*nr)
		sock = nbd_connect(NBD_CMD_CONNECT, *nr, pages, patience);
	--*nr;
	return sock;
}

/*
 * Send or receive the whole buffer. Return false when the connection is closed.
 */
static inline bool sock_transfer(int sock, void *buf, size_t size, bool out)
{
	ssize_t n;

	for (; size; size -= n, buf += n) {
		n = out ? send(sock, buf, size, MSG_NOSIGNAL) : recv(sock, buf, size, MSG_WAITALL);
		if (n <= 0)
			return false;
	}
	return true;
}

#endif /* SWAP_ABS_NBD_H */
