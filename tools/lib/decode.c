// SPDX-License-Identifier: GPL-2.0
/*
 * How the attributes of an answer become the structures of cpblk.h: one table
 * for each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define MEMBER(type, member)	offsetof(struct type, member), \
				sizeof(((struct type *)0)->member)
#define U32(a, type, member)	{ a, CPBLK_FIELD_U32, MEMBER(type, member) }
#define U64(a, type, member)	{ a, CPBLK_FIELD_U64, MEMBER(type, member) }
#define STRING(a, type, member)	{ a, CPBLK_FIELD_STRING, MEMBER(type, member) }
#define BINARY(a, type, member)	{ a, CPBLK_FIELD_BINARY, MEMBER(type, member) }

#define LAYOUT(name, type, fields)					\
const struct cpblk_layout name = {					\
	fields, sizeof(fields) / sizeof((fields)[0]), sizeof(struct type)	\
}

static const struct cpblk_field store_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_store_info, name),
	STRING(CPBLK_A_META_PATH, cpblk_store_info, meta_path),
	STRING(CPBLK_A_DATA_PATH, cpblk_store_info, data_path),
	STRING(CPBLK_A_ERROR, cpblk_store_info, error),
	BINARY(CPBLK_A_STORE_UUID, cpblk_store_info, uuid),
	U32(CPBLK_A_STATE, cpblk_store_info, state),
	U32(CPBLK_A_SPACE, cpblk_store_info, space),
	U32(CPBLK_A_CHUNK_SIZE, cpblk_store_info, chunk_size),
	U64(CPBLK_A_META_SIZE, cpblk_store_info, meta_size),
	U64(CPBLK_A_META_USED, cpblk_store_info, meta_used),
	U64(CPBLK_A_META_RESERVED, cpblk_store_info, meta_reserved),
	U64(CPBLK_A_DATA_SIZE, cpblk_store_info, data_size),
	U64(CPBLK_A_DATA_USED, cpblk_store_info, data_used),
	U64(CPBLK_A_DATA_BUSY, cpblk_store_info, data_busy),
	U64(CPBLK_A_EPOCH, cpblk_store_info, epoch),
	U64(CPBLK_A_TXN, cpblk_store_info, txn),
	U64(CPBLK_A_JOURNAL_SIZE, cpblk_store_info, journal_size),
	U64(CPBLK_A_JOURNAL_USED, cpblk_store_info, journal_used),
	U64(CPBLK_A_NR_VOLUMES, cpblk_store_info, nr_volumes),
	U64(CPBLK_A_NR_CHECKPOINTS, cpblk_store_info, nr_checkpoints),
	U64(CPBLK_A_NR_HIDDEN, cpblk_store_info, nr_hidden),
	U64(CPBLK_A_RECLAIM_POINTS, cpblk_store_info, reclaim_points),
	U64(CPBLK_A_RECLAIM_LEFT, cpblk_store_info, reclaim_left),
	U64(CPBLK_A_RECLAIM_DONE, cpblk_store_info, reclaim_done),
	U64(CPBLK_A_RECLAIM_MS, cpblk_store_info, reclaim_ms),
};

static const struct cpblk_field volume_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_volume_info, store),
	STRING(CPBLK_A_VOLUME, cpblk_volume_info, name),
	STRING(CPBLK_A_GROUP, cpblk_volume_info, group),
	STRING(CPBLK_A_DEVICE, cpblk_volume_info, device),
	BINARY(CPBLK_A_VOLUME_UUID, cpblk_volume_info, uuid),
	U32(CPBLK_A_VOLUME_FLAGS, cpblk_volume_info, flags),
	U32(CPBLK_A_OPEN_COUNT, cpblk_volume_info, open_count),
	U32(CPBLK_A_HOOK_PENDING, cpblk_volume_info, hook_pending),
	U64(CPBLK_A_VOLUME_ID, cpblk_volume_info, id),
	U64(CPBLK_A_SIZE, cpblk_volume_info, size),
	U64(CPBLK_A_CREATED, cpblk_volume_info, created),
	U64(CPBLK_A_GENERATION, cpblk_volume_info, generation),
	U64(CPBLK_A_UNDO_ID, cpblk_volume_info, undo_id),
	U64(CPBLK_A_HEAD_ID, cpblk_volume_info, head_id),
	U64(CPBLK_A_PARENT_ID, cpblk_volume_info, parent_id),
	U64(CPBLK_A_EPOCH, cpblk_volume_info, epoch),
	U64(CPBLK_A_REFERENCED, cpblk_volume_info, referenced),
	U64(CPBLK_A_WRITTEN, cpblk_volume_info, written),
	U64(CPBLK_A_DEAD, cpblk_volume_info, dead),
	U64(CPBLK_A_UNIQUE, cpblk_volume_info, unique),
};

static const struct cpblk_field new_volume_fields[] = {
	STRING(CPBLK_A_VOLUME, cpblk_new_volume, name),
	STRING(CPBLK_A_DEVICE, cpblk_new_volume, device),
	BINARY(CPBLK_A_VOLUME_UUID, cpblk_new_volume, uuid),
	U64(CPBLK_A_VOLUME_ID, cpblk_new_volume, id),
};

static const struct cpblk_field checkpoint_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_checkpoint_info, store),
	STRING(CPBLK_A_VOLUME, cpblk_checkpoint_info, volume),
	STRING(CPBLK_A_CHECKPOINT, cpblk_checkpoint_info, name),
	STRING(CPBLK_A_MESSAGE, cpblk_checkpoint_info, message),
	STRING(CPBLK_A_HOLD, cpblk_checkpoint_info, hold),
	STRING(CPBLK_A_DEVICE, cpblk_checkpoint_info, device),
	U32(CPBLK_A_POINT_FLAGS, cpblk_checkpoint_info, flags),
	U32(CPBLK_A_CHILDREN, cpblk_checkpoint_info, children),
	U32(CPBLK_A_PINS, cpblk_checkpoint_info, pins),
	U64(CPBLK_A_VOLUME_ID, cpblk_checkpoint_info, volume_id),
	U64(CPBLK_A_CHECKPOINT_ID, cpblk_checkpoint_info, id),
	U64(CPBLK_A_PARENT_ID, cpblk_checkpoint_info, parent_id),
	U64(CPBLK_A_EPOCH, cpblk_checkpoint_info, epoch),
	U64(CPBLK_A_TIME, cpblk_checkpoint_info, time),
	U64(CPBLK_A_SIZE, cpblk_checkpoint_info, size),
	U64(CPBLK_A_REFERENCED, cpblk_checkpoint_info, referenced),
	U64(CPBLK_A_WRITTEN, cpblk_checkpoint_info, written),
	U64(CPBLK_A_DEAD, cpblk_checkpoint_info, dead),
	U64(CPBLK_A_UNIQUE, cpblk_checkpoint_info, unique),
};

static const struct cpblk_field taken_fields[] = {
	STRING(CPBLK_A_VOLUME, cpblk_taken, volume),
	STRING(CPBLK_A_CHECKPOINT, cpblk_taken, name),
	U64(CPBLK_A_VOLUME_ID, cpblk_taken, volume_id),
	U64(CPBLK_A_CHECKPOINT_ID, cpblk_taken, id),
};

static const struct cpblk_field restored_fields[] = {
	STRING(CPBLK_A_CHECKPOINT, cpblk_restored, checkpoint),
	STRING(CPBLK_A_SAFETY, cpblk_restored, safety),
	U64(CPBLK_A_CHECKPOINT_ID, cpblk_restored, checkpoint_id),
	U64(CPBLK_A_SAFETY_ID, cpblk_restored, safety_id),
	U64(CPBLK_A_SIZE, cpblk_restored, size),
	U64(CPBLK_A_GENERATION, cpblk_restored, generation),
	U64(CPBLK_A_FREEZE_NS, cpblk_restored, freeze_ns),
	U64(CPBLK_A_TOTAL_NS, cpblk_restored, total_ns),
};

static const struct cpblk_field event_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_event_info, store),
	STRING(CPBLK_A_VOLUME, cpblk_event_info, volume),
	STRING(CPBLK_A_DEVICE, cpblk_event_info, device),
	STRING(CPBLK_A_CHECKPOINT, cpblk_event_info, checkpoint),
	STRING(CPBLK_A_SAFETY, cpblk_event_info, safety),
	STRING(CPBLK_A_ERROR, cpblk_event_info, error),
	U64(CPBLK_A_VOLUME_ID, cpblk_event_info, volume_id),
	U64(CPBLK_A_CHECKPOINT_ID, cpblk_event_info, checkpoint_id),
	U64(CPBLK_A_SAFETY_ID, cpblk_event_info, safety_id),
	U64(CPBLK_A_SIZE, cpblk_event_info, size),
	U64(CPBLK_A_GENERATION, cpblk_event_info, generation),
	U32(CPBLK_A_SPACE, cpblk_event_info, space),
	U64(CPBLK_A_META_SIZE, cpblk_event_info, meta_size),
	U64(CPBLK_A_DATA_SIZE, cpblk_event_info, data_size),
	U64(CPBLK_A_META_USED, cpblk_event_info, meta_used),
	U64(CPBLK_A_DATA_USED, cpblk_event_info, data_used),
	U64(CPBLK_A_RECLAIM_POINTS, cpblk_event_info, reclaim_points),
	U64(CPBLK_A_RECLAIM_LEFT, cpblk_event_info, reclaim_left),
	U64(CPBLK_A_RECLAIM_DONE, cpblk_event_info, reclaim_done),
	U64(CPBLK_A_RECLAIM_MS, cpblk_event_info, reclaim_ms),
};

static const struct cpblk_field member_fields[] = {
	STRING(CPBLK_A_VOLUME, cpblk_member, volume),
	STRING(CPBLK_A_DEVICE, cpblk_member, device),
	STRING(CPBLK_A_CHECKPOINT, cpblk_member, checkpoint),
	STRING(CPBLK_A_SAFETY, cpblk_member, safety),
	BINARY(CPBLK_A_VOLUME_UUID, cpblk_member, uuid),
	U64(CPBLK_A_VOLUME_ID, cpblk_member, volume_id),
	U64(CPBLK_A_CHECKPOINT_ID, cpblk_member, checkpoint_id),
	U64(CPBLK_A_SAFETY_ID, cpblk_member, safety_id),
	U64(CPBLK_A_SIZE, cpblk_member, size),
	U64(CPBLK_A_GENERATION, cpblk_member, generation),
};

static const struct cpblk_field hook_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_hook_info, store),
	STRING(CPBLK_A_HOOK_LABEL, cpblk_hook_info, label),
	STRING(CPBLK_A_GROUP, cpblk_hook_info, group),
	STRING(CPBLK_A_VOLUME, cpblk_hook_info, volume),
	U64(CPBLK_A_HOOK_ID, cpblk_hook_info, id),
	U32(CPBLK_A_HOOK_OPERATIONS, cpblk_hook_info, operations),
	U32(CPBLK_A_HOOK_TIMEOUT, cpblk_hook_info, timeout),
	U32(CPBLK_A_HOOK_FLAGS, cpblk_hook_info, flags),
	U32(CPBLK_A_PID, cpblk_hook_info, pid),
	U32(CPBLK_A_HOOK_PENDING, cpblk_hook_info, pending),
};

static const struct cpblk_field hook_event_fields[] = {
	STRING(CPBLK_A_STORE, cpblk_hook_event, store),
	STRING(CPBLK_A_REASON, cpblk_hook_event, reason),
	U64(CPBLK_A_HOOK_ID, cpblk_hook_event, hook),
	U64(CPBLK_A_HOOK_TOKEN, cpblk_hook_event, token),
	U32(CPBLK_A_HOOK_OPERATIONS, cpblk_hook_event, operation),
	U64(CPBLK_A_DEADLINE, cpblk_hook_event, deadline),
	U32(CPBLK_A_PID, cpblk_hook_event, pid),
};

LAYOUT(cpblk_store_layout, cpblk_store_info, store_fields);
LAYOUT(cpblk_volume_layout, cpblk_volume_info, volume_fields);
LAYOUT(cpblk_new_volume_layout, cpblk_new_volume, new_volume_fields);
LAYOUT(cpblk_checkpoint_layout, cpblk_checkpoint_info, checkpoint_fields);
static LAYOUT(taken_layout, cpblk_taken, taken_fields);
LAYOUT(cpblk_restored_layout, cpblk_restored, restored_fields);
LAYOUT(cpblk_event_layout, cpblk_event_info, event_fields);
static LAYOUT(member_layout, cpblk_member, member_fields);
LAYOUT(cpblk_hook_layout, cpblk_hook_info, hook_fields);
LAYOUT(cpblk_hook_event_layout, cpblk_hook_event, hook_event_fields);

/* Copies what is there; what is longer than its place is cut off. */
static void decode_field(const struct cpblk_field *field, char *to,
			 struct nlattr *attr)
{
	size_t len = nla_len(attr);

