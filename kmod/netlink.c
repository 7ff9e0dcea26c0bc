// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family: what is asked for is unpacked here, done in
 * ops.c and store.c, and packed into the answer here. include/cpblk.yaml is
 * the specification; dump.c has the operations that only look.
 */
#include <linux/capability.h>
#include <linux/module.h>

#include "cpblk.h"
#include "event.h"
#include "hook.h"
#include "netlink.h"

static_assert(CPBLK_NAME_MAX + 1 == CPB_NAME_LEN);
static_assert(CPBLK_MESSAGE_MAX + 1 == CPB_MESSAGE_LEN);
static_assert(CPBLK_HOLD_MAX + 1 == CPB_HOLD_LEN);
static_assert(CPBLK_UUID_LEN == CPB_UUID_LEN);
static_assert(CPBLK_VOLUME_READONLY == CPB_VOLUME_READONLY);
static_assert(CPBLK_VOLUME_NOSCAN == CPB_VOLUME_NOSCAN);
/* Options have the same numbers on the disk and here. */
static_assert(CPBLK_OPTION_MAX + 1 == CPB_OPTION_END);
static_assert(CPBLK_OPTION_WARN_DATA == (int)CPB_OPTION_WARN_DATA);
static_assert(CPBLK_OPTION_WARN_META == (int)CPB_OPTION_WARN_META);
static_assert(CPBLK_OPTION_AUTO_DELETE == (int)CPB_OPTION_AUTO_DELETE);
static_assert(CPBLK_OPTION_RECLAIM_LATENCY == (int)CPB_OPTION_RECLAIM_LATENCY);
static_assert(CPBLK_OPTION_DISCARD == (int)CPB_OPTION_DISCARD);
static_assert(CPBLK_OPTION_DISCARD_BATCH == (int)CPB_OPTION_DISCARD_BATCH);
static_assert(CPBLK_OPTION_FLUSH_INTERVAL == (int)CPB_OPTION_FLUSH_INTERVAL);
static_assert(CPBLK_OPTION_ZERO_DETECT == (int)CPB_OPTION_ZERO_DETECT);
static_assert(CPBLK_OPTION_DEFAULT == CPB_OPTION_DEFAULT);

atomic_t cpblk_changes = ATOMIC_INIT(1);

/** cpblk_nl_changed() - what dumps show may be another now */
void cpblk_nl_changed(void)
{
	/* 0 would mean that there is nothing to compare with. */
	if (!atomic_inc_return(&cpblk_changes))
		atomic_inc(&cpblk_changes);
}

/* ---- Refusals ---- */

/*
 * The sentence of a refusal must live until the kernel has packed it, after we
 * have returned. (Its own buffer for that is too short, and 6.1 has none.) So
 * the last ones are kept, each at least until so many others came.
 */
#define SENTENCES	64
static char sentences[SENTENCES][CPB_ERROR_LEN];
static atomic_t next_sentence = ATOMIC_INIT(-1);

/** cpblk_nl_refuse() - the sentence @why, if there is one, goes with the error */
int cpblk_nl_refuse(struct netlink_ext_ack *extack, int err, const char *why)
{
	char *slot;

	if (!extack || !why[0])
		return err;
	slot = sentences[(unsigned int)atomic_inc_return(&next_sentence) % SENTENCES];
	strscpy(slot, why, CPB_ERROR_LEN);
	extack->_msg = slot;
	return err;
}

/* ---- Requests ---- */

/** cpblk_nl_which() - the checkpoint that a request is about */
int cpblk_nl_which(struct nlattr **attrs, struct cpblk_which *w, char *why)
{
	memset(w, 0, sizeof(*w));
	if (attrs[CPBLK_A_CHECKPOINT_ID]) {
		w->id = nla_get_u64(attrs[CPBLK_A_CHECKPOINT_ID]);
		return 0;
	}
	if (!attrs[CPBLK_A_VOLUME] || !attrs[CPBLK_A_CHECKPOINT])
		return cpblk_refuse(why, -EINVAL,
				    "a checkpoint needs its ID, or its volume and its name");
	w->volume = nla_data(attrs[CPBLK_A_VOLUME]);
	w->name = nla_data(attrs[CPBLK_A_CHECKPOINT]);
	return 0;
}

