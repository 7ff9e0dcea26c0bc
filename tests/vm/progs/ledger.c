// SPDX-License-Identifier: GPL-2.0
/*
 * The ledger of ledger.h: workers, their model, and the comparison.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger.h"

#define SECTORS		1024U		/* of a volume */
#define CHUNK		8U		/* sectors */
#define WORDS		(SECTOR / 8)
#define POINTS		5U		/* checkpoints of a worker, at most */
#define WORKERS		8U
#define STEPS		20000U
#define COMPLAINTS	12U

enum kind { WRITE, ZERO, DISCARD, FLUSH, SNAP, RESTORE, DELETE, FORK, REMOVE };

static const char *const kinds[] = {
	"write", "zero", "discard", "flush", "snap", "restore", "delete",
	"fork", "remove",
};

/*
 * One step. @seq: what its sectors say; @name: of the checkpoint or fork;
 * @made: of what it makes, empty while that is not known; @nr: from
 * on_durable(); @submit, @complete: by the clock, 0: never acknowledged.
 */
struct step {
	enum kind kind;
	bool fua, safety;
	uint32_t seq, start, len, nr;
	uint64_t submit, complete;
	char name[CPBLK_NAME_MAX + 1], made[CPBLK_NAME_MAX + 1];
};

/* What a checkpoint or a fork holds; @seq by sector. */
struct point {
	char name[CPBLK_NAME_MAX + 1];
	uint64_t id;
	uint32_t seq[SECTORS];
};

struct state {
	uint32_t head[SECTORS];
	struct point points[POINTS + 2];
	unsigned int nr_points;
	struct point fork;		/* no name: there is none */
};

struct worker {
	struct ledger *l;
	pthread_t thread;
	char volume[16];
	uint64_t rnd;
	unsigned int names, todo;
	struct cpblk *link;
	uint64_t *data;
	int fd;
	struct state base, now, found;
	struct step *steps;
	unsigned int nr_steps;
	unsigned int must, from, to;	/* verifying: what steps may be there */
};

struct ledger {
	struct ledger_setup setup;
	struct cpblk *link;
	atomic_bool cut, may_fail;
	atomic_uint failed;
	atomic_ullong clock;
	atomic_uint seq;
	uint64_t rnd;
	unsigned int complaints;
	struct worker w[WORKERS];
};

