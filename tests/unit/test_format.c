// SPDX-License-Identifier: GPL-2.0
/*
 * The format on disk, byte by byte: where each field of each structure is, so
 * that nothing moves unseen. The fields of a structure must follow each other
 * without a gap and fill it, so that none is forgotten here either.
 */
#include <criterion/criterion.h>
#include <stddef.h>

#include "../../kmod/core/engine.h"

struct field {
	const char *structure, *name;
	size_t at, size;	/* as they are in the header */
	size_t is_at, is_size;	/* as they are to be */
	size_t whole;
};

#define F(type, member, at, size) \
	{ #type, #member, offsetof(struct type, member), \
	  sizeof(((struct type *)0)->member), at, size, sizeof(struct type) }

static const struct field fields[] = {
	F(cpb_disk_header, crc, 0, 4),
	F(cpb_disk_header, magic, 4, 4),
	F(cpb_disk_header, self, 8, 8),
	F(cpb_disk_header, txn, 16, 8),
	F(cpb_disk_header, birth, 24, 8),
	F(cpb_disk_header, uuid, 32, 16),
	F(cpb_disk_header, level, 48, 2),
	F(cpb_disk_header, nr, 50, 2),
	F(cpb_disk_header, pad, 52, 4),
	F(cpb_disk_header, base, 56, 8),

	F(cpb_disk_extent, vchunk, 0, 8),
	F(cpb_disk_extent, run, 8, 8),
	F(cpb_disk_extent, birth, 16, 8),

	F(cpb_disk_child, vchunk, 0, 8),
	F(cpb_disk_child, ref, 8, 8),
	F(cpb_disk_child, birth, 16, 8),

	F(cpb_disk_dead, set, 0, 8),
	F(cpb_disk_dead, birth, 8, 8),
	F(cpb_disk_dead, run, 16, 8),

	F(cpb_disk_dead_child, key, 0, 24),
	F(cpb_disk_dead_child, ref, 24, 8),
	F(cpb_disk_dead_child, birth, 32, 8),

	F(cpb_disk_index, ref, 0, 8),
	F(cpb_disk_index, aux, 8, 8),

	F(cpb_disk_point, type, 0, 4),
	F(cpb_disk_point, flags, 4, 4),
	F(cpb_disk_point, id, 8, 8),
	F(cpb_disk_point, volume, 16, 8),
	F(cpb_disk_point, parent, 24, 8),
	F(cpb_disk_point, epoch, 32, 8),
	F(cpb_disk_point, time, 40, 8),
	F(cpb_disk_point, size, 48, 8),
	F(cpb_disk_point, root, 56, 8),
	F(cpb_disk_point, root_birth, 64, 8),
	F(cpb_disk_point, root_level, 72, 2),
	F(cpb_disk_point, name_len, 74, 2),
	F(cpb_disk_point, message_len, 76, 2),
	F(cpb_disk_point, hold_len, 78, 2),
	F(cpb_disk_point, referenced, 80, 8),
	F(cpb_disk_point, deadset, 88, 8),
	F(cpb_disk_point, dead_chunks, 96, 8),
	F(cpb_disk_point, dead_blocks, 104, 8),
	F(cpb_disk_point, cursor, 112, 8),
	F(cpb_disk_point, keep, 120, 8),
	F(cpb_disk_point, name, 128, 64),
	F(cpb_disk_point, message, 192, 160),
	F(cpb_disk_point, hold, 352, 96),
	F(cpb_disk_point, dead_young, 448, 8),
	F(cpb_disk_point, dead_young_after, 456, 8),
	F(cpb_disk_point, reserved, 464, 40),

	F(cpb_disk_policy, last, 0, 4),
	F(cpb_disk_policy, hourly, 4, 4),
	F(cpb_disk_policy, daily, 8, 4),
	F(cpb_disk_policy, weekly, 12, 4),
	F(cpb_disk_policy, monthly, 16, 4),
	F(cpb_disk_policy, pad, 20, 4),
	F(cpb_disk_policy, max_age, 24, 8),

	F(cpb_disk_volume, type, 0, 4),
	F(cpb_disk_volume, flags, 4, 4),
	F(cpb_disk_volume, id, 8, 8),
	F(cpb_disk_volume, head, 16, 8),
	F(cpb_disk_volume, generation, 24, 8),
	F(cpb_disk_volume, undo, 32, 8),
	F(cpb_disk_volume, next_auto, 40, 8),
	F(cpb_disk_volume, created, 48, 8),
	F(cpb_disk_volume, uuid, 56, 16),
	F(cpb_disk_volume, name_len, 72, 2),
	F(cpb_disk_volume, group_len, 74, 2),
	F(cpb_disk_volume, pad, 76, 4),
	F(cpb_disk_volume, name, 80, 64),
	F(cpb_disk_volume, group, 144, 64),
	F(cpb_disk_volume, policy, 208, 32),
	F(cpb_disk_volume, reserved, 240, 264),

	F(cpb_disk_options, value, 0, 128),

	F(cpb_disk_root, ref, 0, 8),
	F(cpb_disk_root, level, 8, 4),
	F(cpb_disk_root, pad, 12, 4),

	F(cpb_disk_options, value, 0, 128),

	F(cpb_disk_super, h, 0, 64),
	F(cpb_disk_super, version, 64, 4),
	F(cpb_disk_super, chunk_shift, 68, 4),
	F(cpb_disk_super, incompat, 72, 8),
	F(cpb_disk_super, ro_compat, 80, 8),
	F(cpb_disk_super, compat, 88, 8),
	F(cpb_disk_super, created, 96, 8),
	F(cpb_disk_super, name, 104, 64),
	F(cpb_disk_super, meta_blocks, 168, 8),
	F(cpb_disk_super, data_chunks, 176, 8),
	F(cpb_disk_super, journal_start, 184, 8),
	F(cpb_disk_super, journal_blocks, 192, 8),
	F(cpb_disk_super, journal_tail, 200, 8),
	F(cpb_disk_super, journal_seq, 208, 8),
	F(cpb_disk_super, journal_link, 216, 4),
	F(cpb_disk_super, label_crc, 220, 4),
	F(cpb_disk_super, bitmap_start, 224, 8),
	F(cpb_disk_super, bitmap_slots, 232, 8),
	F(cpb_disk_super, meta_used, 240, 8),
	F(cpb_disk_super, data_used, 248, 8),
	F(cpb_disk_super, epoch, 256, 8),
	F(cpb_disk_super, next_id, 264, 8),
	F(cpb_disk_super, next_volume, 272, 8),
	F(cpb_disk_super, object_slots, 280, 8),
	F(cpb_disk_super, objects, 288, 16),
	F(cpb_disk_super, space, 304, 16),
	F(cpb_disk_super, dead, 320, 16),
	F(cpb_disk_super, dead_nodes, 336, 8),
	F(cpb_disk_super, options, 344, 128),
	F(cpb_disk_super, reserved, 472, 128),
	F(cpb_disk_super, bitmap_place, 600, 1048),

	F(cpb_disk_label, h, 0, 64),
	F(cpb_disk_label, version, 64, 4),
	F(cpb_disk_label, chunk_shift, 68, 4),
	F(cpb_disk_label, cookie, 72, 16),
	F(cpb_disk_label, name, 88, 64),

	F(cpb_disk_stamp, crc, 0, 4),
	F(cpb_disk_stamp, length, 4, 2),
	F(cpb_disk_stamp, sector, 6, 2),
	F(cpb_disk_stamp, store, 8, 4),
	F(cpb_disk_stamp, seq, 12, 4),
	F(cpb_disk_batch, h, 0, 64),
	F(cpb_disk_batch, link, 64, 4),
	F(cpb_disk_batch, bytes, 68, 4),
	F(cpb_disk_batch, blocks, 72, 4),
	F(cpb_disk_batch, pad, 76, 4),

	F(cpb_disk_record, type, 0, 2),
	F(cpb_disk_record, size, 2, 2),
	F(cpb_disk_record, volume, 4, 4),

	F(cpb_disk_record_map, r, 0, 8),
	F(cpb_disk_record_map, vchunk, 8, 8),
	F(cpb_disk_record_map, run, 16, 8),

	F(cpb_disk_record_unmap, r, 0, 8),
	F(cpb_disk_record_unmap, vchunk, 8, 8),
	F(cpb_disk_record_unmap, nr, 16, 8),

	F(cpb_disk_record_op, r, 0, 8),
	F(cpb_disk_record_op, time, 8, 8),
	F(cpb_disk_record_op, target, 16, 8),
	F(cpb_disk_record_op, id, 24, 8),
	F(cpb_disk_record_op, arg, 32, 8),
	F(cpb_disk_record_op, flags, 40, 4),
	F(cpb_disk_record_op, name_len, 44, 2),
	F(cpb_disk_record_op, text_len, 46, 2),
	F(cpb_disk_record_op, uuid, 48, 16),
};

