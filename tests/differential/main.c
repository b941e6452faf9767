/* SPDX-License-Identifier: MIT */
/* Options and modes; what the program is for is said in differential.h. */
#include <err.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "differential.h"

static const char usage[] =
	"usage: differential [OPTION...]                    perform random sequences\n"
	"       differential --script FILE [OPTION...]      perform written ones\n"
	"       differential --against NATIVE SHIM          compare two records\n"
	"       differential --shrink DIR --native COMMAND --shim COMMAND [OPTION...]\n"
	"                                                   find the steps that differ\n"
	"       differential --observed COMMAND [ARG...]    become COMMAND, this program served\n"
	"                                                   together with all that it executes\n"
	"\n"
	"  --seed S           the first seed (1)\n"
	"  --count N          so many seeds from there (1)\n"
	"  --name NAME        of a script, only the sequence with this name\n"
	"  --only I,J,...     of a sequence, only the steps with these numbers\n"
	"  --verbose          print the transcripts, not only their hashes\n"
	"  --list             print the steps without performing them\n"
	"  --devices A,B,...  PCI addresses; default: the variable VM_DEVICES\n"
	"  --profile P        generate for such devices: one letter each, s if opening it\n"
	"                     resets it and so is slow, q if it is quick (default: look)\n"
	"  --differences FILE what the answers may differ in\n"
	"\n"
	"A COMMAND gets the name of a script as its last argument, and prints what this\n"
	"program prints with --verbose --script. It may run it in another place.\n";

static struct {
	uint64_t seed, count;
	const char *name, *only, *devices, *profile, *differences, *script, *shrink, *native, *shim;
	const char *resume, *observe;
	bool verbose, list, against;
} options = {.seed = 1, .count = 1};

static struct {
	unsigned long sequences, steps;
	time_t start;
} done;

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'c'},
		{"name", required_argument, NULL, 'N'},
		{"only", required_argument, NULL, 'o'},
		{"verbose", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{"devices", required_argument, NULL, 'd'},
		{"profile", required_argument, NULL, 'p'},
		{"differences", required_argument, NULL, 'D'},
		{"script", required_argument, NULL, 'S'},
		{"against", no_argument, NULL, 'a'},
		{"shrink", required_argument, NULL, 'k'},
		{"native", required_argument, NULL, 'n'},
		{"shim", required_argument, NULL, 'i'},
		{"resume", required_argument, NULL, 'r'},
		{"observe", required_argument, NULL, 'O'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			options.count = strtoull(optarg, NULL, 0);
			break;
		case 'N':
			options.name = optarg;
			break;
		case 'o':
			options.only = optarg;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'l':
			options.list = true;
			break;
		case 'd':
			options.devices = optarg;
			break;
		case 'p':
			options.profile = optarg;
			break;
		case 'D':
			options.differences = optarg;
			break;
		case 'S':
			options.script = optarg;
			break;
		case 'a':
			options.against = true;
			break;
		case 'k':
			options.shrink = optarg;
			break;
		case 'n':
			options.native = optarg;
			break;
		case 'i':
			options.shim = optarg;
			break;
		case 'r':
			options.resume = optarg;
			break;
		case 'O':
			options.observe = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

static void generate_sequence(struct sequence *sequence, uint64_t seed)
{
	generate(sequence, seed, options.profile ? options.profile : world_profile());
	if (options.only)
		sequence_only(sequence, options.only);
}

static FILE *open_script(void)
{
	FILE *file = fopen(options.script, "re");

	if (!file)
		err(2, "%s", options.script);
	return file;
}

static bool read_sequence(struct sequence *sequence, FILE *script, char *name, size_t size)
{
	while (sequence_read(sequence, script, name, size)) {
		if (options.name && strcmp(options.name, name))
			continue;
		if (options.only)
			sequence_only(sequence, options.only);
		return true;
	}
	return false;
}

/* The hash of its transcript stands for a sequence in the record. */
static void run_and_print(const struct sequence *sequence, const char *heading, bool verbose)
{
	char *text = NULL;
	size_t length = 0;
	FILE *transcript = open_memstream(&text, &length);

	if (!transcript)
		err(2, "transcript");
	run_sequence(sequence, transcript);
	fclose(transcript);
	printf("%s %016llx\n", heading, (unsigned long long)hash(text, length));
	if (verbose)
		fputs(text, stdout);
	fflush(stdout);
	free(text);
	done.sequences++;
	done.steps += sequence->nr;
}

/* Records can be compared if they have this line in common. */
static void print_world(void)
{
	done.start = time(NULL);
	printf("world %s differences %016llx\n", world_profile(),
	       (unsigned long long)differences_hash());
	fflush(stdout);
}

static void print_summary(void)
{
	printf("# %lu sequences, %lu steps, %lu device opens, %ld seconds\n", done.sequences,
	       done.steps, perform_device_opens(), (long)(time(NULL) - done.start));
}

static int perform_seeds(void)
{
	static struct sequence sequence;
	char heading[32];

	print_world();
	for (uint64_t i = 0; i < options.count; i++) {
		generate_sequence(&sequence, options.seed + i);
		snprintf(heading, sizeof(heading), "seed %llu",
			 (unsigned long long)(options.seed + i));
		run_and_print(&sequence, heading, options.verbose);
	}
	print_summary();
	return 0;
}

static int list_seeds(void)
{
	static struct sequence sequence;

	for (uint64_t i = 0; i < options.count; i++) {
		generate_sequence(&sequence, options.seed + i);
		printf("sequence %llu\n", (unsigned long long)(options.seed + i));
		sequence_write(&sequence, stdout);
	}
	return 0;
}

static int perform_script(void)
{
	static struct sequence sequence;
	char name[64] = "0", heading[80];
	FILE *script = open_script();

	print_world();
	while (read_sequence(&sequence, script, name, sizeof(name))) {
		snprintf(heading, sizeof(heading), "sequence %s", name);
		run_and_print(&sequence, heading, options.verbose);
	}
	fclose(script);
	return 0;
}

static int shrink_sequence(void)
{
	static struct sequence sequence;
	char name[64];

	if (!options.native || !options.shim)
		errx(2, "--shrink needs --native and --shim");
	if (!options.script)
		generate_sequence(&sequence, options.seed);
	else if (!read_sequence(&sequence, open_script(), name, sizeof(name)))
		errx(2, "%s: no such sequence", options.script);
	return shrink(&sequence, options.native, options.shim, options.shrink);
}

/* Inside a sequence, in a child that has called exec() */
static int resume(void)
{
	static struct sequence sequence;
	FILE *script = open_script();
	char name[64];

	sequence_read(&sequence, script, name, sizeof(name));
	fclose(script);
	run_resumed(&sequence, options.resume);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--observed")) {
		world_find(getenv("VM_DEVICES"));
		return observer_precede(argv + 2);
	}
	parse(argc, argv);
	if (options.against) {
		if (argc - optind != 2)
			errx(2, "--against needs two records");
		return compare_records(argv[optind], argv[optind + 1]);
	}

	world_find(options.devices ? options.devices : getenv("VM_DEVICES"));
	if (options.differences)
		differences_read(options.differences);
	if (options.list)
		return list_seeds();
	if (options.shrink)
		return shrink_sequence();
	if (!world_devices())
		errx(2, "no devices: give their addresses with --devices or in VM_DEVICES");

	if (options.observe)
		return observe(atoi(options.observe));
	memory_setup();
	if (options.resume)
		return resume();
	observer_start();
	return options.script ? perform_script() : perform_seeds();
}
