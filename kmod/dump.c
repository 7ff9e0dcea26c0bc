// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink operations that look at stores, volumes and checkpoints: one of
 * them, or all. They hold store->alive for reading, no operation waits for
 * them for longer than one message takes.
 */
#include "event.h"
#include "netlink.h"

/* ---- What is said of each ---- */

static bool put_counters(struct sk_buff *skb, const struct cpb_status *st)
{
	const struct {
		int attr;
		u64 value;
	} counters[] = {
		{ CPBLK_COUNTER_BLOCK_READS, st->reads },
		{ CPBLK_COUNTER_BLOCK_MISSES, st->read_misses },
		{ CPBLK_COUNTER_BLOCKS_WRITTEN, st->blocks_written },
		{ CPBLK_COUNTER_BLOCKS_CACHED, st->cached_blocks },
		{ CPBLK_COUNTER_BLOCKS_DIRTY, st->dirty_blocks },
		{ CPBLK_COUNTER_COMMITS, st->commits },
		{ CPBLK_COUNTER_JOURNAL_COMMITS, st->journal_commits },
		{ CPBLK_COUNTER_JOURNAL_BLOCKS_WRITTEN, st->journal_blocks_written },
		{ CPBLK_COUNTER_RECLAIM_STEPS, st->reap_steps },
		{ CPBLK_COUNTER_RECLAIM_BLOCKS, st->blocks_touched },
	};
	struct nlattr *nest = nla_nest_start(skb, CPBLK_A_COUNTERS);
	unsigned int i;

	if (!nest)
		return false;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (nla_put_u64_64bit(skb, counters[i].attr, counters[i].value,
				      CPBLK_COUNTER_PAD))
			return false;
	nla_nest_end(skb, nest);
	return true;
}

static bool put_options(struct sk_buff *skb, struct cpblk_store *s)
{
	struct nlattr *nest = nla_nest_start(skb, CPBLK_A_OPTIONS);
	unsigned int i;

	if (!nest)
		return false;
	for (i = 1; i < CPB_OPTION_END; i++)
		if (cpb_options[i].name &&
		    nla_put_u32(skb, i, cpb_option(s->engine, i)))
			return false;
	nla_nest_end(skb, nest);
	return true;
}

/* Why the store is read-only. */
static noinline_for_stack bool put_error(struct sk_buff *skb, struct cpblk_store *s,
					 const struct cpb_status *st)
{
	char error[CPBLK_ERROR_LEN];

	cpblk_store_error(s, st, error);
	return cpblk_put_str(skb, CPBLK_A_ERROR, error);
}

static bool put_reclaim(struct sk_buff *skb, struct cpblk_store *s)
{
	struct cpblk_reclaim r;

	cpblk_reclaim_get(s, &r);
	return cpblk_put_reclaim(skb, &r);
}

static bool put_store(struct sk_buff *skb, struct cpblk_store *s)
{
	struct cpb_status st;
	u32 state;

	cpb_status(s->engine, &st);
	if (st.error[0])
		state = CPBLK_STATE_FAILED;
	else
		state = s->readonly ? CPBLK_STATE_READONLY : CPBLK_STATE_ACTIVE;
	return cpblk_put_str(skb, CPBLK_A_STORE, s->name) &&
	       !nla_put(skb, CPBLK_A_STORE_UUID, CPB_UUID_LEN, s->uuid) &&
	       cpblk_put_str(skb, CPBLK_A_META_PATH, s->meta_path) &&
	       cpblk_put_str(skb, CPBLK_A_DATA_PATH, s->data_path) &&
	       !nla_put_u32(skb, CPBLK_A_STATE, state) &&
	       (!st.error[0] || put_error(skb, s, &st)) &&
	       !nla_put_u32(skb, CPBLK_A_CHUNK_SIZE, 1U << s->chunk_shift) &&
	       cpblk_put_sizes(skb, s, &st) &&
	       cpblk_put_u64(skb, CPBLK_A_META_USED,
			     st.meta_used << CPB_BLOCK_SHIFT) &&
	       cpblk_put_u64(skb, CPBLK_A_DATA_USED,
			     st.data_used << s->chunk_shift) &&
	       cpblk_put_u64(skb, CPBLK_A_DATA_BUSY,
			     st.data_busy << s->chunk_shift) &&
	       cpblk_put_u64(skb, CPBLK_A_EPOCH, st.epoch) &&
	       cpblk_put_u64(skb, CPBLK_A_TXN, st.txn) &&
	       cpblk_put_u64(skb, CPBLK_A_JOURNAL_SIZE,
			     st.journal_blocks << CPB_BLOCK_SHIFT) &&
	       cpblk_put_u64(skb, CPBLK_A_JOURNAL_USED,
			     st.journal_used << CPB_BLOCK_SHIFT) &&
	       cpblk_put_u64(skb, CPBLK_A_NR_VOLUMES, st.nr_volumes) &&
	       cpblk_put_u64(skb, CPBLK_A_NR_CHECKPOINTS, st.nr_checkpoints) &&
	       cpblk_put_u64(skb, CPBLK_A_NR_HIDDEN, st.nr_hidden) &&
	       put_counters(skb, &st) && put_options(skb, s) &&
	       !nla_put_u32(skb, CPBLK_A_SPACE, cpblk_room_state(s, &st)) &&
	       cpblk_put_u64(skb, CPBLK_A_META_RESERVED,
			     st.meta_reserved << CPB_BLOCK_SHIFT) &&
	       put_reclaim(skb, s);
}

