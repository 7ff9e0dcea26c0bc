// SPDX-License-Identifier: GPL-2.0
/*
 * stomp: an oracle for checkpoints and restores under load.
 *
 *	stomp run LOG STORE VOLUME SECONDS THREADS MILLISECONDS snap|restore|none
 *	stomp verify LOG STORE VOLUME
 *
 * "run" stomps over a volume from THREADS threads (writes of any size and
 * alignment, discards, write-zeroes, flushes), while others read, and every
 * MILLISECONDS a checkpoint is taken or, with "restore", sometimes one is
 * restored. What was done when goes to LOG. "verify" attaches every checkpoint
 * that is still there, reads all of it and of the head, and finds out whether
 * it could be as it is.
 *
 * Each sector that is written says which operation wrote it. A clock counts
 * submissions and completions, questions and answers. Between two restores the
 * volume is a segment: the content of the restored checkpoint, its base, under
 * what was written since. For a checkpoint asked for at "ask" and answered at
 * "answer", a sector may hold
 *
 * - what an operation W left there that was submitted before "answer" and not
 *   complete when the segment's restore was asked for, unless another one for
 *   the same sector was submitted after W completed and must be there;
 * - what the base has, unless there is an operation that must be there.
 *
 * Must be there: what was submitted after the segment's restore was answered,
 * and completed before "ask", or before any operation was submitted of which
 * the checkpoint, or an earlier one of the segment, has anything.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

#define OPS_MAX		(1U << 19)
#define READS_MAX	(1U << 15)
#define POINTS_MAX	4096U
#define WORDS		(SECTOR / 8)
#define READ_SECTORS	16U
#define OP_SECTORS	2048U
#define COMPLAINTS_MAX	20
#define LATER		(~0ULL)

enum kind { WRITE, ZERO, DISCARD };

/* One operation; @start and @len in sectors. */
struct op {
	uint64_t submit, complete;
	uint32_t start, len, kind, pad;
};

/* One read, and which operations it found the sectors written by (0: zeroes). */
struct seen {
	uint64_t start, end;
	uint32_t sector, len;
	uint32_t ops[READ_SECTORS];
};

/* A checkpoint, or with @id 0 the head at the end. */
struct point {
	uint64_t id, ask, answer;
	uint32_t segment, pad;
};

/* What began with a restore; @base: index of the point, ~0: an empty volume. */
struct segment {
	uint64_t ask, answer;
	uint32_t base, pad;
};

static struct header {
	uint32_t sectors, chunk, nr_ops, nr_seen, nr_points, nr_segments;
} h;

static struct op *ops;
static struct seen *seen;
static struct point points[POINTS_MAX];
static struct segment segments[POINTS_MAX];

static _Atomic uint64_t the_clock = 1;
static _Atomic uint32_t next_op = 1, next_seen;
static atomic_bool stop;
static char device[64];
static const char *store_name, *volume_name;
static unsigned int complaints;

static uint64_t tick(void)
{
	return atomic_fetch_add(&the_clock, 1);
}

/* ---- What a sector holds ---- */

static uint64_t word(uint32_t op, uint32_t sector, unsigned int i)
{
	return (op * 0x9e3779b97f4a7c15ULL ^ sector) * 0xff51afd7ed558ccdULL + i;
}

static void fill(uint64_t *data, uint32_t op, uint32_t sector, uint32_t len)
{
	unsigned int i;

	for (; len; len--, sector++, data += WORDS) {
		data[0] = op;
		data[1] = sector;
		for (i = 2; i < WORDS; i++)
			data[i] = word(op, sector, i);
	}
}

