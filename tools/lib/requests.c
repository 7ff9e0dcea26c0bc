// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of the driver, each as a function: its request and what to
 * make of the answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

/*
 * Putting an attribute fails only for want of room in the message, which has
 * room for everything but a very long list of volumes. So only that is
 * checked; what does not fit elsewhere is refused as too long here.
 */
static int put_string(struct nl_msg *msg, int attr, const char *value, size_t max,
		      struct cpblk_error *err)
{
	if (!value || !msg)
		return 0;
	if (strlen(value) > max)
		return cpblk_fail(err, ENAMETOOLONG,
				  "'%.40s...' is too long: at most %zu bytes",
				  value, max);
	nla_put_string(msg, attr, value);
	return 0;
}

int cpblk_put_name(struct nl_msg *msg, int attr, const char *name,
		   struct cpblk_error *err)
{
	return put_string(msg, attr, name, CPBLK_NAME_MAX, err);
}

static void put_u32(struct nl_msg *msg, int attr, uint32_t value)
{
	if (msg)
		nla_put_u32(msg, attr, value);
}

static void put_u64(struct nl_msg *msg, int attr, uint64_t value)
{
	if (msg)
		nla_put_u64(msg, attr, value);
}

/* A request about a store, and a volume in it; either may be NULL. */
static int request(struct cpblk *link, int cmd, const char *store,
		   const char *volume, struct nl_msg **msg, struct cpblk_error *err)
{
	int rc;

	*msg = cpblk_request(link, cmd);
	rc = cpblk_put_name(*msg, CPBLK_A_STORE, store, err);
	if (!rc)
		rc = cpblk_put_name(*msg, CPBLK_A_VOLUME, volume, err);
	if (rc)
		nlmsg_free(*msg);
	return rc;
}

/* ---- Answers ---- */

struct one {
	const struct cpblk_layout *layout;
	void *to;
};

static int take_one(void *arg, struct nlattr **attrs, struct nlattr *first, int len)
{
	struct one *one = arg;

	(void)first;
	(void)len;
	cpblk_decode(one->layout, one->to, attrs);
	if (one->layout == &cpblk_store_layout && attrs[CPBLK_A_COUNTERS])
		cpblk_decode_counters(one->to, attrs[CPBLK_A_COUNTERS]);
	if (one->layout == &cpblk_store_layout && attrs[CPBLK_A_OPTIONS])
		cpblk_decode_options(one->to, attrs[CPBLK_A_OPTIONS]);
	if (one->layout == &cpblk_volume_layout && !attrs[CPBLK_A_UNIQUE])
		((struct cpblk_volume_info *)one->to)->unique = CPBLK_UNKNOWN;
	if (one->layout == &cpblk_checkpoint_layout && !attrs[CPBLK_A_UNIQUE])
		((struct cpblk_checkpoint_info *)one->to)->unique = CPBLK_UNKNOWN;
	if (one->layout == &cpblk_volume_layout && attrs[CPBLK_A_POLICY])
		cpblk_decode_policy(one->to, attrs[CPBLK_A_POLICY]);
	return 0;
}

static int call_for_one(struct cpblk *link, struct nl_msg *msg,
			const struct cpblk_layout *layout, void *to,
			struct cpblk_error *err)
{
	struct one one = { layout, to };
	struct cpblk_answer answer = { take_one, &one };

	return cpblk_call(link, msg, 0, &answer, err);
}

struct many {
	const struct cpblk_layout *layout;
	char *list;
	size_t nr, room;
};

static int take_another(void *arg, struct nlattr **attrs, struct nlattr *first,
			int len)
{
	struct many *many = arg;
	size_t room = many->room;
	struct one one;
	char *list;

	if (many->nr == room) {
		room = room ? 2 * room : 16;
		list = reallocarray(many->list, room, many->layout->size);
		if (!list)
			return -ENOMEM;
		many->list = list;
		many->room = room;
	}
	one.layout = many->layout;
	one.to = many->list + many->layout->size * many->nr++;
	return take_one(&one, attrs, first, len);
}

/* A list that changes while it is read is read again, but not for ever. */
#define LIST_TRIES	20

int cpblk_list(struct cpblk *link, int cmd, const char *store, const char *volume,
	       const struct cpblk_layout *layout, void **to, size_t *nr,
	       struct cpblk_error *err)
{
	struct cpblk_answer answer;
	struct nl_msg *msg;
	struct many many;
	int tries, rc;

	for (tries = 0; tries < LIST_TRIES; tries++) {
		memset(&many, 0, sizeof(many));
		many.layout = layout;
		answer.fn = take_another;
		answer.arg = &many;
		rc = request(link, cmd, store, volume, &msg, err);
		if (!rc)
			rc = cpblk_call(link, msg, NLM_F_DUMP, &answer, err);
		if (!rc) {
			*to = many.list;
			*nr = many.nr;
			return 0;
		}
		free(many.list);
		if (rc != -EAGAIN)
			break;
	}
	return rc;
}