/* What a head and a checkpoint have in common. */
static bool put_amounts(struct sk_buff *skb, struct cpblk_store *s,
			const struct cpb_point_info *p)
{
	return cpblk_put_u64(skb, CPBLK_A_PARENT_ID, p->parent) &&
	       cpblk_put_u64(skb, CPBLK_A_EPOCH, p->epoch) &&
	       cpblk_put_u64(skb, CPBLK_A_SIZE, p->size) &&
	       cpblk_put_u64(skb, CPBLK_A_REFERENCED,
			     p->referenced << s->chunk_shift) &&
	       cpblk_put_u64(skb, CPBLK_A_WRITTEN, p->written << s->chunk_shift) &&
	       cpblk_put_u64(skb, CPBLK_A_DEAD, p->dead << s->chunk_shift) &&
	       (p->unique == CPB_UNKNOWN ||
		cpblk_put_u64(skb, CPBLK_A_UNIQUE, p->unique << s->chunk_shift));
}

static bool put_policy(struct sk_buff *skb, const struct cpb_policy *p)
{
	const struct {
		int attr;
		u32 value;
	} numbers[] = {
		{ CPBLK_POLICY_LAST, p->last },
		{ CPBLK_POLICY_HOURLY, p->hourly },
		{ CPBLK_POLICY_DAILY, p->daily },
		{ CPBLK_POLICY_WEEKLY, p->weekly },
		{ CPBLK_POLICY_MONTHLY, p->monthly },
	};
	struct nlattr *nest = nla_nest_start(skb, CPBLK_A_POLICY);
	unsigned int i;

	if (!nest)
		return false;
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].value &&
		    nla_put_u32(skb, numbers[i].attr, numbers[i].value))
			return false;
	if (p->max_age && nla_put_u64_64bit(skb, CPBLK_POLICY_MAX_AGE, p->max_age,
					    CPBLK_POLICY_PAD))
		return false;
	nla_nest_end(skb, nest);
	return true;
}

/* Lists held. A volume that is being made has no device for a moment. */
static bool put_volume(struct sk_buff *skb, struct cpblk_store *s,
		       struct cpb_volume *v, const struct cpb_volume_info *info)
{
	struct cpblk_disk *d = cpb_volume_owner(v);

	return cpblk_put_str(skb, CPBLK_A_STORE, s->name) &&
	       cpblk_put_str(skb, CPBLK_A_VOLUME, info->name) &&
	       cpblk_put_u64(skb, CPBLK_A_VOLUME_ID, info->id) &&
	       !nla_put(skb, CPBLK_A_VOLUME_UUID, CPB_UUID_LEN, info->uuid) &&
	       !nla_put_u32(skb, CPBLK_A_VOLUME_FLAGS, info->flags) &&
	       cpblk_put_u64(skb, CPBLK_A_CREATED, info->created) &&
	       cpblk_put_u64(skb, CPBLK_A_GENERATION, info->generation) &&
	       (!d || (cpblk_put_str(skb, CPBLK_A_DEVICE, d->gd->disk_name) &&
		       !nla_put_u32(skb, CPBLK_A_OPEN_COUNT,
				    disk_openers(d->gd)) &&
		       !nla_put_u32(skb, CPBLK_A_HOOK_PENDING,
				    READ_ONCE(d->handshake) ? 1 : 0))) &&
	       cpblk_put_u64(skb, CPBLK_A_UNDO_ID, info->undo) &&
	       cpblk_put_u64(skb, CPBLK_A_HEAD_ID, info->head.id) &&
	       put_amounts(skb, s, &info->head) && put_policy(skb, &info->policy) &&
	       (!info->group[0] || cpblk_put_str(skb, CPBLK_A_GROUP, info->group));
}

static u32 point_flags(unsigned int flags)
{
	return (flags & CPB_POINT_AUTO ? CPBLK_POINT_AUTO : 0) |
	       (flags & CPB_POINT_SAFETY ? CPBLK_POINT_SAFETY : 0) |
	       (flags & CPB_POINT_HIDDEN ? CPBLK_POINT_HIDDEN : 0) |
	       (flags & CPB_POINT_HELD ? CPBLK_POINT_HELD : 0);
}

