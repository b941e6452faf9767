/* SPDX-License-Identifier: MIT */
/*
 * The command noiommu-shim: its verbs and what they have in common.
 *
 * The command knows the library by its file, no more.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stdint.h>

/* `run` ends as PROGRAM ends; these are its own. The last two are those of a shell. */
enum {
	STATUS_NOT_READY = 1,
	STATUS_NONE = 1,
	STATUS_TROUBLE = 2,
	STATUS_CANNOT_EXEC = 126,
	STATUS_NOT_FOUND = 127,
};

/* One line on standard error, after the name of the command and its verb. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* The same, and the end: the command was not understood, or it could not look. */
__attribute__((format(printf, 1, 2), noreturn)) void give_up(const char *format, ...);

/* sprintf() into memory of its own; never NULL. */
__attribute__((format(printf, 1, 2))) char *text(const char *format, ...);

/*
 * argp_parse(), with one line and an exit where argp would print two. For that
 * a parser sets state->err_stream to NULL at ARGP_KEY_INIT.
 */
void parse_options(const struct argp *argp, int argc, char **argv, void *input);

/* A time in ns for people: "12.3 us". The text is good until the fourth call from here. */
const char *duration(uint64_t ns);

/* The verbs. argv[0] is the name that their messages begin with. */
int run_main(int argc, char **argv);
int check_main(int argc, char **argv);
int ps_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int compare_main(int argc, char **argv);
int cdi_main(int argc, char **argv);

#endif
