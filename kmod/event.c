// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to the multicast group "events". If there is no memory for one it
 * is not sent; netlink tells its listeners when they have missed some, and
 * what is can always be asked for.
 */
#include "event.h"

#define EVENT_SPACE	NLMSG_GOODSIZE

bool cpblk_put_taken(struct sk_buff *skb, const struct cpblk_taken *t)
{
	return (!t->volume[0] || cpblk_put_str(skb, CPBLK_A_VOLUME, t->volume)) &&
	       cpblk_put_u64(skb, CPBLK_A_VOLUME_ID, t->volume_id) &&
	       cpblk_put_str(skb, CPBLK_A_CHECKPOINT, t->name) &&
	       cpblk_put_u64(skb, CPBLK_A_CHECKPOINT_ID, t->id);
}

bool cpblk_put_points(struct sk_buff *skb, const struct cpblk_member *m,
		      unsigned int nr)
{
	struct nlattr *nest;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		nest = nla_nest_start(skb, CPBLK_A_POINT);
		if (!nest || !cpblk_put_taken(skb, &m[i].point))
			return false;
		nla_nest_end(skb, nest);
	}
	return true;
}

bool cpblk_put_made(struct sk_buff *skb, const struct cpblk_made *m)
{
	return cpblk_put_str(skb, CPBLK_A_VOLUME, m->name) &&
	       cpblk_put_u64(skb, CPBLK_A_VOLUME_ID, m->id) &&
	       cpblk_put_u64(skb, CPBLK_A_SIZE, m->size) &&
	       cpblk_put_str(skb, CPBLK_A_DEVICE, m->device);
}

/* What a restore made of what; the volume comes extra. */
bool cpblk_put_restored(struct sk_buff *skb, const struct cpblk_member *m)
{
	return cpblk_put_str(skb, CPBLK_A_CHECKPOINT, m->point.name) &&
	       cpblk_put_u64(skb, CPBLK_A_CHECKPOINT_ID, m->point.id) &&
	       (!m->safety.id ||
		cpblk_put_str(skb, CPBLK_A_SAFETY, m->safety.name)) &&
	       cpblk_put_u64(skb, CPBLK_A_SAFETY_ID, m->safety.id) &&
	       cpblk_put_u64(skb, CPBLK_A_GENERATION, m->generation);
}

bool cpblk_put_member(struct sk_buff *skb, const struct cpblk_member *m)
{
	struct nlattr *nest = nla_nest_start(skb, CPBLK_A_MEMBER);

	if (!nest || !cpblk_put_made(skb, &m->made) ||
	    nla_put(skb, CPBLK_A_VOLUME_UUID, CPB_UUID_LEN, m->made.uuid) ||
	    !cpblk_put_u64(skb, CPBLK_A_GENERATION, m->generation) ||
	    (m->point.name[0] &&
	     !cpblk_put_str(skb, CPBLK_A_CHECKPOINT, m->point.name)) ||
	    (m->point.id &&
	     !cpblk_put_u64(skb, CPBLK_A_CHECKPOINT_ID, m->point.id)) ||
	    (m->safety.id &&
	     (!cpblk_put_str(skb, CPBLK_A_SAFETY, m->safety.name) ||
	      !cpblk_put_u64(skb, CPBLK_A_SAFETY_ID, m->safety.id))))
		return false;
	nla_nest_end(skb, nest);
	return true;
}

bool cpblk_put_sizes(struct sk_buff *skb, struct cpblk_store *s,
		     const struct cpb_status *st)
{
	return cpblk_put_u64(skb, CPBLK_A_META_SIZE,
			     st->meta_blocks << CPB_BLOCK_SHIFT) &&
	       cpblk_put_u64(skb, CPBLK_A_DATA_SIZE,
			     st->data_chunks << s->chunk_shift);
}