/* Which operation wrote this; false: none could have. */
static bool parse(const uint64_t *data, uint32_t sector, uint32_t nr_ops,
		  uint32_t *op)
{
	unsigned int i;

	*op = (uint32_t)data[0];
	if (data[0] >= nr_ops)
		return false;
	if (!data[0]) {
		for (i = 1; i < WORDS && !data[i]; i++)
			;
		return i == WORDS;
	}
	if (data[1] != sector || ops[*op].kind != WRITE ||
	    sector - ops[*op].start >= ops[*op].len)
		return false;
	for (i = 2; i < WORDS; i++)
		if (data[i] != word(*op, sector, i))
			return false;
	return true;
}

static void parse_all(const uint64_t *data, uint32_t sector, uint32_t len,
		      uint32_t nr_ops, uint32_t *to, const char *what)
{
	uint32_t op;

	for (; len; len--, sector++, data += WORDS) {
		if (!parse(data, sector, nr_ops, &op))
			die("%s: nobody wrote what is in sector %u: %016llx %016llx %016llx",
			    what, sector, (unsigned long long)data[0],
			    (unsigned long long)data[1],
			    (unsigned long long)data[2]);
		if (to)
			*to++ = op;
	}
}

/* ---- Running ---- */

/* Where and how much: half of all goes to a part in which they meet often. */
static void choose(uint64_t *rnd, struct op *op)
{
	uint64_t r = random_next(rnd);
	uint32_t area = r & 1 ? h.sectors : h.sectors / 16, most, from;

	op->kind = WRITE;
	switch (r >> 1 & 15) {
	case 0:
	case 1:
		most = OP_SECTORS;
		break;
	case 2:
		most = 512;
		op->kind = ZERO;
		break;
	case 3:
		most = 1024;
		op->kind = DISCARD;
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		most = 8;
		break;
	default:
		most = 24;
	}
	op->len = 1 + (uint32_t)(r >> 8) % most;
	op->start = (uint32_t)((r >> 32) % area);
	if (r >> 6 & 1) {
		op->start &= ~7U;
		op->len = (op->len + 7) & ~7U;
	}
	if (op->start + op->len > h.sectors)
		op->len = h.sectors - op->start;
	if (op->kind != DISCARD)
		return;
	/* Only whole chunks are discarded. */
	from = (op->start + h.chunk - 1) / h.chunk * h.chunk;
	most = (op->start + op->len) / h.chunk * h.chunk;
	op->start = from;
	op->len = most > from ? most - from : 0;
}

static void *writer(void *arg)
{
	uint64_t rnd = 0x1234567 + (uintptr_t)arg * 7919, range[2];
	char *room = must_alloc_aligned((OP_SECTORS + 8) * SECTOR), *data;
	int fd = open(device, O_RDWR | O_DIRECT), rc;
	uint32_t id, start, len;
	struct op want;

	if (fd < 0)
		die("cannot open %s: %s", device, strerror(errno));
	while (!atomic_load(&stop)) {
		choose(&rnd, &want);
		start = want.start;
		len = want.len;
		if (!len)
			continue;
		/* Discards that end in the middle of chunks. */
		if (want.kind == DISCARD && random_next(&rnd) & 1 &&
		    start && start + len < h.sectors) {
			start--;
			len += 2;
		}
		id = atomic_fetch_add(&next_op, 1);
		if (id >= OPS_MAX)
			break;
		ops[id] = want;
		/* At the odd places of memory too. */
		data = room + (random_next(&rnd) & 7) * SECTOR;
		if (want.kind == WRITE)
			fill((uint64_t *)data, id, start, len);
		range[0] = (uint64_t)start * SECTOR;
		range[1] = (uint64_t)len * SECTOR;
		ops[id].submit = tick();
		if (want.kind == WRITE)
			rc = pwrite(fd, data, range[1], (off_t)range[0]) !=
			     (ssize_t)range[1];
		else
			rc = ioctl(fd, want.kind == ZERO ? BLKZEROOUT : BLKDISCARD,
				   range);
		if (rc)
			die("operation %u (%u) on %u sectors at %u failed: %s", id,
			    want.kind, len, start, strerror(errno));
		ops[id].complete = tick();
		if (!(random_next(&rnd) & 63) && fdatasync(fd))
			die("flush failed: %s", strerror(errno));
	}
	close(fd);
	free(room);
	return NULL;
}

