/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What netlink.c, which changes things, and dump.c, which looks at them, have
 * of each other.
 */
#ifndef CPBLK_NETLINK_H
#define CPBLK_NETLINK_H

#include "cpblk.h"

/* Raised by every operation that may have changed what dumps show; never 0. */
extern atomic_t cpblk_changes;

void cpblk_nl_changed(void);
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

int cpblk_nl_store_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_volume_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_checkpoint_get(struct cpblk_store *s, struct genl_info *info,
			    char *why);

int cpblk_nl_dump_start(struct netlink_callback *cb);
int cpblk_nl_store_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_volume_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_checkpoint_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* CPBLK_NETLINK_H */
