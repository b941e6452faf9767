/* SPDX-License-Identifier: MIT */
#include "iommufd/idle.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <time.h>

#include "base/dir.h"
#include "base/limit.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"

/* ---- which devices processes use ---- */

/* A set of devices, by hashes of their directories. After an overflow it contains every device. */
struct set {
	uint64_t hashes[256];
	unsigned int n;
};

#define SET_MAX (sizeof(((struct set *)0)->hashes) / sizeof(uint64_t))

static void set_add(struct set *set, uint64_t hash)
{
	for (unsigned int i = 0; i < set->n && i < SET_MAX; i++)
		if (set->hashes[i] == hash)
			return;
	if (set->n < SET_MAX)
		set->hashes[set->n] = hash;
	set->n++;
}

static bool set_has(const struct set *set, uint64_t hash)
{
	for (unsigned int i = 0; i < set->n && i < SET_MAX; i++)
		if (set->hashes[i] == hash)
			return true;
	return set->n > SET_MAX;
}

/* FNV-1a */
static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* How long the result of a survey is valid: processes can open a device any time. */
#define VALID_NS UINT64_C(1000000000)

struct found {
	struct set used;
	struct set wanted;
	int error;
	uint64_t time; /* 0: never */
};

static struct found last;

/* The working memory of a survey, not on the stack, which may be small. */
struct survey {
	struct found found;
	bool own; /* the process examined is this one */
	int proc; /* a descriptor of /proc */
	char dir[32];
	char link[512];
	struct dir_buffer processes, links;
	char text[32768];
};

static uint64_t now(void)
{
	struct timespec time = {0};

	sys_call(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, (long)&time, 0, 0, 0, 0);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec + 1;
}

/* Files of sysfs that give access to a device: drivers/pci/pci-sysfs.c */
static bool drives(const char *file)
{
	return !strncmp(file, "resource", 8) || !strncmp(file, "config", 6) ||
	       !strncmp(file, "rom", 3);
}

/*
 * Notes the device of a path in sysfs, wherever that is mounted, taken from a link or a
 * line of maps.
 */
static void note_path(struct survey *survey, char *path)
{
	char *dir = strstr(path, "/devices/");
	char *file = dir ? strrchr(dir, '/') : NULL;

	if (!file || file == dir)
		return;
	if (drives(file + 1))
		set_add(&survey->found.used, hash_of(dir, (size_t)(file - dir)));
	if (!survey->own)
		return;
	/* A file in a subdirectory belongs to the device as well. */
	for (; file > dir; file = strrchr(dir, '/')) {
		set_add(&survey->found.wanted, hash_of(dir, strlen(dir)));
		*file = '\0';
	}
}

static int look_at_link(const char *name, void *arg)
{
	struct survey *survey = arg;
	char path[64];
	ssize_t len;

	format(path, sizeof(path), "%s/fd/%s", survey->dir, name);
	len = sys_readlinkat(survey->proc, path, survey->link, sizeof(survey->link) - 1);
	if (len <= 0)
		return 0;
	survey->link[len] = '\0';
	note_path(survey, survey->link);
	return 0;
}

/* Returns the offset of the last, incomplete line. */
static size_t look_at_lines(struct survey *survey, size_t len)
{
	char *line = survey->text, *end;

	survey->text[len] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		char *path;

		*end = '\0';
		path = strchr(line, '/');
		if (path)
			note_path(survey, path);
	}
	return (size_t)(line - survey->text);
}

