// SPDX-License-Identifier: GPL-2.0
/*
 * Events: subscribing, and what a message to the group says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "link.h"

int cpblk_subscribe(struct cpblk *link, struct cpblk_error *err)
{
	int group, rc;

	group = genl_ctrl_resolve_grp(link->sock, CPBLK_GENL_NAME,
				      CPBLK_MCGRP_EVENTS);
	if (group < 0)
		return cpblk_fail_nl(err, group, "the driver has no events");
	rc = nl_socket_add_membership(link->sock, group);
	if (rc < 0)
		return cpblk_fail_nl(err, rc, "cannot subscribe to events");
	return 0;
}

int cpblk_event_fd(struct cpblk *link)
{
	return nl_socket_get_fd(link->sock);
}

struct listener {
	struct cpblk *link;
	int (*fn)(void *arg, const struct cpblk_event_info *event);
	void *arg;
	int rc;
};

static int heard(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[CPBLK_A_MAX + 1], *first;
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct listener *listener = arg;
	struct cpblk_event_info event;
	int len;

	if (listener->rc || hdr->nlmsg_type != listener->link->family ||
	    cpblk_parse(hdr, attrs, &first, &len))
		return NL_SKIP;
	cpblk_decode(&cpblk_event_layout, &event, attrs);
	event.type = ((struct genlmsghdr *)nlmsg_data(hdr))->cmd;
	if (cpblk_decode_taken(first, len, &event.taken, &event.nr_taken))
		return NL_SKIP;
	listener->rc = listener->fn(listener->arg, &event);
	free(event.taken);
	return NL_OK;
}

/* Events are nobody's answer: their sequence numbers mean nothing. */
static int any_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

int cpblk_event_next(struct cpblk *link,
		     int (*fn)(void *arg, const struct cpblk_event_info *event),
		     void *arg, struct cpblk_error *err)
{
	struct listener listener = { link, fn, arg, 0 };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb)
		return cpblk_fail(err, ENOMEM, "out of memory");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, heard, &listener);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_sequence, NULL);
	errno = 0;
	rc = nl_recvmsgs(link->sock, cb);
	nl_cb_put(cb);
	if (listener.rc)
		return listener.rc;
	if (rc >= 0)
		return 0;
	/* libnl has no name of its own for a receive buffer that was full. */
	if (errno == ENOBUFS)
		return cpblk_fail(err, ENOBUFS,
				  "events came too fast, some were lost");
	return cpblk_fail_nl(err, rc, "cannot receive events");
}
