// SPDX-License-Identifier: GPL-2.0
/*
 * The journal: what makes a FLUSH durable without a transaction.
 *
 * Every change appends a record, under the tree lock, to a buffer in memory. A
 * flush takes all records that are there, makes the data that they name
 * durable, and writes them as one batch (or a few) with FUA; who waits at the
 * same time shares it. Batches are numbered, and each names its predecessor's
 * checksum: what does not continue the chain is not part of it.
 *
 * A batch holds records of one transaction only. Replay passes over those that
 * the superblock's transaction has; so the cut of a transaction needs no place
 * in the journal that is agreed on beforehand.
 */
#include "engine.h"

int cpb_log_init(struct cpb_store *s)
{
	unsigned int i;

	cpb_buf_init(&s->log.buf);
	for (i = 0; i < CPB_BATCH_BLOCKS; i++)
		s->log.vec[i].data = port_alloc_block();
	s->log.used = CPB_BATCH_BLOCKS * CPB_BLOCK_SIZE / CPB_SECTOR_SIZE;
	return 0;
}

void cpb_log_exit(struct cpb_store *s)
{
	unsigned int i;

	cpb_buf_drop(&s->log.buf);
	for (i = 0; i < CPB_BATCH_BLOCKS; i++)
		if (s->log.vec[i].data)
			port_free_block(s->log.vec[i].data);
}

/* ---- Appending ---- */

/**
 * cpb_log_room() - room for a record of @size bytes, a multiple of 8
 * @s: the store
 * @size: size
 *
 * The tree lock is held, and its pool has a segment.
 */
void *cpb_log_room(struct cpb_store *s, size_t size)
{
	struct cpb_buf *b = &s->log.buf;
	struct cpb_seg *seg = NULL;
	unsigned int words = size / sizeof(u64);
	void *room;

	port_assert_held(&s->lock);
	if (!list_empty(&b->segs))
		seg = list_last_entry(&b->segs, struct cpb_seg, list);
	if (!seg || seg->txn != s->txn || seg->used + words > CPB_SEG_WORDS ||
	    (s->log.joining && !s->log.joined)) {
		seg = list_first_entry(&s->pool.segs, struct cpb_seg, list);
		s->pool.nr_segs--;
		seg->used = 0;
		seg->txn = s->txn;
		seg->joined = s->log.joined;
		list_move_tail(&seg->list, &b->segs);
	}
	s->log.joined = s->log.joining;
	room = seg->word + seg->used;
	seg->used += words;
	b->words += words;
	s->log.lsn += words;
	return room;
}

/**
 * cpb_log_join() - the records from here on are one: all or none is replayed
 * @s: the store
 * @on: begin; false: end
 *
 * The tree lock is held all the time, and its pool has segments for all, which
 * fit into a batch: they start in a segment of their own.
 */
void cpb_log_join(struct cpb_store *s, bool on)
{
	port_assert_held(&s->lock);
	s->log.joining = on;
	s->log.joined = false;
}

void cpb_log_map(struct cpb_volume *v, u64 vchunk, u64 run)
{
	struct cpb_disk_record_map *r;

	if (v->s->replaying)
		return;
	r = cpb_log_room(v->s, sizeof(*r));
	r->r.type = cpu_to_le16(CPB_RECORD_MAP);
	r->r.size = cpu_to_le16(sizeof(*r));
	r->r.volume = cpu_to_le32(v->id);
	r->vchunk = cpu_to_le64(vchunk);
	r->run = cpu_to_le64(run);
}

void cpb_log_unmap(struct cpb_volume *v, u64 vchunk, u64 len)
{
	struct cpb_disk_record_unmap *r;

	if (v->s->replaying)
		return;
	r = cpb_log_room(v->s, sizeof(*r));
	r->r.type = cpu_to_le16(CPB_RECORD_UNMAP);
	r->r.size = cpu_to_le16(sizeof(*r));
	r->r.volume = cpu_to_le32(v->id);
	r->vchunk = cpu_to_le64(vchunk);
	r->nr = cpu_to_le64(len);
}

/* ---- Writing ---- */

/* Where a batch of so many blocks goes; -ENOSPC if the tail is in its way. */
static int batch_place(struct cpb_log *log, unsigned int blocks, u64 txn)
{
	struct cpb_log_place *h = &log->head;
	bool wrap = h->block + blocks > log->blocks;
	u64 skip = wrap ? log->blocks - h->block : 0;

	if (h->written + skip + blocks - log->tail > log->blocks)
		return -ENOSPC;
	if (wrap) {
		h->block = 0;
		h->written += skip;
	}
	if (log->first[txn & 1].txn != txn) {
		log->first[txn & 1] = *h;
		log->first[txn & 1].txn = txn;
	}
	return 0;
}

