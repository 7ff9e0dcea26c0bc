// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark in the VM measured, as a table, as figures and as JSON.
 *
 *	report SAMPLES --name NAME --json FILE --plot PREFIX
 *
 * SAMPLES has the lines that tests/bench/vm/bench.sh says: EXPECT ROW PEER COUNT,
 * SAMPLE ROW PEER ROUND VALUE. A row's value is the median of its samples. A ratio of
 * rates is the median of the rounds' ratios, since what is compared was measured at
 * nearly the same time there; one of times, or of rows that were not measured equally
 * often, is that of medians. PREFIX.dat and PREFIX-ops.dat are for tests/bench/plot.
 *
 * Fails if a sample is missing that was expected. A bar that is missed is said,
 * and does not fail: on a busy machine that may be the machine.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX	2000
#define NAME_MAX_LEN	64

struct row {
	char name[NAME_MAX_LEN], peer[NAME_MAX_LEN];
	unsigned int expected, nr, room;
	double *values;		/* as they came */
	double *sorted;
	bool printed;
};

static struct row rows[ROWS_MAX];
static unsigned int nr_rows;

static const char *const peers[] = { "raw", "linear", "thin", "snapshot", "xfs", "cpblk" };

#define NR_PEERS	(sizeof(peers) / sizeof(*peers))

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("report: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* ---- Samples ---- */

static struct row *find_row(const char *name, const char *peer)
{
	unsigned int i;

	for (i = 0; i < nr_rows; i++)
		if (!strcmp(rows[i].name, name) && !strcmp(rows[i].peer, peer))
			return &rows[i];
	return NULL;
}

static struct row *need_row(const char *name, const char *peer)
{
	struct row *r = find_row(name, peer);

	if (r)
		return r;
	if (nr_rows == ROWS_MAX)
		die("more than %d rows", ROWS_MAX);
	r = &rows[nr_rows++];
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->peer, sizeof(r->peer), "%s", peer);
	return r;
}

