// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: programs that have a say in checkpoints and restores of volumes, such
 * as the agent of a hypervisor, and the handshake with them.
 *
 * A hook belongs to the netlink socket that registered it, and ends with it. An
 * operation on its volumes becomes a handshake:
 *
 *   - Each hook is sent "prepare" with a random token, and has its own time to
 *     answer. The volumes are busy: no other operation on them begins. Nothing
 *     is locked while that lasts, and no task waits: the request is put aside
 *     (genetlink holds a lock of all families around it, so it may not wait
 *     there), and a work goes on with it.
 *   - When all are ready, the request is done as if it came now: everything is
 *     looked up and checked again.
 *   - Whoever was sent "prepare" is sent "committed" or "aborted", then the
 *     volumes are free, then the requester has its answer.
 *
 * A hook that refuses, or that dies or is silent without having allowed for
 * that, aborts it, and so does the end of the requester. Answers count only
 * from the hook's own socket with the token of that operation, once and in time;
 * all others are refused and change nothing. Sockets are compared as such and
 * not by their port, which another one may get; for the same reason they are kept
 * from being closed while something is sent to them.
 *
 * hooks_lock guards hooks and handshakes. It may be taken with store->op held,
 * and below it is store->disks_lock alone. What a handshake has of its request
 * belongs to its work.
 */
#include <linux/file.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "compat.h"
#include "event.h"
#include "hook.h"
#include "netlink.h"

#define TIMEOUT_MAX	600000	/* ms */

static DEFINE_MUTEX(hooks_lock);
static LIST_HEAD(hooks);
static LIST_HEAD(handshakes);
static u64 last_hook;
static struct workqueue_struct *hook_wq;

/**
 * struct hook - one registration
 * @list: on hooks, by @id
 * @id: its number
 * @store: its store, with a reference
 * @sk: the socket it belongs to, with a reference
 * @portid: of @sk
 * @pid: process that registered it
 * @what: what it is asked about; the strings are in @label and @group
 * @label: what it is called, or empty
 * @group: whose volumes it is for, or empty
 */
struct hook {
	struct list_head list;
	u64 id;
	struct cpblk_store *store;
	struct sock *sk;
	u32 portid, pid;
	struct cpblk_hook_new what;
	char label[CPBLK_LABEL_MAX + 1];
	char group[CPB_NAME_LEN];
};

enum ask_state {
	ASK_WAITING,
	ASK_READY,
	ASK_REFUSED,
	ASK_SILENT,
	ASK_GONE,
	ASK_DEAF,
};

/**
 * struct ask - what a handshake has of a hook that it asks
 * @list: on its handshake
 * @hook: number of the hook, which may be gone
 * @token: stands for the two
 * @sk: the hook's socket, with a reference
 * @portid: of @sk
 * @pid: the hook's process
 * @state: whether and how it has answered
 * @go_on: the operation does not need its answer
 * @timeout: ms
 * @deadline: jiffies
 * @label: the hook's
 * @reason: why it refuses
 * @nr: members that are the hook's
 * @member: which ones
 */
struct ask {
	struct list_head list;
	u64 hook, token;
	struct sock *sk;
	u32 portid, pid;
	enum ask_state state;
	bool go_on;
	u32 timeout;
	unsigned long deadline;
	char label[CPBLK_LABEL_MAX + 1];
	char reason[CPBLK_REASON_MAX + 1];
	unsigned int nr;
	u8 member[];
};

static_assert(CPB_MEMBERS_MAX <= U8_MAX);

/**
 * struct cpblk_handshake - an operation that hooks have a say in
 * @list: on handshakes
 * @work: goes on with it when something happened
 * @store: where, with a reference
 * @decided: no answer counts any more
 * @orphan: the requester's socket is closed
 * @committed: the operation was done
 * @sk: of the requester, with a reference
 * @skb: the request, which @info points into
 * @info: the request again, for @fn
 * @extack: its sentence
 * @fn: does what is asked for
 * @operation: one of enum cpblk_hook_operations
 * @pid: the requester's process
 * @asks: the hooks that are asked
 * @nr: how many volumes
 * @members: the volumes, as they are before and then after it
 */
