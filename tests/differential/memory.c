/* SPDX-License-Identifier: MIT */
/*
 * The memory that a call's pointer points to. Written in a step as
 *
 *	{8 0 g0}		32-bit words; a slot stands for its descriptor
 *	"$dA vf_token="		text with its terminating NUL
 *
 * and after it, where it lies:
 *
 *	@fit		the last byte is the last one before unmapped memory
 *	@cut		the last four bytes are beyond it
 *	@readonly	can be read, not written
 *	@null @hole @kernel	nowhere: NULL, unmapped, not the program's
 */
#include <err.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "differential.h"

#define PAGE 4096
#define SIZE (2 * PAGE)
#define FILL 0xa5

/* Two views of the same pages, each with a page behind it that nobody may touch. */
static unsigned char *writable, *readonly, *hole;

/* What was there before the call, and where the object begins */
static unsigned char before[SIZE];
static size_t start;

static unsigned char *view(int fd, void *at, int protection)
{
	void *p = mmap(at, SIZE, protection, MAP_SHARED | MAP_FIXED, fd, 0);

	if (p == MAP_FAILED)
		err(2, "mmap");
	return p;
}

void memory_setup(void)
{
	int fd = memfd_create("arguments", MFD_CLOEXEC);
	unsigned char *area =
		mmap(NULL, 2 * (SIZE + PAGE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || ftruncate(fd, SIZE) || area == MAP_FAILED)
		err(2, "memory for arguments");
	writable = view(fd, area, PROT_READ | PROT_WRITE);
	hole = area + SIZE;
	readonly = view(fd, hole + PAGE, PROT_READ);
	close(fd);
}

bool memory_is(const char *text)
{
	return *text == '{' || *text == '"';
}

static size_t put_words(const char *text, unsigned char *out)
{
	char words[STEP_LENGTH], *save = NULL, *word;
	size_t used = 0;

	snprintf(words, sizeof(words), "%.*s", (int)strcspn(text + 1, "}"), text + 1);
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		uint32_t value = value_of(word);

		memcpy(out + used, &value, sizeof(value));
		used += sizeof(value);
	}
	return used;
}

static size_t put_text(const char *text, unsigned char *out)
{
	char name[STEP_LENGTH];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 1, "\""), text + 1);
	world_expand(name, (char *)out, SIZE);
	return strlen((char *)out) + 1;
}

static size_t start_at(const char *place, size_t length)
{
	if (!strcmp(place, "@fit"))
		return SIZE - length;
	if (!strcmp(place, "@cut"))
		return length > 4 ? SIZE - length + 4 : SIZE - 4;
	return 0;
}

void *memory_put(const char *text)
{
	static unsigned char content[SIZE];
	size_t length = *text == '{' ? put_words(text, content) : put_text(text, content);
	const char *place = strrchr(text, '@');

	if (!place)
		place = "";
	start = start_at(place, length);
	memset(writable, FILL, SIZE);
	memcpy(writable + start, content, length < SIZE - start ? length : SIZE - start);
	memcpy(before, writable, SIZE);

	if (!strcmp(place, "@null"))
		return NULL;
	if (!strcmp(place, "@hole"))
		return hole;
	if (!strcmp(place, "@kernel"))
		return (void *)-PAGE;
	return (strcmp(place, "@readonly") ? writable : readonly) + start;
}

uint32_t *memory_word(int i)
{
	size_t offset = start + i * sizeof(uint32_t);

	return offset + sizeof(uint32_t) <= SIZE ? (uint32_t *)(writable + offset) : NULL;
}

/*
 * The words that the call has changed, a dot for each that it has not: what the
 * caller wrote (descriptors, mostly) never shows, what was written past the end
 * of the object does.
 */
bool memory_changes(char *out, size_t size)
{
	enum { SHOWN = 24 };
	size_t used = 0, first = start, last = SIZE;

	while (last > first && writable[last - 1] == before[last - 1])
		last--;
	if (last == first)
		return false;

	for (size_t i = first; i < last && i < first + 4 * SHOWN; i += 4) {
		uint32_t word = 0, old = 0;
		size_t length = SIZE - i < 4 ? SIZE - i : 4;

		memcpy(&word, writable + i, length);
		memcpy(&old, before + i, length);
		if (word == old)
			used += snprintf(out + used, size - used, " .");
		else
			used += snprintf(out + used, size - used, " %x", word);
	}
	if (last > first + 4 * SHOWN)
		snprintf(out + used, size - used, " and %zu bytes %016llx",
			 last - first - 4 * SHOWN,
			 (unsigned long long)hash((char *)writable + first + 4 * SHOWN,
						  last - first - 4 * SHOWN));
	*out = '{';
	strncat(out, "}", size - strlen(out) - 1);
	return true;
}