static void add_sample(struct row *r, double value)
{
	if (r->nr == r->room) {
		r->room = r->room ? 2 * r->room : 8;
		r->values = realloc(r->values, r->room * sizeof(*r->values));
		if (!r->values)
			die("out of memory");
	}
	r->values[r->nr++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* VALUES[i], or VALUES[i] / TO[i], sorted. */
static double *sorted(const double *values, const double *to, unsigned int nr)
{
	double *v = malloc((nr + 1) * sizeof(*v));
	unsigned int i;

	if (!v)
		die("out of memory");
	for (i = 0; i < nr; i++)
		v[i] = to ? values[i] / to[i] : values[i];
	qsort(v, nr, sizeof(*v), by_value);
	return v;
}

static void load(const char *path)
{
	char *line = NULL, name[NAME_MAX_LEN], peer[NAME_MAX_LEN];
	FILE *f = fopen(path, "r");
	unsigned int count, i;
	size_t room = 0;
	double value;

	if (!f)
		die("no file %s", path);
	while (getline(&line, &room, f) > 0) {
		if (sscanf(line, "EXPECT %63s %63s %u", name, peer, &count) == 3)
			need_row(name, peer)->expected = count;
		else if (sscanf(line, "SAMPLE %63s %63s %*u %lf", name, peer, &value) == 3)
			add_sample(need_row(name, peer), value);
	}
	free(line);
	fclose(f);
	for (i = 0; i < nr_rows; i++)
		rows[i].sorted = sorted(rows[i].values, NULL, rows[i].nr);
}

static double median_of(const double *v, unsigned int n)
{
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double median(const struct row *r)
{
	return median_of(r->sorted, r->nr);
}

/* Half of the way from the smallest to the largest, in percent of the median. */
static double spread(const struct row *r)
{
	double m = median(r);

	return m ? 50 * (r->sorted[r->nr - 1] - r->sorted[0]) / m : 0;
}

/* The median of a row; false: it was not measured. */
static bool value_of(const char *name, const char *peer, double *value)
{
	struct row *r = find_row(name, peer);

	if (!r || !r->nr)
		return false;
	*value = median(r);
	return true;
}

/* ---- Figures ---- */

enum sense { AT_LEAST, AT_MOST };

/* Row and peer above, row and peer below; none below: it is no ratio. */
struct figure {
	const char *name;
	enum sense sense;
	double bar;
	const char *row, *peer, *to_row, *to_peer;
};

static const struct figure figures[] = {
	{ "randread_vs_linear", AT_LEAST, 0.9, "ram.randread", "cpblk",
	  "ram.randread", "linear" },
	{ "randwrite_vs_linear", AT_LEAST, 0.75, "ram.randwrite", "cpblk",
	  "ram.randwrite", "linear" },
	{ "randwrite_after_snap", AT_LEAST, 0.9, "ram.randwrite.after", "cpblk",
	  "ram.randwrite", "cpblk" },
	{ "randwrite_after_snap_vs_thin", AT_LEAST, 5, "ram.randwrite.after", "cpblk",
	  "ram.randwrite.after", "thin" },
	{ "randwrite_5hz", AT_LEAST, 0.85, "ram.randwrite.5hz", "cpblk",
	  "ram.randwrite", "cpblk" },
	{ "randwrite_5hz_vs_thin", AT_LEAST, 20, "ram.randwrite.5hz", "cpblk",
	  "ram.randwrite.5hz", "thin" },
	{ "seqread_vs_linear", AT_LEAST, 0.95, "ram.seqread", "cpblk",
	  "ram.seqread", "linear" },
	{ "seqwrite_vs_linear", AT_LEAST, 0.95, "ram.seqwrite", "cpblk",
	  "ram.seqwrite", "linear" },
	{ "fsync_vs_raw", AT_LEAST, 0.7, "ram.fsync1", "cpblk", "ram.fsync1", "raw" },
	{ "fsync_2ms_vs_raw", AT_LEAST, 0.6, "2ms.fsync1", "cpblk", "2ms.fsync1", "raw" },
	{ "fsync_after_snap", AT_LEAST, 0.95, "ram.fsync1.after", "cpblk",
	  "ram.fsync1", "cpblk" },
	{ "fsync_2ms_after_snap", AT_LEAST, 0.95, "2ms.fsync1.after", "cpblk",
	  "2ms.fsync1", "cpblk" },
	{ "fsync_16_jobs", AT_LEAST, 4, "2ms.fsync16", "cpblk", "2ms.fsync1", "cpblk" },
	{ "snap_vs_thin", AT_MOST, 0.02, "ops.checkpoint.10000", "cpblk",
	  "ops.checkpoint.10000", "thin" },
	{ "snap_vs_thin_busy", AT_MOST, 0.02, "ram.stall.checkpoint-took", "cpblk",
	  "ram.stall.checkpoint-took", "thin" },
	{ "snap_scale", AT_MOST, 1.2, "ops.checkpoint.5000000", "cpblk",
	  "ops.checkpoint.10000", "cpblk" },
	{ "restore_vs_snap", AT_MOST, 3, "ops.restore.10000", "cpblk",
	  "ops.checkpoint.10000", "cpblk" },
	{ "snap_stall_ratio", AT_MOST, 2, "ram.stall.checkpoint", "cpblk",
	  "ram.stall.p999", "cpblk" },
	{ "metadata_bytes_per_write", AT_MOST, 192, "metadata_bytes", "cpblk", NULL, NULL },
	{ "memory_per_extent", AT_MOST, 48, "memory.1000000", "cpblk", NULL, NULL },
	{ "lookup_2cpu_scale", AT_LEAST, 1.8, "lookup_2cpu_scale", "engine", NULL, NULL },
	{ "open_scale", AT_MOST, 1.5, "open.clean.5000000", "cpblk",
	  "open.clean.10000", "cpblk" },
	{ "crash_open_scale", AT_MOST, 1.5, "open.crash.5000000", "cpblk",
	  "open.crash.10000", "cpblk" },
	{ "snap_scale_many_vm", AT_MOST, 1.5, "many.checkpoint.100000", "cpblk",
	  "many.checkpoint.100", "cpblk" },
	{ "restore_scale_many_vm", AT_MOST, 1.5, "many.restore.100000", "cpblk",
	  "many.restore.100", "cpblk" },
};

#define NR_FIGURES	(sizeof(figures) / sizeof(*figures))

/* In nanoseconds, so to be shown in milliseconds. */
static bool is_time(const char *name)
{
	return strstr(name, "ops.") || strstr(name, "stall.") ||
	       !strncmp(name, "open.", 5) || !strncmp(name, "many.", 5) ||
	       !strncmp(name, "forks.", 6);
}

/* The median of the rounds' ratios; false: not all rounds have both, or both are times. */
static bool ratio_of_rounds(const struct figure *f, double *value)
{
	const struct row *r = find_row(f->row, f->peer), *to = find_row(f->to_row, f->to_peer);
	double *ratios;

	if (!r || !to || !r->nr || r->nr != to->nr || is_time(r->name))
		return false;
	ratios = sorted(r->values, to->values, r->nr);
	*value = median_of(ratios, r->nr);
	free(ratios);
	return true;
}

static bool figure_value(const struct figure *f, double *value)
{
	double to;

	if (f->to_row && ratio_of_rounds(f, value))
		return true;
	if (!value_of(f->row, f->peer, value))
		return false;
	if (!f->to_row)
		return true;
	if (!value_of(f->to_row, f->to_peer, &to) || !to)
		return false;
	*value /= to;
	return true;
}

static bool is_met(const struct figure *f, double value)
{
	return f->sense == AT_LEAST ? value >= f->bar : value <= f->bar;
}

static void print_figures(void)
{
	const struct figure *f;
	double value;

	printf("\n%-30s %10s   %-10s\n", "figure", "value", "bar");
	for (f = figures; f < figures + NR_FIGURES; f++)
		if (figure_value(f, &value))
			printf("%-30s %10.3f   %s %-7g %s\n", f->name, value,
			       f->sense == AT_LEAST ? ">=" : "<=", f->bar,
			       is_met(f, value) ? "met" : "NOT MET");
		else
			printf("%-30s %10s\n", f->name, "not measured");
	putchar('\n');
	for (f = figures; f < figures + NR_FIGURES; f++)
		if (figure_value(f, &value))
			printf("FIGURE %s %.3f\n", f->name, value);
}

/* ---- The table ---- */

/* A few digits whatever the size, with a comma at each thousand. */
static void print_cell(const struct row *r)
{
	char text[32], cell[48];
	double m;
	size_t i, digits, n = 0;

	if (!r || !r->nr) {
		printf(" %14s", "-");
		return;
	}
	m = median(r) / (is_time(r->name) ? 1e6 : 1);
	snprintf(text, sizeof(text), m < 10 ? "%.2f" : m < 1000 ? "%.1f" : "%.0f", m);
	digits = strcspn(text, ".");
	for (i = 0; text[i]; i++) {
		if (i && i < digits && (digits - i) % 3 == 0)
			cell[n++] = ',';
		cell[n++] = text[i];
	}
	snprintf(cell + n, sizeof(cell) - n, " %3.0f%%", spread(r));
	printf(" %14s", cell);
}

/* A line for each row, a column for each peer, in the order of the samples. */
static void print_table(const char *name)
{
	unsigned int i, j, p;

	printf("%s: medians, and half the way from smallest to largest in %% of it;\n"
	       "4 KiB in IOPS, 128 KiB in MiB/s, operations in ms\n\n%-30s", name, "");
	for (p = 0; p < NR_PEERS; p++)
		printf(" %14s", peers[p]);
	putchar('\n');
	for (i = 0; i < nr_rows; i++) {
		if (rows[i].printed)
			continue;
		for (j = i; j < nr_rows; j++)
			if (!strcmp(rows[j].name, rows[i].name))
				rows[j].printed = true;
		if (!strcmp(rows[i].peer, "engine"))
			continue;
		printf("%-30s", rows[i].name);
		for (p = 0; p < NR_PEERS; p++)
			print_cell(find_row(rows[i].name, peers[p]));
		putchar('\n');
	}
}

/* ---- JSON ---- */

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add(o, key, value))
		die("out of memory");
}

static struct json_object *row_object(const struct row *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *values = json_object_new_array();
	unsigned int i;

	put(o, "row", json_object_new_string(r->name));
	put(o, "peer", json_object_new_string(r->peer));
	if (r->nr) {
		put(o, "median", json_object_new_double(median(r)));
		put(o, "min", json_object_new_double(r->values[0]));
		put(o, "max", json_object_new_double(r->values[r->nr - 1]));
	}
	for (i = 0; i < r->nr; i++)
		json_object_array_add(values, json_object_new_double(r->values[i]));
	put(o, "samples", values);
	return o;
}

static void write_json(const char *path, const char *name)
{
	struct json_object *o = json_object_new_object(), *list, *figure;
	const struct figure *f;
	unsigned int i;
	double value;

	put(o, "name", json_object_new_string(name));
	list = json_object_new_array();
	for (i = 0; i < nr_rows; i++)
		json_object_array_add(list, row_object(&rows[i]));
	put(o, "rows", list);
	list = json_object_new_array();
	for (f = figures; f < figures + NR_FIGURES; f++) {
		if (!figure_value(f, &value))
			continue;
		figure = json_object_new_object();
		put(figure, "name", json_object_new_string(f->name));
		put(figure, "value", json_object_new_double(value));
		put(figure, f->sense == AT_LEAST ? "at-least" : "at-most",
		    json_object_new_double(f->bar));
		put(figure, "met", json_object_new_boolean(is_met(f, value)));
		json_object_array_add(list, figure);
	}
	put(o, "figures", list);
	if (json_object_to_file_ext(path, o, JSON_C_TO_STRING_PRETTY))
		die("cannot write %s", path);
	json_object_put(o);
}

/* ---- For gnuplot ---- */

static FILE *plot_file(const char *prefix, const char *suffix)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", prefix, suffix);
	f = fopen(path, "w");
	if (!f)
		die("cannot write %s", path);
	return f;
}

