// SPDX-License-Identifier: GPL-2.0
/*
 * errors: I/O errors under a store while the workers of a ledger are at it.
 *
 *	errors STORE META DATA META_DISK DATA_DISK SEED EVERY
 *
 * META and DATA are names of device-mapper devices, each all of a disk below, on
 * which STORE was formatted and is open. One fault after the other is put into
 * their tables: which device, which blocks, what fails. Then
 *
 * - steps fail; the store is still active, or is read-only and says why;
 * - all that was completed is still read;
 * - closing it fails if it was read-only;
 * - opening it with another fault works or ends in a sentence, and never works with a
 *   damaged journal that is needed;
 * - without a fault it opens, is whole, and has what was acknowledged.
 *
 * Of the faults each EVERYth is tried, from one on that SEED chooses. Prints how
 * many there were, how many turned the store read-only, and how often something
 * was wrong.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "../../../include/cpblk_format.h"
#include "ledger.h"

#define BLOCK_SECTORS	8U
#define TABLE_MAX	65536U

/* Where a fault is. */
enum place { ALL, SUPER1, SUPER2, SUPERS, JOURNAL, BITMAPS, NODES, HALF, LABEL, KIND };

/* Only what the store reads again meets a fault in what it has in memory. */
struct fault {
	const char *what;
	bool data;
	enum place place;
	uint32_t magic;		/* KIND: of the blocks */
	const char *target;
	bool reread;
};

#define ERROR	"error"
#define WRITES	"flakey %s %llu 0 3600 1 error_writes"
#define CORRUPT	"flakey %s %llu 0 3600 5 corrupt_bio_byte 100 r 255 0"

static const struct fault faults[] = {
	{ "writes of the first superblock", false, SUPER1, 0, WRITES, false },
	{ "writes of the journal", false, JOURNAL, 0, WRITES, false },
	{ "some writes of data", true, HALF, 0, WRITES, false },
	{ "writes of maps, deadlists and tables", false, NODES, 0, WRITES, false },
	{ "reads of maps", false, KIND, CPB_MAGIC_MAP, ERROR, true },
	{ "the data device is gone", true, ALL, 0, ERROR, false },
	{ "checksums of maps", false, KIND, CPB_MAGIC_MAP, CORRUPT, true },
	{ "writes of bitmaps", false, BITMAPS, 0, WRITES, false },
	{ "all writes of data", true, ALL, 0, WRITES, false },
	{ "reads of deadlists", false, KIND, CPB_MAGIC_DEAD, ERROR, true },
	{ "writes of the second superblock", false, SUPER2, 0, WRITES, false },
	{ "reads and writes of some data", true, HALF, 0, ERROR, false },
	{ "reads of bitmaps of chunks", false, KIND, CPB_MAGIC_SPACE, ERROR, true },
	{ "reads of tables", false, KIND, CPB_MAGIC_INDEX, ERROR, true },
	{ "the metadata device is gone", false, ALL, 0, ERROR, false },
	{ "checksums of deadlists", false, KIND, CPB_MAGIC_DEAD, CORRUPT, true },
	{ "reads of objects", false, KIND, CPB_MAGIC_OBJECTS, ERROR, true },
};

