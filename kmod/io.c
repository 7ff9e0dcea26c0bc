// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a bio: from submit_bio() through the maps to the data device and
 * back.
 *
 * A bio becomes a struct cpblk_io. What of it lies on neighbouring chunks is a
 * struct cpblk_piece with a clone of the bio; the first piece comes with the
 * io, so that the usual bio needs one allocation. Completions run wherever the
 * data device completes, interrupts included: they insert into the map there
 * and then.
 *
 * submit_bio() sleeps for nothing but the mempools: whatever needs metadata
 * that is not in memory, or space that is not there yet, goes on in a worker.
 * An io or piece in a mempool's reserve always gets on without a further one
 * of its kind: ios are taken in submit_bio() alone, and what workers wait for
 * is explained in work.c.
 */
#include <linux/ktime.h>

#include "cpblk.h"
#include "trace.h"

/* What a lookup gives at once: a read of 64 KiB is rarely in more places. */
#define EXTENTS		8

/* Pieces and ios that are always there, for progress without memory. */
#define RESERVE		64

static void io_run(struct cpblk_io *io);

static struct cpb_store *engine(const struct cpblk_io *io)
{
	return io->disk->store->engine;
}

static dev_t io_dev(const struct cpblk_io *io)
{
	return disk_devt(io->disk->gd);
}

static u64 iter_byte(const struct bvec_iter *iter)
{
	return (u64)iter->bi_sector << SECTOR_SHIFT;
}

/* ---- Beginning and end ---- */

static struct cpblk_io *io_new(struct cpblk_disk *d, struct bio *bio, bool gated)
{
	struct cpblk_store *s = d->store;
	bool nowait = bio->bi_opf & REQ_NOWAIT;
	struct cpblk_io *io;
	struct bio *clone;

	clone = bio_alloc_clone(s->data.bdev, bio, nowait ? GFP_NOWAIT : GFP_NOIO,
				&s->ios);
	if (!clone)
		return NULL;
	io = container_of(clone, struct cpblk_io, first.clone);
	io->disk = d;
	io->bio = bio;
	io->iter = bio->bi_iter;
	atomic_set(&io->pending, 1);
	io->gen = NULL;
	io->status = BLK_STS_OK;
	io->gated = gated;
	io->preflush = bio->bi_opf & REQ_PREFLUSH;
	io->fua = bio->bi_opf & REQ_FUA;
	io->nowait = nowait;
	io->first_used = false;
	io->first.io = io;
	io->start_ns = 0;
	if (bio->bi_iter.bi_size) {
		io->start = bio_start_io_acct(bio);
		if (unlikely(READ_ONCE(d->store->pace.counting)) &&
		    (bio_op(bio) == REQ_OP_READ || bio_op(bio) == REQ_OP_WRITE))
			io->start_ns = ktime_get_ns();
	}
	return io;
}

static void io_end(struct cpblk_io *io)
{
	struct cpblk_gate *gate = io->gated ? &io->disk->gate : NULL;
	struct bio *bio = io->bio;

	/* What another bio, which is chained to it, has failed with may be there: it stays. */
	if (io->status)
		bio->bi_status = io->status;
	if (bio->bi_iter.bi_size)
		bio_end_io_acct(bio, io->start);
	if (unlikely(io->start_ns))
		cpblk_pace_note(io->disk->store, ktime_get_ns() - io->start_ns);
	bio_put(&io->first.clone);
	/* From here on the store may be closed. */
	if (gate)
		cpblk_gate_leave(gate);
	bio_endio(bio);
}

static void io_fail(struct cpblk_io *io, blk_status_t status)
{
	/* One of several errors is kept, which one does not matter. */
	WRITE_ONCE(io->status, status);
}

static void io_flush(struct cpblk_io *io)
{
	struct cpblk_store *s = io->disk->store;
	unsigned long flags;

	spin_lock_irqsave(&s->flush_lock, flags);
	list_add_tail(&io->list, &s->flushes);
	spin_unlock_irqrestore(&s->flush_lock, flags);
	queue_work(s->flush_wq, &s->flush_work);
}

