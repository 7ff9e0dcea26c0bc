// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store without writing to it: see mend.h.
 */
#include "mend.h"
#include "rest.h"

#define WRITE_BATCH	256

static void add_line(void *arg, enum cpb_finding kind, const char *text)
{
	struct cpb_mend *m = arg;
	struct cpb_finding_line *more;

	if (m->nr == m->room) {
		more = reallocarray(m->line, 2 * m->room + 16, sizeof(*more));
		if (!more)
			abort();
		m->line = more;
		m->room = 2 * m->room + 16;
	}
	m->line[m->nr].kind = kind;
	m->line[m->nr].text = strdup(text);
	if (!m->line[m->nr++].text)
		abort();
}

/* The first complaint is enough. */
static void complaint(void *arg, const char *text)
{
	char *first = arg;

	if (!first[0])
		snprintf(first, CPB_ERROR_LEN, "%s", text);
}

/* What the repair came to must open by itself, come to rest, and be clean. */
static int prove(struct cpb_mend *m, u64 meta_blocks, u64 data_bytes)
{
	struct cpb_overlay above = { .ops = &cpb_overlay_ops, .ctx = &m->overlay };
	struct cpb_check_report r;
	char first[CPB_ERROR_LEN] = "";
	struct cpb_store *s;
	int err;

	err = cpb_open(&cpb_overlay_ops, &above, meta_blocks, data_bytes, 1, 0, &s,
		       first);
	if (!err) {
		err = cpb_rest(s);
		if (!err)
			err = cpb_check(s, &r, complaint, first);
		if (!err && r.errors)
			err = -EUCLEAN;
		cpb_close(s);
		port_rcu_barrier();
	}
	if (err)
		snprintf(m->why, sizeof(m->why), "what a repair comes to is not sound: %.140s",
			 first[0] ? first : strerror(-err));
	cpb_overlay_free(&above);
	return err;
}

static int mend_from(struct cpb_mend *m, const struct cpb_ops *ops, void *ctx,
		     u64 meta_blocks, u64 data_bytes, unsigned int copy,
		     unsigned int flags)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->overlay.ops = ops;
	m->overlay.ctx = ctx;
	m->copy = copy;
	err = cpb_repair(&cpb_overlay_ops, &m->overlay, meta_blocks, data_bytes, copy,
			 flags, &m->report, add_line, m, m->why);
	port_rcu_barrier();
	return err ? err : prove(m, meta_blocks, data_bytes);
}

/* Of two repairs, is @b the one to go on with? */
static bool better(const struct cpb_mend *a, int err_a, const struct cpb_mend *b,
		   int err_b)
{
	/* Of two failures the one that got further has more to say. */
	if (err_b)
		return err_a && !a->report.base_txn;
	if (err_a || b->report.lost != a->report.lost)
		return err_a || b->report.lost < a->report.lost;
	return b->report.base_txn > a->report.base_txn;
}

int cpb_mend(struct cpb_mend *m, const struct cpb_ops *ops, void *ctx,
	     u64 meta_blocks, u64 data_bytes, unsigned int flags)
{
	int err = mend_from(m, ops, ctx, meta_blocks, data_bytes, 0, flags), second;
	struct cpb_mend *other;

	if (m->report.alike)
		return err;
	other = malloc(sizeof(*other));
	if (!other)
		return -ENOMEM;
	second = mend_from(other, ops, ctx, meta_blocks, data_bytes, 1, flags);
	if (better(m, err, other, second)) {
		swap(*m, *other);
		err = second;
	}
	cpb_mend_free(other);
	free(other);
	return err;
}

static int write_rest(struct cpb_mend *m)
{
	struct cpb_overlay *o = &m->overlay;
	struct cpb_vec vec[WRITE_BATCH];
	unsigned int nr = 0;
	u64 addr = 0;
	void *data;
	int err;

	while (cpb_overlay_next(o, &addr, &data)) {
		if (addr != 0 && addr != CPB_SB_SECOND)
			vec[nr++] = (struct cpb_vec){ .block = addr, .data = data };
		addr++;
		if (nr < WRITE_BATCH)
			continue;
		err = o->ops->write(o->ctx, vec, nr, 0);
		if (err)
			return err;
		nr = 0;
	}
	return nr ? o->ops->write(o->ctx, vec, nr, 0) : 0;
}

static int write_super(struct cpb_mend *m, u64 addr, unsigned int flags)
{
	struct cpb_overlay *o = &m->overlay;
	u8 data[CPB_BLOCK_SIZE];
	struct cpb_vec vec = { .block = addr, .data = data };
	int err = cpb_overlay_ops.read(o, addr, data);

	return err ? err : o->ops->write(o->ctx, &vec, 1, flags);
}

int cpb_mend_write(struct cpb_mend *m)
{
	u64 base = m->copy ? CPB_SB_SECOND : 0;
	int err = write_rest(m);

	/* The one that it began with is there until the new one is durable. */
	if (!err)
		err = write_super(m, base ? 0 : CPB_SB_SECOND,
				  CPB_WRITE_PREFLUSH | CPB_WRITE_FUA);
	return err ? err : write_super(m, base, CPB_WRITE_FUA);
}

void cpb_mend_free(struct cpb_mend *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		free(m->line[i].text);
	free(m->line);
	cpb_overlay_free(&m->overlay);
	memset(m, 0, sizeof(*m));
}