/** cpblk_nl_ids() - the checkpoints that a request names by number, at most @max */
int cpblk_nl_ids(const struct genl_info *info, unsigned int max, u64 **ids,
		 unsigned int *nr, char *why)
{
	struct nlattr *list = info->attrs[CPBLK_A_CHECKPOINT_IDS], *pos;
	int rem;

	*nr = 0;
	nla_for_each_nested(pos, list, rem)
		++*nr;
	if (!*nr || *nr > max)
		return cpblk_refuse(why, -EINVAL,
				    "1 to %u checkpoints can be named at once, not %u",
				    max, *nr);
	*ids = kvcalloc(*nr, sizeof(**ids), GFP_KERNEL);
	if (!*ids)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	*nr = 0;
	nla_for_each_nested(pos, list, rem)
		(*ids)[(*nr)++] = nla_get_u64(pos);
	return 0;
}

/* ---- Answers ---- */

/**
 * cpblk_answer_begin() - start an answer, before anything is done for it
 * @a: the answer
 * @info: the request
 * @space: that the answer may need
 * @why: on error, gets the reason
 */
int cpblk_answer_begin(struct cpblk_answer *a, struct genl_info *info,
		       size_t space, char *why)
{
	a->skb = genlmsg_new(space, GFP_KERNEL);
	if (!a->skb)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	a->head = genlmsg_put_reply(a->skb, info, &cpblk_genl_family, 0,
				    info->genlhdr->cmd);
	if (a->head)
		return 0;
	nlmsg_free(a->skb);
	return cpblk_refuse(why, -EMSGSIZE, "the answer has no room");
}

/**
 * cpblk_answer_end() - send it
 * @a: the answer
 * @info: the request
 * @ok: all that belongs into it is in it
 * @why: on error, gets the reason
 */
int cpblk_answer_end(struct cpblk_answer *a, struct genl_info *info, bool ok,
		     char *why)
{
	if (ok) {
		genlmsg_end(a->skb, a->head);
		return cpblk_handshake_reply(a->skb, info);
	}
	return cpblk_answer_drop(a, cpblk_refuse(why, -EMSGSIZE,
						 "the answer has no room"));
}

/** cpblk_answer_drop() - there is nothing to answer but @err */
int cpblk_answer_drop(struct cpblk_answer *a, int err)
{
	nlmsg_free(a->skb);
	return err;
}

/** cpblk_answer_made() - send what a volume that was made is */
int cpblk_answer_made(struct cpblk_answer *a, struct genl_info *info,
		      const struct cpblk_made *m, char *why)
{
	bool ok = cpblk_put_str(a->skb, CPBLK_A_VOLUME, m->name) &&
		  cpblk_put_u64(a->skb, CPBLK_A_VOLUME_ID, m->id) &&
		  !nla_put(a->skb, CPBLK_A_VOLUME_UUID, CPB_UUID_LEN, m->uuid) &&
		  cpblk_put_str(a->skb, CPBLK_A_DEVICE, m->device);

	return cpblk_answer_end(a, info, ok, why);
}

/* ---- Operations on an open store ---- */

static int store_close(struct cpblk_store *s, struct genl_info *info, char *why)
{
	return cpblk_store_close(s, why);
}

static int store_sync(struct cpblk_store *s, struct genl_info *info, char *why)
{
	return cpblk_sync(s, cpblk_nl_u32(info, CPBLK_A_SYNC_FLAGS) & CPBLK_SYNC_RECLAIM,
			  why);
}

