/* SPDX-License-Identifier: MIT */
#include "base/state.h"

#include <assert.h>
#include <string.h>

#include "base/process.h"
#include "base/settings.h"

static struct shim_counts unwiped; /* for kernels without MADV_WIPEONFORK */
struct shim_state shim_state;
struct shim_counts *shim_counts = &unwiped;

#define TEXT_OF(number) #number
#define TEXT(number)	TEXT_OF(number)

/* An Elf64_Nhdr, the name and the descriptor. */
/* clang-format off */
__asm__(".pushsection .note.noiommu-shim, \"a\", @note\n"
	"	.balign 4\n"
	"	.long 2f - 1f, 4f - 3f, " TEXT(STATE_NOTE_TYPE) "\n"
	"1:	.asciz \"" STATE_NOTE_NAME "\"\n"
	"2:	.balign 4\n"
	"3:	.long shim_state - 3b\n"
	"4:	.popsection\n");
/* clang-format on */

static_assert((int)MODE_AUTO == STATE_MODE_AUTO && (int)MODE_CDEV == STATE_MODE_CDEV &&
		      (int)MODE_GROUP == STATE_MODE_GROUP,
	      "modes are shown as they are");

void state_show(void)
{
	struct shim_counts *wiped = process_memory(sizeof(*wiped));

	if (wiped)
		shim_counts = wiped;
	shim_state.version = STATE_VERSION;
	shim_state.size = sizeof(shim_state);
	shim_state.mode = settings.mode;
	shim_state.counts = (uintptr_t)shim_counts;
	memcpy(shim_state.magic, STATE_MAGIC, sizeof(shim_state.magic));
}
