// SPDX-License-Identifier: GPL-2.0
/*
 * Golden stores: made once for each version of the format, and opened by every
 * later one.
 *
 *	golden make NAME FOLDER		writes FOLDER/NAME.meta, .data, .manifest
 *	golden check NAME FOLDER	opens them, and compares with the manifest
 *	golden list
 *
 * The manifest has a line for each volume and checkpoint with its size and a
 * checksum of its content, from a model of what was written, not from the
 * store. Checking changes the copy that it is given: the journal is replayed,
 * all is read, compared and checked; then all that can be done is done, and
 * what was not touched must still be the same.
 *
 * Stores are the same at every making, byte by byte: time stands still, UUIDs
 * are given, and nothing is random.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../tools/engine/files.h"

#define META_BYTES	(16ULL << 20)
#define CHUNKS		4096	/* of a data device */
#define VCHUNKS		1024	/* of a volume */
#define MAPS		24
#define LINE		256

/* ---- Devices ---- */

static struct cpb_files files;
static u64 now = 1700000000000000000ULL;

static u64 still_now(void *ctx)
{
	(void)ctx;
	return now += 1000000000;
}

static struct cpb_ops ops;

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "golden: %s: %s\n", what, detail);
	exit(1);
}

static void must(int err, const char *what, const char *why)
{
	if (err)
		die(what, why && why[0] ? why : strerror(err < 0 ? -err : err));
}

static void open_files(const char *folder, const char *name, int flags)
{
	char path[2][LINE];

	snprintf(path[0], LINE, "%s/%s.meta", folder, name);
	snprintf(path[1], LINE, "%s/%s.data", folder, name);
	files.meta = open(path[0], O_RDWR | flags, 0644);
	files.data = open(path[1], O_RDWR | flags, 0644);
	if (files.meta < 0 || files.data < 0)
		die("can't open the devices", strerror(errno));
	ops = cpb_files_ops;
	ops.now = still_now;
}

/* ---- The model ---- */

struct map {
	char name[2 * CPB_NAME_LEN];
	u64 size;
	u32 content[VCHUNKS];	/* 0: a hole */
};

static struct map maps[MAPS];
static unsigned int nr_maps;
static unsigned int shift;

static struct map *find_map(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_maps; i++)
		if (!strcmp(maps[i].name, name))
			return &maps[i];
	return NULL;
}

static struct map *add_map(const char *name, const struct map *from)
{
	struct map *m = &maps[nr_maps++];

	if (nr_maps > MAPS)
		die(name, "too many maps");
	if (from)
		*m = *from;
	else
		memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", name);
	return m;
}

static void drop_map(const char *name)
{
	struct map *m = find_map(name);

	*m = maps[--nr_maps];
}

/* What a chunk is filled with, by its number. */
static void fill(u8 *chunk, u32 content)
{
	u32 i;

	for (i = 0; i < 1U << shift; i += sizeof(u32)) {
		u32 word = content * 2654435761U + (i >= 1U << (shift - 1));
		__le32 v = content ? cpu_to_le32(word) : 0;

		memcpy(chunk + i, &v, sizeof(v));
	}
}

static u32 map_crc(const struct map *m)
{
	u8 *chunk = malloc(1U << shift);
	u64 i, n = m->size >> shift;
	u32 crc = 0;

	for (i = 0; i < n; i++) {
		fill(chunk, i < VCHUNKS ? m->content[i] : 0);
		crc = port_crc(crc, chunk, 1U << shift);
	}
	free(chunk);
	return crc;
}

/* ---- Doing things ---- */

static char why[CPB_ERROR_LEN];
static u32 next_content;

static struct cpb_volume *volume(struct cpb_store *s, const char *name)
{
	struct cpb_volume *v = cpb_volume_by_name(s, name);

	if (!v)
		die(name, "there is no such volume");
	return v;
}

static struct cpb_point *checkpoint(struct cpb_store *s, const char *vol, const char *name)
{
	struct cpb_point *p = cpb_checkpoint(volume(s, vol), name);

	if (!p)
		die(name, "there is no such checkpoint");
	return p;
}

