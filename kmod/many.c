// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink operations on several volumes, most of which hooks have a say in, and
 * those about hooks: what is asked for is unpacked here, done in ops.c and
 * hook.c, and packed into the answer here.
 */
#include "event.h"
#include "hook.h"
#include "netlink.h"

/* ---- Operations on several volumes ---- */

/** struct names - the names that a request lists */
struct names {
	const char **name;
	unsigned int nr;
};

/* Those of the nest @attr, or, without that, the one in @single. */
static int get_names(const struct genl_info *info, int attr, int single,
		     struct names *n, char *why)
{
	struct nlattr *list = info->attrs[attr], *pos;
	int rem;

	n->nr = 0;
	if (list)
		nla_for_each_nested(pos, list, rem)
			n->nr++;
	else if (single)
		n->nr = !!info->attrs[single];
	if (!n->nr || n->nr > CPB_MEMBERS_MAX)
		return cpblk_refuse(why, -EINVAL,
				    "1 to %u volumes can be named at once, not %u",
				    CPB_MEMBERS_MAX, n->nr);
	n->name = kcalloc(n->nr, sizeof(*n->name), GFP_KERNEL);
	if (!n->name)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	if (!list) {
		n->name[0] = nla_data(info->attrs[single]);
		return 0;
	}
	n->nr = 0;
	nla_for_each_nested(pos, list, rem)
		n->name[n->nr++] = nla_data(pos);
	return 0;
}

static struct cpblk_member *members_alloc(unsigned int nr)
{
	return kvcalloc(nr, sizeof(struct cpblk_member), GFP_KERNEL);
}

static bool put_members(struct sk_buff *skb, const struct cpblk_member *m,
			unsigned int nr)
{
	for (; nr--; m++)
		if (!cpblk_put_member(skb, m))
			return false;
	return true;
}

static int snap_some(struct cpblk_store *s, struct genl_info *info,
		     struct cpblk_snap *r, char *why)
{
	struct cpblk_answer a;
	int ret = 0;
	bool ok;

	if (!r->handshake)
		ret = cpblk_snap_check(s, r, why) ?:
		      cpblk_hook_ask(s, info, cpblk_nl_snap, CPBLK_HOOK_CHECKPOINT,
				     r->members, r->nr, why);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE +
					 r->nr * CPBLK_POINT_SPACE, why);
	if (ret)
		return ret;
	ret = cpblk_snap(s, r, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	cpblk_handshake_done(r->handshake, r->members);
	ok = cpblk_put_points(a.skb, r->members, r->nr) &&
	     cpblk_put_u64(a.skb, CPBLK_A_TOTAL_NS, r->total_ns);
	return cpblk_answer_end(&a, info, ok, why);
}

int cpblk_nl_snap(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_snap r = {
		.name = cpblk_nl_str(info, CPBLK_A_CHECKPOINT),
		.message = cpblk_nl_str(info, CPBLK_A_MESSAGE),
		.handshake = cpblk_handshake_of(info),
	};
	struct names n;
	int ret;

	if (cpblk_nl_u32(info, CPBLK_A_SNAP_FLAGS) & CPBLK_SNAP_AUTO)
		r.flags = CPB_POINT_AUTO;
	ret = get_names(info, CPBLK_A_VOLUMES, 0, &n, why);
	if (ret)
		return ret;
	r.nr = n.nr;
	r.volume = n.name;
	r.members = members_alloc(n.nr);
	if (r.members)
		ret = snap_some(s, info, &r, why);
	else
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	kvfree(r.members);
	kfree(n.name);
	return ret;
}