/* A piece, or the one that sent pieces, is through with it. */
static void io_put(struct cpblk_io *io)
{
	if (!atomic_dec_and_test(&io->pending))
		return;
	if (io->gen)
		cpb_read_end(io->gen);
	if (io->fua && !io->status)
		io_flush(io);
	else
		io_end(io);
}

/**
 * cpblk_flush_work() - make everything durable for all who wait for it now
 * @work: the store's flush_work
 *
 * Who comes during the flush waits for the next one, together with all others
 * who do.
 */
void cpblk_flush_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, flush_work);
	struct cpblk_io *io, *next;
	u64 start = ktime_get_ns();
	unsigned int nr = 0;
	LIST_HEAD(list);
	int ret;

	spin_lock_irq(&s->flush_lock);
	list_splice_init(&s->flushes, &list);
	spin_unlock_irq(&s->flush_lock);
	if (list_empty(&list))
		return;

	list_for_each_entry(io, &list, list)
		nr++;
	cpblk_cache_asked(s, nr);
	ret = cpb_flush(s->engine);
	list_for_each_entry_safe(io, next, &list, list) {
		if (ret)
			io_fail(io, errno_to_blk_status(ret));
		if (!ret && io->preflush && io->iter.bi_size) {
			io->preflush = false;
			io->nowait = false;
			io_run(io);
		} else {
			io_end(io);
		}
	}
	trace_cpblk_flush(s->serial, nr, ktime_get_ns() - start, ret);
}

/*
 * A FLUSH of one who is alone and has written with FUA: one write to the journal,
 * which goes from here, without a worker that would have to be waited for. False:
 * it is for the worker.
 */
static bool flush_alone(struct cpblk_io *io)
{
	struct cpblk_store *s = io->disk->store;
	struct cpb_vec vec;
	int ret;

	/*
	 * The worker makes one write for all who wait. Sending it may wait, and who is
	 * to give way to others now should not do so with the journal in hand.
	 */
	if (!list_empty_careful(&s->flushes) || io->bio->bi_opf & REQ_NOWAIT ||
	    need_resched())
		return false;
	ret = cpb_flush_begin(s->engine, &vec);
	if (ret < 0)
		return false;
	cpblk_cache_asked(s, 1);
	if (ret) {
		io_end(io);
		return true;
	}
	s->alone.io = io;
	s->alone.start_ns = ktime_get_ns();
	cpblk_write_alone(s, &vec);
	return true;
}

/** cpblk_alone_done() - the block is durable, or @ret is an error; any context */
void cpblk_alone_done(struct cpblk_store *s, int ret)
{
	struct cpblk_io *io = s->alone.io;
	struct bio *bio = io->bio;

	trace_cpblk_flush(s->serial, 1, ktime_get_ns() - s->alone.start_ns, ret);
	if (ret)
		bio->bi_status = errno_to_blk_status(ret);
	bio_put(&io->first.clone);
	/* From here on the next one may begin, or the store be closed. */
	cpb_flush_end(s->engine, ret);
	bio_endio(bio);
}

/* ---- Pieces ---- */

/*
 * A piece of @io, not yet cut to size. NULL: a worker has to take it, because
 * the io must not sleep here.
 */
static struct cpblk_piece *piece_get(struct cpblk_io *io)
{
	struct cpblk_store *s = io->disk->store;
	struct cpblk_piece *p = &io->first;
	struct bio *clone;

	if (likely(!io->first_used)) {
		io->first_used = true;
	} else {
		clone = bio_alloc_clone(s->data.bdev, io->bio,
					io->nowait ? GFP_NOWAIT : GFP_NOIO,
					&s->pieces);
		if (!clone)
			return NULL;
		p = container_of(clone, struct cpblk_piece, clone);
		p->io = io;
	}
	/* What these ask for is done by the io, for all pieces at once. */
	p->clone.bi_opf &= ~(REQ_PREFLUSH | REQ_FUA);
	if (!io->nowait)
		p->clone.bi_opf &= ~REQ_NOWAIT;
	return p;
}

