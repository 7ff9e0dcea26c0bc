// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: being asked before an operation, answering, and being told how it
 * ended. What they are told comes on the link that registered them, between
 * the answers to requests of that link; then it is kept until it is asked for.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netlink/genl/genl.h>

#include "link.h"

/** struct cpblk_told - a message to a hook that nobody has asked for yet */
struct cpblk_told {
	struct cpblk_told *next;
	struct nl_msg *msg;
};

bool cpblk_is_told(const struct cpblk *link, struct nlmsghdr *hdr)
{
	const struct genlmsghdr *genl = nlmsg_data(hdr);

	return hdr->nlmsg_type == link->family && !hdr->nlmsg_seq &&
	       genlmsg_valid_hdr(hdr, 0) && genl->cmd >= CPBLK_EVENT_HOOK_PREPARE &&
	       genl->cmd <= CPBLK_EVENT_HOOK_ENDED;
}

void cpblk_keep_told(struct cpblk *link, struct nl_msg *msg)
{
	struct cpblk_told *t = malloc(sizeof(*t)), **at = &link->told;

	if (!t) {
		link->told_lost = true;
		return;
	}
	nlmsg_get(msg);
	t->msg = msg;
	t->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = t;
}

/* The oldest one, which the caller frees, or NULL. */
static struct nl_msg *take_told(struct cpblk *link)
{
	struct cpblk_told *t = link->told;
	struct nl_msg *msg;

	if (!t)
		return NULL;
	link->told = t->next;
	msg = t->msg;
	free(t);
	return msg;
}

void cpblk_drop_told(struct cpblk *link)
{
	struct nl_msg *msg;

	while ((msg = take_told(link)))
		nlmsg_free(msg);
}

/* ---- Requests ---- */

static int put_text(struct nl_msg *msg, int attr, const char *text, size_t max,
		    struct cpblk_error *err)
{
	if (strlen(text) > max)
		return cpblk_fail(err, ENAMETOOLONG,
				  "'%.40s...' is too long: at most %zu bytes", text,
				  max);
	nla_put_string(msg, attr, text);
	return 0;
}

static int put_hook(struct nl_msg *msg, const char *store,
		    const struct cpblk_hook *hook, struct cpblk_error *err)
{
	struct nlattr *nest;
	size_t i;
	int rc;

	rc = put_text(msg, CPBLK_A_STORE, store, CPBLK_NAME_MAX, err);
	if (!rc && hook->group)
		rc = put_text(msg, CPBLK_A_GROUP, hook->group, CPBLK_NAME_MAX, err);
	if (!rc && hook->label)
		rc = put_text(msg, CPBLK_A_HOOK_LABEL, hook->label, CPBLK_LABEL_MAX,
			      err);
	if (!rc && hook->nr > CPBLK_MEMBERS_MAX)
		rc = cpblk_fail(err, E2BIG, "a hook is for at most %d volumes",
				CPBLK_MEMBERS_MAX);
	if (rc)
		return rc;
	nla_put_u32(msg, CPBLK_A_HOOK_OPERATIONS, hook->operations);
	nla_put_u32(msg, CPBLK_A_HOOK_TIMEOUT, hook->timeout);
	if (hook->flags)
		nla_put_u32(msg, CPBLK_A_HOOK_FLAGS, hook->flags);
	if (!hook->nr)
		return 0;
	nest = nla_nest_start(msg, CPBLK_A_VOLUMES);
	for (i = 0; i < hook->nr && !rc; i++)
		rc = put_text(msg, CPBLK_LIST_VOLUME, hook->volumes[i],
			      CPBLK_NAME_MAX, err);
	nla_nest_end(msg, nest);
	return rc;
}

static int take_id(void *arg, struct nlattr **attrs, struct nlattr *first, int len)
{
	(void)first;
	(void)len;
	if (!attrs[CPBLK_A_HOOK_ID] ||
	    nla_len(attrs[CPBLK_A_HOOK_ID]) != sizeof(uint64_t))
		return -EBADMSG;
	*(uint64_t *)arg = nla_get_u64(attrs[CPBLK_A_HOOK_ID]);
	return 0;
}

int cpblk_hook_register(struct cpblk *link, const char *store,
			const struct cpblk_hook *hook, uint64_t *id,
			struct cpblk_error *err)
{
	struct nl_msg *msg = cpblk_request(link, CPBLK_CMD_HOOK_REGISTER);
	struct cpblk_answer answer = { take_id, id };
	int rc = msg ? put_hook(msg, store, hook, err) : 0;

	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	return cpblk_call(link, msg, 0, &answer, err);
}