/* How many segments from the front of log->out make a batch, and how many bytes. */
static unsigned int batch_segs(struct cpb_log *log, size_t *bytes)
{
	struct cpb_seg *seg = list_first_entry(&log->out.segs, struct cpb_seg, list);
	size_t most = cpb_batch_bytes(CPB_BATCH_BLOCKS, &log->form);
	unsigned int nr = 0, some = 0;
	u64 txn = seg->txn;
	size_t len = 0;

	*bytes = 0;
	cpb_for_each_seg(seg, &log->out) {
		/* None may be torn from what it is joined to. */
		if (!seg->joined) {
			nr = some;
			*bytes = len;
		}
		len += seg->used * sizeof(u64);
		if (seg->txn != txn || sizeof(struct cpb_disk_batch) + len > most)
			return nr;
		some++;
	}
	*bytes = len;
	return some;
}

/* Make a batch of segments from the front of what is to be written. log_io is held. */
static int make_batch(struct cpb_store *s)
{
	struct cpb_log *log = &s->log;
	struct cpb_seg *seg = list_first_entry(&log->out.segs, struct cpb_seg, list);
	struct cpb_disk_batch *b = log->vec[0].data;
	unsigned int blocks, sectors, i;
	size_t bytes, at = sizeof(*b);
	u64 txn = seg->txn;
	int err;

	log->nr_segs = batch_segs(log, &bytes);
	blocks = DIV_ROUND_UP(sizeof(*b) + bytes, cpb_batch_bytes(1, &log->form));
	err = batch_place(log, blocks, txn);
	if (err)
		return err;

	memset(b, 0, sizeof(*b));
	for (i = 0; i < log->nr_segs; i++, seg = list_next_entry(seg, list))
		at = cpb_batch_put(log->vec, &log->form, at, seg->word,
				   seg->used * sizeof(u64));
	b->h.magic = cpu_to_le32(CPB_MAGIC_BATCH);
	b->h.self = cpu_to_le64(log->start + log->head.block);
	b->h.txn = cpu_to_le64(txn);
	b->h.base = cpu_to_le64(log->head.seq);
	memcpy(b->h.uuid, s->uuid, sizeof(b->h.uuid));
	b->link = cpu_to_le32(log->head.link);
	b->bytes = cpu_to_le32(bytes);
	b->blocks = cpu_to_le32(blocks);
	sectors = cpb_batch_sectors(log->vec, blocks, &log->form);
	/* Behind its end may be what the one before has left in memory. */
	cpb_batch_clear(log->vec, &log->form, at, max(sectors, log->used));
	log->used = sectors;
	for (i = 0; i < blocks; i++) {
		log->vec[i].block = log->start + log->head.block + i;
		log->vec[i].spare = 0;
	}
	log->vec[blocks - 1].spare = blocks * CPB_BLOCK_SIZE - sectors * CPB_SECTOR_SIZE;
	cpb_batch_seal(log->vec, blocks, &log->form);
	log->nr_blocks = blocks;
	return 0;
}

/* The batch is written, or that has failed. log_io is held. */
static int end_batch(struct cpb_store *s, int err)
{
	struct cpb_log *log = &s->log;
	struct cpb_disk_batch *b = log->vec[0].data;
	struct cpb_seg *seg;

	if (err)
		return cpb_break(s, err, "can't write the journal",
				 log->vec[0].block);
	log->head.block += log->nr_blocks;
	log->head.written += log->nr_blocks;
	log->head.link = le32_to_cpu(b->h.crc);
	log->head.seq++;
	s->nr_log_writes++;
	s->nr_log_blocks += log->nr_blocks;
	for (; log->nr_segs; log->nr_segs--) {
		seg = list_first_entry(&log->out.segs, struct cpb_seg, list);
		list_del(&seg->list);
		log->out.words -= seg->used;
		port_free_block(seg);
	}
	return 0;
}

/* Every record that there is, is to be written; log_io is held. */
static void take_records(struct cpb_store *s)
{
	unsigned long flags;

	cpb_buf_init(&s->log.out);
	flags = port_lock(&s->lock);
	cpb_buf_splice(&s->log.buf, &s->log.out);
	s->log.end = s->log.lsn;
	port_unlock(&s->lock, flags);
}