static struct sk_buff *event_begin(enum cpblk_event event, struct cpblk_store *s,
				   size_t space, void **head)
{
	struct sk_buff *skb = genlmsg_new(space, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put(skb, 0, 0, &cpblk_genl_family, 0, event);
	if (*head && cpblk_put_str(skb, CPBLK_A_STORE, s->name))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static void event_end(struct sk_buff *skb, void *head, bool ok)
{
	if (!ok) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	/* That nobody listens is no error. */
	genlmsg_multicast(&cpblk_genl_family, skb, 0, 0, GFP_KERNEL);
}

void cpblk_event_store(enum cpblk_event event, struct cpblk_store *s,
		       const char *error)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(event, s, EVENT_SPACE, &head);
	if (!skb)
		return;
	event_end(skb, head,
		  !nla_put(skb, CPBLK_A_STORE_UUID, CPB_UUID_LEN, s->uuid) &&
		  (!error || cpblk_put_str(skb, CPBLK_A_ERROR, error)));
}

void cpblk_event_volume(enum cpblk_event event, struct cpblk_store *s,
			const struct cpblk_made *made)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(event, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head, cpblk_put_made(skb, made));
}

void cpblk_event_snap(struct cpblk_store *s, const struct cpblk_member *members,
		      unsigned int nr)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_SNAPPED, s,
			  EVENT_SPACE + nr * CPBLK_POINT_SPACE, &head);
	if (skb)
		event_end(skb, head, cpblk_put_points(skb, members, nr));
}

void cpblk_event_restore(struct cpblk_store *s, const struct cpblk_member *m)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_RESTORED, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head, cpblk_put_made(skb, &m->made) &&
			  cpblk_put_restored(skb, m));
}

void cpblk_event_fork(struct cpblk_store *s, const struct cpblk_made *made,
		      const struct cpblk_taken *from)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_FORKED, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head,
			  cpblk_put_made(skb, made) &&
			  cpblk_put_str(skb, CPBLK_A_CHECKPOINT, from->name) &&
			  cpblk_put_u64(skb, CPBLK_A_CHECKPOINT_ID, from->id));
}

void cpblk_event_point(enum cpblk_event event, struct cpblk_store *s,
		       const struct cpblk_taken *point, const char *device)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(event, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head,
			  cpblk_put_taken(skb, point) &&
			  (!device ||
			   cpblk_put_str(skb, CPBLK_A_DEVICE, device)));
}

/* How much is in use has crossed a threshold. */
void cpblk_event_space(struct cpblk_store *s, u32 state, const struct cpb_status *st)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_SPACE, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head,
			  !nla_put_u32(skb, CPBLK_A_SPACE, state) &&
			  cpblk_put_sizes(skb, s, st) &&
			  cpblk_put_u64(skb, CPBLK_A_META_USED,
					st->meta_used << CPB_BLOCK_SHIFT) &&
			  cpblk_put_u64(skb, CPBLK_A_DATA_USED,
					st->data_used << s->chunk_shift));
}

void cpblk_event_grown(struct cpblk_store *s, const struct cpb_status *st)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_GROWN, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head, cpblk_put_sizes(skb, s, st));
}

/* What is known of how far reclaiming is. */
bool cpblk_put_reclaim(struct sk_buff *skb, const struct cpblk_reclaim *r)
{
	return cpblk_put_u64(skb, CPBLK_A_RECLAIM_POINTS, r->points) &&
	       cpblk_put_u64(skb, CPBLK_A_RECLAIM_LEFT, r->left) &&
	       cpblk_put_u64(skb, CPBLK_A_RECLAIM_DONE, r->done) &&
	       (!r->ms || cpblk_put_u64(skb, CPBLK_A_RECLAIM_MS, r->ms));
}

void cpblk_event_reclaim(struct cpblk_store *s, const struct cpblk_reclaim *r)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(CPBLK_EVENT_RECLAIM, s, EVENT_SPACE, &head);
	if (skb)
		event_end(skb, head, cpblk_put_reclaim(skb, r));
}
