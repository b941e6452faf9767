/* SPDX-License-Identifier: MIT */
/*
 * The command noiommu-shim: its verbs and what they have in common.
 *
 * The command knows the library only by its file.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stdint.h>

/* Exit statuses of the command itself. The last two are those of a shell. */
enum {
	STATUS_NOT_READY = 1,
	STATUS_NONE = 1,
	STATUS_TROUBLE = 2,
	STATUS_CANNOT_EXEC = 126,
	STATUS_NOT_FOUND = 127,
};

/* Prints one line on standard error, after the name of the command and its verb. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* The same, then exits with STATUS_TROUBLE: bad usage, or the command cannot go on. */
__attribute__((format(printf, 1, 2), noreturn)) void give_up(const char *format, ...);

/* Like sprintf(), but into new memory, which the caller frees; never NULL. */
__attribute__((format(printf, 1, 2))) char *text(const char *format, ...);

/*
 * Calls argp_parse(). On an error it prints one line, where argp prints two, and
 * exits. For this, a parser sets state->err_stream to NULL at ARGP_KEY_INIT.
 */
void parse_options(const struct argp *argp, int argc, char **argv, void *input);

/* A time in ns as text: "12.3 us". It is valid until the fourth call after this one. */
const char *duration(uint64_t ns);

/* The verbs. Their messages begin with argv[0]. */
int run_main(int argc, char **argv);
int check_main(int argc, char **argv);
int ps_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int compare_main(int argc, char **argv);
int cdi_main(int argc, char **argv);

#endif