Test(format, fields)
{
	const struct field *f, *end = fields + ARRAY_SIZE(fields);

	for (f = fields; f < end; f++) {
		bool last = f + 1 == end || strcmp(f->structure, f[1].structure);

		cr_assert(f->at == f->is_at && f->size == f->is_size,
			  "%s.%s is %zu bytes at %zu", f->structure, f->name,
			  f->size, f->at);
		cr_assert_eq(f->at + f->size, last ? f->whole : f[1].at,
			     "there is a gap behind %s.%s", f->structure,
			     f->name);
	}
}

/* What is sealed is valid, and any one bit that changes makes it invalid. */
Test(format, seal)
{
	struct cpb_store s = { .uuid = "0123456789abcde" };
	struct cpb_disk_header *h = calloc(1, CPB_BLOCK_SIZE);
	unsigned int bit;

	h->magic = cpu_to_le32(CPB_MAGIC_MAP);
	cpb_seal(&s, h, 77, 5);
	cr_assert_eq(le64_to_cpu(h->self), 77);
	cr_assert_eq(le64_to_cpu(h->txn), 5);
	cr_assert_eq(cpb_verify(h, CPB_MAGIC_MAP, 77, s.uuid), 0);
	cr_assert_eq(cpb_verify(h, 0, 77, NULL), 0);
	cr_assert_eq(cpb_verify(h, CPB_MAGIC_DEAD, 77, s.uuid), -EUCLEAN);
	cr_assert_eq(cpb_verify(h, CPB_MAGIC_MAP, 78, s.uuid), -EUCLEAN);
	cr_assert_eq(cpb_verify(h, CPB_MAGIC_MAP, 77, (u8 *)"another store's"),
		     -EUCLEAN);
	for (bit = 0; bit < CPB_BLOCK_SIZE * 8; bit++) {
		((u8 *)h)[bit / 8] ^= 1U << bit % 8;
		cr_assert_eq(cpb_verify(h, CPB_MAGIC_MAP, 77, s.uuid), -EBADMSG,
			     "bit %u", bit);
		((u8 *)h)[bit / 8] ^= 1U << bit % 8;
	}
	free(h);
}

/* Names that the tool, the driver and a journal record may bring. */
Test(format, names)
{
	static const char *const good[] = {
		"a", "v1", "A.b_c-d", "9", "HEADS",
		"123456789012345678901234567890123456789012345678901234567890123",
	};
	static const char *const bad[] = {
		"", ".", ".a", "-a", "a b", "a/b", "a@b", "HEAD", "\xc3\xa4", "a\n",
		"1234567890123456789012345678901234567890123456789012345678901234",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert(cpb_name_ok(good[i]), "%s", good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert(!cpb_name_ok(bad[i]), "%s", bad[i]);
}