static int look_at_maps(struct survey *survey)
{
	size_t kept = 0;
	char path[64];
	ssize_t len;
	int fd;

	format(path, sizeof(path), "%s/maps", survey->dir);
	fd = sys_openat(survey->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	while ((len = sys_read(fd, survey->text + kept, sizeof(survey->text) - 1 - kept)) > 0) {
		size_t all = kept + (size_t)len;
		size_t done = look_at_lines(survey, all);

		/* A line that fills the buffer is not a mapping's: drop it. */
		kept = done || all < sizeof(survey->text) - 1 ? all - done : 0;
		memmove(survey->text, survey->text + done, kept);
	}
	sys_close(fd);
	return (int)len;
}

static int look_at_links(struct survey *survey)
{
	char path[64];

	format(path, sizeof(path), "%s/fd", survey->dir);
	return dir_each_with(&survey->links,
			     sys_openat(survey->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			     look_at_link, survey);
}

/*
 * Another process. One that may not be examined, or has ended, is skipped. Without
 * descriptors or memory the survey fails.
 */
static int look_at_process(const char *name, void *arg)
{
	struct survey *survey = arg;
	int ret;

	if (*name < '0' || *name > '9')
		return 0;
	format(survey->dir, sizeof(survey->dir), "%s", name);
	ret = look_at_links(survey);
	if (!ret)
		ret = look_at_maps(survey);
	return ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM ? ret : 0;
}

static int look_at_self(struct survey *survey)
{
	int ret;

	survey->own = true;
	format(survey->dir, sizeof(survey->dir), "self");
	ret = look_at_links(survey);
	if (!ret)
		ret = look_at_maps(survey);
	survey->own = false;
	return ret;
}

static void look_at_all(struct survey *survey)
{
	struct lock_saved saved = lock_enter();

	survey->proc = proc_open(".", O_RDONLY | O_DIRECTORY);
	lock_leave(saved);
	survey->found.error = survey->proc < 0 ? survey->proc : look_at_self(survey);
	if (!survey->found.error)
		survey->found.error =
			dir_each_with(&survey->processes, survey->proc, look_at_process, survey);
	else if (survey->proc >= 0)
		sys_close(survey->proc);
}

/* Repeats the survey with RLIMIT_NOFILE raised, as the program has no descriptor left. */
static void look_past_limit(struct survey *survey)
{
	struct lock_saved saved = lock_enter();
	bool is_raised = limit_raise();

	lock_leave(saved);
	if (!is_raised)
		return;
	look_at_all(survey);
	saved = lock_enter();
	limit_restore();
	lock_leave(saved);
}

void idle_survey(void)
{
	struct survey *survey = sys_memory(sizeof(*survey));
	struct lock_saved saved;

	if (!sys_is_error(survey)) {
		look_at_all(survey);
		if (survey->found.error == -EMFILE)
			look_past_limit(survey);
	}
	saved = lock_enter();
	if (sys_is_error(survey))
		last.error = -ENOMEM;
	else
		last = survey->found;
	last.time = now();
	lock_leave(saved);
	if (!sys_is_error(survey))
		sys_memory_free(survey, sizeof(*survey));
}

int idle_surveyed(void)
{
	return !last.time || now() - last.time > VALID_NS ? -EAGAIN : last.error;
}

void idle_forget(void)
{
	last.time = 0;
}

/* A PCI address matches without its domain as well, as people type it. */
static bool is_named(const char *name)
{
	static char line[4096];
	const char *colon = strchr(name, ':');
	int fd = proc_open("self/cmdline", O_RDONLY);
	ssize_t len = fd < 0 ? 0 : sys_read(fd, line, sizeof(line) - 1);
	bool found = false;

	if (fd >= 0)
		sys_close(fd);
	line[len > 0 ? len : 0] = '\0';
	if (colon && strchr(colon + 1, ':'))
		name = colon + 1;
	for (ssize_t at = 0; !found && at < len; at += (ssize_t)strlen(line + at) + 1)
		found = strstr(line + at, name);
	return found;
}

bool idle_is_wanted(const struct cdev *cdev)
{
	return set_has(&last.wanted, hash_of(cdev->sysfs, strlen(cdev->sysfs))) ||
	       is_named(cdev->name);
}

/* ---- the device itself ---- */

/* Reads a sysfs attribute of the device. 0 or a negative errno. */
static int read_attribute(const struct cdev *cdev, const char *name, char *to, size_t size)
{
	static char path[320];
	ssize_t len;
	int fd;

	format(path, sizeof(path), "/sys%s/%s", cdev->sysfs, name);
	fd = limit_open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	len = sys_pread(fd, to, size - 1, 0);
	sys_close(fd);
	to[len > 0 ? len : 0] = '\0';
	return len < 0 ? (int)len : 0;
}

static int open_config(const struct cdev *cdev, int flags)
{
	static char path[320];

	format(path, sizeof(path), "/sys%s/config", cdev->sysfs);
	return limit_open(path, flags | O_CLOEXEC);
}

int idle_read_config(const struct cdev *cdev, struct idle_config *config)
{
	int fd = open_config(cdev, O_RDONLY);
	ssize_t len;

	config->len = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	len = sys_pread(fd, config->bytes, sizeof(config->bytes), 0);
	sys_close(fd);
	if (len < PCI_STD_HEADER_SIZEOF)
		return len < 0 ? (int)len : -EIO;
	config->len = (unsigned int)len;
	return 0;
}

/* Proofs that need no survey: the kernel's enable count, and the registers. */
static int prove_off(const struct cdev *cdev, const struct idle_config *config, const char **why)
{
	char text[16];
	int ret = read_attribute(cdev, "enable", text, sizeof(text));

	if (ret)
		return ret;
	*why = "it is enabled";
	if (*text != '0')
		return -EBUSY;
	/* Firmware may have left it on, but in a low power state no device does DMA. */
	*why = "it may write to memory: its bus mastering is on";
	if (!(config->bytes[PCI_COMMAND] & PCI_COMMAND_MASTER))
		return 0;
	ret = read_attribute(cdev, "power_state", text, sizeof(text));
	return !ret && !strncmp(text, "D3", 2) ? 0 : -EBUSY;
}

int idle_prove(const struct cdev *cdev, const struct idle_config *config, const char **why)
{
	/*
	 * A device that is not PCI can be driven by VFIO alone, and binding it fails if
	 * another process has it.
	 */
	int ret = config->len ? prove_off(cdev, config, why) : 0;

	if (!ret)
		ret = idle_surveyed();
	if (ret)
		return ret;
	*why = "a process has it open, or its registers mapped";
	return set_has(&last.used, hash_of(cdev->sysfs, strlen(cdev->sysfs))) ? -EBUSY : 0;
}

/* Only the command of the command and status word: writing the status clears bits. */
static size_t width_at(unsigned int at)
{
	return at == PCI_COMMAND ? sizeof(uint16_t) : sizeof(uint32_t);
}

bool idle_restore(const struct cdev *cdev, const struct idle_config *before)
{
	static struct idle_config after;
	int fd = -1;

	if (!before->len || idle_read_config(cdev, &after))
		return !before->len;
	for (unsigned int at = 0; at + 4 <= before->len; at += 4) {
		if (!memcmp(before->bytes + at, after.bytes + at, width_at(at)))
			continue;
		if (fd < 0)
			fd = open_config(cdev, O_RDWR);
		sys_pwrite(fd, before->bytes + at, width_at(at), at);
	}
	if (fd < 0)
		return true;
	sys_close(fd);
	idle_read_config(cdev, &after);
	for (unsigned int at = 0; at + 4 <= before->len; at += 4)
		if (memcmp(before->bytes + at, after.bytes + at, width_at(at)))
			return false;
	return true;
}
