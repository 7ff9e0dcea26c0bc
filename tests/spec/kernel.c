// SPDX-License-Identifier: GPL-2.0
/*
 * The family of a running driver against the specification: operations and
 * their flags, groups, and the policy of each request, all as the kernel itself
 * tells them (CTRL_CMD_GETFAMILY, CTRL_CMD_GETPOLICY).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "spec.h"

#define POLICIES 64
#define NO_POLICY UINT32_MAX

/** struct rule - what the policy says of an attribute */
struct rule {
	bool there;
	uint32_t type;
	uint64_t min, mask;
	uint32_t min_len, max_len, nested;
	bool has_min, has_mask, has_max_len;
};

static struct kernel {
	bool there;
	uint32_t version;
	uint32_t flags[256];	/* of operations; 0: there is none */
	uint32_t policy_do[256], policy_dump[256];
	struct rule rules[POLICIES][LIST_SIZE];
	bool groups[8];
} kernel;

static const struct spec *the_spec;

static void read_ops(struct nlattr *list)
{
	struct nlattr *op, *tb[CTRL_ATTR_OP_MAX + 1];
	int left;

	nla_for_each_nested(op, list, left) {
		if (nla_parse_nested(tb, CTRL_ATTR_OP_MAX, op, NULL) ||
		    !tb[CTRL_ATTR_OP_ID] || !tb[CTRL_ATTR_OP_FLAGS])
			continue;
		kernel.flags[nla_get_u32(tb[CTRL_ATTR_OP_ID]) & 0xff] =
			nla_get_u32(tb[CTRL_ATTR_OP_FLAGS]);
	}
}

static void read_groups(struct nlattr *list)
{
	struct nlattr *group, *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	int left;
	size_t i;

	nla_for_each_nested(group, list, left) {
		if (nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, group, NULL) ||
		    !tb[CTRL_ATTR_MCAST_GRP_NAME])
			continue;
		for (i = 0; i < the_spec->nr_groups; i++) {
			if (!strcmp(nla_get_string(tb[CTRL_ATTR_MCAST_GRP_NAME]),
				    the_spec->groups[i]))
				kernel.groups[i] = true;
		}
	}
}

static void read_op_policies(struct nlattr *list)
{
	struct nlattr *op, *tb[CTRL_ATTR_POLICY_DUMP_MAX + 1];
	int left;

	nla_for_each_nested(op, list, left) {
		if (nla_parse_nested(tb, CTRL_ATTR_POLICY_DUMP_MAX, op, NULL))
			continue;
		if (tb[CTRL_ATTR_POLICY_DO])
			kernel.policy_do[nla_type(op) & 0xff] =
				nla_get_u32(tb[CTRL_ATTR_POLICY_DO]);
		if (tb[CTRL_ATTR_POLICY_DUMP])
			kernel.policy_dump[nla_type(op) & 0xff] =
				nla_get_u32(tb[CTRL_ATTR_POLICY_DUMP]);
	}
}

static void read_rule(struct rule *rule, struct nlattr *attr)
{
	struct nlattr *tb[NL_POLICY_TYPE_ATTR_MAX + 1];

	if (nla_parse_nested(tb, NL_POLICY_TYPE_ATTR_MAX, attr, NULL) ||
	    !tb[NL_POLICY_TYPE_ATTR_TYPE])
		return;
	rule->there = true;
	rule->type = nla_get_u32(tb[NL_POLICY_TYPE_ATTR_TYPE]);
	if (tb[NL_POLICY_TYPE_ATTR_MIN_VALUE_U]) {
		rule->has_min = true;
		rule->min = nla_get_u64(tb[NL_POLICY_TYPE_ATTR_MIN_VALUE_U]);
	}
	if (tb[NL_POLICY_TYPE_ATTR_MASK]) {
		rule->has_mask = true;
		rule->mask = nla_get_u64(tb[NL_POLICY_TYPE_ATTR_MASK]);
	}
	if (tb[NL_POLICY_TYPE_ATTR_MIN_LENGTH])
		rule->min_len = nla_get_u32(tb[NL_POLICY_TYPE_ATTR_MIN_LENGTH]);
	if (tb[NL_POLICY_TYPE_ATTR_MAX_LENGTH]) {
		rule->has_max_len = true;
		rule->max_len = nla_get_u32(tb[NL_POLICY_TYPE_ATTR_MAX_LENGTH]);
	}
	rule->nested = tb[NL_POLICY_TYPE_ATTR_POLICY_IDX] ?
		       nla_get_u32(tb[NL_POLICY_TYPE_ATTR_POLICY_IDX]) : NO_POLICY;
}