/* ---- Stores ---- */

int cpblk_store_open(struct cpblk *link, const char *meta, const char *data,
		     unsigned int flags, struct cpblk_store_info *info,
		     struct cpblk_error *err)
{
	struct cpblk_store_info ignored;
	struct nl_msg *msg = cpblk_request(link, CPBLK_CMD_STORE_OPEN);
	int rc;

	rc = put_string(msg, CPBLK_A_META_PATH, meta, CPBLK_PATH_MAX, err);
	if (!rc)
		rc = put_string(msg, CPBLK_A_DATA_PATH, data, CPBLK_PATH_MAX, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	if (flags)
		put_u32(msg, CPBLK_A_OPEN_FLAGS, flags);
	return call_for_one(link, msg, &cpblk_store_layout,
			    info ? info : &ignored, err);
}

int cpblk_store_close(struct cpblk *link, const char *store,
		      struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_STORE_CLOSE, store, NULL, &msg, err);
	return rc ? rc : cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_store_sync(struct cpblk *link, const char *store, unsigned int flags,
		     struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_STORE_SYNC, store, NULL, &msg, err);
	if (rc)
		return rc;
	if (flags)
		put_u32(msg, CPBLK_A_SYNC_FLAGS, flags);
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_store_get(struct cpblk *link, const char *store,
		    struct cpblk_store_info *info, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_STORE_GET, store, NULL, &msg, err);
	return rc ? rc : call_for_one(link, msg, &cpblk_store_layout, info, err);
}

int cpblk_store_list(struct cpblk *link, struct cpblk_store_info **stores,
		     size_t *nr, struct cpblk_error *err)
{
	return cpblk_list(link, CPBLK_CMD_STORE_GET, NULL, NULL, &cpblk_store_layout,
			  (void **)stores, nr, err);
}

int cpblk_options_set(struct cpblk *link, const char *store,
		      const struct cpblk_setting *settings, size_t nr,
		      struct cpblk_error *err)
{
	struct nlattr *nest;
	struct nl_msg *msg;
	size_t i;
	int rc;

	rc = request(link, CPBLK_CMD_OPTIONS_SET, store, NULL, &msg, err);
	if (rc)
		return rc;
	nest = msg ? nla_nest_start(msg, CPBLK_A_OPTIONS) : NULL;
	for (i = 0; i < nr; i++)
		put_u32(msg, (int)settings[i].option, settings[i].value);
	if (nest)
		nla_nest_end_keep_empty(msg, nest);
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_grow(struct cpblk *link, const char *store, struct cpblk_store_info *info,
	       struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_GROW, store, NULL, &msg, err);
	return rc ? rc : call_for_one(link, msg, &cpblk_store_layout, info, err);
}

/* ---- Volumes ---- */

int cpblk_volume_create(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, unsigned int flags,
			struct cpblk_new_volume *made, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_VOLUME_CREATE, store, volume, &msg, err);
	if (rc)
		return rc;
	put_u64(msg, CPBLK_A_SIZE, size);
	if (flags)
		put_u32(msg, CPBLK_A_VOLUME_FLAGS, flags);
	return call_for_one(link, msg, &cpblk_new_volume_layout, made, err);
}

int cpblk_volume_remove(struct cpblk *link, const char *store, const char *volume,
			unsigned int flags, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_VOLUME_REMOVE, store, volume, &msg, err);
	if (rc)
		return rc;
	if (flags)
		put_u32(msg, CPBLK_A_REMOVE_FLAGS, flags);
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_volume_resize(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_VOLUME_RESIZE, store, volume, &msg, err);
	if (rc)
		return rc;
	put_u64(msg, CPBLK_A_SIZE, size);
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_volume_get(struct cpblk *link, const char *store, const char *volume,
		     struct cpblk_volume_info *info, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_VOLUME_GET, store, volume, &msg, err);
	return rc ? rc : call_for_one(link, msg, &cpblk_volume_layout, info, err);
}

int cpblk_volume_list(struct cpblk *link, const char *store,
		      struct cpblk_volume_info **volumes, size_t *nr,
		      struct cpblk_error *err)
{
	return cpblk_list(link, CPBLK_CMD_VOLUME_GET, store, NULL, &cpblk_volume_layout,
			  (void **)volumes, nr, err);
}

static void put_rule(struct nl_msg *msg, int attr, uint32_t value)
{
	if (value)
		put_u32(msg, attr, value);
}

