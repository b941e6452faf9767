/* SPDX-License-Identifier: MIT */
/* fopen, fread, getc and their kin. */
#include "conformance.h"

#include <sys/syscall.h>

static void opens_streams(FILE *with(const char *path, const char *mode))
{
	static const char *const modes[] = {"r", "r+e", "a", "wx", "w+", "rm", "?", ""};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		for (const char *const *path = paths; *path; path++) {
			FILE *stream;

			tell("%s %s", shown(*path), modes[i]);
			stream = CALL_POINTER(with(*path, modes[i]), NULL);
			if (!stream)
				continue;
			tell_and_close((int)syscall(SYS_dup, fileno(stream)));
			CALL(fclose(stream));
		}
}

CASE(fopen)
{
	opens_streams(the.fopen);
}

CASE(fopen64)
{
	opens_streams(the.fopen64);
}

CASE(_IO_fopen)
{
	opens_streams(the._IO_fopen);
}

static void reopens(FILE *with(const char *path, const char *mode, FILE *stream))
{
	FILE *stream = fopen("file", "r");
	FILE *again;

	CALL(fgetc(stream));
	again = CALL_POINTER(with("vfio", "r", stream), NULL);
	tell("%d %d", again == stream, fgetc(again));
	again = CALL_POINTER(with(NULL, "r", stream), NULL);
	tell("%d", again == stream);
	again = CALL_POINTER(with("pagemap", "r+", stream), NULL);
	tell("%c", fgetc(again));
	CALL_POINTER(with("none", "r", stream), NULL);
}

CASE(freopen)
{
	reopens(the.freopen);
}

CASE(freopen64)
{
	reopens(the.freopen64);
}

static void closes_streams(int with(FILE *stream))
{
	FILE *stream = fopen("file", "r");
	int fd = fileno(stream);

	fgetc(stream);
	CALL(with(stream));
	CALL(syscall(SYS_fcntl, fd, F_GETFD));
	stream = fopen("file", "r");
	syscall(SYS_close, fileno(stream));
	CALL(with(stream));
	stream = fmemopen(NULL, 16, "r");
	CALL(with(stream));
}

CASE(fclose)
{
	closes_streams(the.fclose);
}

CASE(_IO_fclose)
{
	closes_streams(the._IO_fclose);
}

/* ---- taking out of them ---- */

static void takes(size_t with(void *buf, size_t size, size_t count, FILE *stream))
{
	FILE *stream = fopen("file", "r");
	char buf[64];
	size_t items;

	items = CALL(with(buf, 3, 4, stream));
	tell_bytes(buf, (long)items * 3);
	tell("at %ld", ftell(stream));
	ungetc('!', stream);
	items = CALL(with(buf, 1, 5, stream));
	tell_bytes(buf, (long)items);
	CALL(fseek(stream, 40, SEEK_SET));
	CALL(with(buf, 4, 4, stream));
	tell("eof %d error %d at %ld", feof(stream), ferror(stream), ftell(stream));
	CALL(with(buf, 0, 4, stream));
	CALL(with(buf, 4, 0, stream));
	fclose(stream);
	stream = fopen("dir", "r");
	CALL(with(buf, 1, 8, stream));
	tell("eof %d error %d", feof(stream), ferror(stream));
	fclose(stream);
	stream = fmemopen((void *)"in memory", 9, "r");
	items = CALL(with(buf, 1, 9, stream));
	tell_bytes(buf, (long)items);
}

#define FREAD_CASE(name, ...)                                                                      \
	static size_t by_##name(void *buf, size_t size, size_t count, FILE *stream)                \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		takes(by_##name);                                                                  \
	}

FREAD_CASE(fread, buf, size, count, stream)
FREAD_CASE(_IO_fread, buf, size, count, stream)
FREAD_CASE(fread_unlocked, buf, size, count, stream)
FREAD_CASE(__fread_chk, buf, 64, size, count, stream)
FREAD_CASE(__fread_unlocked_chk, buf, 64, size, count, stream)

static void takes_one(int with(FILE *stream))
{
	FILE *stream = fopen("file", "r");

	CALL(with(stream));
	CALL(with(stream));
	ungetc('!', stream);
	CALL(with(stream));
	tell("at %ld", ftell(stream));
	fseek(stream, 0, SEEK_END);
	CALL(with(stream));
	tell("eof %d error %d", feof(stream), ferror(stream));
	fclose(stream);
	stream = fopen("dir", "r");
	CALL(with(stream));
	tell("eof %d error %d", feof(stream), ferror(stream));
}

CASE(fgetc)
{
	takes_one(the.fgetc);
}

CASE(fgetc_unlocked)
{
	takes_one(the.fgetc_unlocked);
}

CASE(getc)
{
	takes_one(the.getc);
}

CASE(getc_unlocked)
{
	takes_one(the.getc_unlocked);
}

CASE(_IO_getc)
{
	takes_one(the._IO_getc);
}

CASE(getw)
{
	takes_one(the.getw);
}

CASE(__uflow)
{
	takes_one(the.__uflow);
}

static void takes_input(int with(void))
{
	if (!freopen("file", "r", stdin))
		abort();
	CALL(with());
	CALL(with());
	fclose(stdin);
}

CASE(getchar)
{
	takes_input(the.getchar);
}

CASE(getchar_unlocked)
{
	takes_input(the.getchar_unlocked);
}