/* The checkpoint for each volume: one, or as many as there are volumes. */
static int get_which(const struct genl_info *info, struct cpblk_restore *r, char *why)
{
	unsigned int nr, i;
	u64 *ids;
	int ret;

	if (!info->attrs[CPBLK_A_VOLUMES])
		return cpblk_nl_which(info->attrs, r->which, why);
	if (r->if_generation || !info->attrs[CPBLK_A_CHECKPOINT_IDS])
		return cpblk_refuse(why, -EINVAL,
				    r->if_generation ?
				    "a generation can be asked for with one volume only" :
				    "several volumes need the IDs of their checkpoints");
	ret = cpblk_nl_ids(info, CPB_MEMBERS_MAX, &ids, &nr, why);
	if (ret)
		return ret;
	if (nr != r->nr)
		ret = cpblk_refuse(why, -EINVAL, "there are %u volumes and %u checkpoints",
				   r->nr, nr);
	for (i = 0; i < nr && !ret; i++)
		r->which[i].id = ids[i];
	kvfree(ids);
	return ret;
}

static bool put_restore(struct sk_buff *skb, const struct genl_info *info,
			const struct cpblk_restore *r)
{
	bool ok;

	if (info->attrs[CPBLK_A_VOLUMES])
		ok = put_members(skb, r->members, r->nr);
	else
		ok = cpblk_put_str(skb, CPBLK_A_VOLUME, r->members->made.name) &&
		     cpblk_put_u64(skb, CPBLK_A_SIZE, r->members->made.size) &&
		     cpblk_put_restored(skb, r->members);
	return ok && cpblk_put_u64(skb, CPBLK_A_FREEZE_NS, r->freeze_ns) &&
	       cpblk_put_u64(skb, CPBLK_A_TOTAL_NS, r->total_ns);
}

static int restore_some(struct cpblk_store *s, struct genl_info *info,
			struct cpblk_restore *r, char *why)
{
	struct cpblk_answer a;
	int ret = get_which(info, r, why);

	if (!ret && !r->handshake)
		ret = cpblk_restore_check(s, r, why) ?:
		      cpblk_hook_ask(s, info, cpblk_nl_restore, CPBLK_HOOK_RESTORE,
				     r->members, r->nr, why);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE +
					 r->nr * CPBLK_MEMBER_SPACE, why);
	if (ret)
		return ret;
	ret = cpblk_restore(s, r, why);
	if (r->switched)
		cpblk_handshake_done(r->handshake, r->members);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	return cpblk_answer_end(&a, info, put_restore(a.skb, info, r), why);
}

int cpblk_nl_restore(struct cpblk_store *s, struct genl_info *info, char *why)
{
	u32 flags = cpblk_nl_u32(info, CPBLK_A_RESTORE_FLAGS);
	struct cpblk_restore r = {
		.no_safety = flags & CPBLK_RESTORE_NO_SAFETY,
		.force = flags & CPBLK_RESTORE_FORCE,
		.if_generation = info->attrs[CPBLK_A_IF_GENERATION],
		.generation = cpblk_nl_u64(info, CPBLK_A_IF_GENERATION),
		.handshake = cpblk_handshake_of(info),
	};
	struct names n;
	int ret;

	ret = get_names(info, CPBLK_A_VOLUMES, CPBLK_A_VOLUME, &n, why);
	if (ret)
		return ret;
	r.nr = n.nr;
	r.volume = n.name;
	r.which = kcalloc(n.nr, sizeof(*r.which), GFP_KERNEL);
	r.members = members_alloc(n.nr);
	if (r.which && r.members)
		ret = restore_some(s, info, &r, why);
	else
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	kvfree(r.members);
	kfree(r.which);
	kfree(n.name);
	return ret;
}

static int fork_some(struct cpblk_store *s, struct genl_info *info,
		     const struct names *n, struct cpblk_member *made, char *why)
{
	struct cpblk_which which;
	struct cpblk_answer a;
	int ret;

	ret = cpblk_nl_which(info->attrs, &which, why);
	if (!ret)
		ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE +
					 n->nr * CPBLK_MEMBER_SPACE, why);
	if (ret)
		return ret;
	ret = cpblk_fork(s, &which, n->name, n->nr,
			 cpblk_nl_u32(info, CPBLK_A_VOLUME_FLAGS), made, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	if (!info->attrs[CPBLK_A_NEW_VOLUMES])
		return cpblk_answer_made(&a, info, &made->made, why);
	return cpblk_answer_end(&a, info, put_members(a.skb, made, n->nr), why);
}

