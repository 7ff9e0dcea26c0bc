/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What netlink.c, which has the family, many.c, which changes things, and dump.c,
 * which looks at them, have of each other.
 */
#ifndef CPBLK_NETLINK_H
#define CPBLK_NETLINK_H

#include "cpblk.h"

/*
 * Raised when what dumps show changes: with the lists held if it is in them, which is how
 * it is read then. Never 0.
 */
extern atomic_t cpblk_changes;

void cpblk_nl_changed(void);
struct nlattr **cpblk_nl_copy_attrs(const struct genl_info *info);

int cpblk_nl_refuse(struct netlink_ext_ack *extack, int err, const char *why);
int cpblk_nl_which(struct nlattr **attrs, struct cpblk_which *w, char *why);

/** struct cpblk_answer - an answer that is being put together */
struct cpblk_answer {
	struct sk_buff *skb;
	void *head;
};

int cpblk_answer_begin(struct cpblk_answer *a, struct genl_info *info,
		       size_t space, char *why);
int cpblk_answer_end(struct cpblk_answer *a, struct genl_info *info, bool ok,
		     char *why);
int cpblk_answer_drop(struct cpblk_answer *a, int err);
int cpblk_answer_made(struct cpblk_answer *a, struct genl_info *info,
		      const struct cpblk_made *m, char *why);

/* Attributes of a request; NULL or 0 if it has none such. */

static inline const char *cpblk_nl_str(const struct genl_info *info, int attr)
{
	return info->attrs[attr] ? nla_data(info->attrs[attr]) : NULL;
}

static inline u32 cpblk_nl_u32(const struct genl_info *info, int attr)
{
	return info->attrs[attr] ? nla_get_u32(info->attrs[attr]) : 0;
}

static inline u64 cpblk_nl_u64(const struct genl_info *info, int attr)
{
	return info->attrs[attr] ? nla_get_u64(info->attrs[attr]) : 0;
}

int cpblk_nl_ids(const struct genl_info *info, unsigned int max, u64 **ids,
		 unsigned int *nr, char *why);

int cpblk_nl_snap(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_restore(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_fork(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_group_set(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_hook_register(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_hook_doit(struct sk_buff *skb, struct genl_info *info);

int cpblk_nl_store_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_volume_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_checkpoint_get(struct cpblk_store *s, struct genl_info *info,
			    char *why);

int cpblk_nl_dump_start(struct netlink_callback *cb);
int cpblk_nl_store_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_volume_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_checkpoint_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* CPBLK_NETLINK_H */
