/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks: programs that have a say in operations on volumes, and are told how
 * they end. hook.c has what is to be known about the handshake.
 */
#ifndef CPBLK_HOOK_H
#define CPBLK_HOOK_H

#include <net/genetlink.h>

#include "cpblk.h"

/**
 * struct cpblk_hook_new - what a hook is to be asked about
 * @operations: enum cpblk_hook_operations
 * @flags: enum cpblk_hook_flags
 * @timeout: milliseconds
 * @label: what it is called, or NULL
 * @group: volumes that belong to it at the time, or NULL
 * @volumes: IDs; taken over, also on error
 * @nr: how many; 0 and no @group: all volumes
 */
struct cpblk_hook_new {
	u32 operations, flags, timeout;
	const char *label, *group;
	u64 *volumes;
	unsigned int nr;
};

int cpblk_hook_add(struct cpblk_store *s, const struct genl_info *info,
		   struct sock *sk, const struct cpblk_hook_new *new, u64 *id,
		   char *why);
int cpblk_hook_del(struct sock *sk, u64 id, char *why);
int cpblk_hook_answer(struct sock *sk, u64 id, u64 token, const char *reason,
		      char *why);
int cpblk_hook_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* What a request that can be asked about is done with, when hooks agree. */
typedef int cpblk_hooked_fn(struct cpblk_store *s, struct genl_info *info, char *why);

int cpblk_hook_ask(struct cpblk_store *s, struct genl_info *info,
		   cpblk_hooked_fn *fn, u32 operation,
		   const struct cpblk_member *members, unsigned int nr, char *why);
struct cpblk_handshake *cpblk_handshake_of(const struct genl_info *info);
void cpblk_handshake_done(struct cpblk_handshake *h,
			  const struct cpblk_member *members);
int cpblk_handshake_reply(struct sk_buff *skb, struct genl_info *info);
int cpblk_hook_busy(struct cpblk_disk *d, const struct cpblk_handshake *h, char *why);

void cpblk_hook_volume_gone(struct cpblk_store *s, u64 volume_id, const char *name);
void cpblk_hook_store_gone(struct cpblk_store *s);
int cpblk_hook_init(void);
void cpblk_hook_exit(void);

#endif /* CPBLK_HOOK_H */