static int volume_create(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_made made;
	struct cpblk_answer a;
	int ret;

	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	ret = cpblk_create(s, cpblk_nl_str(info, CPBLK_A_VOLUME),
			   cpblk_nl_u64(info, CPBLK_A_SIZE),
			   cpblk_nl_u32(info, CPBLK_A_VOLUME_FLAGS), &made, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	return cpblk_answer_made(&a, info, &made, why);
}

static int volume_remove(struct cpblk_store *s, struct genl_info *info, char *why)
{
	return cpblk_remove(s, cpblk_nl_str(info, CPBLK_A_VOLUME),
			    cpblk_nl_u32(info, CPBLK_A_REMOVE_FLAGS) &
			    CPBLK_REMOVE_KEEP_CHECKPOINTS, why);
}

static int volume_resize(struct cpblk_store *s, struct genl_info *info, char *why)
{
	return cpblk_resize(s, cpblk_nl_str(info, CPBLK_A_VOLUME),
			    cpblk_nl_u64(info, CPBLK_A_SIZE), why);
}

static int checkpoint_delete(struct cpblk_store *s, struct genl_info *info,
			     char *why)
{
	struct cpblk_which which;
	u64 *ids;
	unsigned int nr;
	int ret;

	if (!info->attrs[CPBLK_A_CHECKPOINT_IDS]) {
		ret = cpblk_nl_which(info->attrs, &which, why);
		return ret ?: cpblk_delete(s, &which, why);
	}
	ret = cpblk_nl_ids(info, CPB_DELETE_MAX, &ids, &nr, why);
	if (ret)
		return ret;
	ret = cpblk_delete_many(s, ids, nr, why);
	kvfree(ids);
	return ret;
}

static int hold(struct cpblk_store *s, struct genl_info *info, char *why)
{
	const char *reason = cpblk_nl_str(info, CPBLK_A_HOLD);
	struct cpblk_which which;
	int ret = cpblk_nl_which(info->attrs, &which, why);

	return ret ?: cpblk_hold(s, &which, reason ?: "", why);
}

static int release(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_which which;
	int ret = cpblk_nl_which(info->attrs, &which, why);

	return ret ?: cpblk_hold(s, &which, NULL, why);
}

/* So many fit into one attribute. */
#define COST_MAX	5000

static int cost(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_answer a;
	unsigned int nr;
	u64 *ids, chunks;
	int ret;

	ret = cpblk_nl_ids(info, COST_MAX, &ids, &nr, why);
	if (ret)
		return ret;
	ret = cpb_cost(s->engine, ids, nr, &chunks, why);
	kvfree(ids);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	return ret ?: cpblk_answer_end(&a, info,
				       cpblk_put_u64(a.skb, CPBLK_A_UNIQUE,
						     chunks << s->chunk_shift),
				       why);
}

static int policy_set(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct nlattr *nest = info->attrs[CPBLK_A_POLICY], *pos;
	struct cpb_policy policy = { };
	int rem;

	if (!nest)
		return cpblk_policy_set(s, cpblk_nl_str(info, CPBLK_A_VOLUME), &policy, why);
	nla_for_each_nested(pos, nest, rem) {
		switch (nla_type(pos)) {
		case CPBLK_POLICY_LAST:
			policy.last = nla_get_u32(pos);
			break;
		case CPBLK_POLICY_HOURLY:
			policy.hourly = nla_get_u32(pos);
			break;
		case CPBLK_POLICY_DAILY:
			policy.daily = nla_get_u32(pos);
			break;
		case CPBLK_POLICY_WEEKLY:
			policy.weekly = nla_get_u32(pos);
			break;
		case CPBLK_POLICY_MONTHLY:
			policy.monthly = nla_get_u32(pos);
			break;
		case CPBLK_POLICY_MAX_AGE:
			policy.max_age = nla_get_u64(pos);
			break;
		}
	}
	return cpblk_policy_set(s, cpblk_nl_str(info, CPBLK_A_VOLUME), &policy, why);
}

static int options_set(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpb_setting set[CPBLK_OPTION_MAX];
	unsigned int nr = 0;
	struct nlattr *pos;
	int rem, ret;

	nla_for_each_nested(pos, info->attrs[CPBLK_A_OPTIONS], rem) {
		if (nr == ARRAY_SIZE(set))
			return cpblk_refuse(why, -EINVAL, "an option is named twice");
		set[nr].option = nla_type(pos);
		set[nr++].value = nla_get_u32(pos);
	}
	ret = cpb_set_options(s->engine, set, nr, why);
	if (!ret)
		cpblk_options_changed(s);
	return ret;
}

static int grow(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpb_status st;
	struct cpblk_answer a;
	int ret;

	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	ret = cpblk_grow(s, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	cpb_status(s->engine, &st);
	return cpblk_answer_end(&a, info, cpblk_put_sizes(a.skb, s, &st), why);
}

static int attach(struct cpblk_store *s, struct genl_info *info, char *why)
{
	char device[DISK_NAME_LEN];
	struct cpblk_which which;
	struct cpblk_answer a;
	int ret;

	ret = cpblk_nl_which(info->attrs, &which, why);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	ret = cpblk_attach(s, &which, device, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	return cpblk_answer_end(&a, info,
				cpblk_put_str(a.skb, CPBLK_A_DEVICE, device),
				why);
}

static int detach(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_which which;
	int ret = cpblk_nl_which(info->attrs, &which, why);

	return ret ?: cpblk_detach(s, &which, why);
}

/**
 * struct op - how an operation on an open store is done
 * @fn: does it, or says why not
 * @alive: it needs no more than that the store stays open
 * @needs: attributes that it can't do without, besides the store
 */
struct op {
	int (*fn)(struct cpblk_store *s, struct genl_info *info, char *why);
	bool alive;
	u8 needs[3];
};

static const struct op ops[CPBLK_CMD_MAX + 1] = {
	[CPBLK_CMD_STORE_CLOSE] = { store_close },
	[CPBLK_CMD_STORE_GET] = { cpblk_nl_store_get, true },
	[CPBLK_CMD_STORE_SYNC] = { store_sync, true },
	[CPBLK_CMD_VOLUME_CREATE] = {
		volume_create, false, { CPBLK_A_VOLUME, CPBLK_A_SIZE } },
	[CPBLK_CMD_VOLUME_REMOVE] = { volume_remove, false, { CPBLK_A_VOLUME } },
	[CPBLK_CMD_VOLUME_RESIZE] = {
		volume_resize, false, { CPBLK_A_VOLUME, CPBLK_A_SIZE } },
	[CPBLK_CMD_VOLUME_GET] = {
		cpblk_nl_volume_get, true, { CPBLK_A_VOLUME } },
	[CPBLK_CMD_SNAP] = { cpblk_nl_snap, false, { CPBLK_A_VOLUMES } },
	[CPBLK_CMD_RESTORE] = { cpblk_nl_restore },
	[CPBLK_CMD_FORK] = { cpblk_nl_fork },
	[CPBLK_CMD_CHECKPOINT_GET] = { cpblk_nl_checkpoint_get, true },
	[CPBLK_CMD_CHECKPOINT_DELETE] = { checkpoint_delete },
	[CPBLK_CMD_ATTACH] = { attach },
	[CPBLK_CMD_DETACH] = { detach },
	[CPBLK_CMD_HOLD] = { hold },
	[CPBLK_CMD_RELEASE] = { release },
	[CPBLK_CMD_POLICY_SET] = { policy_set, false, { CPBLK_A_VOLUME } },
	[CPBLK_CMD_COST] = { cost, true, { CPBLK_A_CHECKPOINT_IDS } },
	[CPBLK_CMD_OPTIONS_SET] = { options_set, false, { CPBLK_A_OPTIONS } },
	[CPBLK_CMD_GROW] = { grow },
	[CPBLK_CMD_GROUP_SET] = { cpblk_nl_group_set, false, { CPBLK_A_VOLUMES } },
	[CPBLK_CMD_HOOK_REGISTER] = {
		cpblk_nl_hook_register, false,
		{ CPBLK_A_HOOK_OPERATIONS, CPBLK_A_HOOK_TIMEOUT } },
};

static int run_op(const struct op *op, struct cpblk_store *s,
		  struct genl_info *info, char *why)
{
	int ret;

	if (op->alive)
		ret = down_read_killable(&s->alive);
	else
		ret = mutex_lock_killable(&s->op);
	if (ret)
		return cpblk_refuse(why, ret, "interrupted");
	ret = -ENOENT;
	if (!s->dead)
		ret = op->fn(s, info, why);
	else
		cpblk_refuse(why, ret, "store %s has been closed", s->name);
	if (op->alive)
		up_read(&s->alive);
	else
		mutex_unlock(&s->op);
	return ret;
}

static int op_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct op *op = &ops[info->genlhdr->cmd];
	const char *name = cpblk_nl_str(info, CPBLK_A_STORE);
	char why[CPB_ERROR_LEN] = "";
	struct cpblk_store *s;
	unsigned int i;
	int ret;

	if (!name)
		return cpblk_nl_refuse(info->extack, -EINVAL,
				       "the name of the store is missing");
	for (i = 0; i < ARRAY_SIZE(op->needs) && op->needs[i]; i++) {
		if (info->attrs[op->needs[i]])
			continue;
		ret = cpblk_refuse(why, -EINVAL, "attribute %u is missing",
				   op->needs[i]);
		return cpblk_nl_refuse(info->extack, ret, why);
	}
	s = cpblk_store_find(name);
	if (!s) {
		ret = cpblk_refuse(why, -ENOENT, "no store %s is open", name);
		return cpblk_nl_refuse(info->extack, ret, why);
	}
	info->user_ptr[1] = skb;
	ret = run_op(op, s, info, why);
	if (!op->alive)
		cpblk_nl_changed();
	cpblk_store_put(s);
	return ret ? cpblk_nl_refuse(info->extack, ret, why) : 0;
}

/* ---- Opening ---- */

static int store_open(struct sk_buff *skb, struct genl_info *info)
{
	struct cpblk_open o = {
		.meta_path = cpblk_nl_str(info, CPBLK_A_META_PATH),
		.data_path = cpblk_nl_str(info, CPBLK_A_DATA_PATH),
		.readonly = cpblk_nl_u32(info, CPBLK_A_OPEN_FLAGS) & CPBLK_OPEN_READONLY,
	};
	char why[CPB_ERROR_LEN] = "";
	struct cpblk_store *s;
	struct cpblk_answer a;
	bool ok;
	int ret;

	/* Paths are opened as the kernel's own: more than the network is at stake. */
	if (!netlink_capable(skb, CAP_SYS_ADMIN))
		return cpblk_nl_refuse(info->extack, -EPERM,
				       "opening a store needs CAP_SYS_ADMIN");
	if (!o.meta_path || !o.data_path)
		return cpblk_nl_refuse(info->extack, -EINVAL,
				       "a store needs the paths of two devices");
	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return cpblk_nl_refuse(info->extack, ret, why);
	s = cpblk_store_open(&o, why);
	if (IS_ERR(s)) {
		ret = cpblk_answer_drop(&a, PTR_ERR(s));
		return cpblk_nl_refuse(info->extack, ret, why);
	}
	cpblk_nl_changed();
	ok = cpblk_put_str(a.skb, CPBLK_A_STORE, s->name) &&
	     !nla_put(a.skb, CPBLK_A_STORE_UUID, CPB_UUID_LEN, s->uuid);
	cpblk_store_put(s);
	ret = cpblk_answer_end(&a, info, ok, why);
	return ret ? cpblk_nl_refuse(info->extack, ret, why) : 0;
}

/* ---- The family ---- */

#define NAME		{ .type = NLA_NUL_STRING, .len = CPBLK_NAME_MAX }
#define PATH		{ .type = NLA_NUL_STRING, .len = CPBLK_PATH_MAX }
#define NUMBER		{ .type = NLA_U64 }
#define ID		NLA_POLICY_MIN(NLA_U64, 1)
#define FLAGS(mask)	NLA_POLICY_MASK(NLA_U32, mask)
#define VOLUME_FLAGS	FLAGS(CPBLK_VOLUME_READONLY | CPBLK_VOLUME_NOSCAN)

static const struct nla_policy store_open_policy[] = {
	[CPBLK_A_META_PATH] = PATH,
	[CPBLK_A_DATA_PATH] = PATH,
	[CPBLK_A_OPEN_FLAGS] = FLAGS(CPBLK_OPEN_READONLY),
};

static const struct nla_policy store_policy[] = {
	[CPBLK_A_STORE] = NAME,
};

static const struct nla_policy store_sync_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_SYNC_FLAGS] = FLAGS(CPBLK_SYNC_RECLAIM),
};

