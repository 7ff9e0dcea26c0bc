/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Using a store that may be damaged: all of it is read, everything that can be
 * done is done to it, and what is read is compared with what was there.
 */
#ifndef DAMAGE_USE_H
#define DAMAGE_USE_H

#include "../../tools/engine/rest.h"
#include "image.h"

#define VIEW_MAPS	32
#define VIEW_CHUNKS	1024

/** struct view - the contents of all volumes and visible checkpoints */
struct view {
	unsigned int nr;
	struct {
		u64 id;
		bool head;
		u64 content[VIEW_CHUNKS];	/* 0: a hole */
	} map[VIEW_MAPS];
};

/** view_read() - fill it in; 0 or an error of the engine */
int view_read(struct cpb_store *s, const struct image *d, struct view *v);

/** view_hash() - one number for all of it */
u64 view_hash(const struct view *v);

/* Changes of a store, and of the view that must follow; 0 or an error. */
int use_write(struct cpb_store *s, struct image *d, struct cpb_volume *v,
	      struct view *view, u64 at, u64 len);
int use_discard(struct cpb_volume *v, struct view *view, u64 at, u64 len);
int use_snap(struct cpb_store *s, struct cpb_volume *v, const char *name,
	     struct view *view, u64 *id, char *why);
int use_restore(struct cpb_store *s, struct cpb_volume *v, u64 id, bool safety,
		struct view *view, char *why);
int use_create(struct cpb_store *s, const char *name, u64 from,
	       struct view *view, struct cpb_volume **v, char *why);
int use_delete(struct cpb_store *s, u64 id, struct view *view, char *why);
int use_remove(struct cpb_volume *v, struct view *view, char *why);

/** use_all() - a bit of everything; 0 or an error; @what gets what failed */
int use_all(struct cpb_store *s, struct image *d, struct view *view,
	    const char **what, char *why);

/** struct complaints - what cpb_check() said */
struct complaints {
	u64 nr;
	char first[256];
};

/** use_check() - cpb_check(); what it returned counts as a complaint too */
void use_check(struct cpb_store *s, struct complaints *c);

int use_open(struct image *d, unsigned int flags, struct cpb_store **s,
	     char *why);
void use_close(struct cpb_store *s);

#endif /* DAMAGE_USE_H */