/* @arg: NULL for direct reads, which are kept for verify. */
static void *reader(void *arg)
{
	uint64_t *data = must_alloc_aligned(READ_SECTORS * SECTOR), rnd = 99, r;
	int fd = open(device, O_RDONLY | (arg ? 0 : O_DIRECT));
	struct timespec pause = { 0, 2000000 };
	struct seen s = { 0 };
	uint32_t at;

	if (fd < 0)
		die("cannot open %s: %s", device, strerror(errno));
	while (!atomic_load(&stop)) {
		r = random_next(&rnd);
		s.len = 1 + (r & (READ_SECTORS - 1));
		s.sector = (uint32_t)((r >> 32) %
				      (r & 256 ? h.sectors : h.sectors / 16));
		if (s.sector + s.len > h.sectors)
			continue;
		s.start = tick();
		if (pread(fd, data, s.len * SECTOR, (off_t)s.sector * SECTOR) !=
		    (ssize_t)(s.len * SECTOR))
			die("read failed: %s", strerror(errno));
		s.end = tick();
		parse_all(data, s.sector, s.len, atomic_load(&next_op), s.ops,
			  arg ? "cached read" : "read");
		at = arg ? READS_MAX : atomic_fetch_add(&next_seen, 1);
		if (at < READS_MAX)
			seen[at] = s;
		nanosleep(&pause, NULL);
	}
	close(fd);
	free(data);
	return NULL;
}

static struct point *new_point(uint64_t ask)
{
	struct point *p = &points[h.nr_points];

	if (h.nr_points++ == POINTS_MAX)
		die("too many checkpoints");
	p->ask = ask;
	p->segment = h.nr_segments - 1;
	return p;
}

static void take_snap(struct cpblk *link)
{
	struct cpblk_snap snap = { .volumes = &volume_name, .nr = 1 };
	struct point *p = new_point(tick());
	struct cpblk_error err;

	if (cpblk_snap(link, store_name, &snap, &err))
		die("snap: %s", err.text);
	p->answer = tick();
	p->id = snap.taken[0].id;
	free(snap.taken);
}

/* To a checkpoint taken before, or to what the volume says undoes the last one. */
static void restore(struct cpblk *link, uint64_t r)
{
	static uint64_t expect_undo;
	struct cpblk_volume_info v;
	struct cpblk_restored done;
	unsigned int flags = r & 1 ? CPBLK_RESTORE_NO_SAFETY : 0;
	struct segment *s = &segments[h.nr_segments];
	struct cpblk_error err;
	uint32_t base = (uint32_t)((r >> 32) % h.nr_points);
	struct point *p;

	if (cpblk_volume_get(link, store_name, volume_name, &v, &err))
		die("%s", err.text);
	if (v.undo_id != expect_undo)
		die("undo leads to %llu, not to %llu", (unsigned long long)v.undo_id,
		    (unsigned long long)expect_undo);
	if (v.undo_id && r & 2)
		for (base = 0; points[base].id != v.undo_id; base++)
			;
	s->base = base;
	s->ask = tick();
	if (cpblk_restore(link, store_name, volume_name, points[base].id, flags,
			  &v.generation, &done, &err))
		die("restore: %s", err.text);
	s->answer = tick();
	if (done.generation != v.generation + 1)
		die("generation %llu after %llu", (unsigned long long)done.generation,
		    (unsigned long long)v.generation);
	if (!(flags & CPBLK_RESTORE_NO_SAFETY)) {
		p = new_point(s->ask);
		p->answer = s->answer;
		p->id = done.safety_id;
	}
	expect_undo = done.safety_id;
	h.nr_segments++;
}