/* The row that dm-linear has for a row with a phase. */
static bool linear_of(const char *name, double *value)
{
	char base[NAME_MAX_LEN], *phase;

	snprintf(base, sizeof(base), "%s", name);
	phase = strchr(base, '.');
	phase = phase ? strchr(phase + 1, '.') : NULL;
	if (phase)
		*phase = 0;
	return value_of(base, "linear", value) && *value > 0;
}

/* I/O as a part of dm-linear's, a column for each peer. */
static void plot_io(FILE *f)
{
	double value, linear;
	unsigned int i, p;

	fputs("row", f);
	for (p = 0; p < NR_PEERS; p++)
		fprintf(f, " %s", p == 1 ? "dm-linear" : peers[p]);
	fputc('\n', f);
	for (i = 0; i < nr_rows; i++) {
		const char *name = rows[i].name;

		/* cpblk has all rows; what a write costs below has no such relation. */
		if (strcmp(rows[i].peer, "cpblk") || !linear_of(name, &linear) ||
		    strstr(name, ".flushes") || strstr(name, ".written") ||
		    strstr(name, ".metabytes"))
			continue;
		fputs(name, f);
		for (p = 0; p < NR_PEERS; p++)
			fprintf(f, " %g", value_of(name, peers[p], &value) ?
				value / linear : 0);
		fputc('\n', f);
	}
}

