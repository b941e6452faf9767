/* SPDX-License-Identifier: MIT */
#include "cli/decode.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/page.h"
#include "cli/cli.h"
#include "cli/plain.h"
#include "cli/requests.h"

/* ---- writing ---- */

struct writer {
	FILE *file;
	char *text;
	size_t size;
};

static void begin(struct writer *writer)
{
	writer->file = open_memstream(&writer->text, &writer->size);
	if (!writer->file)
		give_up("out of memory");
}

static char *end(struct writer *writer)
{
	if (fclose(writer->file))
		give_up("out of memory");
	return writer->text;
}

static void put_string(FILE *to, const uint8_t *string, size_t len)
{
	fputc('"', to);
	for (size_t i = 0; i < len && string[i]; i++) {
		if (string[i] == '"' || string[i] == '\\')
			fprintf(to, "\\%c", string[i]);
		else if (isprint(string[i]))
			fputc(string[i], to);
		else
			fprintf(to, "\\x%02x", string[i]);
	}
	fputc('"', to);
}

/* Writes the names of the bits, and the rest in hexadecimal: "READ|WRITE|0x80". */
static void put_flags(FILE *to, const struct name *names, uint64_t value)
{
	const char *between = "";

	if (!value)
		fputc('0', to);
	for (; names->name; names++) {
		if (!names->value || (value & names->value) != names->value)
			continue;
		fprintf(to, "%s%s", between, names->name);
		between = "|";
		value &= ~names->value;
	}
	if (value)
		fprintf(to, "%s0x%" PRIx64, between, value);
}

static void put_value(FILE *to, enum form form, const struct name *names, uint64_t value)
{
	const char *name = form == NAMED ? name_of(names, value) : NULL;

	if (name)
		fputs(name, to);
	else if (form == FLAGS)
		put_flags(to, names, value);
	else if (form == DECIMAL || form == NAMED)
		fprintf(to, "%" PRIu64, value);
	else
		fprintf(to, "0x%" PRIx64, value);
}

enum part { ALL_PARTS, QUESTION, ANSWER };

static bool belongs(const struct member *member, enum part part)
{
	if (part == ALL_PARTS)
		return true;
	return member->role == (part == QUESTION ? ASKED : ANSWERED);
}

static void put_structure(FILE *to, const struct trace_event *event, const struct member *member,
			  enum part part)
{
	const char *between = "";
	uint64_t value;

	fputc('{', to);
	for (; member && member->name; member++) {
		if (!belongs(member, part) || !member_get(event, member, &value))
			continue;
		fprintf(to, "%s%s=", between, member->name);
		put_value(to, member->form, member->names, value);
		between = ", ";
	}
	fputc('}', to);
}

static void put_argument(FILE *to, const struct trace_event *event, const struct request *request,
			 enum part part)
{
	int integer;

	switch (request->argument) {
	case NOTHING:
		return;
	case VALUE:
		fputs(", ", to);
		put_value(to, NAMED, request->names, event->args[1]);
		return;
	case INTEGER:
		if (part != ALL_PARTS || event->length < sizeof(integer))
			return;
		memcpy(&integer, event->data, sizeof(integer));
		fprintf(to, ", [%d]", integer);
		return;
	case STRING:
		fputs(", ", to);
		put_string(to, event->data, event->length);
		return;
	case STRUCTURE:
		fputs(", ", to);
		/* Nothing was copied, as the pointer is bad. */
		if (!event->length)
			fprintf(to, "0x%" PRIx64, event->args[1]);
		else
			put_structure(to, event, request->members, part);
	}
}

static void put_ioctl(FILE *to, const struct trace_event *event, enum part part)
{
	const struct request *request = request_find(event);

	if (request)
		fputs(request->name, to);
	else
		fprintf(to, "0x%x", (unsigned int)event->args[0]);
	if (request)
		put_argument(to, event, request, part);
	else if (part == ALL_PARTS)
		fprintf(to, ", 0x%" PRIx64, event->args[1]);
}