/* At opening. */
static const struct fault open_faults[] = {
	{ "the journal can't be read", false, JOURNAL, 0, ERROR, false },
	{ "the first superblock is damaged", false, SUPER1, 0, CORRUPT, false },
	{ "a bitmap can't be read", false, BITMAPS, 0, ERROR, false },
	{ "no superblock can be read", false, SUPERS, 0, ERROR, false },
	{ "the label can't be read", true, LABEL, 0, ERROR, false },
	{ "tables are damaged", false, KIND, CPB_MAGIC_INDEX, CORRUPT, false },
	{ "the journal is damaged", false, JOURNAL, 0, CORRUPT, false },
	{ "objects can't be read", false, KIND, CPB_MAGIC_OBJECTS, ERROR, false },
	{ "the second superblock can't be read", false, SUPER2, 0, ERROR, false },
	{ "the journal can't be written", false, JOURNAL, 0, WRITES, false },
	{ "the superblock can't be written", false, SUPERS, 0, WRITES, false },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct {
	const char *store, *name[2], *disk[2];
	uint64_t sectors[2];
	unsigned char super[CPB_BLOCK_SIZE] __attribute__((aligned(4096)));
	char table[TABLE_MAX];
	uint64_t filled;		/* sectors that the table has so far */
	int fd;				/* the metadata disk */
	struct cpblk *link;
	unsigned int violations;
} run;

static void violation(const char *what, const char *detail)
{
	printf("VIOLATION: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	run.violations++;
}

/* ---- Tables ---- */

static void add(const char *target, int dev, uint64_t to)
{
	size_t len = strlen(run.table);
	char line[256];
	int n;

	if (to <= run.filled)
		return;
	n = snprintf(line, sizeof(line), "%llu %llu ",
		     (unsigned long long)run.filled,
		     (unsigned long long)(to - run.filled));
	/* Targets that have arguments begin with the disk and the place on it. */
	snprintf(line + n, sizeof(line) - (size_t)n, target, run.disk[dev],
		 (unsigned long long)run.filled);
	if (len + strlen(line) + 2 > TABLE_MAX)
		die("too many places for one table");
	strcat(strcat(run.table, line), "\n");
	run.filled = to;
}

/* Sectors from @first to @end of the device are under @target. */
static void add_fault(const char *target, int dev, uint64_t first, uint64_t end)
{
	add("linear %s %llu", dev, first);
	add(target, dev, end);
}

static void add_blocks(const char *target, int dev, uint64_t first, uint64_t end)
{
	add_fault(target, dev, first * BLOCK_SECTORS, end * BLOCK_SECTORS);
}

/* Past caches, from the disk below the faults. */
static void read_block(uint64_t block, unsigned char *data)
{
	if (pread(run.fd, data, CPB_BLOCK_SIZE, (off_t)(block * CPB_BLOCK_SIZE)) !=
	    CPB_BLOCK_SIZE)
		die("cannot read %s: %s", run.disk[0], strerror(errno));
}

static uint64_t super(size_t at)
{
	uint64_t v;

	memcpy(&v, run.super + at, sizeof(v));
	return v;
}

/* Every block that has the magic, also those that are not in use any more. */
static void add_kind(const struct fault *f)
{
	static unsigned char block[CPB_BLOCK_SIZE] __attribute__((aligned(4096)));
	uint64_t nr = run.sectors[0] / BLOCK_SECTORS, b, first = 0;
	struct cpb_disk_header *h = (void *)block;

	for (b = CPB_AREA_START; b < nr; b++) {
		bool is;

		read_block(b, block);
		is = h->magic == f->magic && h->self == b;
		if (is && !first)
			first = b;
		if (!is && first) {
			add_blocks(f->target, 0, first, b);
			first = 0;
		}
	}
}

static void make_table(const struct fault *f)
{
	uint64_t journal = super(offsetof(struct cpb_disk_super, journal_start));
	uint64_t bitmaps = super(offsetof(struct cpb_disk_super, bitmap_start));
	uint64_t nodes = bitmaps +
		2 * super(offsetof(struct cpb_disk_super, bitmap_slots));
	int dev = f->data;
	uint64_t end = run.sectors[dev];

	switch (f->place) {
	case ALL:
		add_fault(f->target, dev, 0, end);
		break;
	case SUPER1:
		add_blocks(f->target, dev, 0, 1);
		break;
	case SUPER2:
		add_blocks(f->target, dev, CPB_SB_SECOND, CPB_SB_SECOND + 1);
		break;
	case SUPERS:
		add_blocks(f->target, dev, 0, 1);
		add_blocks(f->target, dev, CPB_SB_SECOND, CPB_SB_SECOND + 1);
		break;
	case JOURNAL:
		add_blocks(f->target, dev, journal, bitmaps);
		break;
	case BITMAPS:
		add_blocks(f->target, dev, bitmaps, nodes);
		break;
	case NODES:
		add_blocks(f->target, dev, nodes, end / BLOCK_SECTORS);
		break;
	case HALF:
		/* Every other piece, so that it is met wherever chunks are taken. */
		while (run.filled + 128 <= end)
			add_fault(f->target, dev, run.filled + 64, run.filled + 128);
		break;
	case LABEL:
		add_blocks(f->target, dev, 0, 1);
		break;
	case KIND:
		add_kind(f);
		break;
	}
}

static void dmsetup(const char *command, int dev, const char *input)
{
	char line[160];
	FILE *p;

	snprintf(line, sizeof(line), "dmsetup %s %s", command, run.name[dev]);
	p = popen(line, "w");
	if (!p || (input && fputs(input, p) < 0) || pclose(p))
		die("'%s' failed", line);
}

/* Put a fault into the table of its device, or with NULL none into either. */
static void use(const struct fault *f)
{
	int dev, last = f ? f->data : 1;

	for (dev = f ? f->data : 0; dev <= last; dev++) {
		run.table[0] = 0;
		run.filled = 0;
		if (f)
			make_table(f);
		add("linear %s %llu", dev, run.sectors[dev]);
		dmsetup("load", dev, run.table);
		dmsetup("suspend --nolockfs", dev, NULL);
		dmsetup("resume", dev, NULL);
	}
}

/* ---- A fault ---- */

static void forget_cached(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < 3; i++) {
		fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
		if (fd < 0 || write(fd, "2", 1) != 1)
			die("cannot drop caches: %s", strerror(errno));
		close(fd);
	}
}

static bool failed(char why[CPBLK_ERROR_MAX + 1])
{
	struct cpblk_store_info info;
	struct cpblk_error err;

	if (cpblk_store_get(run.link, run.store, &info, &err))
		die("%s", err.text);
	strcpy(why, info.error);
	if ((info.state == CPBLK_STATE_FAILED) != !!info.error[0])
		violation("a store's state and the reason for it differ", info.error);
	return info.state == CPBLK_STATE_FAILED;
}

/* How many batches of the journal are needed: what is behind the place in the superblock. */
static unsigned int batches(void)
{
	static unsigned char block[CPB_BLOCK_SIZE] __attribute__((aligned(4096)));
	struct cpb_disk_header *h = (void *)block;
	uint64_t start, nr, seq, i;
	unsigned int found = 0;

	read_block(0, run.super);
	start = super(offsetof(struct cpb_disk_super, journal_start));
	nr = super(offsetof(struct cpb_disk_super, journal_blocks));
	seq = super(offsetof(struct cpb_disk_super, journal_seq));
	for (i = start; i < start + nr; i++) {
		read_block(i, block);
		found += h->magic == CPB_MAGIC_BATCH && h->self == i && h->base >= seq;
	}
	return found;
}

/* With another fault: it opens or says why not; afterwards it is closed. */
static void try_open(const struct fault *f, const char *meta, const char *data)
{
	bool damage = f->place == JOURNAL && !strcmp(f->target, CORRUPT);
	unsigned int needed = damage ? batches() : 0;
	struct cpblk_error err;

	use(f);
	if (cpblk_store_open(run.link, meta, data, 0, NULL, &err)) {
		printf("  %s: %s\n", f->what, err.text);
		if (!strchr(err.text, ' '))
			violation("opening ended without a sentence", f->what);
	} else {
		printf("  %s: opened\n", f->what);
		if (needed)
			violation("it opened without what it needed", f->what);
		if (cpblk_store_close(run.link, run.store, &err))
			printf("  closed: %s\n", err.text);
	}
	use(NULL);
}

/* Return: did it turn the store read-only? */
static bool try(struct ledger *l, const struct fault *f, const struct fault *at_open,
		const char *meta, const char *data)
{
	char why[CPBLK_ERROR_MAX + 1];
	struct cpblk_error err;
	unsigned int i;
	bool broken;

	if (f->reread)
		cpblk_store_sync(run.link, run.store, 0, NULL);
	ledger_start(l, 0);
	usleep(200000);
	ledger_may_fail(l);
	use(f);
	for (i = 0; i < 60 && !ledger_failed(l); i++) {
		if (f->reread)
			forget_cached();
		/* Not all work writes the trees back. */
		if (!f->data)
			cpblk_store_sync(run.link, run.store, 0, NULL);
		usleep(50000);
	}
	ledger_cut(l);
	ledger_join(l);
	broken = failed(why);
	printf("%s: %s%s\n", f->what, broken ? "read-only: " : "active", why);

	/* What can't be read now is to be there when it can. */
	if (f->data || f->reread || f->place == ALL)
		use(NULL);
	run.violations += ledger_verify_complete(l);
	if (failed(why) && !broken)
		violation("looking at a store broke it", why);
	if (!cpblk_store_close(run.link, run.store, &err) == broken)
		violation("closing said something else than was true",
			  broken ? "that all is well" : err.text);
	use(NULL);
	try_open(at_open, meta, data);
	run.violations += ledger_check(l);
	ledger_open(l);
	run.violations += ledger_verify(l, NULL, true);
	if (!run.violations)
		ledger_adopt(l);
	return broken;
}

static uint64_t sectors(const char *disk)
{
	int fd = open(disk, O_RDONLY);
	uint64_t bytes;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die("cannot open %s: %s", disk, strerror(errno));
	close(fd);
	return bytes / SECTOR;
}

int main(int argc, char **argv)
{
	struct ledger_setup setup = { .workers = 3 };
	unsigned int i, every, tried = 0, broken = 0;
	char meta[64], data[64];
	struct ledger *l;

	if (argc != 8)
		die("usage: STORE META DATA META_DISK DATA_DISK SEED EVERY");
	run.store = setup.store = argv[1];
	for (i = 0; i < 2; i++) {
		run.name[i] = argv[2 + i];
		run.disk[i] = argv[4 + i];
		run.sectors[i] = sectors(argv[4 + i]);
	}
	snprintf(meta, sizeof(meta), "/dev/mapper/%.40s", argv[2]);
	snprintf(data, sizeof(data), "/dev/mapper/%.40s", argv[3]);
	setup.meta = meta;
	setup.data = data;
	setup.seed = number(argv[6]);
	every = (unsigned int)number(argv[7]);
	run.fd = open(run.disk[0], O_RDONLY | O_DIRECT);
	if (run.fd < 0)
		die("cannot open %s: %s", run.disk[0], strerror(errno));
	read_block(0, run.super);
	run.link = must_connect();
	l = ledger_new(&setup);
	for (i = setup.seed % every; i < COUNT(faults) && !run.violations; i += every) {
		tried++;
		broken += try(l, &faults[i], &open_faults[tried % COUNT(open_faults)],
			      meta, data);
	}
	ledger_close(l, false);
	printf("%u faults, %u read-only, %u violations\n", tried, broken,
	       run.violations);
	return run.violations != 0;
}