/* It was not needed after all. */
static void piece_unget(struct cpblk_piece *p)
{
	if (p == &p->io->first)
		p->io->first_used = false;
	else
		bio_put(&p->clone);
}

/* The next @bytes of the io are this piece. */
static void piece_cut(struct cpblk_piece *p, unsigned int bytes)
{
	struct cpblk_io *io = p->io;

	p->clone.bi_iter = io->iter;
	p->clone.bi_iter.bi_size = bytes;
	bio_advance_iter(io->bio, &io->iter, bytes);
	atomic_inc(&io->pending);
}

/** cpblk_piece_done() - nothing is left to do for this piece; any context */
void cpblk_piece_done(struct cpblk_piece *p, blk_status_t status)
{
	struct cpblk_io *io = p->io;

	if (unlikely(status))
		io_fail(io, status);
	if (p != &io->first)
		bio_put(&p->clone);
	io_put(io);
}

static void piece_send(struct cpblk_piece *p, u64 byte, bio_end_io_t *end_io)
{
	p->clone.bi_iter.bi_sector = byte >> SECTOR_SHIFT;
	p->clone.bi_end_io = end_io;
	submit_bio_noacct(&p->clone);
}

/* ---- Reading ---- */

static void read_end_io(struct bio *clone)
{
	struct cpblk_piece *p = container_of(clone, struct cpblk_piece, clone);

	cpblk_piece_done(p, clone->bi_status);
}

static void read_zeroes(struct cpblk_io *io, unsigned int bytes)
{
	struct bvec_iter iter = io->iter;
	struct bio_vec bv;

	iter.bi_size = bytes;
	bio_advance_iter(io->bio, &io->iter, bytes);
	__bio_for_each_segment(bv, io->bio, iter, iter)
		memzero_bvec(&bv);
}

/*
 * Send what a lookup found. Extents that the tree keeps apart for their birth
 * may be neighbours on the disk; they are read as one.
 */
static int read_extents(struct cpblk_io *io, const struct cpb_extent *ext, int nr)
{
	struct cpblk_store *s = io->disk->store;
	unsigned int shift = s->chunk_shift;
	struct cpblk_piece *p;
	u64 skip, len, bytes;
	int i, j;

	for (i = 0; i < nr; i = j) {
		len = ext[i].len;
		for (j = i + 1; j < nr; j++) {
			if (ext[i].chunk == CPB_HOLE ||
			    ext[j].chunk != ext[i].chunk + len)
				break;
			len += ext[j].len;
		}
		skip = iter_byte(&io->iter) - (ext[i].vchunk << shift);
		bytes = min_t(u64, (len << shift) - skip, io->iter.bi_size);
		if (ext[i].chunk == CPB_HOLE) {
			read_zeroes(io, bytes);
			continue;
		}
		p = piece_get(io);
		if (!p)
			return -EAGAIN;
		piece_cut(p, bytes);
		piece_send(p, cpb_chunk_byte(s->engine, ext[i].chunk) + skip,
			   read_end_io);
	}
	return 0;
}

static void read_work(struct work_struct *work);

static void io_read(struct cpblk_io *io)
{
	struct cpblk_store *s = io->disk->store;
	unsigned int shift = s->chunk_shift;
	struct cpb_extent ext[EXTENTS];
	u64 byte, vchunk, end;
	int ret = 0;

	if (!io->gen)
		io->gen = cpb_read_begin(s->engine);
	while (io->iter.bi_size) {
		byte = iter_byte(&io->iter);
		vchunk = byte >> shift;
		end = (byte + io->iter.bi_size - 1) >> shift;
		ret = cpb_lookup(s->engine, io->disk->point, vchunk,
				 end - vchunk + 1, ext, EXTENTS);
		if (ret > 0)
			ret = read_extents(io, ext, ret);
		if (ret)
			break;
	}
	if (ret == -EAGAIN) {
		trace_cpblk_read_punt(io_dev(io), iter_byte(&io->iter) >> shift);
		INIT_WORK(&io->work, read_work);
		queue_work(s->read_wq, &io->work);
		return;
	}
	if (ret)
		io_fail(io, errno_to_blk_status(ret));
	io_put(io);
}