static const struct nla_policy volume_create_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_SIZE] = NUMBER,
	[CPBLK_A_VOLUME_FLAGS] = VOLUME_FLAGS,
};

static const struct nla_policy volume_remove_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_REMOVE_FLAGS] = FLAGS(CPBLK_REMOVE_KEEP_CHECKPOINTS),
};

static const struct nla_policy volume_resize_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_SIZE] = NUMBER,
};

static const struct nla_policy volume_get_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
};

static const struct nla_policy volume_list_policy[] = {
	[CPBLK_LIST_VOLUME] = NAME,
};

static const struct nla_policy checkpoint_list_policy[] = {
	[CPBLK_IDS_CHECKPOINT] = ID,
};

static const struct nla_policy snap_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUMES] = NLA_POLICY_NESTED(volume_list_policy),
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_MESSAGE] = { .type = NLA_NUL_STRING, .len = CPBLK_MESSAGE_MAX },
	[CPBLK_A_SNAP_FLAGS] = FLAGS(CPBLK_SNAP_AUTO),
};

static const struct nla_policy restore_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_CHECKPOINT_ID] = ID,
	[CPBLK_A_RESTORE_FLAGS] = FLAGS(CPBLK_RESTORE_NO_SAFETY |
					CPBLK_RESTORE_FORCE),
	[CPBLK_A_IF_GENERATION] = NUMBER,
	[CPBLK_A_VOLUMES] = NLA_POLICY_NESTED(volume_list_policy),
	[CPBLK_A_CHECKPOINT_IDS] = NLA_POLICY_NESTED(checkpoint_list_policy),
};

