/*
 * Options, and the process that performs the sequences. That process may crash. Its
 * parent only waits for it, and then finds the few steps of the sequence that make
 * it fail.
 */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
	"usage: model [OPTION...]\n"
	"       model --long LOOKUPS\n"
	"\n"
	"  --seed S        the first seed (1)\n"
	"  --count N       so many sequences from there (1)\n"
	"  --only I,J,...  of each, only the steps with these numbers\n"
	"  --verbose       print the steps\n"
	"  --unprivileged  without CAP_SYS_ADMIN: the kernel's entries have no frames\n"
	"  --no-sysv       without memory of System V, which io_uring pins from Linux 6.5 on\n"
	"  --long LOOKUPS  look up and give back in a large address space, and say what\n"
	"                  that costs; 0: 10 million look-ups\n";

#define LONG_LOOKUPS 10000000

/* A step takes milliseconds. A step that takes this long hangs. */
#define MAX_SECONDS 30
#define POLL_US	    10000

static struct progress *progress;
static bool silent;

void fail(const char *format, ...)
{
	va_list args;

	if (!silent) {
		fflush(stdout);
		if (progress->seed)
			fprintf(stderr,
				"seed %llu, step %u,%s: ", (unsigned long long)progress->seed,
				progress->step, progress->what);
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fputc('\n', stderr);
	}
	_exit(1);
}

/* splitmix64 */
uint64_t random_bits(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* ---- the process that may die ------------------------------------------- */

static void give_up_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		fail("capget: %s", strerror(errno));
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].inheritable = 0;
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data) < 0)
		fail("capset: %s", strerror(errno));
}

static void work(const struct options *options)
{
	progress->worker = getpid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	observer_start();
	if (options->unprivileged)
		give_up_admin();
	if (options->no_sysv)
		map_no_sysv();
	sequence_prepare(progress);
	for (uint64_t i = 0; i < options->count; i++)
		sequence_perform(options->seed + i, options->only, options->verbose);
}

/*
 * Waits for the worker to end, and kills it if it hangs, as an alarm() in the worker would
 * wait while the library blocks signals. A worker that becomes a daemon exits with 0 and goes
 * on as another child. Other children are processes that it left, and its observers.
 */
static int wait_for(int *status)
{
	struct progress last = {.seed = 0};
	unsigned int idle = 0;
	pid_t ended;

	do {
		while ((ended = waitpid(-1, status, WNOHANG)) == 0) {
			if (progress->seed != last.seed || progress->step != last.step)
				idle = 0;
			if (idle++ == MAX_SECONDS * 1000000 / POLL_US)
				kill(progress->worker, SIGKILL);
			last = *progress;
			usleep(POLL_US);
		}
	} while (ended > 0 && (ended != progress->worker || (!*status && !progress->is_done)));
	return ended < 0 ? -1 : 0;
}

/* The two processes take turns. To wake a second processor would only cost time. */
static void stay_on_one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool passes(const struct options *options, int *status)
{
	pid_t pid;

	fflush(stdout);
	progress->is_done = false;
	pid = fork();
	if (pid == 0) {
		work(options);
		fflush(stdout);
		progress->is_done = true;
		_exit(0);
	}
	if (pid < 0 || wait_for(status) < 0) {
		perror("model");
		exit(2);
	}
	return *status == 0;
}

/* Each sequence is to see a device lend its page table. */
static bool all_pass(const struct options *options, int *status)
{
	struct options one = *options;

	if (!lends_later())
		return passes(options, status);
	one.count = 1;
	for (; one.seed < options->seed + options->count; one.seed++)
		if (!passes(&one, status))
			return false;
	return true;
}

/* ---- finding the steps that fail ----------------------------------------- */

static void shrink(struct options *options)
{
	int status;

	for (unsigned int size = 32; size; size /= 2)
		for (unsigned int at = 0; at < MAX_STEPS; at += size) {
			struct options fewer = *options;

			fewer.only &= ~(((1ULL << size) - 1) << at);
			if (fewer.only != options->only && !passes(&fewer, &status))
				*options = fewer;
		}
}

static void show(struct options *options)
{
	const char *separator = "";
	int status;

	silent = false;
	options->verbose = true;
	printf("model --seed %llu --only ", (unsigned long long)options->seed);
	for (unsigned int i = 0; i < MAX_STEPS; i++)
		if (options->only >> i & 1) {
			printf("%s%u", separator, i);
			separator = ",";
		}
	printf(":\n");
	passes(options, &status);
}

static int report(const struct options *failed, int status)
{
	struct options options = *failed;

	if (WIFSIGNALED(status))
		printf("seed %llu, step %u,%s: killed by signal %d\n",
		       (unsigned long long)progress->seed, progress->step, progress->what,
		       WTERMSIG(status));
	options.seed = progress->seed;
	options.count = 1;
	options.verbose = false;
	silent = true;
	if (passes(&options, &status)) {
		printf("By itself, this sequence passes: model --seed %llu --count %llu\n",
		       (unsigned long long)failed->seed,
		       (unsigned long long)(options.seed - failed->seed + 1));
		return 1;
	}
	shrink(&options);
	show(&options);
	return 1;
}

/* ---- options ------------------------------------------------------------- */

static uint64_t parse_list(char *list)
{
	uint64_t only = 0;

	for (char *number = strtok(list, ","); number; number = strtok(NULL, ","))
		only |= 1ULL << strtoul(number, NULL, 10) % 64;
	return only;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},	  {"count", required_argument, NULL, 'c'},
		{"only", required_argument, NULL, 'o'},	  {"verbose", no_argument, NULL, 'v'},
		{"unprivileged", no_argument, NULL, 'u'}, {"no-sysv", no_argument, NULL, 'n'},
		{"long", required_argument, NULL, 'l'},	  {"observe", required_argument, NULL, 'O'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	struct options options = {.seed = 1, .count = 1, .only = ~0ULL};
	uint64_t lookups = 0;
	bool long_mode = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			options.count = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			options.only = parse_list(optarg);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'u':
			options.unprivileged = true;
			break;
		case 'n':
			options.no_sysv = true;
			break;
		case 'l':
			long_mode = true;
			lookups = strtoull(optarg, NULL, 0);
			break;
		case 'O':
			return observer_main(atoi(optarg));
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (optind != argc || progress == MAP_FAILED) {
		fputs(usage, stderr);
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	stay_on_one_processor();
	operations_prepare();
	if (long_mode) {
		observer_start();
		long_run(lookups ? lookups : LONG_LOOKUPS);
		return 0;
	}
	return all_pass(&options, &status) ? 0 : report(&options, status);
}
