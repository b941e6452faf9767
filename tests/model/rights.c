/* Operations that change access rights: to memory, and of the process. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- to memory ----------------------------------------------------------- */

void do_protect(const struct step *step)
{
	static const int rights[] = {PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE};
	static const char *const names[] = {"read", "nothing", "write", "write"};
	unsigned int which = step->how % ARRAY_SIZE(rights);
	struct area *area = pick_part(step);

	if (!area || area->kind == RESERVED || (area->kind == CODE && which > 1))
		return;
	say_area(area);
	say(": %s", names[which]);
	if (mprotect(area->va, area_size(area), rights[which]) < 0)
		fail("mprotect: %s", strerror(errno));
	area->barred = rights[which] == PROT_NONE;
	area->writable = rights[which] & PROT_WRITE;
}

/* ---- of the process ------------------------------------------------------ */

#define NOBODY 65534

static bool dropped;

struct capabilities {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static struct capabilities capabilities(void)
{
	struct capabilities caps = {.header.version = _LINUX_CAPABILITY_VERSION_3};

	if (syscall(SYS_capget, &caps.header, caps.data) < 0)
		fail("capget: %s", strerror(errno));
	return caps;
}

static void have_effective(bool all)
{
	struct capabilities caps = capabilities();

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		caps.data[i].effective = all ? caps.data[i].permitted : 0;
	if (syscall(SYS_capset, &caps.header, caps.data) < 0)
		fail("capset: %s", strerror(errno));
}

bool rights_are_dropped(void)
{
	return dropped;
}

bool rights_show_frames(void)
{
	struct capabilities caps = capabilities();

	return caps.data[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted & CAP_TO_MASK(CAP_SYS_ADMIN);
}

/* A descriptor shows frames if its opener was allowed to see them. */
bool rights_may_look_up(void)
{
	return !dropped || (look_is_kept() && rights_show_frames());
}

void rights_take_back(void)
{
	if (!dropped)
		return;
	if (seteuid(0) < 0)
		fail("seteuid: %s", strerror(errno));
	have_effective(true);
	/* The kernel clears this when the effective user changes. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dropped = false;
}

void do_rights(const struct step *step)
{
	if (dropped) {
		say(": taken back");
		rights_take_back();
		return;
	}
	say(": dropped%s", step->whole ? ", by seteuid" : "");
	/* The library chooses its backend with all rights. Without, it would be io_uring. */
	look_up_fresh_pages();
	if (step->whole && seteuid(NOBODY) < 0)
		fail("seteuid: %s", strerror(errno));
	have_effective(false);
	dropped = true;
}