struct cpblk_handshake {
	struct list_head list;
	struct delayed_work work;
	struct cpblk_store *store;
	bool decided, orphan, committed;
	struct sock *sk;
	struct sk_buff *skb;
	struct genl_info info;
	struct netlink_ext_ack extack;
	cpblk_hooked_fn *fn;
	u32 operation, pid;
	struct list_head asks;
	unsigned int nr;
	struct cpblk_member *members;
};

static const char *operation_name(u32 operation)
{
	return operation == CPBLK_HOOK_RESTORE ? "restore" : "checkpoint";
}

/*
 * A socket has its port until it is closed, and then another one may get it. While
 * its file is held it is not closed. NULL: it is.
 */
static struct file *hold_open(struct sock *sk)
{
	struct file *file = NULL;

	read_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_socket)
		file = cpblk_get_file(sk->sk_socket);
	read_unlock_bh(&sk->sk_callback_lock);
	return file;
}

/* ---- Messages to hooks ---- */

static struct sk_buff *message(u8 cmd, const struct cpblk_store *s, u64 hook,
			       size_t space, void **head)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE + space, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put(skb, 0, 0, &cpblk_genl_family, 0, cmd);
	if (*head && cpblk_put_str(skb, CPBLK_A_STORE, s->name) &&
	    cpblk_put_u64(skb, CPBLK_A_HOOK_ID, hook))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int message_send(struct sk_buff *skb, void *head, bool ok, struct sock *sk,
			u32 portid)
{
	struct file *file = ok ? hold_open(sk) : NULL;
	int ret;

	if (!file) {
		nlmsg_free(skb);
		return ok ? -ECONNREFUSED : -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	ret = genlmsg_unicast(sock_net(sk), skb, portid);
	fput(file);
	return ret;
}

static bool put_members(struct sk_buff *skb, const struct cpblk_handshake *h,
			const struct ask *a)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (!cpblk_put_member(skb, h->members + a->member[i]))
			return false;
	return true;
}

/* If the hook can't take it, netlink tells it that it has missed something. */
static int tell(const struct cpblk_handshake *h, const struct ask *a, u8 cmd,
		const char *why)
{
	struct sk_buff *skb;
	void *head;
	bool ok;

	skb = message(cmd, h->store, a->hook, a->nr * CPBLK_MEMBER_SPACE, &head);
	if (!skb)
		return -ENOMEM;
	ok = cpblk_put_u64(skb, CPBLK_A_HOOK_TOKEN, a->token) &&
	     !nla_put_u32(skb, CPBLK_A_HOOK_OPERATIONS, h->operation) &&
	     put_members(skb, h, a);
	if (cmd == CPBLK_EVENT_HOOK_PREPARE)
		ok = ok && !nla_put_u32(skb, CPBLK_A_PID, h->pid) &&
		     cpblk_put_u64(skb, CPBLK_A_DEADLINE, ktime_get_ns() +
				   a->timeout * (u64)NSEC_PER_MSEC);
	if (cmd == CPBLK_EVENT_HOOK_ABORTED)
		ok = ok && cpblk_put_str(skb, CPBLK_A_REASON, why);
	return message_send(skb, head, ok, a->sk, a->portid);
}

/* ---- Hooks ---- */

static void hook_free(struct hook *k)
{
	sock_put(k->sk);
	cpblk_store_put(k->store);
	kfree(k->what.volumes);
	kfree(k);
}

/**
 * cpblk_hook_add() - register a hook
 * @s: the store; op is held
 * @info: the request
 * @sk: its socket
 * @new: what it is to be asked about
 * @id: gets its number
 * @why: on error, gets the reason
 */
int cpblk_hook_add(struct cpblk_store *s, const struct genl_info *info,
		   struct sock *sk, const struct cpblk_hook_new *new, u64 *id,
		   char *why)
{
	struct hook *k = NULL;

	if (!new->operations)
		cpblk_refuse(why, -EINVAL,
			     "a hook must be for checkpoints, restores or both");
	else if (!new->timeout || new->timeout > TIMEOUT_MAX)
		cpblk_refuse(why, -EINVAL, "a hook can have 1 to %u ms to answer, not %u",
			     TIMEOUT_MAX, new->timeout);
	else if (new->nr && new->group)
		cpblk_refuse(why, -EINVAL, "a hook is for volumes or for a group, not both");
	else
		k = kzalloc(sizeof(*k), GFP_KERNEL);
	if (!k) {
		kfree(new->volumes);
		return why[0] ? -EINVAL : cpblk_refuse(why, -ENOMEM, "out of memory");
	}
	k->what = *new;
	strscpy(k->label, new->label ?: "", sizeof(k->label));
	strscpy(k->group, new->group ?: "", sizeof(k->group));
	k->portid = info->snd_portid;
	k->pid = task_tgid_nr(current);
	k->store = s;
	kref_get(&s->ref);
	k->sk = sk;
	sock_hold(sk);
	mutex_lock(&hooks_lock);
	*id = k->id = ++last_hook;
	list_add_tail(&k->list, &hooks);
	mutex_unlock(&hooks_lock);
	return 0;
}

