/* Rights, roots and namespaces: given up in children that end soon. */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

bool frames_hidden, numbers_foreign;
static bool frames_hidden_for_good;

static int capabilities_none(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -1;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = 0;
	return (int)syscall(SYS_capset, &header, data);
}

/* libc's seteuid() would wait for the threads of a parent that it does not know to be gone. */
static int become(uid_t user)
{
	return (int)syscall(SYS_setresuid, -1, user, -1);
}

static int fewer_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = 128;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

void give_up(int what)
{
	static const char *const names[] = {"user",	 "capabilities", "root",
					    "dumpable",	 "own mounts",	 "files",
					    "directory", "own numbers"};
	int result;

	switch (what) {
	case 0:
		result = become(NOBODY);
		break;
	case 1:
		result = capabilities_none();
		break;
	case 2:
		result = chroot("/tmp/random-empty");
		break;
	case 3:
		result = prctl(PR_SET_DUMPABLE, 0);
		break;
	case 4:
		result = unshare(CLONE_NEWNS);
		break;
	case 5:
		result = fewer_files();
		break;
	case 6:
		result = chdir("/dev/vfio");
		break;
	default:
		result = unshare(CLONE_NEWPID);
		numbers_foreign = true;
	}
	frames_hidden |= what < 2;
	frames_hidden_for_good |= what == 1;
	say("give up %s: %s", names[what], answer(result));
}

void take_back(void)
{
	int result = become(0);

	say("take back: %s", answer(result));
	frames_hidden = frames_hidden_for_good || result;
}