__attribute__((format(printf, 2, 3)))
static void complain(struct ledger *l, const char *format, ...)
{
	va_list args;

	if (l->complaints++ >= COMPLAINTS)
		return;
	va_start(args, format);
	fputs("VIOLATION: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* ---- What a sector holds ---- */

static uint64_t word(uint32_t seq, uint32_t sector, unsigned int i)
{
	return (seq * 0x9e3779b97f4a7c15ULL ^ sector) * 0xff51afd7ed558ccdULL + i;
}

static void fill(struct worker *w, const struct step *s)
{
	uint64_t *p = w->data;
	unsigned int i, j;

	for (j = 0; j < s->len; j++, p += WORDS) {
		p[0] = s->seq;
		for (i = 1; i < WORDS; i++)
			p[i] = word(s->seq, s->start + j, i);
	}
}

/* Which step wrote it, 0: none; false: nobody could have. */
static bool parse(const uint64_t *p, uint32_t sector, uint32_t *seq)
{
	unsigned int i;

	*seq = (uint32_t)p[0];
	if (p[0] > UINT32_MAX)
		return false;
	for (i = 1; i < WORDS; i++)
		if (p[i] != (*seq ? word(*seq, sector, i) : 0))
			return false;
	return true;
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	return fd;
}

static void read_device(struct worker *w, const char *what, const char *device,
			uint32_t *seq)
{
	char path[64];
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "/dev/%.31s", device);
	fd = open_device(path, O_RDONLY);
	if (pread(fd, w->data, SECTORS * SECTOR, 0) != (ssize_t)(SECTORS * SECTOR)) {
		complain(w->l, "%s can't be read: %s", what, strerror(errno));
		memset(seq, 0xff, SECTORS * sizeof(*seq));
	} else {
		for (i = 0; i < SECTORS; i++)
			if (!parse(w->data + i * WORDS, i, seq + i))
				complain(w->l, "%s: nobody wrote what is in sector %u: %016llx %016llx",
					 what, i,
					 (unsigned long long)w->data[i * WORDS],
					 (unsigned long long)w->data[i * WORDS + 1]);
	}
	close(fd);
}

/* ---- The model ---- */

static struct point *find_point(struct state *st, const char *name)
{
	unsigned int i;

	for (i = 0; i < st->nr_points; i++)
		if (!strcmp(st->points[i].name, name))
			return &st->points[i];
	return NULL;
}

static void add_point(struct state *st, const char *name)
{
	struct point *p = &st->points[st->nr_points++];

	memset(p->name, 0, sizeof(p->name));
	strcpy(p->name, name);
	p->id = 0;
	memcpy(p->seq, st->head, sizeof(p->seq));
}

static void apply(struct state *st, const struct step *s)
{
	struct point *p = find_point(st, s->name);
	unsigned int i;

	switch (s->kind) {
	case WRITE:
	case ZERO:
	case DISCARD:
		for (i = s->start; i < s->start + s->len; i++)
			st->head[i] = s->kind == WRITE ? s->seq : 0;
		break;
	case FLUSH:
		break;
	case SNAP:
		add_point(st, s->made);
		break;
	case RESTORE:
		if (s->safety)
			add_point(st, s->made);
		p = find_point(st, s->name);
		memcpy(st->head, p->seq, sizeof(st->head));
		break;
	case DELETE:
		*p = st->points[--st->nr_points];
		break;
	case FORK:
		st->fork = *p;
		memcpy(st->fork.name, s->made, sizeof(s->made));
		break;
	case REMOVE:
		st->fork.name[0] = 0;
		break;
	}
}

/* ---- Working ---- */

static void choose(struct worker *w, struct step *s)
{
	uint64_t r = random_next(&w->rnd);
	struct state *st = &w->now;
	unsigned int kind = r % 100;

	memset(s, 0, sizeof(*s));
	s->start = (uint32_t)((r >> 32) % SECTORS);
	s->len = 1 + (uint32_t)(r >> 8) % (r >> 20 & 7 ? CHUNK : 128);
	if (r >> 24 & 1) {
		s->start &= ~(CHUNK - 1);
		s->len = (s->len + CHUNK - 1) & ~(CHUNK - 1);
	}
	if (s->start + s->len > SECTORS)
		s->len = SECTORS - s->start;

	if (kind < 20 && st->nr_points) {
		struct point *p = &st->points[(r >> 28) % st->nr_points];

		strcpy(s->name, p->name);
		if (kind < 7)
			s->kind = DELETE;
		else if (kind < 13)
			s->kind = RESTORE;
		else if (st->fork.name[0])
			s->kind = REMOVE;
		else
			s->kind = FORK;
		s->safety = r & 1 << 25 && st->nr_points < POINTS;
	} else if (kind < 32 && st->nr_points < POINTS) {
		s->kind = SNAP;
	} else if (kind < 48) {
		s->kind = FLUSH;
	} else if (kind < 52) {
		s->kind = ZERO;
	} else if (kind < 56) {
		s->kind = DISCARD;
		s->start &= ~(CHUNK - 1);
		s->len = (s->len + CHUNK - 1) & ~(CHUNK - 1);
	} else {
		s->kind = WRITE;
		s->fua = kind >= 90;
	}
	if (s->kind == SNAP)
		sprintf(s->made, "s%u", ++w->names);
	if (s->kind == FORK)
		sprintf(s->made, "%s-f%u", w->volume, ++w->names);
	if (s->kind == REMOVE)
		strcpy(s->name, st->fork.name);
}

static int do_snap(struct worker *w, struct step *s, struct cpblk_error *err)
{
	const char *volume = w->volume;
	struct cpblk_snap snap = { .volumes = &volume, .nr = 1, .name = s->made };
	int ret = cpblk_snap(w->link, w->l->setup.store, &snap, err);

	free(snap.taken);
	return ret;
}

static uint64_t point_id(struct worker *w, const char *name)
{
	struct cpblk_checkpoint_info info;

	if (cpblk_checkpoint_get(w->link, w->l->setup.store, w->volume, name, 0,
				 &info, NULL))
		return 0;
	return info.id;
}

static int do_restore(struct worker *w, struct step *s, uint64_t id,
		      struct cpblk_error *err)
{
	struct cpblk_restored result;
	int ret = cpblk_restore(w->link, w->l->setup.store, w->volume, id,
				s->safety ? 0 : CPBLK_RESTORE_NO_SAFETY, NULL,
				&result, err);

	if (!ret && s->safety)
		strcpy(s->made, result.safety);
	return ret;
}

static int do_io(struct worker *w, const struct step *s)
{
	uint64_t range[2] = { (uint64_t)s->start * SECTOR, (uint64_t)s->len * SECTOR };
	struct iovec v = { .iov_base = w->data, .iov_len = range[1] };

	switch (s->kind) {
	case WRITE:
		fill(w, s);
		return pwritev2(w->fd, &v, 1, (off_t)range[0],
				s->fua ? RWF_DSYNC : 0) == (ssize_t)range[1] ?
			0 : -EIO;
	case ZERO:
		return ioctl(w->fd, BLKZEROOUT, range);
	case DISCARD:
		return ioctl(w->fd, BLKDISCARD, range);
	default:
		return fdatasync(w->fd);
	}
}

static int perform(struct worker *w, struct step *s, struct cpblk_error *err)
{
	const char *store = w->l->setup.store;
	struct cpblk_new_volume made;
	uint64_t id;

	snprintf(err->text, sizeof(err->text), "I/O error");
	if (s->kind <= FLUSH)
		return do_io(w, s);
	if (s->kind == SNAP)
		return do_snap(w, s, err);
	if (s->kind == REMOVE)
		return cpblk_volume_remove(w->link, store, s->name, 0, err);
	id = point_id(w, s->name);
	if (!id)
		die("%s: checkpoint %s is gone", w->volume, s->name);
	if (s->kind == RESTORE)
		return do_restore(w, s, id, err);
	if (s->kind == DELETE)
		return cpblk_checkpoint_delete(w->link, store, &id, 1, err);
	return cpblk_fork(w->link, store, id, s->made, 0, &made, err);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct ledger *l = w->l;
	struct cpblk_error err;
	struct step *s;

	while (w->nr_steps < STEPS && (w->todo ? w->nr_steps < w->todo : !l->cut)) {
		s = &w->steps[w->nr_steps];
		choose(w, s);
		s->seq = ++l->seq;
		s->submit = ++l->clock;
		w->nr_steps++;
		if (perform(w, s, &err)) {
			l->failed++;
			if (l->cut || l->may_fail)
				return NULL;
			die("%s: %s failed: %s", w->volume, kinds[s->kind], err.text);
		}
		s->complete = ++l->clock;
		if (l->setup.on_durable && (s->kind >= FLUSH || s->fua))
			s->nr = l->setup.on_durable();
		apply(&w->now, s);
	}
	return NULL;
}

void ledger_start(struct ledger *l, unsigned int steps)
{
	unsigned int i;

	l->cut = false;
	l->may_fail = false;
	l->failed = 0;
	for (i = 0; i < l->setup.workers; i++) {
		struct worker *w = &l->w[i];
		char path[64];

		volume_path(l->link, l->setup.store, w->volume, path);
		w->fd = open_device(path, O_RDWR);
		w->nr_steps = 0;
		w->todo = steps;
		w->now = w->base;
		if (pthread_create(&w->thread, NULL, work, w))
			die("cannot start a thread");
	}
}

void ledger_cut(struct ledger *l)
{
	l->cut = true;
}

void ledger_may_fail(struct ledger *l)
{
	l->may_fail = true;
}

bool ledger_failed(struct ledger *l)
{
	return l->failed == l->setup.workers;
}

void ledger_join(struct ledger *l)
{
	unsigned int i;

	for (i = 0; i < l->setup.workers; i++) {
		pthread_join(l->w[i].thread, NULL);
		close(l->w[i].fd);
	}
}

/* ---- What is there ---- */

/* The checkpoints' names and numbers; not what they hold. */
static void find_points(struct worker *w)
{
	struct cpblk_checkpoint_info *list;
	struct state *st = &w->found;
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_checkpoint_list(w->link, w->l->setup.store, w->volume, &list,
				  &nr, &err))
		die("%s: %s", w->volume, err.text);
	st->nr_points = 0;
	for (i = 0; i < nr; i++) {
		if (list[i].flags & CPBLK_POINT_HIDDEN)
			continue;
		if (st->nr_points == POINTS + 2) {
			complain(w->l, "%s has more checkpoints than it ever had",
				 w->volume);
			break;
		}
		add_point(st, list[i].name);
		st->points[st->nr_points - 1].id = list[i].id;
	}
	free(list);
}