static const struct nla_policy fork_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_CHECKPOINT_ID] = ID,
	[CPBLK_A_NEW_VOLUME] = NAME,
	[CPBLK_A_VOLUME_FLAGS] = VOLUME_FLAGS,
	[CPBLK_A_NEW_VOLUMES] = NLA_POLICY_NESTED(volume_list_policy),
};

static const struct nla_policy checkpoint_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_CHECKPOINT_ID] = ID,
};

static const struct nla_policy cost_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_CHECKPOINT_IDS] = NLA_POLICY_NESTED(checkpoint_list_policy),
};

static const struct nla_policy delete_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_CHECKPOINT_ID] = ID,
	[CPBLK_A_CHECKPOINT_IDS] = NLA_POLICY_NESTED(checkpoint_list_policy),
};

static const struct nla_policy hold_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_CHECKPOINT] = NAME,
	[CPBLK_A_CHECKPOINT_ID] = ID,
	[CPBLK_A_HOLD] = { .type = NLA_NUL_STRING, .len = CPBLK_HOLD_MAX },
};

static const struct nla_policy retention_policy[] = {
	[CPBLK_POLICY_LAST] = { .type = NLA_U32 },
	[CPBLK_POLICY_HOURLY] = { .type = NLA_U32 },
	[CPBLK_POLICY_DAILY] = { .type = NLA_U32 },
	[CPBLK_POLICY_WEEKLY] = { .type = NLA_U32 },
	[CPBLK_POLICY_MONTHLY] = { .type = NLA_U32 },
	[CPBLK_POLICY_MAX_AGE] = NUMBER,
};