/* Lists held. */
static bool put_point(struct sk_buff *skb, struct cpblk_store *s,
		      const struct cpb_point_info *info)
{
	struct cpb_volume *v = cpb_volume_by_id(s->engine, info->volume);
	char device[DISK_NAME_LEN];
	struct cpb_volume_info vi;

	if (v)
		cpb_volume_info(v, &vi);
	return cpblk_put_str(skb, CPBLK_A_STORE, s->name) &&
	       (!v || cpblk_put_str(skb, CPBLK_A_VOLUME, vi.name)) &&
	       cpblk_put_u64(skb, CPBLK_A_VOLUME_ID, info->volume) &&
	       (!info->name[0] ||
		cpblk_put_str(skb, CPBLK_A_CHECKPOINT, info->name)) &&
	       cpblk_put_u64(skb, CPBLK_A_CHECKPOINT_ID, info->id) &&
	       cpblk_put_u64(skb, CPBLK_A_TIME, info->time) &&
	       (!info->message[0] ||
		cpblk_put_str(skb, CPBLK_A_MESSAGE, info->message)) &&
	       (!(info->flags & CPB_POINT_HELD) ||
		cpblk_put_str(skb, CPBLK_A_HOLD, info->hold)) &&
	       !nla_put_u32(skb, CPBLK_A_POINT_FLAGS, point_flags(info->flags)) &&
	       !nla_put_u32(skb, CPBLK_A_CHILDREN, info->children) &&
	       !nla_put_u32(skb, CPBLK_A_PINS, info->pins) &&
	       put_amounts(skb, s, info) &&
	       (!cpblk_attached_name(s, info->id, device) ||
		cpblk_put_str(skb, CPBLK_A_DEVICE, device));
}

/* ---- One ---- */

int cpblk_nl_store_get(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_answer a;
	int ret;

	/* Paths are long. */
	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE + 2 * CPBLK_PATH_MAX,
				 why);
	return ret ?: cpblk_answer_end(&a, info, put_store(a.skb, s), why);
}

int cpblk_nl_volume_get(struct cpblk_store *s, struct genl_info *info, char *why)
{
	const char *name = nla_data(info->attrs[CPBLK_A_VOLUME]);
	struct cpb_volume_info vi;
	struct cpb_volume *v;
	struct cpblk_answer a;
	bool ok = true;
	int ret;

	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	cpb_hold_lists(s->engine);
	v = cpb_volume_by_name(s->engine, name);
	if (v) {
		cpb_volume_info(v, &vi);
		ok = put_volume(a.skb, s, v, &vi);
	}
	cpb_drop_lists(s->engine);
	if (v)
		return cpblk_answer_end(&a, info, ok, why);
	ret = cpblk_refuse(why, -ENOENT, "store %s has no volume %s", s->name,
			   name);
	return cpblk_answer_drop(&a, ret);
}

int cpblk_nl_checkpoint_get(struct cpblk_store *s, struct genl_info *info,
			    char *why)
{
	struct cpb_point_info pi;
	struct cpblk_which which;
	struct cpblk_answer a;
	struct cpb_point *p;
	bool ok = true;
	int ret;

	ret = cpblk_nl_which(info->attrs, &which, why);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	cpb_hold_lists(s->engine);
	p = cpblk_find_point(s, &which);
	if (p) {
		cpb_point_info(s->engine, p, &pi);
		ok = put_point(a.skb, s, &pi);
	}
	cpb_drop_lists(s->engine);
	if (p)
		return cpblk_answer_end(&a, info, ok, why);
	ret = cpblk_refuse(why, -ENOENT, "store %s has no such checkpoint",
			   s->name);
	return cpblk_answer_drop(&a, ret);
}

/* ---- All ---- */

/** struct place - where a dump goes on: the store, and behind which ID there */
struct place {
	u64 serial, id;
};

static struct place *place(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct place) > sizeof(cb->ctx));
	return (struct place *)cb->ctx;
}

/* Which store, if not all, and which volume there. */
static const char *filter(struct netlink_callback *cb, int attr)
{
	struct nlattr **attrs = cpblk_dump_attrs(cb);

	return attrs[attr] ? nla_data(attrs[attr]) : NULL;
}

