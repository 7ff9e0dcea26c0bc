// SPDX-License-Identifier: GPL-2.0
/*
 * Writes of less than a chunk: read the chunk, merge, write a new one.
 *
 * A chunk that such a write is under way for has a struct cpblk_partial in
 * store->partial_hash (under partial_lock). Further writes to the chunk queue
 * up on it, and all that have come while one round was under way go into the
 * next one together. So two of them never merge into the same old content,
 * and nobody waits in submit_bio().
 *
 * A write of the whole chunk takes no part in this. If it comes in between,
 * the mapping is no longer the one that was read, cpb_write_end() says so, and
 * the round starts again.
 *
 * A round runs in partial_wq and does its I/O with the bio and the pages of
 * its own struct cpblk_partial, one after the other. It takes neither an io
 * nor a piece: those that wait for it may hold all there are. Nor does it take
 * space: each piece comes with a chunk, which belongs to what its bio has
 * reserved as a whole, and a round needs the first one's.
 */
#include "cpblk.h"
#include "trace.h"

/**
 * struct cpblk_partial - a chunk that is being merged into
 * @hash: in store->partial_hash
 * @store: whose device @disk is
 * @disk: whose chunk it is; valid while there are pieces
 * @vchunk: the chunk
 * @waiting: pieces for the next round; partial_lock
 * @round: pieces of this round
 * @expect: what the chunk was mapped to when it was read
 * @run: the new chunk
 * @work: runs the rounds
 * @bio: reads the old chunk, then writes the new one
 * @nr_bvecs: pages
 * @bvecs: the pages of a chunk
 */
struct cpblk_partial {
	struct hlist_node hash;
	struct cpblk_store *store;
	struct cpblk_disk *disk;
	u64 vchunk;
	struct list_head waiting, round;
	struct cpb_extent expect;
	struct cpb_run run;
	struct work_struct work;
	struct bio bio;
	unsigned int nr_bvecs;
	struct bio_vec bvecs[];
};

static u64 hash_key(const struct cpblk_disk *d, u64 vchunk)
{
	return (unsigned long)d + vchunk;
}

static struct cpblk_partial *find(struct cpblk_disk *d, u64 vchunk)
{
	struct cpblk_store *s = d->store;
	struct cpblk_partial *q;

	lockdep_assert_held(&s->partial_lock);
	hash_for_each_possible(s->partial_hash, q, hash, hash_key(d, vchunk))
		if (q->disk == d && q->vchunk == vchunk)
			return q;
	return NULL;
}

/* ---- One round ---- */

static int chunk_io(struct cpblk_partial *q, blk_opf_t op, u64 chunk)
{
	struct cpblk_store *s = q->store;
	struct cpblk_piece *first = list_first_entry(&q->round,
						     struct cpblk_piece, list);
	int ret;

	bio_init(&q->bio, s->data.bdev, q->bvecs, q->nr_bvecs, op | REQ_SYNC);
	/* It is done in the name of the one who came first. */
	bio_clone_blkg_association(&q->bio, &first->clone);
	q->bio.bi_ioprio = first->clone.bi_ioprio;
	q->bio.bi_vcnt = q->nr_bvecs;
	q->bio.bi_iter.bi_size = 1U << s->chunk_shift;
	q->bio.bi_iter.bi_sector = cpb_chunk_byte(s->engine, chunk) >> SECTOR_SHIFT;
	ret = submit_bio_wait(&q->bio);
	if (op_is_write(op))
		cpblk_cache_wrote(s, &q->bio);
	bio_uninit(&q->bio);
	return ret;
}

static void zero(struct cpblk_partial *q, unsigned int offset, unsigned int len)
{
	struct bvec_iter iter = { .bi_size = offset + len };
	struct bio_vec bv;

	bvec_iter_advance(q->bvecs, &iter, offset);
	for_each_bvec(bv, q->bvecs, iter, iter)
		memzero_bvec(&bv);
}

