// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on several volumes: groups, restoring many, forking many.
 */
#include <errno.h>

#include "link.h"

static int too_many(size_t nr, struct cpblk_error *err)
{
	if (nr && nr <= CPBLK_MEMBERS_MAX)
		return 0;
	return cpblk_fail(err, nr ? E2BIG : EINVAL,
			  "1 to %d volumes can be named at once, not %zu",
			  CPBLK_MEMBERS_MAX, nr);
}

/* A request with a list of volumes in it. */
static int request(struct cpblk *link, int cmd, const char *store, int attr,
		   const char *const *volumes, size_t nr, struct nl_msg **msg,
		   struct cpblk_error *err)
{
	int rc = too_many(nr, err);

	if (rc)
		return rc;
	*msg = cpblk_request(link, cmd);
	rc = cpblk_put_name(*msg, CPBLK_A_STORE, store, err);
	if (!rc)
		rc = cpblk_put_volumes(*msg, attr, volumes, nr, err);
	if (rc)
		nlmsg_free(*msg);
	return rc;
}

int cpblk_group_set(struct cpblk *link, const char *store, const char *const *volumes,
		    size_t nr, const char *group, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_GROUP_SET, store, CPBLK_A_VOLUMES, volumes, nr,
		     &msg, err);
	if (rc)
		return rc;
	rc = cpblk_put_name(msg, CPBLK_A_GROUP, group, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	return cpblk_call(link, msg, 0, NULL, err);
}

static int take_restored(void *arg, struct nlattr **attrs, struct nlattr *first,
			 int len)
{
	struct cpblk_restore_many *r = arg;

	if (attrs[CPBLK_A_FREEZE_NS])
		r->freeze_ns = nla_get_u64(attrs[CPBLK_A_FREEZE_NS]);
	if (attrs[CPBLK_A_TOTAL_NS])
		r->total_ns = nla_get_u64(attrs[CPBLK_A_TOTAL_NS]);
	return cpblk_decode_members(first, len, &r->members, &r->nr_members);
}

int cpblk_restore_many(struct cpblk *link, const char *store,
		       struct cpblk_restore_many *r, struct cpblk_error *err)
{
	struct cpblk_answer answer = { take_restored, r };
	struct nl_msg *msg;
	int rc;

	r->members = NULL;
	r->nr_members = 0;
	r->freeze_ns = 0;
	r->total_ns = 0;
	rc = request(link, CPBLK_CMD_RESTORE, store, CPBLK_A_VOLUMES, r->volumes, r->nr,
		     &msg, err);
	if (rc)
		return rc;
	if (msg) {
		cpblk_put_ids(msg, r->ids, r->nr);
		if (r->flags)
			nla_put_u32(msg, CPBLK_A_RESTORE_FLAGS, r->flags);
	}
	return cpblk_call(link, msg, 0, &answer, err);
}

struct made {
	struct cpblk_member *list;
	size_t nr;
};

static int take_made(void *arg, struct nlattr **attrs, struct nlattr *first, int len)
{
	struct made *made = arg;

	(void)attrs;
	return cpblk_decode_members(first, len, &made->list, &made->nr);
}

int cpblk_fork_many(struct cpblk *link, const char *store, uint64_t id,
		    const char *const *volumes, size_t nr, unsigned int flags,
		    struct cpblk_member **list, struct cpblk_error *err)
{
	struct made made = { 0 };
	struct cpblk_answer answer = { take_made, &made };
	struct nl_msg *msg;
	int rc;

	*list = NULL;
	rc = request(link, CPBLK_CMD_FORK, store, CPBLK_A_NEW_VOLUMES, volumes, nr,
		     &msg, err);
	if (rc)
		return rc;
	if (msg) {
		nla_put_u64(msg, CPBLK_A_CHECKPOINT_ID, id);
		if (flags)
			nla_put_u32(msg, CPBLK_A_VOLUME_FLAGS, flags);
	}
	rc = cpblk_call(link, msg, 0, &answer, err);
	if (!rc && made.nr != nr)
		rc = cpblk_fail(err, EBADMSG, "an answer of the driver is malformed");
	*list = made.list;
	return rc;
}