static void do_write(struct cpb_store *s, const char *vol, u64 at, u64 len)
{
	struct cpb_volume *v = volume(s, vol);
	u8 *chunk = malloc(1U << shift);
	struct cpb_run r;
	int err;
	u64 i;

	while (len) {
		while ((err = cpb_write_begin(s, 0, len, &r)) == -EAGAIN)
			must(cpb_write_wait(s), "write", "");
		must(err, "write", "");
		for (i = 0; i < r.len; i++) {
			fill(chunk, ++next_content);
			if (pwrite(files.data, chunk, 1U << shift,
				   (off_t)cpb_chunk_byte(s, r.chunk + i)) != 1L << shift)
				die("write", strerror(errno));
			find_map(vol)->content[at + i] = next_content;
		}
		while ((err = cpb_write_end(v, at, &r, NULL)) == -EAGAIN)
			must(cpb_prepare(v, at, r.len), "write", "");
		must(err, "write", "");
		at += r.len;
		len -= r.len;
	}
	free(chunk);
}

/* Every so many chunks, so that there are extents of all kinds. */
static void scatter(struct cpb_store *s, const char *vol, u64 from, u64 step, u64 len)
{
	u64 at;

	for (at = from; at + len <= VCHUNKS; at += step)
		do_write(s, vol, at, len);
}

static void do_discard(struct cpb_store *s, const char *vol, u64 at, u64 len)
{
	struct cpb_volume *v = volume(s, vol);
	u64 from = at, n = len;
	int err;

	while (len) {
		err = cpb_unmap(v, &at, &len, NULL);
		if (err == -EAGAIN)
			err = cpb_unmap_prepare(v, at, NULL);
		must(err, "discard", "");
	}
	memset(find_map(vol)->content + from, 0, n * sizeof(u32));
}

static void do_snap(struct cpb_store *s, const char *vol, const char *name,
		    const char *message)
{
	struct cpb_volume *v = volume(s, vol);
	char full[2 * CPB_NAME_LEN];

	must(cpb_snap(s, &v, 1, name, message, 0, NULL, why), "snap", why);
	snprintf(full, sizeof(full), "%s@%s", vol, name);
	add_map(full, find_map(vol));
}

static void do_create(struct cpb_store *s, const char *name)
{
	static const u8 uuid[CPB_UUID_LEN] = "a golden volume";
	struct cpb_volume *v;

	must(cpb_create(s, name, (u64)VCHUNKS << shift, uuid, 0, &v, why), "create", why);
	add_map(name, NULL)->size = (u64)VCHUNKS << shift;
}

static void do_fork(struct cpb_store *s, const char *vol, const char *name,
		    const char *fork)
{
	static const u8 uuid[CPB_UUID_LEN] = "a golden fork";
	char full[2 * CPB_NAME_LEN];
	struct cpb_volume *v;

	must(cpb_fork(s, checkpoint(s, vol, name), fork, uuid, 0, &v, why), "fork", why);
	snprintf(full, sizeof(full), "%s@%s", vol, name);
	add_map(fork, find_map(full));
}

static void do_restore(struct cpb_store *s, const char *vol, const char *name)
{
	char full[2 * CPB_NAME_LEN], safety[2 * CPB_NAME_LEN];
	struct cpb_point_info info;
	struct map *head = find_map(vol);
	u64 id;

	snprintf(full, sizeof(full), "%s@%s", vol, name);
	must(cpb_restore(volume(s, vol), checkpoint(s, vol, name), true, &id, why),
	     "restore", why);
	cpb_point_info(s, cpb_point_by_id(s, id), &info);
	snprintf(safety, sizeof(safety), "%s@%s", vol, info.name);
	add_map(safety, head);
	memcpy(head->content, find_map(full)->content, sizeof(head->content));
	head->size = find_map(full)->size;
}

static void do_delete(struct cpb_store *s, const char *vol, const char *name)
{
	char full[2 * CPB_NAME_LEN];

	must(cpb_delete(s, checkpoint(s, vol, name), why), "delete", why);
	snprintf(full, sizeof(full), "%s@%s", vol, name);
	drop_map(full);
}

static void rest(struct cpb_store *s)
{
	int err;

	do {
		must(cpb_commit(s), "commit", "");
		cpb_release(s);
		while ((err = cpb_reap(s)) > 0)
			;
		must(err, "reap", "");
	} while (cpb_dirty(s));
	port_rcu_barrier();
}

/* ---- The stores ---- */