static struct hook *find_hook(u64 id)
{
	struct hook *k;

	lockdep_assert_held(&hooks_lock);
	list_for_each_entry(k, &hooks, list)
		if (k->id == id)
			return k;
	return NULL;
}

/* It will not answer any more. */
static void hook_lost(const struct hook *k)
{
	struct cpblk_handshake *h;
	struct ask *a;

	lockdep_assert_held(&hooks_lock);
	list_for_each_entry(h, &handshakes, list) {
		if (h->decided)
			continue;
		list_for_each_entry(a, &h->asks, list) {
			/* A refusal stands. */
			if (a->hook != k->id || a->state == ASK_REFUSED)
				continue;
			a->state = ASK_GONE;
			mod_delayed_work(hook_wq, &h->work, 0);
		}
	}
}

static void hook_end(struct hook *k, const char *why)
{
	struct sk_buff *skb;
	void *head;

	lockdep_assert_held(&hooks_lock);
	hook_lost(k);
	list_del(&k->list);
	if (why) {
		skb = message(CPBLK_EVENT_HOOK_ENDED, k->store, k->id, 0, &head);
		if (skb)
			message_send(skb, head, cpblk_put_str(skb, CPBLK_A_REASON, why),
				     k->sk, k->portid);
	}
	hook_free(k);
}

/** cpblk_hook_del() - end the hook @id of the socket @sk */
int cpblk_hook_del(struct sock *sk, u64 id, char *why)
{
	struct hook *k;
	int ret = 0;

	mutex_lock(&hooks_lock);
	k = find_hook(id);
	if (!k)
		ret = cpblk_refuse(why, -ENOENT, "there is no hook %llu", id);
	else if (k->sk != sk)
		ret = cpblk_refuse(why, -EPERM,
				   "hook %llu belongs to another socket", id);
	else
		hook_end(k, NULL);
	mutex_unlock(&hooks_lock);
	return ret;
}

/** cpblk_hook_volume_gone() - a volume was removed; store->op is held */
void cpblk_hook_volume_gone(struct cpblk_store *s, u64 volume_id, const char *name)
{
	char why[CPB_ERROR_LEN];
	struct hook *k, *next;
	unsigned int i;

	cpblk_refuse(why, 0, "volume %s was removed", name);
	mutex_lock(&hooks_lock);
	list_for_each_entry_safe(k, next, &hooks, list) {
		if (k->store != s || !k->what.nr)
			continue;
		for (i = 0; i < k->what.nr; i++)
			if (k->what.volumes[i] == volume_id)
				break;
		if (i == k->what.nr)
			continue;
		k->what.volumes[i] = k->what.volumes[k->what.nr - 1];
		if (!--k->what.nr)
			hook_end(k, why);
	}
	mutex_unlock(&hooks_lock);
}

/** cpblk_hook_store_gone() - a store was closed; store->op is held */
void cpblk_hook_store_gone(struct cpblk_store *s)
{
	char why[CPB_ERROR_LEN];
	struct hook *k, *next;

	cpblk_refuse(why, 0, "store %s was closed", s->name);
	mutex_lock(&hooks_lock);
	list_for_each_entry_safe(k, next, &hooks, list)
		if (k->store == s)
			hook_end(k, why);
	mutex_unlock(&hooks_lock);
}

/* ---- Answers ---- */

static struct ask *find_ask(u64 hook, u64 token, struct cpblk_handshake **of)
{
	struct cpblk_handshake *h;
	struct ask *a;

	lockdep_assert_held(&hooks_lock);
	list_for_each_entry(h, &handshakes, list) {
		list_for_each_entry(a, &h->asks, list) {
			if (a->hook == hook && a->token == token) {
				*of = h;
				return a;
			}
		}
	}
	return NULL;
}

