/* SPDX-License-Identifier: MIT */
/*
 * The descriptors that a sequence holds, under names instead of numbers: a
 * letter for what the generator means it to be and a digit. The performer does
 * not care about the letter. An empty slot is -1, so that its use is EBADF.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "differential.h"

static int slots[sizeof(SLOT_KINDS) - 1][SLOTS_PER_KIND] = {
	{-1, -1, -1, -1},
	{-1, -1, -1, -1},
	{-1, -1, -1, -1},
	{-1, -1, -1, -1},
};

int *slot_find(const char *name)
{
	const char *kind = name[0] ? strchr(SLOT_KINDS, name[0]) : NULL;
	int i = name[0] ? name[1] - '0' : -1;

	if (!kind || i < 0 || i >= SLOTS_PER_KIND)
		return NULL;
	return &slots[kind - SLOT_KINDS][i];
}

/* Shrinking may have removed the step that closed what was in the slot. */
void slot_assign(int *slot, int fd)
{
	if (*slot >= 0 && *slot != fd)
		close(*slot);
	*slot = fd;
}

void slots_close(void)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(slots); kind++)
		for (int i = 0; i < SLOTS_PER_KIND; i++)
			slot_assign(&slots[kind][i], -1);
}

/* All slots as text, for a program that is about to be replaced by exec */
void slots_write(char *out, size_t size)
{
	size_t used = 0;

	for (size_t kind = 0; kind < ARRAY_SIZE(slots); kind++)
		for (int i = 0; i < SLOTS_PER_KIND; i++)
			used += snprintf(out + used, size - used, "%c%d=%d,", SLOT_KINDS[kind], i,
					 slots[kind][i]);
}

/* A descriptor that did not survive exec leaves its slot empty. */
void slots_read(const char *text)
{
	for (; *text; text = strchr(text, ',') + 1) {
		int *slot = slot_find(text), fd;

		if (slot && sscanf(text + 2, "=%d", &fd) == 1)
			*slot = fcntl(fd, F_GETFD) < 0 ? -1 : fd;
	}
}