static void read_work(struct work_struct *work)
{
	struct cpblk_io *io = container_of(work, struct cpblk_io, work);
	unsigned int shift = io->disk->store->chunk_shift;
	int ret;

	io->nowait = false;
	ret = cpb_load(engine(io), io->disk->point, iter_byte(&io->iter) >> shift);
	if (ret) {
		io_fail(io, errno_to_blk_status(ret));
		io_put(io);
		return;
	}
	io_read(io);
}

/* ---- Writing ---- */

static void write_failed(struct cpblk_piece *p, blk_status_t status)
{
	cpblk_cache_abort(p->io->disk->store, &p->run);
	cpblk_piece_done(p, status);
}

static void write_end_work(struct work_struct *work)
{
	struct cpblk_piece *p = container_of(work, struct cpblk_piece, work);
	struct cpb_volume *v = p->io->disk->volume;
	int ret;

	do {
		ret = cpb_prepare(v, p->vchunk, p->run.len);
		if (!ret)
			ret = cpb_write_end(v, p->vchunk, &p->run, NULL);
	} while (ret == -EAGAIN);
	if (ret)
		write_failed(p, errno_to_blk_status(ret));
	else
		cpblk_piece_done(p, BLK_STS_OK);
}

static void write_end_io(struct bio *clone)
{
	struct cpblk_piece *p = container_of(clone, struct cpblk_piece, clone);
	struct cpblk_disk *d = p->io->disk;
	int ret;

	cpblk_cache_wrote(d->store, clone);
	if (unlikely(clone->bi_status)) {
		write_failed(p, clone->bi_status);
		return;
	}
	ret = cpb_write_end(d->volume, p->vchunk, &p->run, NULL);
	if (likely(!ret)) {
		cpblk_piece_done(p, BLK_STS_OK);
	} else if (ret == -EAGAIN) {
		trace_cpblk_write_end_punt(io_dev(p->io), p->vchunk);
		INIT_WORK(&p->work, write_end_work);
		queue_work(d->store->end_wq, &p->work);
	} else {
		write_failed(p, errno_to_blk_status(ret));
	}
}

/*
 * Of how many chunks a write, or the next part of a very large one, is. For so
 * many there is space before the first of them is sent, or the write fails and
 * has changed nothing: of what is larger than this, the parts before may be done.
 */
static u64 part_chunks(const struct cpblk_io *io)
{
	unsigned int shift = io->disk->store->chunk_shift;
	u64 byte = iter_byte(&io->iter);
	u64 last = (byte + io->iter.bi_size - 1) >> shift;

	return min_t(u64, last - (byte >> shift) + 1, CPB_RESERVE_MAX);
}

/* Less than a chunk comes next. */
static bool next_partial(const struct cpblk_io *io)
{
	unsigned int chunk = 1U << io->disk->store->chunk_shift;

	return iter_byte(&io->iter) & (chunk - 1) || io->iter.bi_size < chunk;
}

/* How many of the next @left chunks can be one piece. */
static u64 next_chunks(const struct cpblk_io *io, u64 left)
{
	if (next_partial(io))
		return 1;
	return min3((u64)io->iter.bi_size >> io->disk->store->chunk_shift, left,
		    (u64)CPB_WRITE_MAX);
}

/* What comes next is this piece, and @p->run is where it goes. */
static void write_piece(struct cpblk_piece *p)
{
	struct cpblk_io *io = p->io;
	struct cpblk_store *s = io->disk->store;
	unsigned int shift = s->chunk_shift, chunk = 1U << shift;
	u64 byte = iter_byte(&io->iter);

	p->vchunk = byte >> shift;
	if (next_partial(io)) {
		p->offset = byte & (chunk - 1);
		piece_cut(p, min(io->iter.bi_size, chunk - p->offset));
		cpblk_partial_write(p);
	} else {
		piece_cut(p, p->run.len << shift);
		p->clone.bi_opf |= cpblk_cache_opf(s, io->fua);
		piece_send(p, cpb_chunk_byte(s->engine, p->run.chunk),
			   write_end_io);
	}
}

