/*
 * Runs programs one after the other, each as a process of its own, and prints what they
 * say. It does not use the library itself. After each program it looks for what that has
 * left behind.
 */
#define _GNU_SOURCE
#include "random.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] = "usage: programs [OPTION...]\n"
			    "\n"
			    "  --seed S           only the program of this seed\n"
			    "  --leave-out I,...  of it, not the steps with these numbers\n"
			    "  --preload FILE     with this library\n"
			    "  --promised         check that what was told stays where it is\n";

#define REPORT	     "/tmp/random-report"
#define PATIENCE_S   30
#define SETTLE_TRIES 200
#define SETTLE_US    10000

static struct {
	unsigned long seed;
	const char *preload;
	bool promised;
	bool left_out[MAX_STEPS];
} options;

/* Else what the program gets is where something else was, that may have been touched. */
static void keep_heap_small(void)
{
	mallopt(M_MMAP_THRESHOLD, 8 * PAGE_SIZE);
	mallopt(M_TRIM_THRESHOLD, 0);
	mallopt(M_TOP_PAD, 0);
}

/* ---- the worker, which may have the library ------------------------------------------------- */

/* All that are left, as this process inherits those whose parents have ended. */
static void kill_all(void)
{
	char path[64];
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	children = fopen(path, "re");
	while (children && fscanf(children, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (children)
		fclose(children);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Until the program and all its processes have ended. */
static void wait_for(pid_t program)
{
	char *text = report->end;
	long end = now_ms() + PATIENCE_S * 1000L;
	bool hangs = false;
	int status;
	pid_t pid;

	strcpy(text, "lost");
	alarm(PATIENCE_S);
	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid < 0 || now_ms() > end) {
			hangs = true;
			kill_all();
			alarm(1);
		} else if (pid == program && WIFSIGNALED(status)) {
			sprintf(text, "signal %d", WTERMSIG(status));
		} else if (pid == program) {
			sprintf(text, "exit %d", WEXITSTATUS(status));
		}
	}
	alarm(0);
	if (hangs)
		strcpy(text, "hangs");
}

/* One in so many programs is executed anew; the others begin as the worker's children. */
#define EXECUTED 8

static void live(int from, int to)
{
	char start[8 + 3 * DESCRIPTORS] = "0,-1,0";

	close(from);
	close(to);
	for (int i = 0; i < DESCRIPTORS; i++)
		strcat(start, ",-1");
	if (report->seed % EXECUTED == 0)
		execl("/proc/self/exe", "programs", REPORT, start, (char *)NULL);
	resume(start);
}

/* Performs what the report asks for, each time when a byte comes. */
static void work(int from, int to)
{
	struct sigaction action = {.sa_handler = on_alarm};
	char byte;
	pid_t pid;

	keep_heap_small();
	sigaction(SIGALRM, &action, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (read(from, &byte, 1) == 1) {
		pid = fork();
		if (!pid)
			live(from, to);
		wait_for(pid);
		if (write(to, &byte, 1) != 1)
			break;
	}
	exit(0);
}

static int requests, answers;

static void start_worker(void)
{
	int request[2], answer[2];
	char text[32];

	if (pipe(request) || pipe(answer))
		err(2, "pipe");
	if (!fork()) {
		close(request[1]);
		close(answer[0]);
		if (options.preload)
			setenv("LD_PRELOAD", options.preload, 1);
		snprintf(text, sizeof(text), "%d,%d", request[0], answer[1]);
		execl("/proc/self/exe", "programs", "--work", text, (char *)NULL);
		err(2, "programs");
	}
	close(request[0]);
	close(answer[1]);
	requests = request[1];
	answers = answer[0];
}

/* ---- what is left ------------------------------------------------------------------------- */

static long number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(key);
	long value = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, length))
			value = atol(line + length);
	if (file)
		fclose(file);
	return value;
}

static long pinned(void)
{
	int refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (refresh < 0 || write(refresh, "1", 1) != 1)
		err(2, "stat_refresh");
	close(refresh);
	return number_in("/proc/vmstat", "nr_foll_pin_acquired ") -
	       number_in("/proc/vmstat", "nr_foll_pin_released ");
}

static long huge_pages(void)
{
	return number_in("/proc/meminfo", "HugePages_Free:");
}

