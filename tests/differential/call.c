/* SPDX-License-Identifier: MIT */
/*
 * The notation of a step:
 *
 *	[slot = ] name(argument, argument, ...)
 *
 * An argument is a slot, a number, a symbol, a path, or memory (memory.c).
 * Numbers and symbols can be combined with | and +, so that odd values have
 * readable names: GET_API_VERSION+0x100000000, CONFIG+0x3c.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "differential.h"

/* clang-format off */
#define SYMBOL(name) { #name, name }
#define VFIO_SYMBOL(name) { #name, VFIO_##name }
#define REGION(name) { #name, (long)VFIO_PCI_##name##_REGION_INDEX << 40 }

static const struct {
	const char *name;
	long value;
} symbols[] = {
	SYMBOL(O_RDONLY), SYMBOL(O_WRONLY), SYMBOL(O_RDWR), SYMBOL(O_CLOEXEC),
	SYMBOL(O_NOFOLLOW), SYMBOL(O_DIRECTORY), SYMBOL(O_NONBLOCK), SYMBOL(O_PATH),
	SYMBOL(O_CREAT), SYMBOL(O_EXCL), SYMBOL(O_TRUNC), SYMBOL(O_APPEND), SYMBOL(O_SYNC),
	SYMBOL(O_NOCTTY), SYMBOL(O_DIRECT), SYMBOL(O_TMPFILE),
	SYMBOL(F_DUPFD), SYMBOL(F_DUPFD_CLOEXEC), SYMBOL(F_GETFD), SYMBOL(F_SETFD),
	SYMBOL(F_GETFL), SYMBOL(F_SETFL), SYMBOL(F_GETOWN), SYMBOL(FD_CLOEXEC),
	SYMBOL(F_OK), SYMBOL(R_OK), SYMBOL(W_OK), SYMBOL(X_OK),
	SYMBOL(AT_FDCWD), SYMBOL(AT_SYMLINK_NOFOLLOW), SYMBOL(AT_EMPTY_PATH), SYMBOL(AT_EACCESS),
	SYMBOL(LOCK_SH), SYMBOL(LOCK_EX), SYMBOL(LOCK_NB), SYMBOL(LOCK_UN),
	SYMBOL(SEEK_SET), SYMBOL(SEEK_CUR), SYMBOL(SEEK_END),
	VFIO_SYMBOL(GET_API_VERSION), VFIO_SYMBOL(CHECK_EXTENSION), VFIO_SYMBOL(SET_IOMMU),
	VFIO_SYMBOL(IOMMU_GET_INFO), VFIO_SYMBOL(IOMMU_MAP_DMA), VFIO_SYMBOL(IOMMU_UNMAP_DMA),
	VFIO_SYMBOL(GROUP_GET_STATUS), VFIO_SYMBOL(GROUP_SET_CONTAINER),
	VFIO_SYMBOL(GROUP_UNSET_CONTAINER), VFIO_SYMBOL(GROUP_GET_DEVICE_FD),
	VFIO_SYMBOL(DEVICE_GET_INFO), VFIO_SYMBOL(DEVICE_GET_REGION_INFO),
	VFIO_SYMBOL(DEVICE_GET_IRQ_INFO), VFIO_SYMBOL(DEVICE_SET_IRQS),
	VFIO_SYMBOL(DEVICE_RESET), VFIO_SYMBOL(DEVICE_GET_PCI_HOT_RESET_INFO),
	VFIO_SYMBOL(DEVICE_PCI_HOT_RESET), VFIO_SYMBOL(DEVICE_FEATURE),
	REGION(CONFIG), REGION(BAR0), REGION(BAR1), REGION(ROM), REGION(VGA),
};
/* clang-format on */

static long value_of_word(const char *word)
{
	const int *slot = slot_find(word);

	if (slot && !word[2])
		return *slot;
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (!strcmp(word, symbols[i].name))
			return symbols[i].value;
	return strtoul(word, NULL, 0);
}

long value_of(const char *text)
{
	char words[STEP_LENGTH], *save = NULL, *word;
	long value = 0;

	snprintf(words, sizeof(words), "%s", text);
	for (word = strtok_r(words, "|+", &save); word; word = strtok_r(NULL, "|+", &save))
		value += value_of_word(word);
	return value;
}

static const char *parse_result(struct call *call, const char *text)
{
	call->result = NULL;
	if (strncmp(text + 2, " = ", 3))
		return text;
	call->result = slot_find(text);
	return text + 5;
}

bool call_parse(struct call *call, const char *text)
{
	const char *open, *end;

	if (strlen(text) < 3)
		return false;
	text = parse_result(call, text);
	open = strchr(text, '(');
	end = strrchr(text, ')');
	if (!open || !end || open > end)
		return false;

	snprintf(call->name, sizeof(call->name), "%.*s", (int)(open - text), text);
	call->nr = 0;
	for (text = open + 1; text < end && call->nr < MAX_ARGUMENTS; call->nr++) {
		const char *comma = strstr(text, ", ");
		const char *stop = comma && comma < end ? comma : end;

		snprintf(call->argument[call->nr], STEP_LENGTH, "%.*s", (int)(stop - text), text);
		text = stop + 2;
	}
	return true;
}

const char *call_text(const struct call *call, int i)
{
	return i < call->nr ? call->argument[i] : "";
}

const char *call_path(const struct call *call, int i)
{
	static char path[ANSWER_LENGTH];

	world_expand(call_text(call, i), path, sizeof(path));
	return path;
}

long call_value(const struct call *call, int i)
{
	return value_of(call_text(call, i));
}