	switch (field->type) {
	case CPBLK_FIELD_U32:
	case CPBLK_FIELD_U64:
		if (len == field->size)
			memcpy(to, nla_data(attr), len);
		break;
	case CPBLK_FIELD_STRING:
		len = strnlen(nla_data(attr), len);
		if (len >= field->size)
			len = field->size - 1;
		memcpy(to, nla_data(attr), len);
		break;
	case CPBLK_FIELD_BINARY:
		memcpy(to, nla_data(attr), len < field->size ? len : field->size);
		break;
	}
}

void cpblk_decode(const struct cpblk_layout *layout, void *to,
		  struct nlattr **attrs)
{
	const struct cpblk_field *field;
	size_t i;

	memset(to, 0, layout->size);
	for (i = 0; i < layout->nr; i++) {
		field = &layout->fields[i];
		if (attrs[field->attr])
			decode_field(field, (char *)to + field->offset,
				     attrs[field->attr]);
	}
}

void cpblk_decode_counters(struct cpblk_store_info *info, struct nlattr *nest)
{
	struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, nest, left) {
		if (nla_type(attr) > CPBLK_COUNTER_PAD &&
		    nla_type(attr) <= CPBLK_COUNTER_MAX &&
		    nla_len(attr) == sizeof(uint64_t))
			info->counters[nla_type(attr)] = nla_get_u64(attr);
	}
}