static void control(struct cpblk *link, unsigned long ms, unsigned long every,
		    const char *what)
{
	struct timespec t;
	uint64_t end, next, now, rnd = 4711, r;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	end = now + ms;
	for (next = now + every; next < end; next += every) {
		t.tv_sec = (time_t)(next / 1000);
		t.tv_nsec = (long)(next % 1000) * 1000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		r = random_next(&rnd);
		if (*what == 'n')
			continue;
		if (*what == 'r' && h.nr_points && r >> 60 & 1)
			restore(link, r);
		else
			take_snap(link);
	}
}

static void geometry(struct cpblk *link)
{
	struct cpblk_store_info s;
	struct cpblk_volume_info v;
	struct cpblk_error err;

	if (cpblk_store_get(link, store_name, &s, &err) ||
	    cpblk_volume_get(link, store_name, volume_name, &v, &err))
		die("%s", err.text);
	h.chunk = s.chunk_size / SECTOR;
	h.sectors = (uint32_t)(v.size / SECTOR);
}

static void put(FILE *f, const void *data, size_t size, size_t nr)
{
	if (fwrite(data, size, nr, f) != nr)
		die("cannot write the log");
}

static void get(FILE *f, void *data, size_t size, size_t nr)
{
	if (fread(data, size, nr, f) != nr)
		die("cannot read the log");
}

static void run(struct cpblk *link, const char *log, char **argv)
{
	unsigned long threads = number(argv[1]), i;
	pthread_t *ids = must_alloc(threads + 2, sizeof(*ids));
	struct point *head;
	FILE *f;

	geometry(link);
	h.nr_segments = 1;
	segments[0].base = ~0U;
	for (i = 0; i < threads + 2; i++)
		if (pthread_create(&ids[i], NULL, i < threads ? writer : reader,
				   (void *)(i < threads ? i : i - threads)))
			die("cannot make a thread");
	control(link, number(argv[0]) * 1000, number(argv[2]), argv[3]);
	atomic_store(&stop, true);
	for (i = 0; i < threads + 2; i++)
		pthread_join(ids[i], NULL);
	head = new_point(tick());
	head->answer = LATER;
	h.nr_ops = next_op < OPS_MAX ? next_op : OPS_MAX;
	h.nr_seen = next_seen < READS_MAX ? next_seen : READS_MAX;

	f = fopen(log, "w");
	if (!f)
		die("cannot write %s", log);
	put(f, &h, sizeof(h), 1);
	put(f, ops, sizeof(*ops), h.nr_ops);
	put(f, seen, sizeof(*seen), h.nr_seen);
	put(f, points, sizeof(*points), h.nr_points);
	put(f, segments, sizeof(*segments), h.nr_segments);
	if (fclose(f))
		die("cannot write %s", log);
	printf("%u operations, %u reads, %u checkpoints, %u restores\n",
	       h.nr_ops - 1, h.nr_seen, h.nr_points - 1, h.nr_segments - 1);
	free(ids);
}

/* ---- Verifying ---- */

/* Which operations touch a sector: list[first[S] .. first[S + 1]). */
static uint32_t *first, *list;

static void index_ops(void)
{
	uint32_t i, s, *at;

	first = must_alloc(h.sectors + 2, sizeof(*first));
	for (i = 1; i < h.nr_ops; i++)
		for (s = 0; s < ops[i].len; s++)
			first[ops[i].start + s + 1]++;
	for (s = 0; s < h.sectors; s++)
		first[s + 1] += first[s];
	list = must_alloc(first[h.sectors], sizeof(*list));
	at = must_alloc(h.sectors, sizeof(*at));
	memcpy(at, first, h.sectors * sizeof(*at));
	for (i = 1; i < h.nr_ops; i++)
		for (s = 0; s < ops[i].len; s++)
			list[at[ops[i].start + s]++] = i;
	free(at);
}