static void find(struct worker *w)
{
	const char *store = w->l->setup.store;
	struct cpblk_volume_info info, *list;
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_volume_get(w->link, store, w->volume, &info, &err)) {
		complain(w->l, "%s is gone: %s", w->volume, err.text);
		return;
	}
	read_device(w, w->volume, info.device, w->found.head);
	find_points(w);
	w->found.fork.name[0] = 0;
	if (cpblk_volume_list(w->link, store, &list, &nr, &err))
		die("%s", err.text);
	for (i = 0; i < nr; i++) {
		if (strncmp(list[i].name, w->volume, strlen(w->volume)) ||
		    list[i].name[strlen(w->volume)] != '-')
			continue;
		/* A fork that failed with its store; to have made it is no promise. */
		if (!list[i].device[0])
			continue;
		if (w->found.fork.name[0])
			complain(w->l, "%s has two forks", w->volume);
		strcpy(w->found.fork.name, list[i].name);
		read_device(w, list[i].name, list[i].device, w->found.fork.seq);
	}
	free(list);
}

/* ---- Comparing ---- */

/*
 * Is a checkpoint that is there the one that should be? A restore of which no
 * answer came has made one by a name of the driver's choice.
 */
static struct point *counterpart(struct state *st, struct state *found,
				 const struct point *p)
{
	unsigned int i;

	if (p->name[0])
		return find_point(found, p->name);
	for (i = 0; i < found->nr_points; i++)
		if (!find_point(st, found->points[i].name))
			return &found->points[i];
	return NULL;
}