static int read_old(struct cpblk_partial *q)
{
	struct cpb_point *point = q->disk->point;
	struct cpb_store *engine = q->store->engine;
	int ret;

	for (;;) {
		ret = cpb_lookup(engine, point, q->vchunk, 1, &q->expect, 1);
		if (ret != -EAGAIN)
			break;
		ret = cpb_load(engine, point, q->vchunk);
		if (ret)
			break;
	}
	if (ret < 0)
		return ret;
	if (q->expect.chunk != CPB_HOLE)
		return chunk_io(q, REQ_OP_READ, q->expect.chunk);
	zero(q, 0, 1U << q->store->chunk_shift);
	return 0;
}

static void copy(struct cpblk_partial *q, struct cpblk_piece *p)
{
	struct bvec_iter from = p->clone.bi_iter;
	struct bvec_iter to = { .bi_size = p->offset + from.bi_size };
	struct bio_vec src, dst;
	void *s, *d;

	bvec_iter_advance(q->bvecs, &to, p->offset);
	while (from.bi_size) {
		src = bio_iter_iovec(&p->clone, from);
		dst = bvec_iter_bvec(q->bvecs, to);
		src.bv_len = min(src.bv_len, dst.bv_len);
		s = bvec_kmap_local(&src);
		d = bvec_kmap_local(&dst);
		memcpy(d, s, src.bv_len);
		kunmap_local(d);
		kunmap_local(s);
		bio_advance_iter_single(&p->clone, &from, src.bv_len);
		bvec_iter_advance_single(q->bvecs, &to, src.bv_len);
	}
}

/* In the order in which they came: the last one wins. */
static void merge(struct cpblk_partial *q)
{
	struct cpblk_piece *p;

	list_for_each_entry(p, &q->round, list)
		if (bio_op(&p->clone) == REQ_OP_WRITE_ZEROES)
			zero(q, p->offset, p->clone.bi_iter.bi_size);
		else
			copy(q, p);
}

static int map_new(struct cpblk_partial *q)
{
	struct cpb_volume *v = q->disk->volume;
	int ret;

	for (;;) {
		ret = cpb_write_end(v, q->vchunk, &q->run, &q->expect);
		if (ret != -EAGAIN)
			return ret;
		ret = cpb_prepare(v, q->vchunk, 1);
		if (ret)
			return ret;
	}
}

/* The new chunk is the first piece's; those of the others are not needed. */
static void take_chunk(struct cpblk_partial *q)
{
	struct cpblk_piece *p = list_first_entry(&q->round, struct cpblk_piece, list);

	q->run = p->run;
	list_for_each_entry_continue(p, &q->round, list)
		cpb_write_cancel(q->store->engine, &p->run);
}

/* Has any of the round to be durable at once? */
static bool any_fua(const struct cpblk_partial *q)
{
	struct cpblk_piece *p;

	list_for_each_entry(p, &q->round, list)
		if (p->io->fua)
			return true;
	return false;
}

static int run_round(struct cpblk_partial *q)
{
	struct cpb_store *engine = q->store->engine;
	struct cpb_gen *gen;
	int ret;

	take_chunk(q);
	do {
		/*
		 * Kept until the mapping was compared: the old chunk must not
		 * be free and mapped here again with a new content.
		 */
		gen = cpb_read_begin(engine);
		ret = read_old(q);
		if (!ret) {
			merge(q);
			ret = chunk_io(q, REQ_OP_WRITE | cpblk_cache_opf(q->store, any_fua(q)),
				       q->run.chunk);
		}
		if (!ret)
			ret = map_new(q);
		cpb_read_end(gen);
	} while (ret == -ESTALE);
	if (ret)
		cpblk_cache_abort(q->store, &q->run);
	return ret;
}