/* A bit of everything, at rest. */
static void make_history(struct cpb_store *s)
{
	struct cpb_policy policy = { .last = 3, .hourly = 4, .daily = 5, .weekly = 6,
				     .monthly = 7, .max_age = 8 };

	do_create(s, "disk");
	do_write(s, "disk", 0, 700);
	do_snap(s, "disk", "first", "the first one");
	scatter(s, "disk", 1, 3, 1);
	do_snap(s, "disk", "second", "every third chunk is another one");
	scatter(s, "disk", 5, 17, 4);
	do_discard(s, "disk", 100, 50);
	do_snap(s, "disk", "third", "");
	do_fork(s, "disk", "second", "fork");
	scatter(s, "fork", 0, 40, 3);
	do_snap(s, "fork", "own", "of the fork");
	/* Two follow it, so that it stays, deleted. */
	do_delete(s, "disk", "second");
	do_write(s, "disk", 900, 100);
	do_restore(s, "disk", "first");
	scatter(s, "disk", 7, 90, 2);
	must(cpb_hold(s, checkpoint(s, "disk", "third"), "needed for long", why), "hold", why);
	must(cpb_set_policy(volume(s, "disk"), &policy, why), "policy", why);
	do_create(s, "empty");
	must(cpb_resize(volume(s, "empty"), 2ULL * VCHUNKS << shift, why), "resize", why);
	find_map("empty")->size *= 2;
	rest(s);
}

/* The power fails: the newest is in the journal, and reclaiming is under way. */
static void make_crash(struct cpb_store *s)
{
	make_history(s);
	scatter(s, "disk", 0, 2, 1);
	do_snap(s, "disk", "fourth", "");
	scatter(s, "disk", 0, 2, 1);
	do_delete(s, "disk", "fourth");
	must(cpb_commit(s), "commit", "");
	must(cpb_reap(s) < 0, "reap", "");
	must(cpb_commit(s), "commit", "");
	do_write(s, "fork", 10, 30);
	do_discard(s, "fork", 200, 9);
	do_snap(s, "fork", "late", "only in the journal");
	do_create(s, "late");
	do_write(s, "late", 3, 5);
	do_restore(s, "disk", "third");
	do_fork(s, "fork", "own", "late-fork");
	must(cpb_hold(s, checkpoint(s, "fork", "own"), "", why), "hold", why);
	must(cpb_unhold(s, checkpoint(s, "disk", "third"), why), "release", why);
	do_write(s, "late-fork", 0, 2);
	must(cpb_flush(s), "flush", "");
}

static void make_empty(struct cpb_store *s)
{
	(void)s;
}

static const struct store {
	const char *name;
	unsigned int shift;
	void (*make)(struct cpb_store *s);
	bool crash;
} stores[] = {
	{ "empty", 12, make_empty, false },
	{ "rest", 12, make_history, false },
	{ "crash", 12, make_crash, true },
	{ "chunks-8k", 13, make_crash, true },
};

static void write_manifest(const char *folder, const char *name)
{
	char path[LINE];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.manifest", folder, name);
	f = fopen(path, "w");
	if (!f)
		die(path, strerror(errno));
	for (i = 0; i < nr_maps; i++)
		fprintf(f, "%s %llu %08x\n", maps[i].name,
			(unsigned long long)maps[i].size, map_crc(&maps[i]));
	if (fclose(f))
		die(path, strerror(errno));
}

static int make(const struct store *st, const char *folder)
{
	struct cpb_params p = { .uuid = "a golden store!", .cookie = "a golden cookie" };
	u64 data_bytes;
	struct cpb_store *s;

	shift = st->shift;
	data_bytes = CPB_DATA_START + ((u64)CHUNKS << shift);
	open_files(folder, st->name, O_CREAT | O_TRUNC);
	if (ftruncate(files.meta, META_BYTES) || ftruncate(files.data, (off_t)data_bytes))
		die("can't make the devices", strerror(errno));
	p.meta_blocks = META_BYTES / CPB_BLOCK_SIZE;
	p.data_bytes = data_bytes;
	p.chunk_shift = shift;
	snprintf(p.name, sizeof(p.name), "golden-%s", st->name);
	must(cpb_format(&ops, &files, &p, why), "format", why);
	must(cpb_open(&ops, &files, p.meta_blocks, data_bytes, 1, 0, &s, why), "open", why);
	st->make(s);
	write_manifest(folder, st->name);
	/* A power cut is: nothing more is written. */
	if (st->crash)
		return 0;
	must(cpb_close(s), "close", "");
	return 0;
}

/* ---- Checking ---- */