/*
 * Send the next piece of what @r was reserved for, @most chunks. Return: how many
 * it is of.
 */
static u64 write_next(struct cpblk_io *io, u64 most, struct cpb_reserve *r)
{
	/* There is one: who may not sleep for it, does not reserve either. */
	struct cpblk_piece *p = piece_get(io);
	u64 len;

	cpb_write_take(engine(io), raw_smp_processor_id(),
		       next_chunks(io, most), r, &p->run);
	len = p->run.len;
	write_piece(p);
	return len;
}

static void write_reserved(struct cpblk_io *io, struct cpb_reserve *r)
{
	while (r->chunks)
		write_next(io, r->chunks, r);
	cpb_unreserve(engine(io), r);
}

/*
 * Send a write or the next part of it. It is usually one run of chunks; if
 * not, there must be space for the others, too, before that one is sent.
 */
static int write_part(struct cpblk_io *io)
{
	u64 chunks = part_chunks(io), end = iter_byte(&io->iter) + io->iter.bi_size;
	unsigned int chunk = 1U << io->disk->store->chunk_shift;
	struct cpb_reserve rest;
	struct cpblk_piece *p;
	int ret;

	/* A part of a chunk may have to wait for others. */
	if (io->nowait && (iter_byte(&io->iter) | end) & (chunk - 1))
		return -EAGAIN;
	p = piece_get(io);
	if (!p)
		return -EAGAIN;
	ret = cpb_write_begin(engine(io), raw_smp_processor_id(),
			      next_chunks(io, chunks), &p->run);
	if (ret)
		goto err_piece;
	if (likely(p->run.len == chunks)) {
		write_piece(p);
		return 0;
	}
	ret = io->nowait ? -EAGAIN :
	      cpb_reserve(engine(io), chunks - p->run.len, &rest);
	if (ret)
		goto err_run;
	write_piece(p);
	write_reserved(io, &rest);
	return 0;

err_run:
	cpb_write_cancel(engine(io), &p->run);
err_piece:
	piece_unget(p);
	return ret;
}

/* ---- Chunks that are written full of zeroes ---- */

/* Whole chunks come at @iter: is the first one all zeroes? */
static bool is_zero(struct cpblk_io *io, struct bvec_iter iter)
{
	struct bio_vec bv;
	bool zero;
	void *p;

	iter.bi_size = 1U << io->disk->store->chunk_shift;
	__bio_for_each_segment(bv, io->bio, iter, iter) {
		p = bvec_kmap_local(&bv);
		zero = !memchr_inv(p, 0, bv.bv_len);
		kunmap_local(p);
		if (!zero)
			return false;
	}
	return true;
}

/*
 * Which of the next @chunks chunks are all zeroes, NULL: is there one? Return: how
 * many, or 1.
 */
static u64 find_zeroes(struct cpblk_io *io, u64 chunks, unsigned long *zero)
{
	unsigned int chunk = 1U << io->disk->store->chunk_shift, bytes;
	struct bvec_iter iter = io->iter;
	u64 i, nr = 0;

	for (i = 0; i < chunks && iter.bi_size; i++) {
		bytes = chunk - (iter_byte(&iter) & (chunk - 1));
		bytes = min(bytes, iter.bi_size);
		if (bytes == chunk && is_zero(io, iter)) {
			nr++;
			if (!zero)
				break;
			__set_bit(i, zero);
		}
		bio_advance_iter(io->bio, &iter, bytes);
	}
	return nr;
}

static bool has_zeroes(struct cpblk_io *io)
{
	return unlikely(cpb_option(engine(io), CPB_OPTION_ZERO_DETECT)) &&
	       find_zeroes(io, part_chunks(io), NULL);
}