/* Take what has come in the meantime; false: nothing has, and the end. */
static bool next_round(struct cpblk_partial *q)
{
	struct cpblk_store *s = q->store;
	bool more;

	spin_lock(&s->partial_lock);
	more = !list_empty(&q->waiting);
	if (more)
		list_splice_init(&q->waiting, &q->round);
	else
		hash_del(&q->hash);
	spin_unlock(&s->partial_lock);
	return more;
}

static void partial_work(struct work_struct *work)
{
	struct cpblk_partial *q = container_of(work, struct cpblk_partial, work);
	struct cpblk_piece *p, *next;
	blk_status_t status;
	int ret;

	while (next_round(q)) {
		ret = run_round(q);
		trace_cpblk_merge(disk_devt(q->disk->gd), q->vchunk, ret);
		status = errno_to_blk_status(ret);
		list_for_each_entry_safe(p, next, &q->round, list)
			cpblk_piece_done(p, status);
		INIT_LIST_HEAD(&q->round);
		cond_resched();
	}
	mempool_free(q, &q->store->partials);
}

/* ---- Queueing ---- */

static bool queue_on_old(struct cpblk_piece *p, struct cpblk_partial *fresh)
{
	struct cpblk_disk *d = p->io->disk;
	struct cpblk_store *s = d->store;
	struct cpblk_partial *q;

	spin_lock(&s->partial_lock);
	q = find(d, p->vchunk);
	if (q) {
		list_add_tail(&p->list, &q->waiting);
	} else if (fresh) {
		list_add_tail(&p->list, &fresh->waiting);
		hash_add(s->partial_hash, &fresh->hash, hash_key(d, p->vchunk));
	}
	spin_unlock(&s->partial_lock);
	return q;
}

/**
 * cpblk_partial_write() - write a part of a chunk
 * @p: the part: its clone, its chunk, its offset in that, and a run of one chunk
 *
 * Process context; sleeps at most until another such write is through.
 */
void cpblk_partial_write(struct cpblk_piece *p)
{
	struct cpblk_disk *d = p->io->disk;
	struct cpblk_store *s = d->store;
	u64 vchunk = p->vchunk;
	struct cpblk_partial *q;

	if (queue_on_old(p, NULL))
		return;
	q = mempool_alloc(&s->partials, GFP_NOIO);
	q->store = s;
	q->disk = d;
	q->vchunk = vchunk;
	INIT_LIST_HEAD(&q->waiting);
	INIT_LIST_HEAD(&q->round);
	INIT_WORK(&q->work, partial_work);
	if (queue_on_old(p, q))
		mempool_free(q, &s->partials);
	else
		queue_work(s->partial_wq, &q->work);
}

/* ---- Memory ---- */

static void free_partial(void *element, void *data)
{
	struct cpblk_partial *q = element;

	while (q->nr_bvecs)
		__free_page(q->bvecs[--q->nr_bvecs].bv_page);
	kfree(q);
}

static void *alloc_partial(gfp_t gfp, void *data)
{
	struct cpblk_store *s = data;
	unsigned int nr = max(1U << s->chunk_shift >> PAGE_SHIFT, 1U);
	unsigned int len = min(1UL << s->chunk_shift, PAGE_SIZE);
	struct cpblk_partial *q;
	struct page *page;

	q = kmalloc(struct_size(q, bvecs, nr), gfp);
	if (!q)
		return NULL;
	for (q->nr_bvecs = 0; q->nr_bvecs < nr; q->nr_bvecs++) {
		page = alloc_page(gfp);
		if (!page) {
			free_partial(q, data);
			return NULL;
		}
		bvec_set_page(&q->bvecs[q->nr_bvecs], page, len, 0);
	}
	return q;
}

int cpblk_partial_init(struct cpblk_store *s)
{
	spin_lock_init(&s->partial_lock);
	hash_init(s->partial_hash);
	return mempool_init(&s->partials, max(2, SZ_64K >> s->chunk_shift),
			    alloc_partial, free_partial, s);
}

void cpblk_partial_exit(struct cpblk_store *s)
{
	mempool_exit(&s->partials);
}