/* That a store is there is looked at first, so that a refusal can be read. */
int cpblk_nl_dump_start(struct netlink_callback *cb)
{
	const char *name = filter(cb, CPBLK_A_STORE);
	char why[CPB_ERROR_LEN];
	struct cpblk_store *s;
	int ret;

	/* A store has two long paths, and must fit into one message. */
	cb->min_dump_alloc = SZ_16K;
	if (!name)
		return 0;
	s = cpblk_store_find(name);
	if (s) {
		cpblk_store_put(s);
		return 0;
	}
	ret = cpblk_refuse(why, -ENOENT, "no store %s is open", name);
	return cpblk_nl_refuse(cb->extack, ret, why);
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &cpblk_genl_family, NLM_F_MULTI, cmd);
}

static int dump_end(struct sk_buff *skb, struct netlink_callback *cb, void *head,
		    bool ok)
{
	if (ok) {
		genl_dump_check_consistent(cb, head);
		genlmsg_end(skb, head);
		return 0;
	}
	if (head)
		genlmsg_cancel(skb, head);
	return -EMSGSIZE;
}

/* Who reads a list while it changes is told. */
static void look(struct netlink_callback *cb)
{
	cb->seq = atomic_read(&cpblk_changes);
}

/* @fn looks, and puts what it has of a store from place->id on; -EMSGSIZE: full. */
static int dump(struct sk_buff *skb, struct netlink_callback *cb,
		int (*fn)(struct sk_buff *, struct netlink_callback *,
			  struct cpblk_store *))
{
	const char *name = filter(cb, CPBLK_A_STORE);
	struct place *at = place(cb);
	struct cpblk_store *s;
	int ret = 0;

	while (!ret) {
		s = cpblk_store_next(at->serial);
		if (!s)
			break;
		if (s->serial != at->serial) {
			at->serial = s->serial;
			at->id = 0;
		}
		if (!name || !strcmp(name, s->name)) {
			down_read(&s->alive);
			if (!s->dead)
				ret = fn(skb, cb, s);
			up_read(&s->alive);
		}
		cpblk_store_put(s);
		if (!ret) {
			at->serial++;
			at->id = 0;
		}
	}
	return skb->len ?: ret;
}

static int store_dump(struct sk_buff *skb, struct netlink_callback *cb,
		      struct cpblk_store *s)
{
	void *head = dump_put(skb, cb, CPBLK_CMD_STORE_GET);

	look(cb);
	return dump_end(skb, cb, head, head && put_store(skb, s));
}

int cpblk_nl_store_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, store_dump);
}

static int volume_dump(struct sk_buff *skb, struct netlink_callback *cb,
		       struct cpblk_store *s)
{
	const char *name = filter(cb, CPBLK_A_VOLUME);
	struct place *at = place(cb);
	struct cpb_volume_info info;
	struct cpb_volume *v;
	void *head;
	int ret = 0;

	cpb_hold_lists(s->engine);
	look(cb);
	while (!ret) {
		v = cpb_volume_next(s->engine, at->id);
		if (!v)
			break;
		cpb_volume_info(v, &info);
		if (!name || !strcmp(name, info.name)) {
			head = dump_put(skb, cb, CPBLK_CMD_VOLUME_GET);
			ret = dump_end(skb, cb, head,
				       head && put_volume(skb, s, v, &info));
		}
		if (!ret)
			at->id = info.id;
	}
	cpb_drop_lists(s->engine);
	return ret;
}

int cpblk_nl_volume_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, volume_dump);
}

/* The volume that a dump is limited to; 0: none; false: there is no such one. */
static bool filter_volume(struct netlink_callback *cb, struct cpblk_store *s,
			  u64 *id)
{
	const char *name = filter(cb, CPBLK_A_VOLUME);
	struct cpb_volume_info info;
	struct cpb_volume *v;

	*id = 0;
	if (!name)
		return true;
	v = cpb_volume_by_name(s->engine, name);
	if (!v)
		return false;
	cpb_volume_info(v, &info);
	*id = info.id;
	return true;
}

static int checkpoint_dump(struct sk_buff *skb, struct netlink_callback *cb,
			   struct cpblk_store *s)
{
	struct place *at = place(cb);
	struct cpb_point_info info;
	struct cpb_point *p;
	u64 volume;
	void *head;
	int ret = 0;

	cpb_hold_lists(s->engine);
	look(cb);
	if (!filter_volume(cb, s, &volume))
		goto out;
	while (!ret) {
		p = cpb_point_next(s->engine, at->id);
		if (!p)
			break;
		cpb_point_info(s->engine, p, &info);
		if (!(info.flags & (CPB_POINT_HEAD | CPB_POINT_REAP)) &&
		    (!volume || info.volume == volume)) {
			head = dump_put(skb, cb, CPBLK_CMD_CHECKPOINT_GET);
			ret = dump_end(skb, cb, head,
				       head && put_point(skb, s, &info));
		}
		if (!ret)
			at->id = info.id;
	}
out:
	cpb_drop_lists(s->engine);
	return ret;
}

int cpblk_nl_checkpoint_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, checkpoint_dump);
}