static const struct nla_policy policy_set_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUME] = NAME,
	[CPBLK_A_POLICY] = NLA_POLICY_NESTED(retention_policy),
};

static const struct nla_policy options_policy[] = {
	[CPBLK_OPTION_WARN_DATA] = { .type = NLA_U32 },
	[CPBLK_OPTION_WARN_META] = { .type = NLA_U32 },
	[CPBLK_OPTION_AUTO_DELETE] = { .type = NLA_U32 },
	[CPBLK_OPTION_RECLAIM_LATENCY] = { .type = NLA_U32 },
	[CPBLK_OPTION_DISCARD] = { .type = NLA_U32 },
	[CPBLK_OPTION_DISCARD_BATCH] = { .type = NLA_U32 },
	[CPBLK_OPTION_FLUSH_INTERVAL] = { .type = NLA_U32 },
	[CPBLK_OPTION_ZERO_DETECT] = { .type = NLA_U32 },
};

static const struct nla_policy options_set_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_OPTIONS] = NLA_POLICY_NESTED(options_policy),
};

static const struct nla_policy group_set_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUMES] = NLA_POLICY_NESTED(volume_list_policy),
	[CPBLK_A_GROUP] = NAME,
};

static const struct nla_policy hook_register_policy[] = {
	[CPBLK_A_STORE] = NAME,
	[CPBLK_A_VOLUMES] = NLA_POLICY_NESTED(volume_list_policy),
	[CPBLK_A_GROUP] = NAME,
	[CPBLK_A_HOOK_OPERATIONS] = FLAGS(CPBLK_HOOK_CHECKPOINT | CPBLK_HOOK_RESTORE),
	[CPBLK_A_HOOK_TIMEOUT] = NLA_POLICY_MIN(NLA_U32, 1),
	[CPBLK_A_HOOK_FLAGS] = FLAGS(CPBLK_HOOK_IF_SILENT_GO_ON),
	[CPBLK_A_HOOK_LABEL] = { .type = NLA_NUL_STRING, .len = CPBLK_LABEL_MAX },
};

