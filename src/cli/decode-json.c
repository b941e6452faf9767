/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/decode.h"
#include "base/page.h"
#include "cli/plain.h"
#include "cli/requests.h"

static json_t *hex(uint64_t value)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
	return json_string(digits);
}

static json_t *string_of(const struct trace_event *event)
{
	const char *string = (const char *)event->data;

	return plain_json(string, strnlen(string, event->length));
}

static json_t *flags_json(const struct name *names, uint64_t value)
{
	json_t *array = json_array();

	for (; names->name; names++) {
		if (!names->value || (value & names->value) != names->value)
			continue;
		json_array_append_new(array, json_string(names->name));
		value &= ~names->value;
	}
	if (value)
		json_array_append_new(array, hex(value));
	return array;
}

static json_t *member_json(const struct member *member, uint64_t value)
{
	const char *name = member->form == NAMED ? name_of(member->names, value) : NULL;

	if (name)
		return json_string(name);
	if (member->form == FLAGS)
		return flags_json(member->names, value);
	if (member->form == DECIMAL || member->form == NAMED)
		return json_integer((json_int_t)value);
	return hex(value);
}

static json_t *structure_json(const struct trace_event *event, const struct member *member)
{
	json_t *object = json_object();
	uint64_t value;

	for (; member && member->name; member++)
		if (member_get(event, member, &value))
			json_object_set_new(object, member->name, member_json(member, value));
	return object;
}

static void add_argument(json_t *object, const struct trace_event *event,
			 const struct request *request)
{
	const char *name;
	int integer;

	switch (request->argument) {
	case NOTHING:
		break;
	case VALUE:
		name = name_of(request->names, event->args[1]);
		json_object_set_new(object, "argument",
				    name ? json_string(name)
					 : json_integer((json_int_t)event->args[1]));
		break;
	case INTEGER:
		if (event->length < sizeof(integer))
			break;
		memcpy(&integer, event->data, sizeof(integer));
		json_object_set_new(object, "argument", json_integer(integer));
		break;
	case STRING:
		json_object_set_new(object, "argument", string_of(event));
		break;
	case STRUCTURE:
		json_object_set_new(object, "argument", structure_json(event, request->members));
	}
}

static void add_ioctl(json_t *object, const struct trace_event *event)
{
	const struct request *request = request_find(event);

	json_object_set_new(object, "request",
			    request ? json_string(request->name) : hex(event->args[0]));
	if (request)
		add_argument(object, event, request);
	else
		json_object_set_new(object, "argument", hex(event->args[1]));
}

static void add_transfer(json_t *object, const struct trace_event *event)
{
	char bytes[3 * DECODE_BYTES + 1];
	size_t at = 0;

	for (int i = 0; i < event->length && i < DECODE_BYTES; i++)
		at += (size_t)sprintf(bytes + at, "%s%02x", i ? " " : "", event->data[i]);
	if ((int64_t)event->args[1] >= 0)
		json_object_set_new(object, "offset", hex(event->args[1]));
	json_object_set_new(object, "length", json_integer((json_int_t)event->args[0]));
	if (at)
		json_object_set_new(object, "bytes", json_stringn(bytes, at));
}

static json_t *run_json(const struct trace_run *run)
{
	json_t *object = json_pack("{s:I}", "pages", (json_int_t)run->pages);

	json_object_set_new(object, "entry", hex(run->entry));
	if (run->entry & TRACE_PRESENT && run->entry & TRACE_FRAME)
		json_object_set_new(object, "physical",
				    hex((run->entry & TRACE_FRAME) << page_shift()));
	return object;
}

static void add_lookup(json_t *object, const struct trace_event *event)
{
	struct trace_run runs[DECODE_RUNS];
	size_t count = decode_runs(event, runs);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, run_json(&runs[i]));
	json_object_set_new(object, "va", hex(event->args[0]));
	json_object_set_new(object, "pages", json_integer((json_int_t)event->args[1]));
	json_object_set_new(object, "changed", json_integer((json_int_t)event->args[2]));
	json_object_set_new(object, "first", json_integer((json_int_t)event->args[3]));
	json_object_set_new(object, "runs", array);
}

static void add_arguments(json_t *object, const struct trace_event *event)
{
	const uint64_t *args = event->args;

	switch (event->kind) {
	case TRACE_OPEN:
		json_object_set_new(object, "path", string_of(event));
		json_object_set_new(object, "flags", flags_json(names_open_flags, args[0]));
		break;
	case TRACE_IOCTL:
		add_ioctl(object, event);
		break;
	case TRACE_READ:
	case TRACE_WRITE:
		add_transfer(object, event);
		break;
	case TRACE_MMAP:
		json_object_set_new(object, "offset", hex(args[2]));
		json_object_set_new(object, "length", json_integer((json_int_t)args[0]));
		json_object_set_new(object, "prot", flags_json(names_protections, args[1]));
		break;
	case TRACE_LOOKUP:
		add_lookup(object, event);
		break;
	case TRACE_PIN:
		json_object_set_new(object, "page_size", json_integer((json_int_t)args[2]));
		json_object_set_new(object, "backend", json_string(decode_backend(args[3])));
		/* fall through */
	case TRACE_RELEASE:
	case TRACE_UNPIN:
		json_object_set_new(object, "va", hex(args[0]));
		json_object_set_new(object, "length", json_integer((json_int_t)args[1]));
		break;
	case TRACE_RENEW:
		json_object_set_new(object, "pins", json_integer((json_int_t)args[0]));
		json_object_set_new(object, "backend", json_string(decode_backend(args[3])));
		break;
	case TRACE_ATTACH:
		json_object_set_new(object, "device", string_of(event));
		json_object_set_new(object, "lending", json_boolean(args[0]));
		break;
	case TRACE_FAILURE:
		json_object_set_new(object, "va", hex(args[0]));
		json_object_set_new(object, "what", string_of(event));
		break;
	case TRACE_FALLBACK:
		json_object_set_new(object, "what", string_of(event));
		break;
	case TRACE_START:
		json_object_set_new(object, "path", string_of(event));
		break;
	}
}

json_t *decode_json(const struct trace_event *event)
{
	const char *object_name = name_of(names_objects, event->object);
	json_t *object = json_pack("{s:s, s:I}", "call", decode_verb(event), "took_ns",
				   (json_int_t)event->took);

	if (event->fd >= 0)
		json_object_set_new(object, "fd", json_integer(event->fd));
	if (event->object != TRACE_OTHER && object_name)
		json_object_set_new(object, "object", json_string(object_name));
	add_arguments(object, event);
	if (event->result < 0 && event->result > -4096)
		json_object_set_new(object, "error",
				    json_string(decode_errno((int)-event->result)));
	else if (event->kind == TRACE_MMAP)
		json_object_set_new(object, "result", hex((uint64_t)event->result));
	else
		json_object_set_new(object, "result", json_integer((json_int_t)event->result));
	return object;
}