static void read_policies(struct nlattr *list)
{
	struct nlattr *policy, *attr;
	int left, left_in;

	nla_for_each_nested(policy, list, left) {
		nla_for_each_nested(attr, policy, left_in) {
			if (nla_type(policy) < POLICIES &&
			    nla_type(attr) < LIST_SIZE)
				read_rule(&kernel.rules[nla_type(policy)]
						       [nla_type(attr)], attr);
		}
	}
}

static int heard(struct nl_msg *msg, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	(void)arg;
	if (genlmsg_parse(nlmsg_hdr(msg), 0, tb, CTRL_ATTR_MAX, NULL))
		return NL_SKIP;
	kernel.there = true;
	if (tb[CTRL_ATTR_VERSION])
		kernel.version = nla_get_u32(tb[CTRL_ATTR_VERSION]);
	if (tb[CTRL_ATTR_OPS])
		read_ops(tb[CTRL_ATTR_OPS]);
	if (tb[CTRL_ATTR_MCAST_GROUPS])
		read_groups(tb[CTRL_ATTR_MCAST_GROUPS]);
	if (tb[CTRL_ATTR_OP_POLICY])
		read_op_policies(tb[CTRL_ATTR_OP_POLICY]);
	if (tb[CTRL_ATTR_POLICY])
		read_policies(tb[CTRL_ATTR_POLICY]);
	return NL_OK;
}

static void ask(struct nl_sock *sock, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL, 0, flags, cmd, 2);
	nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, the_spec->family);
	nl_send_auto(sock, msg);
	nlmsg_free(msg);
	nl_recvmsgs_default(sock);
	/* After an answer to a request that is no dump comes an acknowledgment. */
	if (!(flags & NLM_F_DUMP))
		nl_wait_for_ack(sock);
}

static bool in(const struct message *message, const char *name)
{
	size_t i;

	for (i = 0; i < message->nr; i++) {
		if (!strcmp(message->attr[i], name))
			return true;
	}
	return false;
}

static uint64_t mask_of(const struct spec *spec, const char *type)
{
	const struct entries *entries = spec_type(spec, type);
	uint64_t mask = 0;
	size_t i;

	for (i = 0; entries && i < entries->nr; i++)
		mask |= entries->list[i].value;
	return mask;
}

static void check_set(const struct spec *spec, const struct op *op, uint32_t policy,
		      const struct attr_set *set, const struct message *one,
		      const struct message *other);

static void check_rule(const struct spec *spec, const struct op *op,
		       const struct rule *rule, const struct attr *attr)
{
	const char *where = op->name, *name = attr->name;

	if (!strcmp(attr->type, "string")) {
		check(rule->type == NL_ATTR_TYPE_NUL_STRING && rule->has_max_len &&
		      (attr->max_len < 0 || rule->max_len == (uint32_t)attr->max_len),
		      "kernel: %s: %s is not a string of at most %lld bytes", where,
		      name, (long long)attr->max_len);
	} else if (!strcmp(attr->type, "u32") || !strcmp(attr->type, "u64")) {
		check(rule->type == (attr->type[1] == '3' ? NL_ATTR_TYPE_U32 :
							    NL_ATTR_TYPE_U64),
		      "kernel: %s: %s is not a %s", where, name, attr->type);
		check(attr->min < 0 ||
		      (rule->has_min && rule->min == (uint64_t)attr->min),
		      "kernel: %s: %s has not the minimum %lld", where, name,
		      (long long)attr->min);
		check(!attr->mask_of[0] ||
		      (rule->has_mask && rule->mask == mask_of(spec, attr->mask_of)),
		      "kernel: %s: %s has the mask %#llx, not that of %s", where,
		      name, (unsigned long long)rule->mask, attr->mask_of);
	} else if (!strcmp(attr->type, "binary")) {
		check(rule->type == NL_ATTR_TYPE_BINARY &&
		      (attr->exact_len < 0 ||
		       (rule->min_len == (uint32_t)attr->exact_len &&
			rule->max_len == (uint32_t)attr->exact_len)),
		      "kernel: %s: %s has not the length %lld", where, name,
		      (long long)attr->exact_len);
	} else {
		check(rule->type == NL_ATTR_TYPE_NESTED && rule->nested < POLICIES,
		      "kernel: %s: %s is not a nest with a policy", where, name);
		if (rule->nested < POLICIES)
			check_set(spec, op, rule->nested,
				  spec_set(spec, attr->nested), NULL, NULL);
	}
}