int cpblk_policy_set(struct cpblk *link, const char *store, const char *volume,
		     const struct cpblk_retention *policy, struct cpblk_error *err)
{
	struct nlattr *nest;
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_POLICY_SET, store, volume, &msg, err);
	if (rc)
		return rc;
	nest = msg ? nla_nest_start(msg, CPBLK_A_POLICY) : NULL;
	put_rule(msg, CPBLK_POLICY_LAST, policy->last);
	put_rule(msg, CPBLK_POLICY_HOURLY, policy->hourly);
	put_rule(msg, CPBLK_POLICY_DAILY, policy->daily);
	put_rule(msg, CPBLK_POLICY_WEEKLY, policy->weekly);
	put_rule(msg, CPBLK_POLICY_MONTHLY, policy->monthly);
	if (policy->max_age)
		put_u64(msg, CPBLK_POLICY_MAX_AGE, policy->max_age);
	if (nest)
		nla_nest_end_keep_empty(msg, nest);
	return cpblk_call(link, msg, 0, NULL, err);
}

/* ---- Checkpoints ---- */

static int take_snap(void *arg, struct nlattr **attrs, struct nlattr *first, int len)
{
	struct cpblk_snap *snap = arg;

	if (attrs[CPBLK_A_TOTAL_NS])
		snap->total_ns = nla_get_u64(attrs[CPBLK_A_TOTAL_NS]);
	return cpblk_decode_taken(first, len, &snap->taken, &snap->nr_taken);
}

/* The names of the volumes, in a nest, which has an end: 64 KiB. */
int cpblk_put_volumes(struct nl_msg *msg, int attr, const char *const *volumes,
		      size_t nr, struct cpblk_error *err)
{
	size_t i, bytes = 0;
	struct nlattr *nest;
	int rc;

	if (!msg)
		return 0;
	for (i = 0; i < nr; i++)
		bytes += nla_total_size(strlen(volumes[i]) + 1);
	if (bytes > UINT16_MAX - NLA_HDRLEN)
		return cpblk_fail(err, E2BIG, "%zu volumes at once are too many", nr);
	nest = nla_nest_start(msg, attr);
	for (i = 0; i < nr; i++) {
		rc = cpblk_put_name(msg, CPBLK_LIST_VOLUME, volumes[i], err);
		if (rc)
			return rc;
	}
	nla_nest_end(msg, nest);
	return 0;
}

int cpblk_snap(struct cpblk *link, const char *store, struct cpblk_snap *snap,
	       struct cpblk_error *err)
{
	struct cpblk_answer answer = { take_snap, snap };
	struct nl_msg *msg;
	int rc;

	snap->taken = NULL;
	snap->nr_taken = 0;
	snap->total_ns = 0;
	rc = request(link, CPBLK_CMD_SNAP, store, NULL, &msg, err);
	if (rc)
		return rc;
	rc = cpblk_put_volumes(msg, CPBLK_A_VOLUMES, snap->volumes, snap->nr, err);
	if (!rc)
		rc = cpblk_put_name(msg, CPBLK_A_CHECKPOINT, snap->name, err);
	if (!rc)
		rc = put_string(msg, CPBLK_A_MESSAGE, snap->message,
				CPBLK_MESSAGE_MAX, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	if (snap->flags)
		put_u32(msg, CPBLK_A_SNAP_FLAGS, snap->flags);
	return cpblk_call(link, msg, 0, &answer, err);
}

int cpblk_restore(struct cpblk *link, const char *store, const char *volume,
		  uint64_t id, unsigned int flags, const uint64_t *if_generation,
		  struct cpblk_restored *result, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_RESTORE, store, volume, &msg, err);
	if (rc)
		return rc;
	put_u64(msg, CPBLK_A_CHECKPOINT_ID, id);
	if (flags)
		put_u32(msg, CPBLK_A_RESTORE_FLAGS, flags);
	if (if_generation)
		put_u64(msg, CPBLK_A_IF_GENERATION, *if_generation);
	return call_for_one(link, msg, &cpblk_restored_layout, result, err);
}

int cpblk_fork(struct cpblk *link, const char *store, uint64_t id,
	       const char *volume, unsigned int flags,
	       struct cpblk_new_volume *made, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_FORK, store, NULL, &msg, err);
	if (rc)
		return rc;
	put_u64(msg, CPBLK_A_CHECKPOINT_ID, id);
	rc = cpblk_put_name(msg, CPBLK_A_NEW_VOLUME, volume, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	if (flags)
		put_u32(msg, CPBLK_A_VOLUME_FLAGS, flags);
	return call_for_one(link, msg, &cpblk_new_volume_layout, made, err);
}