/* All of them are durable, or @err; log_io is held. */
static void end_records(struct cpb_store *s, int err)
{
	struct cpb_log *log = &s->log;
	unsigned long flags;

	flags = port_lock(&s->lock);
	if (!err && log->durable < log->end)
		log->durable = log->end;
	/* What found no room goes back in front of what came meanwhile. */
	cpb_buf_splice(&log->buf, &log->out);
	cpb_buf_splice(&log->out, &log->buf);
	port_unlock(&s->lock, flags);
	if (log->head.written - log->tail > log->blocks / 2)
		s->ops->kick(s->ctx, CPB_KICK_COMMIT);
}

/* Make every record that there is durable; log_io is held. */
static int write_out(struct cpb_store *s)
{
	unsigned int flags = CPB_WRITE_FLUSH_DATA | CPB_WRITE_FUA;
	struct cpb_log *log = &s->log;
	int err = 0;

	/* Whoever held the lock before may have failed: see make_durable() in commit.c. */
	if (s->broken)
		return -EROFS;
	take_records(s);
	if (list_empty(&log->out.segs)) {
		WRITE_ONCE(s->write_failed, false);
		err = s->ops->flush_data(s->ctx);
		if (err)
			cpb_break(s, err, "can't flush the data device", ~0ULL);
	}
	while (!err && !list_empty(&log->out.segs)) {
		err = make_batch(s);
		if (err)
			break;
		if (flags & CPB_WRITE_FLUSH_DATA)
			WRITE_ONCE(s->write_failed, false);
		err = s->ops->write(s->ctx, log->vec, log->nr_blocks, flags);
		err = end_batch(s, err);
		flags = CPB_WRITE_FUA;
	}
	end_records(s, err);
	return err;
}

/*
 * Is all up to @want durable, so that a flush has nothing to do? Not after a
 * write of data has failed: then it has to find out whether the device is still
 * there. Filesystems rely on a failing flush to tell them that what they wrote
 * before is lost.
 */
static bool flushed(const struct cpb_store *s, u64 want)
{
	return s->log.durable >= want && !READ_ONCE(s->write_failed);
}

int cpb_flush(struct cpb_store *s)
{
	unsigned long flags;
	bool done;
	u64 want;
	int err;

	if (!s->writable)
		return 0;
	flags = port_lock(&s->lock);
	want = s->log.lsn;
	done = flushed(s, want);
	port_unlock(&s->lock, flags);
	for (;;) {
		if (s->broken)
			return -EROFS;
		if (done)
			return 0;
		port_sem_lock(&s->log_io);
		err = flushed(s, want) ? 0 : write_out(s);
		port_sem_unlock(&s->log_io);
		if (err != -ENOSPC)
			return err;
		/* The journal is full: a transaction makes it all durable too. */
		err = cpb_commit(s);
		if (err)
			return err;
		flags = port_lock(&s->lock);
		done = flushed(s, want);
		port_unlock(&s->lock, flags);
	}
}

/* Do the records that were taken make one batch of one block? */
static bool one_block(struct cpb_log *log)
{
	size_t bytes;

	if (list_empty(&log->out.segs))
		return false;
	batch_segs(log, &bytes);
	return bytes == log->out.words * sizeof(u64) &&
	       sizeof(struct cpb_disk_batch) + bytes <= cpb_batch_bytes(1, &log->form);
}

/* Make a batch of one block of all records, if that is enough and their data is durable. */
static int begin_alone(struct cpb_store *s)
{
	int err = -EAGAIN;

	take_records(s);
	/* Looked at after the records were taken: their data was complete before. */
	if (one_block(&s->log) && s->ops->data_clean(s->ctx))
		err = make_batch(s);
	if (err)
		end_records(s, err);
	return err;
}

int cpb_flush_begin(struct cpb_store *s, struct cpb_vec *vec)
{
	unsigned long flags;
	int err = -EAGAIN;
	bool done;

	if (!s->writable)
		return 1;
	flags = port_lock(&s->lock);
	done = flushed(s, s->log.lsn);
	port_unlock(&s->lock, flags);
	if (done && !s->broken)
		return 1;
	if (!s->ops->data_clean || !port_sem_trylock(&s->log_io))
		return -EAGAIN;
	/* After a failed write the device has to be asked: see flushed(). */
	if (!s->broken && !READ_ONCE(s->write_failed))
		err = begin_alone(s);
	if (err) {
		port_sem_unlock(&s->log_io);
		return -EAGAIN;
	}
	*vec = s->log.vec[0];
	return 0;
}

void cpb_flush_end(struct cpb_store *s, int err)
{
	end_records(s, end_batch(s, err));
	port_sem_unlock(&s->log_io);
}

/* ---- Together with transactions ---- */