static int answer(struct sock *sk, u64 id, u64 token, const char *reason, char *why)
{
	struct hook *k = find_hook(id);
	struct cpblk_handshake *h;
	struct ask *a;

	if (!k)
		return cpblk_refuse(why, -ENOENT, "there is no hook %llu", id);
	if (k->sk != sk)
		return cpblk_refuse(why, -EPERM, "hook %llu belongs to another socket",
				    id);
	a = find_ask(id, token, &h);
	if (!a)
		return cpblk_refuse(why, -ESTALE,
				    "no operation waits for hook %llu with that token: it has ended, or the token is wrong",
				    id);
	if (a->state == ASK_READY || a->state == ASK_REFUSED)
		return cpblk_refuse(why, -EALREADY,
				    "hook %llu has given its answer before", id);
	/* The work may be behind its time. */
	if (h->decided || a->state != ASK_WAITING ||
	    time_after_eq(jiffies, a->deadline))
		return cpblk_refuse(why, -ESTALE,
				    "the answer of hook %llu is too late", id);
	a->state = reason ? ASK_REFUSED : ASK_READY;
	strscpy(a->reason, reason ?: "", sizeof(a->reason));
	mod_delayed_work(hook_wq, &h->work, 0);
	return 0;
}

/**
 * cpblk_hook_answer() - a hook answers
 * @sk: the socket it comes from
 * @id: the hook
 * @token: that it was sent
 * @reason: why it refuses; NULL: it is ready
 * @why: on error, gets the reason
 */
int cpblk_hook_answer(struct sock *sk, u64 id, u64 token, const char *reason,
		      char *why)
{
	int ret;

	mutex_lock(&hooks_lock);
	ret = answer(sk, id, token, reason, why);
	mutex_unlock(&hooks_lock);
	return ret;
}

/* ---- Handshakes ---- */

/** cpblk_handshake_of() - the one that a request has gone through, or NULL */
struct cpblk_handshake *cpblk_handshake_of(const struct genl_info *info)
{
	return info->user_ptr[0];
}

/** cpblk_handshake_done() - its operation was done, and @members are as it left them */
void cpblk_handshake_done(struct cpblk_handshake *h,
			  const struct cpblk_member *members)
{
	if (!h)
		return;
	memcpy(h->members, members, h->nr * sizeof(*members));
	h->committed = true;
}

/**
 * cpblk_handshake_reply() - send what a request is answered with
 * @skb: complete; taken over
 * @info: the request, which may have gone through a handshake
 *
 * Nobody waits for it any more if the requester closed its socket meanwhile; that
 * is no error.
 */
int cpblk_handshake_reply(struct sk_buff *skb, struct genl_info *info)
{
	struct cpblk_handshake *h = cpblk_handshake_of(info);
	struct file *file;
	int ret;

	if (!h)
		return genlmsg_reply(skb, info);
	file = hold_open(h->sk);
	if (!file) {
		nlmsg_free(skb);
		return 0;
	}
	ret = genlmsg_reply(skb, info);
	fput(file);
	return ret;
}

/** cpblk_hook_busy() - is a volume in a handshake other than @h? store->op is held */
int cpblk_hook_busy(struct cpblk_disk *d, const struct cpblk_handshake *h, char *why)
{
	lockdep_assert_held(&d->store->op);
	if (!d->handshake || d->handshake == h)
		return 0;
	return cpblk_refuse(why, -EBUSY,
			    "volume %s is busy: a %s that process %u asked for waits for its hooks",
			    d->volume_name, operation_name(d->handshake->operation),
			    d->handshake->pid);
}

static void handshake_free(struct cpblk_handshake *h)
{
	struct ask *a, *next;

	list_for_each_entry_safe(a, next, &h->asks, list) {
		sock_put(a->sk);
		kfree(a);
	}
	kfree_skb(h->skb);
	if (h->sk)
		sock_put(h->sk);
	if (h->store)
		cpblk_store_put(h->store);
	kfree(h->info.attrs);
	kvfree(h->members);
	kfree(h);
}

static bool concerns(const struct hook *k, const struct cpblk_member *m)
{
	unsigned int i;

	if (k->group[0])
		return !strcmp(k->group, m->group);
	for (i = 0; i < k->what.nr; i++)
		if (k->what.volumes[i] == m->made.id)
			return true;
	return !k->what.nr;
}