static const struct nla_policy hook_unregister_policy[] = {
	[CPBLK_A_HOOK_ID] = ID,
};

static const struct nla_policy hook_reply_policy[] = {
	[CPBLK_A_HOOK_ID] = ID,
	[CPBLK_A_HOOK_TOKEN] = NUMBER,
	[CPBLK_A_REASON] = { .type = NLA_NUL_STRING, .len = CPBLK_REASON_MAX },
};

#define POLICY(p)	.policy = p, .maxattr = ARRAY_SIZE(p) - 1
#define CHANGE(c, p)	\
	{ .cmd = c, .doit = op_doit, .flags = GENL_ADMIN_PERM, POLICY(p) }

static const struct genl_ops genl_ops[] = {
	{
		.cmd = CPBLK_CMD_STORE_OPEN,
		.doit = store_open,
		.flags = GENL_ADMIN_PERM,
		POLICY(store_open_policy),
	},
	CHANGE(CPBLK_CMD_STORE_CLOSE, store_policy),
	{
		.cmd = CPBLK_CMD_STORE_GET,
		.doit = op_doit,
		.start = cpblk_nl_dump_start,
		.dumpit = cpblk_nl_store_dump,
		POLICY(store_policy),
	},
	CHANGE(CPBLK_CMD_STORE_SYNC, store_sync_policy),
	CHANGE(CPBLK_CMD_VOLUME_CREATE, volume_create_policy),
	CHANGE(CPBLK_CMD_VOLUME_REMOVE, volume_remove_policy),
	CHANGE(CPBLK_CMD_VOLUME_RESIZE, volume_resize_policy),
	{
		.cmd = CPBLK_CMD_VOLUME_GET,
		.doit = op_doit,
		.start = cpblk_nl_dump_start,
		.dumpit = cpblk_nl_volume_dump,
		POLICY(volume_get_policy),
	},
	CHANGE(CPBLK_CMD_SNAP, snap_policy),
	CHANGE(CPBLK_CMD_RESTORE, restore_policy),
	CHANGE(CPBLK_CMD_FORK, fork_policy),
	{
		.cmd = CPBLK_CMD_CHECKPOINT_GET,
		.doit = op_doit,
		.start = cpblk_nl_dump_start,
		.dumpit = cpblk_nl_checkpoint_dump,
		POLICY(checkpoint_policy),
	},
	CHANGE(CPBLK_CMD_CHECKPOINT_DELETE, delete_policy),
	CHANGE(CPBLK_CMD_ATTACH, checkpoint_policy),
	CHANGE(CPBLK_CMD_DETACH, checkpoint_policy),
	CHANGE(CPBLK_CMD_HOLD, hold_policy),
	CHANGE(CPBLK_CMD_RELEASE, checkpoint_policy),
	CHANGE(CPBLK_CMD_POLICY_SET, policy_set_policy),
	CHANGE(CPBLK_CMD_COST, cost_policy),
	CHANGE(CPBLK_CMD_OPTIONS_SET, options_set_policy),
	CHANGE(CPBLK_CMD_GROW, store_policy),
	CHANGE(CPBLK_CMD_GROUP_SET, group_set_policy),
	CHANGE(CPBLK_CMD_HOOK_REGISTER, hook_register_policy),
	{
		.cmd = CPBLK_CMD_HOOK_UNREGISTER,
		.doit = cpblk_nl_hook_doit,
		.flags = GENL_ADMIN_PERM,
		POLICY(hook_unregister_policy),
	},
	{
		.cmd = CPBLK_CMD_HOOK_REPLY,
		.doit = cpblk_nl_hook_doit,
		.flags = GENL_ADMIN_PERM,
		POLICY(hook_reply_policy),
	},
	{
		.cmd = CPBLK_CMD_HOOK_GET,
		.start = cpblk_nl_dump_start,
		.dumpit = cpblk_hook_dump,
		POLICY(store_policy),
	},
};

static const struct genl_multicast_group genl_groups[] = {
	{ .name = CPBLK_MCGRP_EVENTS },
};

/**
 * cpblk_nl_copy_attrs() - the attributes of a request, for when it is put aside
 * @info: the request
 *
 * They point into the request. Return: freed with kfree(), or NULL.
 */
struct nlattr **cpblk_nl_copy_attrs(const struct genl_info *info)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(genl_ops); i++)
		if (genl_ops[i].cmd == info->genlhdr->cmd)
			return kmemdup(info->attrs, (genl_ops[i].maxattr + 1) *
				       sizeof(*info->attrs), GFP_KERNEL);
	return NULL;
}

/* Operations lock for themselves, so a long one holds up no other store. */
struct genl_family cpblk_genl_family __ro_after_init = {
	.name = CPBLK_GENL_NAME,
	.version = CPBLK_GENL_VERSION,
	.maxattr = CPBLK_A_MAX,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = genl_ops,
	.n_ops = ARRAY_SIZE(genl_ops),
	.mcgrps = genl_groups,
	.n_mcgrps = ARRAY_SIZE(genl_groups),
};