/* A moment to which something that was read is held. */
struct moment {
	const struct segment *segment;
	const uint32_t *base;	/* NULL: empty */
	uint64_t deadline;	/* what completed before must be there */
	uint64_t answer;	/* what was submitted after can't be there */
};

/* May @sector hold what @op left there (0: zeroes)? */
static bool permitted(const struct moment *m, uint32_t sector, uint32_t op)
{
	const struct op *o;
	uint64_t sure = 0;
	uint32_t i;

	for (i = first[sector]; i < first[sector + 1]; i++) {
		o = &ops[list[i]];
		if (o->submit >= m->segment->answer && o->complete <= m->deadline &&
		    o->submit > sure)
			sure = o->submit;
	}
	if (!sure && (m->base ? m->base[sector] : 0) == op)
		return true;
	for (i = first[sector]; i < first[sector + 1]; i++) {
		o = &ops[list[i]];
		if (op ? list[i] != op : o->kind == WRITE)
			continue;
		if (o->submit < m->answer && o->complete > m->segment->ask &&
		    o->complete >= sure)
			return true;
	}
	return false;
}

static void complain(const struct moment *m, const char *what, uint32_t sector,
		     uint32_t op)
{
	const struct op *o;
	uint32_t i;

	if (complaints++ >= COMPLAINTS_MAX)
		return;
	printf("%s: sector %u holds operation %u; segment %llu..%llu, must be there before %llu, answer %llu, base %u\n",
	       what, sector, op, (unsigned long long)m->segment->ask,
	       (unsigned long long)m->segment->answer,
	       (unsigned long long)m->deadline, (unsigned long long)m->answer,
	       m->base ? m->base[sector] : 0);
	for (i = first[sector]; i < first[sector + 1]; i++) {
		o = &ops[list[i]];
		if (o->complete + 2000 < m->segment->ask || o->submit > m->answer)
			continue;
		printf("  operation %u, kind %u, %llu..%llu: %u sectors at %u\n",
		       list[i], o->kind, (unsigned long long)o->submit,
		       (unsigned long long)o->complete, o->len, o->start);
	}
}