/* Operations in milliseconds by what is mapped: one block of lines for each. */
static void plot_ops(FILE *f)
{
	static const char *const ops[][2] = {
		{ "checkpoint", "cpblk" }, { "restore", "cpblk" }, { "fork", "cpblk" },
		{ "delete", "cpblk" }, { "checkpoint", "thin" }, { "delete", "thin" },
	};
	unsigned long extents;
	unsigned int i, j, n;
	char what[32];

	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		for (j = n = 0; j < nr_rows; j++) {
			if (strcmp(rows[j].peer, ops[i][1]) || !rows[j].nr ||
			    sscanf(rows[j].name, "ops.%31[a-z].%lu", what, &extents) != 2 ||
			    strcmp(what, ops[i][0]))
				continue;
			if (!n++)
				fprintf(f, "\"%s, %s\"\n", ops[i][1], ops[i][0]);
			fprintf(f, "%lu %g\n", extents, median(&rows[j]) / 1e6);
		}
		if (n)
			fputs("\n\n", f);
	}
}

static void write_plots(const char *prefix)
{
	FILE *f = plot_file(prefix, ".dat");

	plot_io(f);
	fclose(f);
	f = plot_file(prefix, "-ops.dat");
	plot_ops(f);
	fclose(f);
}

/* ---- All together ---- */

/* How many rows have less than they should. */
static unsigned int missing(void)
{
	unsigned int i, n = 0, all = 0;

	for (i = 0; i < nr_rows; i++) {
		all += rows[i].expected;
		if (rows[i].nr >= rows[i].expected)
			continue;
		fprintf(stderr, "missing: %s of %s: %u of %u samples\n", rows[i].name,
			rows[i].peer, rows[i].nr, rows[i].expected);
		n++;
	}
	if (!all) {
		fprintf(stderr, "nothing was measured\n");
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },
		{ "plot", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 }
	};
	const char *name = "benchmark", *json = NULL, *plot = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			name = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		case 'p':
			plot = optarg;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc)
		die("usage: SAMPLES [--name NAME] [--json FILE] [--plot PREFIX]");
	load(argv[optind]);
	print_table(name);
	print_figures();
	if (json)
		write_json(json, name);
	if (plot)
		write_plots(plot);
	fflush(stdout);
	return missing() ? 1 : 0;
}