int cpblk_checkpoint_get(struct cpblk *link, const char *store,
			 const char *volume, const char *name, uint64_t id,
			 struct cpblk_checkpoint_info *info,
			 struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = request(link, CPBLK_CMD_CHECKPOINT_GET, store, volume, &msg, err);
	if (rc)
		return rc;
	rc = cpblk_put_name(msg, CPBLK_A_CHECKPOINT, name, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	if (!name)
		put_u64(msg, CPBLK_A_CHECKPOINT_ID, id);
	return call_for_one(link, msg, &cpblk_checkpoint_layout, info, err);
}

int cpblk_checkpoint_list(struct cpblk *link, const char *store,
			  const char *volume,
			  struct cpblk_checkpoint_info **checkpoints, size_t *nr,
			  struct cpblk_error *err)
{
	return cpblk_list(link, CPBLK_CMD_CHECKPOINT_GET, store, volume,
			  &cpblk_checkpoint_layout, (void **)checkpoints, nr, err);
}

static int checkpoint_request(struct cpblk *link, int cmd, const char *store,
			      uint64_t id, struct nl_msg **msg,
			      struct cpblk_error *err)
{
	int rc = request(link, cmd, store, NULL, msg, err);

	if (!rc)
		put_u64(*msg, CPBLK_A_CHECKPOINT_ID, id);
	return rc;
}

void cpblk_put_ids(struct nl_msg *msg, const uint64_t *ids, size_t nr)
{
	struct nlattr *nest = msg ? nla_nest_start(msg, CPBLK_A_CHECKPOINT_IDS) : NULL;

	if (!nest)
		return;
	while (nr--)
		put_u64(msg, CPBLK_IDS_CHECKPOINT, *ids++);
	nla_nest_end(msg, nest);
}

int cpblk_checkpoint_delete(struct cpblk *link, const char *store,
			    const uint64_t *ids, size_t nr, struct cpblk_error *err)
{
	struct nl_msg *msg;
	size_t some;
	int rc = 0;

	for (; nr && !rc; ids += some, nr -= some) {
		some = nr < CPBLK_DELETE_MAX ? nr : CPBLK_DELETE_MAX;
		rc = request(link, CPBLK_CMD_CHECKPOINT_DELETE, store, NULL, &msg, err);
		if (rc)
			break;
		cpblk_put_ids(msg, ids, some);
		rc = cpblk_call(link, msg, 0, NULL, err);
	}
	return rc;
}

static int take_cost(void *arg, struct nlattr **attrs, struct nlattr *first, int len)
{
	(void)first;
	(void)len;
	if (!attrs[CPBLK_A_UNIQUE] ||
	    nla_len(attrs[CPBLK_A_UNIQUE]) != sizeof(uint64_t))
		return -EBADMSG;
	*(uint64_t *)arg = nla_get_u64(attrs[CPBLK_A_UNIQUE]);
	return 0;
}

int cpblk_cost(struct cpblk *link, const char *store, const uint64_t *ids, size_t nr,
	       uint64_t *bytes, struct cpblk_error *err)
{
	struct cpblk_answer answer = { take_cost, bytes };
	struct nl_msg *msg;
	int rc;

	*bytes = 0;
	if (!nr)
		return 0;
	if (nr > CPBLK_COST_MAX)
		return cpblk_fail(err, E2BIG, "%zu checkpoints at once are too many: at most %d",
				  nr, CPBLK_COST_MAX);
	rc = request(link, CPBLK_CMD_COST, store, NULL, &msg, err);
	if (rc)
		return rc;
	cpblk_put_ids(msg, ids, nr);
	return cpblk_call(link, msg, 0, &answer, err);
}

int cpblk_hold(struct cpblk *link, const char *store, uint64_t id,
	       const char *reason, struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = checkpoint_request(link, CPBLK_CMD_HOLD, store, id, &msg, err);
	if (rc)
		return rc;
	rc = put_string(msg, CPBLK_A_HOLD, reason, CPBLK_HOLD_MAX, err);
	if (rc) {
		nlmsg_free(msg);
		return rc;
	}
	return cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_release(struct cpblk *link, const char *store, uint64_t id,
		  struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = checkpoint_request(link, CPBLK_CMD_RELEASE, store, id, &msg, err);
	return rc ? rc : cpblk_call(link, msg, 0, NULL, err);
}

int cpblk_attach(struct cpblk *link, const char *store, uint64_t id,
		 char device[CPBLK_DEVICE_MAX + 1], struct cpblk_error *err)
{
	struct cpblk_new_volume made;
	struct nl_msg *msg;
	int rc;

	rc = checkpoint_request(link, CPBLK_CMD_ATTACH, store, id, &msg, err);
	if (!rc)
		rc = call_for_one(link, msg, &cpblk_new_volume_layout, &made, err);
	if (!rc)
		strcpy(device, made.device);
	return rc;
}

int cpblk_detach(struct cpblk *link, const char *store, uint64_t id,
		 struct cpblk_error *err)
{
	struct nl_msg *msg;
	int rc;

	rc = checkpoint_request(link, CPBLK_CMD_DETACH, store, id, &msg, err);
	return rc ? rc : cpblk_call(link, msg, 0, NULL, err);
}