void cpblk_decode_options(struct cpblk_store_info *info, struct nlattr *nest)
{
	struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, nest, left) {
		if (nla_type(attr) <= CPBLK_OPTION_MAX &&
		    nla_len(attr) == sizeof(uint32_t))
			info->options[nla_type(attr)] = nla_get_u32(attr);
	}
}

void cpblk_decode_policy(struct cpblk_volume_info *info, struct nlattr *nest)
{
	struct cpblk_retention *p = &info->policy;
	struct nlattr *attrs[CPBLK_POLICY_MAX + 1];
	uint32_t *const to[CPBLK_POLICY_MAX + 1] = {
		[CPBLK_POLICY_LAST] = &p->last,
		[CPBLK_POLICY_HOURLY] = &p->hourly,
		[CPBLK_POLICY_DAILY] = &p->daily,
		[CPBLK_POLICY_WEEKLY] = &p->weekly,
		[CPBLK_POLICY_MONTHLY] = &p->monthly,
	};
	int i;

	if (nla_parse_nested(attrs, CPBLK_POLICY_MAX, nest, NULL) < 0)
		return;
	for (i = 0; i <= CPBLK_POLICY_MAX; i++) {
		if (to[i] && attrs[i] && nla_len(attrs[i]) == sizeof(*to[i]))
			*to[i] = nla_get_u32(attrs[i]);
	}
	if (attrs[CPBLK_POLICY_MAX_AGE] &&
	    nla_len(attrs[CPBLK_POLICY_MAX_AGE]) == sizeof(p->max_age))
		p->max_age = nla_get_u64(attrs[CPBLK_POLICY_MAX_AGE]);
}