/*
 * Of the next part of a write, make holes of the chunks of zeroes, which need no
 * chunks, and send the rest. There is what both need before anything is changed.
 * They are looked for once only: who writes may change them meanwhile.
 */
static int write_sparse(struct cpblk_io *io)
{
	unsigned int shift = io->disk->store->chunk_shift;
	u64 chunks = part_chunks(io), need, i, nr;
	DECLARE_BITMAP(zero, CPB_RESERVE_MAX) = { };
	struct cpb_reserve r;
	int ret = 0;

	need = chunks - find_zeroes(io, chunks, zero);
	ret = cpblk_reserve_wait(io->disk, need, chunks - need, &r);
	if (ret)
		return ret;
	for (i = 0; i < chunks && !ret; i += nr) {
		if (!test_bit(i, zero)) {
			nr = find_next_bit(zero, chunks, i) - i;
			nr = write_next(io, nr, &r);
			continue;
		}
		nr = find_next_zero_bit(zero, chunks, i) - i;
		ret = cpblk_unmap(io->disk->volume,
				  iter_byte(&io->iter) >> shift, nr, &r);
		bio_advance_iter(io->bio, &io->iter, nr << shift);
	}
	cpb_unreserve(engine(io), &r);
	return ret;
}

/* ---- The whole of a write ---- */

static void write_work(struct work_struct *work);
static void sparse_work(struct work_struct *work);

static void io_write(struct cpblk_io *io)
{
	work_func_t again = write_work;
	int ret = 0;

	while (io->iter.bi_size && !ret) {
		if (has_zeroes(io)) {
			/* Much of the map may have to be loaded. */
			again = sparse_work;
			ret = -EAGAIN;
		} else {
			ret = write_part(io);
		}
	}
	if (ret == -EAGAIN) {
		trace_cpblk_write_punt(io_dev(io), iter_byte(&io->iter) >>
						   io->disk->store->chunk_shift);
		INIT_WORK(&io->work, again);
		queue_work(io->disk->store->write_wq, &io->work);
		return;
	}
	if (ret)
		io_fail(io, errno_to_blk_status(ret));
	io_put(io);
}

static void write_work(struct work_struct *work)
{
	struct cpblk_io *io = container_of(work, struct cpblk_io, work);
	struct cpb_reserve r;
	int ret;

	io->nowait = false;
	ret = cpblk_reserve_wait(io->disk, part_chunks(io), 0, &r);
	if (ret) {
		io_fail(io, errno_to_blk_status(ret));
		io_put(io);
		return;
	}
	write_reserved(io, &r);
	io_write(io);
}

static void sparse_work(struct work_struct *work)
{
	struct cpblk_io *io = container_of(work, struct cpblk_io, work);
	int ret;

	io->nowait = false;
	ret = write_sparse(io);
	if (ret) {
		io_fail(io, errno_to_blk_status(ret));
		io_put(io);
		return;
	}
	io_write(io);
}

/* ---- Discard and write-zeroes ---- */

/** cpblk_unmap() - make holes of @len chunks, reserved in @r or not; process context */
int cpblk_unmap(struct cpb_volume *v, u64 vchunk, u64 len, const struct cpb_reserve *r)
{
	int ret = 0;

	while (len && !ret) {
		ret = cpb_unmap(v, &vchunk, &len, r);
		if (ret == -EAGAIN)
			ret = cpb_unmap_prepare(v, vchunk, r);
		cond_resched();
	}
	return ret;
}