static bool same_objects(struct state *st, struct state *found)
{
	unsigned int i;

	if (st->nr_points != found->nr_points ||
	    strcmp(st->fork.name, found->fork.name))
		return false;
	for (i = 0; i < st->nr_points; i++)
		if (!counterpart(st, found, &st->points[i]))
			return false;
	return true;
}

/* Whether the head is as in @st, perhaps with whole chunks of what @next did. */
static bool same_head(const struct state *st, const uint32_t *found,
		      const struct step *next)
{
	uint32_t after[SECTORS];
	const unsigned int bytes = CHUNK * sizeof(*found);
	unsigned int i;

	if (!memcmp(st->head, found, sizeof(st->head)))
		return true;
	if (!next || next->kind > DISCARD)
		return false;
	memcpy(after, st->head, sizeof(after));
	for (i = next->start; i < next->start + next->len; i++)
		after[i] = next->kind == WRITE ? next->seq : 0;
	for (i = 0; i < SECTORS; i += CHUNK)
		if (memcmp(st->head + i, found + i, bytes) &&
		    memcmp(after + i, found + i, bytes))
			return false;
	return true;
}

/* Why it is none of the states that it may be, for a reader. */
static void explain(struct worker *w, struct state *st)
{
	unsigned int i, nr = 0;

	complain(w->l, "%s: not as after %u to %u steps; after %u:", w->volume,
		 w->must, w->nr_steps, w->nr_steps);
	for (i = 0; i < SECTORS && nr < 5; i++)
		if (st->head[i] != w->found.head[i]) {
			printf("  sector %u is of step %u, not of %u\n", i,
			       w->found.head[i], st->head[i]);
			nr++;
		}
	for (i = 0; i < st->nr_points; i++)
		printf("  should have %s@%s\n", w->volume, st->points[i].name);
	for (i = 0; i < w->found.nr_points; i++)
		printf("  has %s@%s\n", w->volume, w->found.points[i].name);
	printf("  should have fork '%s', has '%s'\n", st->fork.name,
	       w->found.fork.name);
	for (i = w->must ? w->must - 1 : 0; i < w->nr_steps; i++) {
		struct step *s = &w->steps[i];

		printf("  step %u: %s%s %s %u+%u, seq %u, %s\n", i + 1,
		       kinds[s->kind], s->fua ? " fua" : "",
		       s->name[0] ? s->name : s->made, s->start, s->len, s->seq,
		       s->complete ? "complete" : "unanswered");
	}
}