static struct nl_msg *hook_request(struct cpblk *link, int cmd, uint64_t id)
{
	struct nl_msg *msg = cpblk_request(link, cmd);

	if (msg)
		nla_put_u64(msg, CPBLK_A_HOOK_ID, id);
	return msg;
}

int cpblk_hook_unregister(struct cpblk *link, uint64_t id, struct cpblk_error *err)
{
	return cpblk_call(link, hook_request(link, CPBLK_CMD_HOOK_UNREGISTER, id), 0,
			  NULL, err);
}

int cpblk_hook_ready(struct cpblk *link, uint64_t hook, uint64_t token,
		     struct cpblk_error *err)
{
	struct nl_msg *msg = hook_request(link, CPBLK_CMD_HOOK_REPLY, hook);

	if (msg)
		nla_put_u64(msg, CPBLK_A_HOOK_TOKEN, token);
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_hook_refuse(struct cpblk *link, uint64_t hook, uint64_t token,
		      const char *reason, struct cpblk_error *err)
{
	struct nl_msg *msg = hook_request(link, CPBLK_CMD_HOOK_REPLY, hook);

	if (msg) {
		nla_put_u64(msg, CPBLK_A_HOOK_TOKEN, token);
		/* Better a part of the reason than no refusal. */
		nla_put_string(msg, CPBLK_A_REASON,
			       strndupa(reason, CPBLK_REASON_MAX));
	}
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_hook_list(struct cpblk *link, const char *store,
		    struct cpblk_hook_info **hooks, size_t *nr,
		    struct cpblk_error *err)
{
	return cpblk_list(link, CPBLK_CMD_HOOK_GET, store, NULL, &cpblk_hook_layout,
			  (void **)hooks, nr, err);
}

/* ---- What hooks are told ---- */

static int keep(struct nl_msg *msg, void *arg)
{
	struct cpblk *link = arg;

	if (cpblk_is_told(link, nlmsg_hdr(msg)))
		cpblk_keep_told(link, msg);
	return NL_OK;
}

static int any_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

static int receive(struct cpblk *link, struct cpblk_error *err)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb)
		return cpblk_fail(err, ENOMEM, "out of memory");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, keep, link);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_sequence, NULL);
	errno = 0;
	rc = nl_recvmsgs(link->sock, cb);
	nl_cb_put(cb);
	if (rc >= 0)
		return 0;
	if (errno == ENOBUFS)
		return cpblk_fail(err, ENOBUFS,
				  "messages came too fast, some were lost");
	return cpblk_fail_nl(err, rc, "cannot receive from the driver");
}

static int decode_event(struct nl_msg *msg, struct cpblk_hook_event *event)
{
	struct nlattr *attrs[CPBLK_A_MAX + 1], *first;
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	int len, rc = cpblk_parse(hdr, attrs, &first, &len);

	if (rc)
		return rc;
	cpblk_decode(&cpblk_hook_event_layout, event, attrs);
	event->type = ((struct genlmsghdr *)nlmsg_data(hdr))->cmd;
	return cpblk_decode_members(first, len, &event->members, &event->nr_members);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Until there is something, or @timeout is over. */
static int wait_told(struct cpblk *link, int timeout, struct cpblk_error *err)
{
	struct pollfd fd = { .fd = cpblk_event_fd(link), .events = POLLIN };
	int64_t left = timeout, end = now_ms() + timeout;
	int rc;

	while (!link->told) {
		rc = poll(&fd, 1, timeout < 0 ? -1 : (int)left);
		if (rc < 0)
			return cpblk_fail(err, errno, "%s", strerror(errno));
		if (!rc)
			return 0;
		rc = receive(link, err);
		if (rc)
			return rc;
		left = end - now_ms();
		if (left < 0)
			left = 0;
	}
	return 0;
}

int cpblk_hook_next(struct cpblk *link, int timeout, struct cpblk_hook_event *event,
		    struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	memset(event, 0, sizeof(*event));
	if (link->told_lost) {
		link->told_lost = false;
		return cpblk_fail(err, ENOBUFS, "messages were lost: out of memory");
	}
	rc = wait_told(link, timeout, err);
	msg = rc ? NULL : take_told(link);
	if (!msg)
		return rc;
	rc = decode_event(msg, event);
	nlmsg_free(msg);
	if (rc)
		return cpblk_fail(err, -rc, "a message of the driver is malformed");
	return 1;
}

void cpblk_hook_event_free(struct cpblk_hook_event *event)
{
	free(event->members);
	event->members = NULL;
	event->nr_members = 0;
}