static void unmap_work(struct work_struct *work)
{
	struct cpblk_io *io = container_of(work, struct cpblk_io, work);
	unsigned int shift = io->disk->store->chunk_shift;
	u64 from = iter_byte(&io->iter), to = from + io->iter.bi_size;
	u64 first = round_up(from, 1ULL << shift);
	u64 last = round_down(to, 1ULL << shift);
	/* The edges of a discard stay as they are, those of zeroes are written. */
	bool zeroes = bio_op(io->bio) == REQ_OP_WRITE_ZEROES;
	bool head = zeroes && from < first;
	bool tail = zeroes && first <= last && last < to;
	u64 holes = first < last ? (last - first) >> shift : 0;
	bool whole = zeroes && holes <= CPB_RESERVE_MAX;
	bool reserve = head || tail || whole;
	struct cpb_reserve r;
	int ret = 0;

	io->nowait = false;
	/* For all, before anything is changed, unless it is that much, or a hint. */
	if (reserve)
		ret = cpblk_reserve_wait(io->disk, head + tail, whole ? holes : 0,
					 &r);
	if (ret)
		goto out;
	if (head)
		write_next(io, 1, &r);
	if (holes) {
		ret = cpblk_unmap(io->disk->volume, first >> shift, holes,
				  whole ? &r : NULL);
		bio_advance_iter(io->bio, &io->iter, last - iter_byte(&io->iter));
	}
	if (!ret && tail)
		write_next(io, 1, &r);
	if (reserve)
		cpb_unreserve(engine(io), &r);
out:
	if (ret)
		io_fail(io, errno_to_blk_status(ret));
	io_put(io);
}

/* ---- What there is to do ---- */

static void io_run(struct cpblk_io *io)
{
	switch (bio_op(io->bio)) {
	case REQ_OP_READ:
		io_read(io);
		break;
	case REQ_OP_WRITE:
		io_write(io);
		break;
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		/* Long, and it may have to load much of the map. */
		INIT_WORK(&io->work, unmap_work);
		queue_work(io->disk->store->write_wq, &io->work);
		break;
	default:
		io_fail(io, BLK_STS_NOTSUPP);
		io_put(io);
	}
}

/** cpblk_submit_bio() - block_device_operations.submit_bio */
void cpblk_submit_bio(struct bio *bio)
{
	struct gendisk *gd = bio->bi_bdev->bd_disk;
	struct cpblk_disk *d = gd->private_data;
	bool gated = bio->bi_iter.bi_size;
	struct cpblk_io *io;

	/* An empty flush writes nothing: it may pass, and does not hold up. */
	if (gated && !cpblk_gate_enter(&d->gate, bio))
		return;

	io = io_new(d, bio, gated);
	if (unlikely(!io)) {
		if (gated)
			cpblk_gate_leave(&d->gate);
		bio_wouldblock_error(bio);
		return;
	}
	if (unlikely(gated && op_is_write(bio_op(bio)) && !d->volume)) {
		io_fail(io, BLK_STS_IOERR);
		io_end(io);
	} else if (unlikely(bio_end_sector(bio) > get_capacity(gd))) {
		/* It was held, and the disk has become smaller. */
		io_fail(io, BLK_STS_IOERR);
		io_end(io);
	} else if (io->preflush) {
		if (gated || !flush_alone(io))
			io_flush(io);
	} else {
		io_run(io);
	}
}

/** cpblk_submit_held() - go on with bios that a gate has held, linked by bi_next */
void cpblk_submit_held(struct bio *bio)
{
	struct bio *next;

	for (; bio; bio = next) {
		next = bio->bi_next;
		bio->bi_next = NULL;
		cpblk_submit_bio(bio);
	}
}

int cpblk_io_init(struct cpblk_store *s)
{
	int ret;

	spin_lock_init(&s->flush_lock);
	INIT_LIST_HEAD(&s->flushes);
	ret = bioset_init(&s->ios, RESERVE,
			  offsetof(struct cpblk_io, first.clone), 0);
	if (ret)
		return ret;
	/*
	 * One bio may need many pieces, and those before wait on the list of
	 * submit_bio(): so this set needs someone to send them off.
	 */
	return bioset_init(&s->pieces, RESERVE,
			   offsetof(struct cpblk_piece, clone),
			   BIOSET_NEED_RESCUER);
}

void cpblk_io_exit(struct cpblk_store *s)
{
	bioset_exit(&s->pieces);
	bioset_exit(&s->ios);
}
