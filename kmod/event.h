/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages to those who listen to the multicast group "events". Sent while
 * store->op is held, so that they come in the order of what they tell.
 */
#ifndef CPBLK_EVENT_H
#define CPBLK_EVENT_H

#include <linux/cpblk.h>

#include "cpblk.h"

void cpblk_event_store(enum cpblk_event event, struct cpblk_store *s,
		       const char *error);
void cpblk_event_volume(enum cpblk_event event, struct cpblk_store *s,
			const struct cpblk_made *made);
void cpblk_event_snap(struct cpblk_store *s, const struct cpblk_member *members,
		      unsigned int nr);
void cpblk_event_restore(struct cpblk_store *s, const struct cpblk_member *m);
void cpblk_event_fork(struct cpblk_store *s, const struct cpblk_made *made,
		      const struct cpblk_taken *from);
void cpblk_event_point(enum cpblk_event event, struct cpblk_store *s,
		       const struct cpblk_taken *point, const char *device);

void cpblk_event_space(struct cpblk_store *s, u32 state, const struct cpb_status *st);
void cpblk_event_grown(struct cpblk_store *s, const struct cpb_status *st);
void cpblk_event_reclaim(struct cpblk_store *s, const struct cpblk_reclaim *r);

/* What messages of several kinds have in common; false: no room. */
bool cpblk_put_taken(struct sk_buff *skb, const struct cpblk_taken *t);
bool cpblk_put_sizes(struct sk_buff *skb, struct cpblk_store *s,
		     const struct cpb_status *st);
bool cpblk_put_reclaim(struct sk_buff *skb, const struct cpblk_reclaim *r);
bool cpblk_put_made(struct sk_buff *skb, const struct cpblk_made *m);
bool cpblk_put_restored(struct sk_buff *skb, const struct cpblk_member *m);
bool cpblk_put_member(struct sk_buff *skb, const struct cpblk_member *m);
bool cpblk_put_points(struct sk_buff *skb, const struct cpblk_member *m,
		      unsigned int nr);

static inline bool cpblk_put_str(struct sk_buff *skb, int attr, const char *v)
{
	return !nla_put_string(skb, attr, v);
}

static inline bool cpblk_put_u64(struct sk_buff *skb, int attr, u64 v)
{
	return !nla_put_u64_64bit(skb, attr, v, CPBLK_A_PAD);
}

/* Room for one point in a message. */
#define CPBLK_POINT_SPACE \
	(nla_total_size(0) + 2 * nla_total_size(CPB_NAME_LEN) + \
	 2 * nla_total_size_64bit(sizeof(u64)))

/* Room for one member in a message. */
#define CPBLK_MEMBER_SPACE \
	(nla_total_size(0) + 3 * nla_total_size(CPB_NAME_LEN) + \
	 nla_total_size(DISK_NAME_LEN) + nla_total_size(CPB_UUID_LEN) + \
	 5 * nla_total_size_64bit(sizeof(u64)))

#endif /* CPBLK_EVENT_H */