/* VFIO_PCI_OFFSET_SHIFT in include/linux/vfio_pci_core.h */
#define REGION_SHIFT 40

static void put_position(FILE *to, uint64_t position)
{
	const char *region = name_of(names_regions, position >> REGION_SHIFT);

	if ((int64_t)position < 0)
		fputs("at its position", to);
	else if (region)
		fprintf(to, "%s+0x%" PRIx64, region,
			position & ((UINT64_C(1) << REGION_SHIFT) - 1));
	else
		fprintf(to, "0x%" PRIx64, position);
}

const char *decode_verb(const struct trace_event *event)
{
	const char *verb = name_of(names_verbs, event->kind);

	return verb ? verb : "unknown";
}

const char *decode_backend(uint64_t backend)
{
	const char *name = name_of(names_backends, backend);

	return name ? name : "unknown";
}

static void put_arguments(FILE *to, const struct trace_event *event)
{
	const uint64_t *args = event->args;

	switch (event->kind) {
	case TRACE_OPEN:
		put_string(to, event->data, event->length);
		fputs(", ", to);
		if (!(args[0] & O_ACCMODE))
			fputs(args[0] ? "O_RDONLY|" : "O_RDONLY", to);
		if (args[0])
			put_flags(to, names_open_flags, args[0]);
		break;
	case TRACE_CLOSE:
		fprintf(to, "%d", event->fd);
		break;
	case TRACE_IOCTL:
		fprintf(to, "%d, ", event->fd);
		put_ioctl(to, event, ALL_PARTS);
		break;
	case TRACE_READ:
	case TRACE_WRITE:
		fprintf(to, "%d, ", event->fd);
		put_position(to, args[1]);
		fprintf(to, ", %" PRIu64, args[0]);
		break;
	case TRACE_MMAP:
		fprintf(to, "%d, ", event->fd);
		put_position(to, args[2]);
		fprintf(to, ", 0x%" PRIx64 ", ", args[0]);
		put_flags(to, names_protections, args[1]);
		break;
	case TRACE_LOOKUP:
		fprintf(to, "0x%" PRIx64 ", %" PRIu64 " page%s", args[0], args[1],
			args[1] == 1 ? "" : "s");
		if (args[3])
			fprintf(to, ", from page %" PRIu64 " on", args[3] + 1);
		break;
	case TRACE_PIN:
		fprintf(to, "0x%" PRIx64 ", 0x%" PRIx64 ", pages of 0x%" PRIx64, args[0], args[1],
			args[2]);
		fprintf(to, ", by %s", decode_backend(args[3]));
		break;
	case TRACE_RENEW:
		fprintf(to, "%" PRIu64 " pin%s, by %s", args[0], args[0] == 1 ? "" : "s",
			decode_backend(args[3]));
		break;
	case TRACE_RELEASE:
	case TRACE_UNPIN:
		fprintf(to, "0x%" PRIx64 ", 0x%" PRIx64, args[0], args[1]);
		break;
	case TRACE_ATTACH:
		put_string(to, event->data, event->length);
		if (args[0])
			fputs(", only to lend its page table", to);
		break;
	case TRACE_FAILURE:
		fprintf(to, "0x%" PRIx64 ", ", args[0]);
		put_string(to, event->data, event->length);
		break;
	case TRACE_START:
	case TRACE_FALLBACK:
		put_string(to, event->data, event->length);
		break;
	}
}

char *decode_call(const struct trace_event *event)
{
	struct writer writer;

	begin(&writer);
	fprintf(writer.file, "%s(", decode_verb(event));
	put_arguments(writer.file, event);
	fputc(')', writer.file);
	return end(&writer);
}

/* ---- results ---- */

const char *decode_errno(int error)
{
	static char number[32];
	const char *name = name_of(names_errnos, (uint64_t)error);

	snprintf(number, sizeof(number), "errno %d", error);
	return name ? name : number;
}

size_t decode_runs(const struct trace_event *event, struct trace_run *runs)
{
	memcpy(runs, event->data, event->length);
	return event->length / sizeof(*runs);
}