/*
 * A policy against a set of attributes: those that one of the messages takes
 * (all, if there is none) have a rule, the others have none.
 */
static void check_set(const struct spec *spec, const struct op *op, uint32_t policy,
		      const struct attr_set *set, const struct message *one,
		      const struct message *other)
{
	const struct attr *attr;
	struct rule *rule;
	bool wanted;
	size_t i;

	check(policy < POLICIES, "kernel: %s has no policy", op->name);
	if (policy >= POLICIES)
		return;
	for (i = 0; i < set->nr; i++) {
		attr = &set->list[i];
		rule = &kernel.rules[policy][attr->value];
		wanted = (one && in(one, attr->name)) ||
			 (other && in(other, attr->name)) || (!one && !other);
		if (!strcmp(attr->type, "unused") || !strcmp(attr->type, "pad"))
			wanted = false;
		check(rule->there == wanted, "kernel: %s %s %s", op->name,
		      wanted ? "does not take" : "takes", attr->name);
		if (rule->there && wanted)
			check_rule(spec, op, rule, attr);
	}
}

static void check_op(const struct spec *spec, const struct op *op)
{
	uint32_t flags = kernel.flags[op->value];
	const struct attr_set *set = spec_set(spec, op->set);

	if (op->event) {
		check(!flags, "kernel: event %s is an operation", op->name);
		return;
	}
	check(!!(flags & GENL_CMD_CAP_DO) == op->has_do, "kernel: %s: do", op->name);
	check(!!(flags & GENL_CMD_CAP_DUMP) == op->has_dump, "kernel: %s: dump",
	      op->name);
	check(!!(flags & GENL_ADMIN_PERM) == op->admin,
	      "kernel: %s: who may do it", op->name);
	check(flags & GENL_CMD_CAP_HASPOL, "kernel: %s has no policy", op->name);
	/* One policy serves do and dump, and takes what either does. */
	if (op->has_do)
		check_set(spec, op, kernel.policy_do[op->value], set, &op->request,
			  &op->dump_request);
	if (op->has_dump)
		check_set(spec, op, kernel.policy_dump[op->value], set, &op->request,
			  &op->dump_request);
}

void check_kernel(const struct spec *spec)
{
	struct nl_sock *sock = nl_socket_alloc();
	size_t i, ops = 0, there = 0;

	the_spec = spec;
	memset(kernel.policy_do, 0xff, sizeof(kernel.policy_do));
	memset(kernel.policy_dump, 0xff, sizeof(kernel.policy_dump));
	if (!sock || genl_connect(sock)) {
		fprintf(stderr, "no netlink\n");
		exit(2);
	}
	nl_socket_set_msg_buf_size(sock, 1 << 17);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, heard, NULL);
	ask(sock, CTRL_CMD_GETFAMILY, 0);
	ask(sock, CTRL_CMD_GETPOLICY, NLM_F_DUMP);
	nl_socket_free(sock);

	check(kernel.there, "kernel: there is no family %s", spec->family);
	check(kernel.version == spec->version, "kernel: version %u", kernel.version);
	for (i = 0; i < spec->nr_groups; i++)
		check(kernel.groups[i], "kernel: no group %s", spec->groups[i]);
	for (i = 0; i < spec->nr_ops; i++) {
		check_op(spec, &spec->ops[i]);
		ops += !spec->ops[i].event;
	}
	for (i = 0; i < 256; i++)
		there += kernel.flags[i] != 0;
	check(ops == there, "kernel: %zu operations, and not %zu", there, ops);
}