int cpblk_nl_fork(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_member *made;
	struct names n;
	int ret;

	ret = get_names(info, CPBLK_A_NEW_VOLUMES, CPBLK_A_NEW_VOLUME, &n, why);
	if (ret)
		return ret;
	made = members_alloc(n.nr);
	if (made)
		ret = fork_some(s, info, &n, made, why);
	else
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	kvfree(made);
	kfree(n.name);
	return ret;
}

int cpblk_nl_group_set(struct cpblk_store *s, struct genl_info *info, char *why)
{
	const char *group = cpblk_nl_str(info, CPBLK_A_GROUP);
	struct names n;
	int ret;

	ret = get_names(info, CPBLK_A_VOLUMES, 0, &n, why);
	if (ret)
		return ret;
	ret = cpblk_group_set(s, n.name, n.nr, group ?: "", why);
	kfree(n.name);
	return ret;
}

/* ---- Hooks ---- */

/* The socket that a request comes from. */
static struct sock *requester(const struct genl_info *info)
{
	const struct sk_buff *skb = info->user_ptr[1];

	return NETLINK_CB(skb).sk;
}

static int hook_volumes(struct cpblk_store *s, struct genl_info *info,
			struct cpblk_hook_new *new, char *why)
{
	struct names n;
	int ret;

	if (!info->attrs[CPBLK_A_VOLUMES])
		return 0;
	ret = get_names(info, CPBLK_A_VOLUMES, 0, &n, why);
	if (ret)
		return ret;
	new->nr = n.nr;
	new->volumes = kcalloc(n.nr, sizeof(*new->volumes), GFP_KERNEL);
	if (new->volumes)
		ret = cpblk_volume_ids(s, n.name, n.nr, new->volumes, why);
	else
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	kfree(n.name);
	if (ret)
		kfree(new->volumes);
	return ret;
}

int cpblk_nl_hook_register(struct cpblk_store *s, struct genl_info *info, char *why)
{
	struct cpblk_hook_new new = {
		.operations = cpblk_nl_u32(info, CPBLK_A_HOOK_OPERATIONS),
		.flags = cpblk_nl_u32(info, CPBLK_A_HOOK_FLAGS),
		.timeout = cpblk_nl_u32(info, CPBLK_A_HOOK_TIMEOUT),
		.label = cpblk_nl_str(info, CPBLK_A_HOOK_LABEL),
		.group = cpblk_nl_str(info, CPBLK_A_GROUP),
	};
	struct cpblk_answer a;
	u64 id;
	int ret;

	ret = cpblk_answer_begin(&a, info, NLMSG_DEFAULT_SIZE, why);
	if (ret)
		return ret;
	ret = hook_volumes(s, info, &new, why);
	if (!ret)
		ret = cpblk_hook_add(s, info, requester(info), &new, &id, why);
	if (ret)
		return cpblk_answer_drop(&a, ret);
	return cpblk_answer_end(&a, info, cpblk_put_u64(a.skb, CPBLK_A_HOOK_ID, id),
				why);
}

/* These two are about a hook of the socket itself, and need no store. */
int cpblk_nl_hook_doit(struct sk_buff *skb, struct genl_info *info)
{
	u64 id = cpblk_nl_u64(info, CPBLK_A_HOOK_ID);
	char why[CPB_ERROR_LEN] = "";
	int ret;

	if (!info->attrs[CPBLK_A_HOOK_ID])
		return cpblk_nl_refuse(info->extack, -EINVAL,
				       "the number of the hook is missing");
	if (info->genlhdr->cmd == CPBLK_CMD_HOOK_UNREGISTER)
		ret = cpblk_hook_del(NETLINK_CB(skb).sk, id, why);
	else if (!info->attrs[CPBLK_A_HOOK_TOKEN])
		ret = cpblk_refuse(why, -EINVAL, "the token is missing");
	else
		ret = cpblk_hook_answer(NETLINK_CB(skb).sk, id,
					cpblk_nl_u64(info, CPBLK_A_HOOK_TOKEN),
					cpblk_nl_str(info, CPBLK_A_REASON), why);
	return ret ? cpblk_nl_refuse(info->extack, ret, why) : 0;
}