static void put_run(FILE *to, const struct trace_run *run)
{
	if (!(run->entry & TRACE_PRESENT))
		fputs("absent", to);
	else if (!(run->entry & TRACE_FRAME))
		fputs("frame not shown", to);
	else
		fprintf(to, "0x%" PRIx64, (run->entry & TRACE_FRAME) << page_shift());
	if (run->pages > 1)
		fprintf(to, " x%" PRIu64, run->pages);
}

static void put_lookup(FILE *to, const struct trace_event *event)
{
	struct trace_run runs[DECODE_RUNS];
	size_t count = decode_runs(event, runs);

	if (!count)
		fputs("not recorded", to);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : "", to);
		put_run(to, &runs[i]);
	}
	if (event->args[2] && !event->args[3])
		fprintf(to, " (%" PRIu64 " not the kernel's)", event->args[2]);
}

static void put_bytes(FILE *to, const struct trace_event *event)
{
	for (int i = 0; i < event->length && i < DECODE_BYTES; i++)
		fprintf(to, "%s%02x", i ? " " : " [", event->data[i]);
	if (event->length)
		fputc(']', to);
}

char *decode_result(const struct trace_event *event)
{
	struct writer writer;

	begin(&writer);
	if (event->result < 0 && event->result > -4096)
		fputs(decode_errno((int)-event->result), writer.file);
	else if (event->kind == TRACE_LOOKUP)
		put_lookup(writer.file, event);
	else if (event->kind == TRACE_MMAP)
		fprintf(writer.file, "0x%" PRIx64, (uint64_t)event->result);
	else
		fprintf(writer.file, "%" PRId64, event->result);
	if (event->kind == TRACE_READ || event->kind == TRACE_WRITE)
		put_bytes(writer.file, event);
	return end(&writer);
}

/* ---- comparing ---- */

static bool is_vfio(const struct trace_event *event)
{
	return event->object >= TRACE_CONTAINER && event->object <= TRACE_DEVICE;
}

char *decode_question(const struct trace_event *event)
{
	const char *object = name_of(names_objects, event->object);
	struct writer writer;

	if (event->nested)
		return NULL;
	if (event->object == TRACE_PAGEMAP)
		return event->kind == TRACE_CLOSE ? NULL : text("%s pagemap", decode_verb(event));
	if (event->kind != TRACE_OPEN && !is_vfio(event))
		return NULL;
	begin(&writer);
	switch (event->kind) {
	case TRACE_OPEN:
		fputs("open ", writer.file);
		put_string(writer.file, event->data, event->length);
		break;
	case TRACE_IOCTL:
		put_ioctl(writer.file, event, QUESTION);
		break;
	case TRACE_READ:
	case TRACE_WRITE:
		fprintf(writer.file, "%s ", decode_verb(event));
		put_position(writer.file, event->args[1]);
		fprintf(writer.file, ", %" PRIu64, event->args[0]);
		break;
	case TRACE_MMAP:
		fputs("mmap ", writer.file);
		put_position(writer.file, event->args[2]);
		fprintf(writer.file, ", 0x%" PRIx64, event->args[0]);
		break;
	default:
		fprintf(writer.file, "%s %s", decode_verb(event), object ? object : "");
	}
	return end(&writer);
}

char *decode_answer(const struct trace_event *event)
{
	const struct request *request = event->kind == TRACE_IOCTL ? request_find(event) : NULL;
	bool is_number = event->kind == TRACE_READ || event->kind == TRACE_WRITE ||
			 (event->kind == TRACE_IOCTL && !(request && request->makes_fd));
	struct writer writer;

	if (event->result < 0)
		return decode_result(event);
	begin(&writer);
	if (is_number)
		fprintf(writer.file, "%" PRId64, event->result);
	else
		fputs("done", writer.file);
	if (request && request->argument == STRUCTURE && request->members && event->length) {
		fputc(' ', writer.file);
		put_structure(writer.file, event, request->members, ANSWER);
	}
	return end(&writer);
}