/* Which numbers of steps fit; the state with the fewest is left in w->now. */
static bool match(struct worker *w)
{
	static struct state st;
	bool any = false;
	unsigned int j;

	st = w->base;
	for (j = 0; ; j++) {
		struct step *next = j < w->nr_steps ? &w->steps[j] : NULL;

		if (j >= w->must && same_objects(&st, &w->found) &&
		    same_head(&st, w->found.head, next)) {
			if (!any) {
				w->from = j;
				w->now = st;
			}
			any = true;
			w->to = j;
		}
		if (!next)
			break;
		apply(&st, next);
	}
	if (!any)
		explain(w, &st);
	return any;
}

static void compare_content(struct worker *w, const struct point *p,
			    struct point *is, bool attach)
{
	const char *store = w->l->setup.store;
	char device[CPBLK_DEVICE_MAX + 1], what[160];
	struct cpblk_error err;
	unsigned int i;

	snprintf(what, sizeof(what), "%s@%s", w->volume, is->name);
	if (attach) {
		if (cpblk_attach(w->link, store, is->id, device, &err)) {
			complain(w->l, "%s can't be attached: %s", what, err.text);
			return;
		}
		read_device(w, what, device, is->seq);
		if (cpblk_detach(w->link, store, is->id, &err))
			die("%s: %s", what, err.text);
	}
	for (i = 0; i < SECTORS; i++)
		if (p->seq[i] != is->seq[i]) {
			complain(w->l, "%s: sector %u is of step %u, not of %u",
				 what, i, is->seq[i], p->seq[i]);
			break;
		}
}

static void compare_points(struct worker *w, bool all)
{
	struct state *st = &w->now;
	unsigned int i, one;

	one = st->nr_points ? random_next(&w->l->rnd) % st->nr_points : 0;
	for (i = 0; i < st->nr_points; i++)
		if (all || i == one)
			compare_content(w, &st->points[i],
					counterpart(st, &w->found, &st->points[i]),
					true);
	if (st->fork.name[0])
		compare_content(w, &st->fork, &w->found.fork, false);
}

/* If a step of @b is there, all that were complete before it are. */
static void compare_cut(const struct worker *a, const struct worker *b)
{
	const struct step *missing, *there;

	if (a->to >= a->nr_steps || !b->from)
		return;
	missing = &a->steps[a->to];
	there = &b->steps[b->from - 1];
	if (missing->complete && missing->complete < there->submit)
		complain(a->l, "step %u of %s is there, and not step %u of %s, which was complete before",
			 b->from, b->volume, a->to + 1, a->volume);
}