static u32 read_crc(struct cpb_store *s, struct cpb_point *p, u64 size)
{
	u64 n = size >> shift, v = 0, i;
	u8 *chunk = malloc(1U << shift);
	struct cpb_extent x;
	u32 crc = 0;
	int err;

	while (v < n) {
		err = cpb_lookup(s, p, v, n - v, &x, 1);
		if (err == -EAGAIN) {
			must(cpb_load(s, p, v), "read", "");
			continue;
		}
		must(err < 0 ? err : 0, "read", "");
		for (i = 0; i < x.len; i++, v++) {
			memset(chunk, 0, 1U << shift);
			if (x.chunk != CPB_HOLE &&
			    pread(files.data, chunk, 1U << shift,
				  (off_t)cpb_chunk_byte(s, x.chunk + i)) != 1L << shift)
				die("read", strerror(errno));
			crc = port_crc(crc, chunk, 1U << shift);
		}
	}
	free(chunk);
	return crc;
}

/* Find what a line of the manifest names. */
static struct cpb_point *find_point(struct cpb_store *s, char *name)
{
	char *at = strchr(name, '@');
	struct cpb_volume *v;
	struct cpb_point *p;

	if (at)
		*at = '\0';
	v = cpb_volume_by_name(s, name);
	p = !v ? NULL : at ? cpb_checkpoint(v, at + 1) : cpb_head(v);
	if (at)
		*at = '@';
	return p;
}

/* All that the manifest has is there and is the same: how many lines. */
static u64 compare(struct cpb_store *s, const char *folder, const char *name)
{
	char path[LINE], line[LINE], what[LINE];
	unsigned long long size;
	struct cpb_point_info info;
	struct cpb_point *p;
	unsigned int crc;
	u64 nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.manifest", folder, name);
	f = fopen(path, "r");
	if (!f)
		die(path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s %llu %x", what, &size, &crc) != 3)
			die(path, "what is this line?");
		p = find_point(s, what);
		if (!p)
			die(what, "it is not there");
		cpb_point_info(s, p, &info);
		if (info.size != size)
			die(what, "it has another size");
		if (read_crc(s, p, size) != crc)
			die(what, "it has another content");
		nr++;
	}
	fclose(f);
	return nr;
}

static void complaint(void *arg, const char *text)
{
	(void)arg;
	die("check", text);
}

static void check_store(struct cpb_store *s)
{
	struct cpb_check_report r;

	rest(s);
	must(cpb_check(s, &r, complaint, NULL), "check", "");
}

/* What is new must work, and disturb nothing that is old. */
static void use(struct cpb_store *s)
{
	do_create(s, "new");
	do_write(s, "new", 0, 20);
	do_snap(s, "new", "one", "");
	scatter(s, "new", 0, 30, 1);
	do_restore(s, "new", "one");
	do_fork(s, "new", "one", "newer");
	do_write(s, "newer", 5, 5);
	do_delete(s, "new", "one");
	must(cpb_flush(s), "flush", "");
}

static int check(const struct store *st, const char *folder)
{
	u64 data_bytes, meta_bytes, nr;
	struct cpb_status status;
	struct cpb_store *s;

	shift = st->shift;
	open_files(folder, st->name, 0);
	must(cpb_file_size(files.meta, &meta_bytes), "size", "");
	must(cpb_file_size(files.data, &data_bytes), "size", "");
	must(cpb_open(&ops, &files, meta_bytes / CPB_BLOCK_SIZE, data_bytes, 1, 0, &s,
		      why), "open", why);
	nr = compare(s, folder, st->name);
	cpb_status(s, &status);
	if (nr != status.nr_volumes + status.nr_checkpoints)
		die(st->name, "there is more in it than was put there");
	check_store(s);
	use(s);
	check_store(s);
	if (compare(s, folder, st->name) != nr)
		die(st->name, "it has changed by itself");
	must(cpb_close(s), "close", "");
	printf("%s: %llu volumes and checkpoints are what they were\n", st->name,
	       (unsigned long long)nr);
	return 0;
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stores); i++) {
		if (argc == 2 && !strcmp(argv[1], "list"))
			printf("%s\n", stores[i].name);
		else if (argc == 4 && !strcmp(argv[2], stores[i].name))
			return !strcmp(argv[1], "make") ?
				make(&stores[i], argv[3]) : check(&stores[i], argv[3]);
	}
	if (argc == 2)
		return 0;
	fprintf(stderr, "usage: golden list | make NAME FOLDER | check NAME FOLDER\n");
	return 2;
}