/** cpb_log_tail() - where replay on top of transaction @txn begins  [sleeps] */
void cpb_log_tail(struct cpb_store *s, u64 txn, struct cpb_log_place *tail)
{
	port_sem_lock(&s->log_io);
	*tail = s->log.first[(txn + 1) & 1];
	if (tail->txn != txn + 1)
		*tail = s->log.head;
	port_sem_unlock(&s->log_io);
}

/**
 * cpb_log_done() - transaction @txn is durable  [sleeps]
 * @s: the store
 * @txn: the transaction
 * @lsn: of its cut
 * @tail: as its superblock has it; the journal before it is free
 */
void cpb_log_done(struct cpb_store *s, u64 txn, u64 lsn,
		  const struct cpb_log_place *tail)
{
	struct cpb_seg *seg, *next;
	unsigned long flags;
	struct cpb_buf gone;

	cpb_buf_init(&gone);
	port_sem_lock(&s->log_io);
	s->log.tail = tail->written;
	flags = port_lock(&s->lock);
	list_for_each_entry_safe(seg, next, &s->log.buf.segs, list) {
		if (seg->txn > txn)
			break;
		s->log.buf.words -= seg->used;
		list_move_tail(&seg->list, &gone.segs);
	}
	if (s->log.durable < lsn)
		s->log.durable = lsn;
	port_unlock(&s->lock, flags);
	port_sem_unlock(&s->log_io);
	cpb_buf_drop(&gone);
}

/* ---- Replay ---- */

/* Is this the head of a batch of this store, at the @block of the area it is for? */
static bool is_head(const struct cpb_store *s, const struct cpb_disk_batch *b, u64 block)
{
	return cpb_batch_is_head(b, s->uuid) &&
	       le64_to_cpu(b->h.self) == s->log.start + block;
}

/* Read the batch that continues the chain at @block: 1; 0: there is none. */
static int read_batch(struct cpb_store *s, u64 block)
{
	struct cpb_log *log = &s->log;
	struct cpb_disk_batch *b = log->vec[0].data;
	unsigned int i, blocks = 1;
	int err;

	for (i = 0; i < blocks; i++) {
		err = s->ops->read(s->ctx, log->start + block + i,
				   log->vec[i].data);
		if (err)
			return cpb_break(s, err, "can't read the journal",
					 log->start + block + i);
		if (i)
			continue;
		blocks = le32_to_cpu(b->blocks);
		if (!is_head(s, b, block) || le64_to_cpu(b->h.base) != log->head.seq ||
		    le32_to_cpu(b->link) != log->head.link || !blocks || blocks > CPB_BATCH_BLOCKS ||
		    blocks > log->blocks - block ||
		    le32_to_cpu(b->bytes) + sizeof(*b) > cpb_batch_bytes(blocks, &log->form) ||
		    le32_to_cpu(b->bytes) % 8)
			return 0;
	}
	return cpb_batch_whole(log->vec, blocks, &log->form);
}

/* To vec[@i]; a place that can't be read says nothing. Is it the head of a later batch? */
static bool load_later(struct cpb_store *s, unsigned int i, u64 block)
{
	struct cpb_disk_batch *b = s->log.vec[i].data;

	if (s->ops->read(s->ctx, s->log.start + block, b))
		memset(b, 0, CPB_BLOCK_SIZE);
	return is_head(s, b, block) && le64_to_cpu(b->h.base) > s->log.head.seq &&
	       le64_to_cpu(b->h.base) - s->log.head.seq <= s->log.blocks;
}

/*
 * The batch that would be next is not there, or not whole. If it was written to its
 * end it is damaged, and may have been acknowledged. So it is, too, if there is
 * something of one behind it: a batch is begun only when the one before is durable.
 * Else it is torn, or there never was one.
 */
static int look_behind(struct cpb_store *s)
{
	struct cpb_log *log = &s->log;
	/* At the beginning of the area if it, or the one behind it, may have had no room. */
	u64 places[] = { log->head.block, 0 };
	unsigned int nr_places = log->head.block + 2 * CPB_BATCH_BLOCKS > log->blocks ? 2 : 1;
	enum cpb_trace trace = CPB_TRACE_NONE;
	bool later = false;
	unsigned int n, nr;

	for (n = 0; n < nr_places; n++) {
		u64 left = log->blocks - places[n];

		for (nr = 0; nr < min_t(u64, left, CPB_BATCH_BLOCKS); nr++)
			later |= load_later(s, nr, places[n] + nr);
		trace = max(trace, cpb_batch_trace(log->vec, nr, &log->form, s->uuid,
						   log->head.seq, log->blocks));
		if (nr < left)
			later |= load_later(s, 0, places[n] + nr);
	}
	if (later || trace == CPB_TRACE_DAMAGED)
		return cpb_break(s, -EUCLEAN, "the journal is damaged",
				 log->start + log->head.block % log->blocks);
	/* What is left of it must not be mixed up with the next one. */
	log->torn = trace == CPB_TRACE_TORN;
	log->head.seq += log->torn;
	return 0;
}

