// SPDX-License-Identifier: GPL-2.0
/*
 * A link to the driver: connecting, sending a request and hearing the answer,
 * and what the driver says when it refuses one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "link.h"

/* Room for one message in either direction; more than any sender fills. */
#define MESSAGE_SIZE	(128 * 1024)

int cpblk_fail(struct cpblk_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		err->code = code;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
	}
	return -code;
}

int cpblk_fail_nl(struct cpblk_error *err, int nl_error, const char *what)
{
	int code = EIO;

	switch (nl_error < 0 ? -nl_error : nl_error) {
	case NLE_NOMEM:
		code = ENOMEM;
		break;
	case NLE_PERM:
	case NLE_NOACCESS:
		code = EPERM;
		break;
	case NLE_INTR:
		code = EINTR;
		break;
	case NLE_DUMP_INTR:
		code = EAGAIN;
		break;
	}
	return cpblk_fail(err, code, "%s: %s", what, nl_geterror(nl_error));
}

int cpblk_connect(struct cpblk **link, struct cpblk_error *err)
{
	struct cpblk *l = calloc(1, sizeof(*l));
	int on = 1, rc;

	*link = NULL;
	if (!l)
		return cpblk_fail(err, ENOMEM, "out of memory");
	l->sock = nl_socket_alloc();
	if (!l->sock) {
		free(l);
		return cpblk_fail(err, ENOMEM, "out of memory");
	}
	rc = genl_connect(l->sock);
	if (rc < 0) {
		rc = cpblk_fail_nl(err, rc, "no netlink socket");
		goto fail;
	}
	/* A kernel without these options answers without sentences. */
	setsockopt(nl_socket_get_fd(l->sock), SOL_NETLINK, NETLINK_EXT_ACK, &on,
		   sizeof(on));
	setsockopt(nl_socket_get_fd(l->sock), SOL_NETLINK, NETLINK_CAP_ACK, &on,
		   sizeof(on));
	setsockopt(nl_socket_get_fd(l->sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK,
		   &on, sizeof(on));
	nl_socket_set_msg_buf_size(l->sock, MESSAGE_SIZE);

	l->family = genl_ctrl_resolve(l->sock, CPBLK_GENL_NAME);
	if (l->family < 0) {
		if (l->family == -NLE_OBJ_NOTFOUND)
			rc = cpblk_fail(err, ENOENT,
					"the kernel module cpblk is not loaded");
		else
			rc = cpblk_fail_nl(err, l->family, "no netlink family");
		goto fail;
	}
	*link = l;
	return 0;

fail:
	cpblk_disconnect(l);
	return rc;
}

void cpblk_disconnect(struct cpblk *link)
{
	if (!link)
		return;
	cpblk_drop_told(link);
	nl_socket_free(link->sock);
	free(link);
}

struct nl_msg *cpblk_request(struct cpblk *link, int cmd)
{
	struct nl_msg *msg = nlmsg_alloc_size(MESSAGE_SIZE);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, link->family, 0,
				0, cmd, CPBLK_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int cpblk_parse(struct nlmsghdr *hdr, struct nlattr *attrs[CPBLK_A_MAX + 1],
		struct nlattr **first, int *len)
{
	struct genlmsghdr *genl = nlmsg_data(hdr);

	if (!genlmsg_valid_hdr(hdr, 0))
		return -EBADMSG;
	*first = genlmsg_attrdata(genl, 0);
	*len = genlmsg_attrlen(genl, 0);
	if (nla_parse(attrs, CPBLK_A_MAX, *first, *len, NULL) < 0)
		return -EBADMSG;
	return 0;
}

/**
 * struct call - a request on its way
 * @link: where it was sent
 * @answer: where the answer goes, or NULL
 * @err: where an error goes
 * @seq: its number, which its answers carry
 * @rc: how the request ended, once @done
 * @answers: how many came
 * @done: the driver has said how it ended
 */
struct call {
	struct cpblk *link;
	const struct cpblk_answer *answer;
	struct cpblk_error *err;
	uint32_t seq;
	int rc;
	unsigned int answers;
	int done;
};

/* What hooks are told comes in between, and is no answer. */
static int in_sequence(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct call *call = arg;

	if (cpblk_is_told(call->link, hdr)) {
		cpblk_keep_told(call->link, msg);
		return NL_SKIP;
	}
	return hdr->nlmsg_seq == call->seq ? NL_OK : NL_SKIP;
}

static int answered(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[CPBLK_A_MAX + 1], *first;
	struct call *call = arg;
	int len, rc;

	call->answers++;
	if (!call->answer || call->rc)
		return NL_OK;
	rc = cpblk_parse(nlmsg_hdr(msg), attrs, &first, &len);
	if (!rc)
		rc = call->answer->fn(call->answer->arg, attrs, first, len);
	if (rc == -ENOMEM)
		call->rc = cpblk_fail(call->err, ENOMEM, "out of memory");
	else if (rc)
		call->rc = cpblk_fail(call->err, -rc,
				      "an answer of the driver is malformed");
	return NL_OK;
}

/* The driver's sentence among the attributes behind an error, or NULL. */
static const char *sentence(struct nlattr *first, int len)
{
	struct nlattr *attr = nla_find(first, len, NLMSGERR_ATTR_MSG);

	if (!attr || !nla_len(attr) ||
	    strnlen(nla_data(attr), nla_len(attr)) == (size_t)nla_len(attr))
		return NULL;
	return nla_data(attr);
}

static void refused(struct call *call, int code, struct nlattr *first, int len)
{
	const char *text = first ? sentence(first, len) : NULL;

	if (text)
		call->rc = cpblk_fail(call->err, code, "%s", text);
	else if (code == EPERM || code == EACCES)
		call->rc = cpblk_fail(call->err, code,
				      "only root (CAP_NET_ADMIN) may do this");
	else
		call->rc = cpblk_fail(call->err, code, "%s", strerror(code));
}

/*
 * An error or, with code 0, an acknowledgment. Behind it come the request, or
 * only its header, and then the attributes of the extended acknowledgment.
 */
static int ended(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct nlmsghdr *hdr = (void *)((char *)e - NLMSG_HDRLEN);
	struct nlattr *first = NULL;
	struct call *call = arg;
	size_t skip = sizeof(*e);
	int len = 0;

	(void)from;
	if (hdr->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
			skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
		if (NLMSG_ALIGN(skip) < (size_t)nlmsg_datalen(hdr)) {
			first = (void *)((char *)e + NLMSG_ALIGN(skip));
			len = nlmsg_datalen(hdr) - (int)NLMSG_ALIGN(skip);
		}
	}
	call->done = 1;
	if (e->error && !call->rc)
		refused(call, -e->error, first, len);
	return NL_STOP;
}

static int acknowledged(struct nl_msg *msg, void *arg)
{
	struct call *call = arg;

	(void)msg;
	call->done = 1;
	return NL_STOP;
}

/* The end of a list; it starts with a number that says whether that failed. */
static int finished(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct call *call = arg;
	struct nlattr *first = NULL;
	int code = 0, len = 0;

	call->done = 1;
	if (nlmsg_datalen(hdr) < (int)sizeof(code))
		return NL_STOP;
	memcpy(&code, nlmsg_data(hdr), sizeof(code));
	if (code < 0 && !call->rc) {
		len = nlmsg_datalen(hdr) - (int)NLMSG_ALIGN(sizeof(code));
		if (len > 0)
			first = (void *)((char *)nlmsg_data(hdr) +
					 NLMSG_ALIGN(sizeof(code)));
		refused(call, -code, first, len);
	}
	return NL_STOP;
}

int cpblk_call(struct cpblk *link, struct nl_msg *msg, int flags,
	       const struct cpblk_answer *answer, struct cpblk_error *err)
{
	struct call call = { .link = link, .answer = answer, .err = err };
	struct nl_cb *cb;
	int rc;

	if (!msg)
		return cpblk_fail(err, ENOMEM, "out of memory");
	cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!cb) {
		nlmsg_free(msg);
		return cpblk_fail(err, ENOMEM, "out of memory");
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, answered, &call);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, acknowledged, &call);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, finished, &call);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, in_sequence, &call);
	nl_cb_err(cb, NL_CB_CUSTOM, ended, &call);

	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK | flags;
	rc = nl_send_auto(link->sock, msg);
	call.seq = nlmsg_hdr(msg)->nlmsg_seq;
	nlmsg_free(msg);
	if (rc < 0) {
		call.rc = cpblk_fail_nl(err, rc, "cannot send to the driver");
		goto out;
	}
	while (!call.done) {
		rc = nl_recvmsgs(link->sock, cb);
		if (rc == -NLE_DUMP_INTR && !call.rc)
			call.rc = cpblk_fail_nl(err, rc, "the list changed");
		else if (rc < 0 && !call.done)
			call.rc = cpblk_fail_nl(err, rc, "no answer from the driver");
		if (rc < 0)
			break;
	}
	if (!call.rc && answer && !(flags & NLM_F_DUMP) && !call.answers)
		call.rc = cpblk_fail(err, EBADMSG, "the driver did not answer");
out:
	nl_cb_put(cb);
	return call.rc;
}
