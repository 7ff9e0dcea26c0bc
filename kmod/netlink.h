/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What netlink.c, which changes things, and dump.c, which looks at them, have
 * of each other.
 */
#ifndef CPBLK_NETLINK_H
#define CPBLK_NETLINK_H

#include "cpblk.h"

int cpblk_nl_refuse(struct netlink_ext_ack *extack, int err, const char *why);
int cpblk_nl_which(struct nlattr **attrs, struct cpblk_which *w, char *why);

int cpblk_nl_store_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_volume_get(struct cpblk_store *s, struct genl_info *info, char *why);
int cpblk_nl_checkpoint_get(struct cpblk_store *s, struct genl_info *info,
			    char *why);

int cpblk_nl_dump_start(struct netlink_callback *cb);
int cpblk_nl_store_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_volume_dump(struct sk_buff *skb, struct netlink_callback *cb);
int cpblk_nl_checkpoint_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* CPBLK_NETLINK_H */