static int replay_map(struct cpb_store *s, const struct cpb_disk_record *r)
{
	struct cpb_volume *v = cpb_ids_find(&s->volumes, le32_to_cpu(r->volume));
	const struct cpb_disk_record_map *map = (const void *)r;
	u64 vchunk, run, len, end = CPB_VOLUME_BYTES_MAX >> s->chunk_shift;
	bool unmap = le16_to_cpu(r->type) == CPB_RECORD_UNMAP;
	unsigned long flags;
	int err;

	static_assert(sizeof(struct cpb_disk_record_map) ==
		      sizeof(struct cpb_disk_record_unmap), "read as one");
	if (!v || le16_to_cpu(r->size) != sizeof(*map))
		return -EUCLEAN;
	vchunk = le64_to_cpu(map->vchunk);
	run = le64_to_cpu(map->run);
	len = unmap ? run : cpb_run_len(run);
	if (!len || vchunk >= end || len > end - vchunk)
		return -EUCLEAN;
	if (!unmap) {
		err = cpb_space_take(s, run);
		if (err)
			return err;
	}
	do {
		flags = port_lock(&s->lock);
		err = unmap ? cpb_map_clear(v, &vchunk, &len, CPB_LEAF_EXTENTS) :
			      cpb_map_set(v, vchunk, run);
		port_unlock(&s->lock, flags);
		if (err == -EAGAIN)
			err = cpb_prepare(v, vchunk, unmap ? 1 : len);
		else if (!err && !unmap)
			len = 0;
	} while (err >= 0 && len);
	return err < 0 ? err : 0;
}

static int replay_batch(struct cpb_store *s, const u8 *p, u32 bytes, u64 *records)
{
	const struct cpb_disk_record *r;
	unsigned int type;
	u32 size;
	int err;

	if (!bytes)
		return -EUCLEAN;
	for (; bytes; bytes -= size, p += size) {
		r = (const void *)p;
		size = le16_to_cpu(r->size);
		if (size < sizeof(*r) || size % 8 || size > bytes)
			return -EUCLEAN;
		type = le16_to_cpu(r->type);
		if (type == CPB_RECORD_MAP || type == CPB_RECORD_UNMAP)
			err = replay_map(s, r);
		else
			err = cpb_replay_op(s, (const void *)p, size);
		if (err)
			return err;
		++*records;
	}
	return 0;
}

/**
 * cpb_log_replay() - do again what the journal has on top of the superblock  [sleeps]
 * @s: the store
 * @records: how many there were
 *
 * s->log.head is where the superblock says that the journal begins; afterwards
 * it is where it ends.
 */
int cpb_log_replay(struct cpb_store *s, u64 *records)
{
	struct cpb_log *log = &s->log;
	const struct cpb_disk_batch *b = log->vec[0].data;
	u8 *flat = port_alloc(CPB_BATCH_BLOCKS * CPB_BLOCK_SIZE);
	int err = flat ? 0 : -ENOMEM;
	unsigned int blocks;
	u64 txn = 0;

	*records = 0;
	s->replaying = true;
	while (!err) {
		u64 at = log->head.block, skip = 0;

		err = at < log->blocks ? read_batch(s, at) : 0;
		if (!err && at) {
			/* It may have had no room before the end of the area. */
			skip = log->blocks - at;
			at = 0;
			err = read_batch(s, at);
		}
		if (err <= 0)
			break;
		blocks = le32_to_cpu(b->blocks);
		cpb_batch_get(log->vec, blocks, &log->form, flat);
		log->head.block = at + blocks;
		log->head.written += skip + blocks;
		log->head.link = le32_to_cpu(b->h.crc);
		log->head.seq++;
		err = 0;
		/* Records of a transaction come behind those of the one before. */
		if (le64_to_cpu(b->h.txn) < txn)
			err = -EUCLEAN;
		txn = le64_to_cpu(b->h.txn);
		if (!err && txn > s->durable_txn)
			err = replay_batch(s, flat + sizeof(*b),
					   le32_to_cpu(b->bytes), records);
		if (err == -EUCLEAN)
			cpb_break(s, err, "the journal does not fit the trees",
				  log->start + at);
	}
	s->replaying = false;
	port_free(flat);
	return err ?: look_behind(s);
}