static bool group_is_free(int which)
{
	char name[] = "/dev/vfio/noiommu-$g0", path[64];
	int fd;

	name[sizeof(name) - 2] = (char)('0' + which);
	fd = open(expand(name, path, sizeof(path)), O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == ENOENT;
}

#define GROUPS 2

/* io_uring and the kernel's own work let go a little later. */
static void look_for_rest(long huge_before)
{
	long pins = 0, huge = 0;
	bool is_free = false;

	for (int i = 0; i < SETTLE_TRIES; i++) {
		pins = pinned();
		huge = huge_before - huge_pages();
		is_free = true;
		for (int which = 0; which < GROUPS; which++)
			is_free &= group_is_free(which);
		if (!pins && !huge && is_free)
			break;
		usleep(SETTLE_US);
	}
	printf("left: %ld pins, %ld huge pages, groups %s\n", pins, huge,
	       is_free ? "free" : "taken");
}

/* ---- lines --------------------------------------------------------------------------------------
 */

struct line {
	int block, number;
	const char *text;
};

static int by_block(const void *a, const void *b)
{
	const struct line *one = a, *other = b;

	return one->block != other->block ? one->block - other->block : one->number - other->number;
}

static void print_lines(void)
{
	static struct line lines[8192];
	int count = 0;
	char *text = report->text, *end;

	if (report->used > sizeof(report->text) - 1)
		report->used = sizeof(report->text) - 1;
	report->text[report->used] = '\0';
	for (; *text && count < (int)ARRAY_SIZE(lines); text = end + 1) {
		end = strchrnul(text, '\n');
		*end = '\0';
		lines[count] = (struct line){atoi(text), count, text};
		count++;
	}
	qsort(lines, (size_t)count, sizeof(lines[0]), by_block);
	for (int i = 0; i < count; i++)
		puts(lines[i].text);
}

/* What is left is looked for now and then: whoever finds some looks after each program. */
#define OFTEN 25

static void run(const struct program *program, bool is_last)
{
	static unsigned int count;
	static long huge = -1;
	char byte = 0;

	if (huge < 0)
		huge = huge_pages();
	memset(report, 0, offsetof(struct report, text));
	memset(report->text, 0, report->used);
	report->seed = program->seed;
	report->promised = options.promised;
	memcpy(report->left_out, options.left_out, sizeof(report->left_out));
	if (write(requests, &byte, 1) != 1 || read(answers, &byte, 1) != 1)
		errx(2, "program %lu ends the worker", program->seed);
	printf("program %lu\n", program->seed);
	print_lines();
	printf("%s\n", report->end);
	if (++count % OFTEN == 0 || is_last)
		look_for_rest(huge);
}

/* ---- all of them
 * ----------------------------------------------------------------------------------- */

static void prepare(void)
{
	int fd = open(REPORT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0 || ftruncate(fd, sizeof(struct report)) || fchmod(fd, 0666))
		err(2, REPORT);
	close(fd);
	report_open(REPORT);
	if ((symlink("/proc/self/pagemap", "/tmp/random-link") && errno != EEXIST) ||
	    (symlink("/proc", "/tmp/random-links") && errno != EEXIST) ||
	    (mkdir("/tmp/random-empty", 0755) && errno != EEXIST))
		err(2, "/tmp");
}

static void leave_out(const char *numbers)
{
	for (; numbers && *numbers;
	     numbers = strchr(numbers, ',') ? strchr(numbers, ',') + 1 : NULL)
		options.left_out[atoi(numbers) % MAX_STEPS] = true;
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},
		{"leave-out", required_argument, NULL, 'l'},
		{"preload", required_argument, NULL, 'p'},
		{"promised", no_argument, NULL, 'P'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			leave_out(optarg);
			break;
		case 'p':
			options.preload = optarg;
			break;
		case 'P':
			options.promised = true;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	size_t last = programs_count - 1;
	int from, to;

	if (argc == 3 && argv[1][0] == '/') {
		keep_heap_small();
		report_open(argv[1]);
		resume(argv[2]);
	}
	if (argc == 3 && !strcmp(argv[1], "--work") && sscanf(argv[2], "%d,%d", &from, &to) == 2) {
		report_open(REPORT);
		work(from, to);
	}
	parse(argc, argv);
	prepare();
	start_worker();
	for (size_t i = 0; i < programs_count; i++)
		if (!options.seed || programs[i].seed == options.seed)
			run(&programs[i], options.seed || i == last);
	return 0;
}