/* What to ask a hook, if it is to be asked; 0 or an error. */
static int add_ask(struct cpblk_handshake *h, const struct hook *k)
{
	struct ask *a;
	unsigned int i;

	if (k->store != h->store || !(k->what.operations & h->operation))
		return 0;
	a = kzalloc(struct_size(a, member, h->nr), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	for (i = 0; i < h->nr; i++)
		if (concerns(k, h->members + i))
			a->member[a->nr++] = i;
	if (!a->nr) {
		kfree(a);
		return 0;
	}
	a->hook = k->id;
	a->token = get_random_u64();
	a->sk = k->sk;
	sock_hold(a->sk);
	a->portid = k->portid;
	a->pid = k->pid;
	a->go_on = k->what.flags & CPBLK_HOOK_IF_SILENT_GO_ON;
	a->timeout = k->what.timeout;
	strscpy(a->label, k->label, sizeof(a->label));
	list_add_tail(&a->list, &h->asks);
	return 0;
}

/* The first one that stands in the way decides; 1: none does, 0: not known yet. */
static int judge(struct cpblk_handshake *h, unsigned long *next, char *why)
{
	static const struct {
		int err;
		const char *what;
	} ends[] = {
		[ASK_REFUSED] = { -ECANCELED, "refuses" },
		[ASK_SILENT] = { -ETIMEDOUT, "has not answered in time" },
		[ASK_GONE] = { -ECANCELED, "is gone" },
		[ASK_DEAF] = { -ECANCELED, "does not read its messages" },
	};
	struct ask *a;
	int ret = 1;

	lockdep_assert_held(&hooks_lock);
	if (h->orphan)
		return cpblk_refuse(why, -EINTR, "process %u, which asked for it, is gone",
				    h->pid);
	*next = jiffies + msecs_to_jiffies(TIMEOUT_MAX);
	list_for_each_entry(a, &h->asks, list) {
		if (a->state == ASK_WAITING && time_after_eq(jiffies, a->deadline))
			a->state = ASK_SILENT;
		if (a->state == ASK_WAITING) {
			ret = 0;
			if (time_before(a->deadline, *next))
				*next = a->deadline;
		} else if (a->state == ASK_REFUSED ||
			   (a->state != ASK_READY && !a->go_on)) {
			return cpblk_refuse(why, ends[a->state].err,
					    "hook %llu%s%s%s of process %u %s%s%s", a->hook,
					    a->label[0] ? " (" : "", a->label,
					    a->label[0] ? ")" : "", a->pid,
					    ends[a->state].what,
					    a->reason[0] ? ": " : "", a->reason);
		}
	}
	return ret;
}

/* Its volumes are busy for others; store->op is held. */
static void handshake_occupy(struct cpblk_handshake *h)
{
	struct cpblk_disk *d;
	unsigned int i;

	list_for_each_entry(d, &h->store->disks, list)
		for (i = 0; d->volume && i < h->nr; i++)
			if (d->volume_id == h->members[i].made.id)
				WRITE_ONCE(d->handshake, h);
}

/* Its volumes are free for others; store->op is held. */
static void handshake_leave(struct cpblk_handshake *h)
{
	struct cpblk_disk *d;

	list_for_each_entry(d, &h->store->disks, list)
		if (d->handshake == h)
			WRITE_ONCE(d->handshake, NULL);
}

/* All that is left to say, to the hooks first: they may have stopped something. */
static void handshake_end(struct cpblk_handshake *h, const char *why)
{
	struct ask *a;

	list_for_each_entry(a, &h->asks, list)
		tell(h, a, h->committed ? CPBLK_EVENT_HOOK_COMMITTED :
					  CPBLK_EVENT_HOOK_ABORTED, why);
	mutex_lock(&hooks_lock);
	list_del(&h->list);
	mutex_unlock(&hooks_lock);
	handshake_leave(h);
}

/* What genetlink does with a request that was not put aside. */
static void acknowledge(struct cpblk_handshake *h, int ret, const char *why)
{
	const struct nlmsghdr *nlh = h->info.nlhdr;
	struct file *file;

	if (!ret && !(nlh->nlmsg_flags & NLM_F_ACK))
		return;
	file = hold_open(h->sk);
	if (!file)
		return;
	if (ret)
		cpblk_nl_refuse(&h->extack, ret, why);
	netlink_ack(h->skb, (struct nlmsghdr *)nlh, ret, &h->extack);
	fput(file);
}

static void handshake_work(struct work_struct *work)
{
	struct cpblk_handshake *h = container_of(to_delayed_work(work),
						 struct cpblk_handshake, work);
	struct cpblk_store *s = h->store;
	char why[CPB_ERROR_LEN] = "";
	unsigned long next;
	int ret;

	mutex_lock(&hooks_lock);
	ret = judge(h, &next, why);
	h->decided = ret;
	if (!ret)
		mod_delayed_work(hook_wq, &h->work,
				 time_after(next, jiffies) ? next - jiffies : 0);
	else
		/* From here on nobody queues it, but someone may have. */
		cancel_delayed_work(&h->work);
	mutex_unlock(&hooks_lock);
	if (!ret)
		return;

	/* A volume is busy, so the store is open. */
	mutex_lock(&s->op);
	if (ret > 0)
		ret = h->fn(s, &h->info, why);
	handshake_end(h, why);
	mutex_unlock(&s->op);
	cpblk_nl_changed();
	acknowledge(h, ret, why);
	handshake_free(h);
}

static struct cpblk_handshake *handshake_new(struct cpblk_store *s,
					     struct genl_info *info,
					     const struct cpblk_member *members,
					     unsigned int nr)
{
	struct cpblk_handshake *h = kzalloc(sizeof(*h), GFP_KERNEL);
	struct sk_buff *skb = info->user_ptr[1];

	if (!h)
		return NULL;
	INIT_LIST_HEAD(&h->asks);
	INIT_DELAYED_WORK(&h->work, handshake_work);
	h->info = *info;
	h->info.extack = &h->extack;
	h->info.user_ptr[0] = h;
	h->info.attrs = cpblk_nl_copy_attrs(info);
	h->members = kvmalloc_array(nr, sizeof(*members), GFP_KERNEL);
	if (!h->info.attrs || !h->members) {
		handshake_free(h);
		return NULL;
	}
	memcpy(h->members, members, nr * sizeof(*members));
	h->nr = nr;
	h->pid = task_tgid_nr(current);
	h->store = s;
	kref_get(&s->ref);
	h->sk = NETLINK_CB(skb).sk;
	sock_hold(h->sk);
	h->skb = skb_get(skb);
	return h;
}

static int add_asks(struct cpblk_handshake *h)
{
	struct hook *k;
	int ret;

	list_for_each_entry(k, &hooks, list) {
		ret = add_ask(h, k);
		if (ret)
			return ret;
	}
	return 0;
}

/* From here on it lives by its work. */
static void handshake_begin(struct cpblk_handshake *h)
{
	struct ask *a;

	list_add_tail(&h->list, &handshakes);
	list_for_each_entry(a, &h->asks, list) {
		a->deadline = jiffies + msecs_to_jiffies(a->timeout);
		if (tell(h, a, CPBLK_EVENT_HOOK_PREPARE, NULL))
			a->state = ASK_DEAF;
	}
	queue_delayed_work(hook_wq, &h->work, 0);
}

/**
 * cpblk_hook_ask() - ask the hooks of volumes, if there are any, before an operation
 * @s: the store; op is held
 * @info: the request
 * @fn: does it when they agree, with another @info, under op too
 * @operation: one of enum cpblk_hook_operations
 * @members: the volumes
 * @nr: how many
 * @why: on error, gets the reason
 *
 * Return: 0: nobody is to be asked, go on; -EINTR: they were asked, and the
 * request gets its answer later (it is what keeps genetlink from
 * acknowledging it now); other errors.
 */
int cpblk_hook_ask(struct cpblk_store *s, struct genl_info *info,
		   cpblk_hooked_fn *fn, u32 operation,
		   const struct cpblk_member *members, unsigned int nr, char *why)
{
	struct cpblk_handshake *h;
	int ret;

	lockdep_assert_held(&s->op);
	if (list_empty_careful(&hooks))
		return 0;
	h = handshake_new(s, info, members, nr);
	if (!h)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	h->fn = fn;
	h->operation = operation;
	mutex_lock(&hooks_lock);
	ret = add_asks(h);
	if (!ret && !list_empty(&h->asks)) {
		handshake_begin(h);
		ret = -EINTR;
	}
	mutex_unlock(&hooks_lock);
	if (ret == -EINTR) {
		/* Its work needs op to end it, and we hold that. */
		handshake_occupy(h);
		return ret;
	}
	handshake_free(h);
	return ret ? cpblk_refuse(why, ret, "out of memory") : 0;
}

/* ---- Sockets that are closed ---- */

static int socket_closed(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct netlink_notify *n = data;
	struct cpblk_handshake *h;
	struct hook *k, *next;

	if (action != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	mutex_lock(&hooks_lock);
	/* Its port may be another socket's by now. */
	list_for_each_entry_safe(k, next, &hooks, list)
		if (k->portid == n->portid && sock_flag(k->sk, SOCK_DEAD))
			hook_end(k, NULL);
	list_for_each_entry(h, &handshakes, list) {
		if (h->decided || h->info.snd_portid != n->portid ||
		    !sock_flag(h->sk, SOCK_DEAD))
			continue;
		h->orphan = true;
		mod_delayed_work(hook_wq, &h->work, 0);
	}
	mutex_unlock(&hooks_lock);
	return NOTIFY_DONE;
}

static struct notifier_block socket_notifier = {
	.notifier_call = socket_closed,
};

/* ---- Listing ---- */

static u32 pending(const struct hook *k)
{
	const struct cpblk_handshake *h;
	const struct ask *a;
	u32 nr = 0;

	list_for_each_entry(h, &handshakes, list)
		list_for_each_entry(a, &h->asks, list)
			nr += a->hook == k->id;
	return nr;
}

static bool put_volume(struct sk_buff *skb, const struct hook *k)
{
	struct cpblk_disk *d;
	bool ok = true;

	if (k->what.nr != 1)
		return true;
	mutex_lock(&k->store->disks_lock);
	list_for_each_entry(d, &k->store->disks, list)
		if (d->volume && d->volume_id == k->what.volumes[0])
			ok = cpblk_put_str(skb, CPBLK_A_VOLUME, d->volume_name);
	mutex_unlock(&k->store->disks_lock);
	return ok;
}

static bool put_hook(struct sk_buff *skb, const struct hook *k)
{
	return cpblk_put_str(skb, CPBLK_A_STORE, k->store->name) &&
	       cpblk_put_u64(skb, CPBLK_A_HOOK_ID, k->id) &&
	       !nla_put_u32(skb, CPBLK_A_HOOK_OPERATIONS, k->what.operations) &&
	       !nla_put_u32(skb, CPBLK_A_HOOK_TIMEOUT, k->what.timeout) &&
	       !nla_put_u32(skb, CPBLK_A_HOOK_FLAGS, k->what.flags) &&
	       cpblk_put_str(skb, CPBLK_A_HOOK_LABEL, k->label) &&
	       !nla_put_u32(skb, CPBLK_A_PID, k->pid) &&
	       (!k->group[0] || cpblk_put_str(skb, CPBLK_A_GROUP, k->group)) &&
	       put_volume(skb, k) &&
	       !nla_put_u32(skb, CPBLK_A_HOOK_PENDING, pending(k));
}

/** cpblk_hook_dump() - the hooks behind the one that cb->args[0] is the number of */
int cpblk_hook_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *name = cpblk_dump_attrs(cb)[CPBLK_A_STORE];
	struct hook *k;
	void *head;

	mutex_lock(&hooks_lock);
	list_for_each_entry(k, &hooks, list) {
		if (k->id <= (unsigned long)cb->args[0] ||
		    (name && strcmp(nla_data(name), k->store->name)))
			continue;
		head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &cpblk_genl_family, NLM_F_MULTI, CPBLK_CMD_HOOK_GET);
		if (!head || !put_hook(skb, k)) {
			if (head)
				genlmsg_cancel(skb, head);
			break;
		}
		genlmsg_end(skb, head);
		cb->args[0] = k->id;
	}
	mutex_unlock(&hooks_lock);
	return skb->len;
}

/* ---- Start and end of the module ---- */

int cpblk_hook_init(void)
{
	int ret;

	hook_wq = alloc_workqueue("cpblk_hook", WQ_UNBOUND, 0);
	if (!hook_wq)
		return -ENOMEM;
	ret = netlink_register_notifier(&socket_notifier);
	if (ret)
		destroy_workqueue(hook_wq);
	return ret;
}

/* No store is open, so there are no hooks, and all handshakes are about to end. */
void cpblk_hook_exit(void)
{
	netlink_unregister_notifier(&socket_notifier);
	destroy_workqueue(hook_wq);
}