unsigned int ledger_verify(struct ledger *l, bool (*seen)(uint32_t nr), bool all)
{
	bool fits = true;
	unsigned int i, j;

	l->complaints = 0;
	for (i = 0; i < l->setup.workers; i++) {
		struct worker *w = &l->w[i];

		w->must = 0;
		for (j = 0; j < w->nr_steps; j++) {
			struct step *s = &w->steps[j];

			if (s->complete && (s->kind >= FLUSH || s->fua) &&
			    (!seen || seen(s->nr)))
				w->must = j + 1;
		}
		find(w);
		if (match(w))
			compare_points(w, all);
		else
			fits = false;
	}
	for (i = 0; fits && i < l->setup.workers; i++)
		for (j = 0; j < l->setup.workers; j++)
			if (i != j)
				compare_cut(&l->w[i], &l->w[j]);
	return l->complaints;
}

unsigned int ledger_verify_complete(struct ledger *l)
{
	unsigned int i;

	l->complaints = 0;
	for (i = 0; i < l->setup.workers; i++) {
		struct worker *w = &l->w[i];

		/* At most the last one failed. */
		w->must = w->nr_steps;
		if (w->must && !w->steps[w->must - 1].complete)
			w->must--;
		find(w);
		match(w);
	}
	return l->complaints;
}

void ledger_adopt(struct ledger *l)
{
	unsigned int i, j;

	for (i = 0; i < l->setup.workers; i++) {
		struct worker *w = &l->w[i];

		w->base = w->now;
		memcpy(w->base.head, w->found.head, sizeof(w->base.head));
		/* What the driver chose a name for has one now. */
		for (j = 0; j < w->base.nr_points; j++) {
			struct point *p = &w->base.points[j];

			strcpy(p->name, counterpart(&w->base, &w->found, p)->name);
		}
		w->nr_steps = 0;
	}
}

/* ---- The store ---- */

unsigned int ledger_check(struct ledger *l)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = vfork();
	if (!pid) {
		execlp("cpblk", "cpblk", "check", l->setup.meta, l->setup.data, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("cannot run cpblk check: %s", strerror(errno));
	if (!status)
		return 0;
	printf("VIOLATION: cpblk check ended with %d\n", WEXITSTATUS(status));
	return 1;
}

void ledger_use(struct ledger *l, const char *meta, const char *data)
{
	l->setup.meta = meta;
	l->setup.data = data;
}

void ledger_open(struct ledger *l)
{
	struct cpblk_error err;

	if (cpblk_store_open(l->link, l->setup.meta, l->setup.data, 0, NULL, &err))
		die("VIOLATION: the store does not open: %s", err.text);
}

void ledger_close(struct ledger *l, bool may_fail)
{
	struct cpblk_store_info info;
	struct cpblk_error err;

	if (cpblk_store_close(l->link, l->setup.store, &err) &&
	    (!may_fail || !cpblk_store_get(l->link, l->setup.store, &info, NULL)))
		die("the store can't be closed: %s", err.text);
}

struct ledger *ledger_new(const struct ledger_setup *setup)
{
	struct ledger *l = must_alloc(1, sizeof(*l));
	struct cpblk_new_volume made;
	struct cpblk_error err;
	unsigned int i;

	if (setup->workers > WORKERS)
		die("at most %u workers", WORKERS);
	l->setup = *setup;
	l->rnd = setup->seed;
	l->link = must_connect();
	for (i = 0; i < setup->workers; i++) {
		struct worker *w = &l->w[i];

		w->l = l;
		w->link = must_connect();
		w->data = must_alloc_aligned(SECTORS * SECTOR);
		w->steps = must_alloc(STEPS, sizeof(*w->steps));
		w->rnd = random_next(&l->rnd);
		sprintf(w->volume, "w%u", i);
		if (cpblk_volume_create(l->link, setup->store, w->volume,
					SECTORS * SECTOR, 0, &made, &err))
			die("%s", err.text);
	}
	return l;
}