static uint32_t *read_image(const char *path, const char *what)
{
	uint32_t *image = must_alloc(h.sectors, sizeof(*image)), at, len;
	uint64_t *data = must_alloc_aligned(OP_SECTORS * SECTOR);
	int fd = open(path, O_RDONLY | O_DIRECT);

	if (fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	for (at = 0; at < h.sectors; at += len) {
		len = h.sectors - at < OP_SECTORS ? h.sectors - at : OP_SECTORS;
		if (pread(fd, data, len * SECTOR, (off_t)at * SECTOR) !=
		    (ssize_t)(len * SECTOR))
			die("cannot read %s: %s", path, strerror(errno));
		parse_all(data, at, len, h.nr_ops, image + at, what);
	}
	close(fd);
	free(data);
	return image;
}

/* The image of a point; NULL: it is gone. */
static uint32_t *point_image(struct cpblk *link, const struct point *p)
{
	char name[CPBLK_DEVICE_MAX + 1], path[64], what[64];
	struct cpblk_error err;
	uint32_t *image;
	int rc;

	if (!p->id)
		return read_image(device, "head");
	snprintf(what, sizeof(what), "checkpoint %llu", (unsigned long long)p->id);
	rc = cpblk_attach(link, store_name, p->id, name, &err);
	if (rc == -ENOENT)
		return NULL;
	if (rc)
		die("attach: %s", err.text);
	snprintf(path, sizeof(path), "/dev/%s", name);
	image = read_image(path, what);
	if (cpblk_detach(link, store_name, p->id, &err))
		die("detach: %s", err.text);
	return image;
}

static const uint32_t *base_of(const struct segment *s, uint32_t **images)
{
	if (s->base == ~0U)
		return NULL;
	if (!images[s->base])
		die("checkpoint %llu, which was restored, is gone",
		    (unsigned long long)points[s->base].id);
	return images[s->base];
}

/* @known: when the last operation was submitted that is known to be there. */
static void verify_point(const struct point *p, uint32_t **images,
			 const uint32_t *image, uint64_t *known)
{
	const struct segment *s = &segments[p->segment];
	struct moment m = { .segment = s, .answer = p->answer };
	unsigned int before = complaints;
	char what[64];
	uint32_t i;

	m.base = base_of(s, images);
	for (i = 0; i < h.sectors; i++)
		if (image[i] && ops[image[i]].submit > *known)
			*known = ops[image[i]].submit;
	m.deadline = p->ask > *known ? p->ask : *known;
	snprintf(what, sizeof(what), "checkpoint %llu", (unsigned long long)p->id);
	for (i = 0; i < h.sectors; i++)
		if (!permitted(&m, i, image[i]))
			complain(&m, p->id ? what : "head", i, image[i]);
	if (complaints != before)
		printf("%s: %u sectors are wrong\n", p->id ? what : "head",
		       complaints - before);
}

/* Reads see what has completed before, if no restore came in between. */
static void verify_reads(uint32_t **images)
{
	uint32_t i, j, k;

	for (i = 0; i < h.nr_seen; i++) {
		struct moment m = { .deadline = seen[i].start, .answer = seen[i].end };

		for (k = h.nr_segments - 1; segments[k].ask > seen[i].end; k--)
			;
		if (segments[k].answer > seen[i].start)
			continue;
		m.segment = &segments[k];
		m.base = base_of(m.segment, images);
		for (j = 0; j < seen[i].len; j++)
			if (!permitted(&m, seen[i].sector + j, seen[i].ops[j]))
				complain(&m, "read", seen[i].sector + j,
					 seen[i].ops[j]);
	}
}

static void verify(struct cpblk *link, const char *log)
{
	uint32_t **images, i, gone = 0, segment = 0;
	FILE *f = fopen(log, "r");
	uint64_t known = 0;

	if (!f)
		die("cannot read %s", log);
	get(f, &h, sizeof(h), 1);
	get(f, ops, sizeof(*ops), h.nr_ops);
	get(f, seen, sizeof(*seen), h.nr_seen);
	get(f, points, sizeof(*points), h.nr_points);
	get(f, segments, sizeof(*segments), h.nr_segments);
	fclose(f);
	index_ops();
	images = must_alloc(h.nr_points, sizeof(*images));
	for (i = 0; i < h.nr_points; i++) {
		images[i] = point_image(link, &points[i]);
		if (points[i].segment != segment)
			known = 0;
		segment = points[i].segment;
		if (images[i])
			verify_point(&points[i], images, images[i], &known);
		else
			gone++;
	}
	verify_reads(images);
	for (i = 0; i < h.nr_points; i++)
		free(images[i]);
	free(images);
	free(first);
	free(list);
	if (complaints)
		die("%u sectors are not as they can be", complaints);
	printf("%u points and %u reads are as they can be; %u points are gone\n",
	       h.nr_points - gone, h.nr_seen, gone);
}

int main(int argc, char **argv)
{
	struct cpblk *link;

	if (!(argc == 9 && !strcmp(argv[1], "run")) &&
	    !(argc == 5 && !strcmp(argv[1], "verify")))
		die("usage: run LOG STORE VOLUME SECONDS THREADS MILLISECONDS snap|restore|none, or verify LOG STORE VOLUME");
	store_name = argv[3];
	volume_name = argv[4];
	ops = must_alloc(OPS_MAX, sizeof(*ops));
	seen = must_alloc(READS_MAX, sizeof(*seen));
	link = must_connect();
	volume_path(link, store_name, volume_name, device);
	if (argc == 9)
		run(link, argv[2], argv + 5);
	else
		verify(link, argv[2]);
	cpblk_disconnect(link);
	free(ops);
	free(seen);
	return 0;
}