/* All nests of one kind in a message, as an array of what is in them. */
static int decode_nests(struct nlattr *first, int len, int kind,
			const struct cpblk_layout *layout, void **to, size_t *nr)
{
	struct nlattr *attr, *attrs[CPBLK_A_MAX + 1];
	char *list = NULL, *grown;
	int left;

	*nr = 0;
	nla_for_each_attr(attr, first, len, left) {
		if (nla_type(attr) != kind)
			continue;
		grown = reallocarray(list, *nr + 1, layout->size);
		if (!grown || nla_parse_nested(attrs, CPBLK_A_MAX, attr, NULL) < 0) {
			free(grown ? grown : list);
			return grown ? -EBADMSG : -ENOMEM;
		}
		list = grown;
		cpblk_decode(layout, list + layout->size * (*nr)++, attrs);
	}
	*to = list;
	return 0;
}

int cpblk_decode_taken(struct nlattr *first, int len, struct cpblk_taken **taken,
		       size_t *nr)
{
	return decode_nests(first, len, CPBLK_A_POINT, &taken_layout, (void **)taken,
			    nr);
}

int cpblk_decode_members(struct nlattr *first, int len,
			 struct cpblk_member **members, size_t *nr)
{
	return decode_nests(first, len, CPBLK_A_MEMBER, &member_layout,
			    (void **)members, nr);
}
