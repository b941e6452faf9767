/* SPDX-License-Identifier: MIT */
/*
 * Random sequences that mean something. The generator keeps a model of which
 * slots hold a descriptor, and takes every step for a success; it knows nothing
 * of the answers, so that the same seed gives the same steps everywhere.
 *
 * About four steps in ten bring a device one step nearer to being open. The
 * others do anything to what is there by then.
 */
#include <string.h>

#include "differential.h"

enum kind { CONTAINER, GROUP, DEVICE, OTHER, KINDS };

struct slot {
	bool open;
	int device;    /* of a group or device: which one */
	int container; /* of a group: the slot that it was given, or -1 */
	bool driven;   /* of a container: SET_IOMMU has been tried */
	bool stays;    /* in its process: see `differences` */
	int serial;    /* of a container: which of all that were opened */
};

/* What may be anything, whatever its slot is for */
enum { UNSURE = -1 };

struct generator {
	uint64_t random;
	struct sequence *sequence;
	const char *profile;
	int devices;
	bool may_be_slow;
	bool in_child;
	bool changed_directory;
	int containers; /* opened so far */
	struct slot slot[KINDS][SLOTS_PER_KIND];
};

/* ---- chance -------------------------------------------------------------- */

/* splitmix64: good enough, and the same everywhere */
static uint64_t random_bits(struct generator *g)
{
	uint64_t z = g->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static int below(struct generator *g, int limit)
{
	return random_bits(g) % limit;
}

static bool percent(struct generator *g, int chance)
{
	return below(g, 100) < chance;
}

#define ONE_OF(g, list) ((list)[below(g, ARRAY_SIZE(list))])

/* ---- slots --------------------------------------------------------------- */

struct name {
	char text[3];
};

static struct name name_of(enum kind kind, int i)
{
	return (struct name){{SLOT_KINDS[kind], '0' + i, 0}};
}

static int any_slot(struct generator *g, enum kind kind, bool open)
{
	int candidates[SLOTS_PER_KIND], nr = 0;

	for (int i = 0; i < SLOTS_PER_KIND; i++)
		if (g->slot[kind][i].open == open)
			candidates[nr++] = i;
	return nr ? candidates[below(g, nr)] : -1;
}

static struct slot *fill(struct generator *g, enum kind kind, int i)
{
	g->slot[kind][i] = (struct slot){.open = true, .container = -1};
	return &g->slot[kind][i];
}

/*
 * Mostly an open descriptor of the right kind; now and then one that is not
 * open, or one of another kind.
 */
static struct name pick(struct generator *g, enum kind kind)
{
	int i = any_slot(g, kind, true);

	if (percent(g, 4)) {
		kind = below(g, KINDS);
		i = any_slot(g, kind, true);
	}
	if (i < 0 || percent(g, 3))
		i = below(g, SLOTS_PER_KIND);
	return name_of(kind, i);
}

/* Groups and containers are where the answers are; devices are the kernel's own. */
static enum kind any_kind(struct generator *g)
{
	static const enum kind kinds[] = {
		CONTAINER, CONTAINER, CONTAINER, GROUP, GROUP, GROUP, GROUP, DEVICE, DEVICE, OTHER,
	};

	return ONE_OF(g, kinds);
}

static struct name pick_any(struct generator *g)
{
	return pick(g, any_kind(g));
}

static int any_device(struct generator *g)
{
	return below(g, g->devices);
}

/* ---- steps --------------------------------------------------------------- */

#define STEP(g, ...) sequence_add((g)->sequence, __VA_ARGS__)

/* The tables below speak of device A only. A step from them is for any device. */
static void vary_device(struct generator *g)
{
	char *at = g->sequence->step[g->sequence->nr - 1].text;
	int device = any_device(g);

	while ((at = strchr(at, '$')) && at[1]) {
		if (at[2] == 'A')
			at[2] += device;
		at++;
	}
}

static const char *open_flags(struct generator *g)
{
	static const char *const odd[] = {
		"O_RDONLY",
		"O_WRONLY",
		"O_RDWR|O_NOFOLLOW",
		"O_RDWR|O_NONBLOCK",
		"O_PATH",
		"O_RDWR|O_DIRECTORY",
		"O_RDONLY|O_DIRECTORY",
		"O_RDWR|O_APPEND",
		"O_RDWR|O_TRUNC",
		"O_RDWR|O_NOCTTY|O_CLOEXEC",
		"O_RDWR|O_DIRECT",
		"O_RDWR|O_NOFOLLOW|O_CLOEXEC",
		"O_PATH|O_NOFOLLOW|O_CLOEXEC",
		"O_RDWR|O_SYNC",
		"O_RDWR|O_TMPFILE",
	};

	if (percent(g, 70))
		return "O_RDWR";
	return percent(g, 50) ? "O_RDWR|O_CLOEXEC" : ONE_OF(g, odd);
}

/* For names that exist: a file that a sequence leaves behind would change the next. */
static const char *create_flags(struct generator *g)
{
	static const char *const flags[] = {
		"O_RDWR|O_CREAT",
		"O_RDWR|O_CREAT|O_EXCL",
		"O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC",
	};

	return percent(g, 95) ? open_flags(g) : ONE_OF(g, flags);
}

/* All the ways to open @path that a program has */
static void open_path(struct generator *g, struct name slot, const char *path, const char *flags)
{
	switch (below(g, 8)) {
	case 0:
		STEP(g, "%s = open64(%s, %s)", slot.text, path, flags);
		break;
	case 1:
		STEP(g, "%s = openat(AT_FDCWD, %s, %s)", slot.text, path, flags);
		break;
	case 2:
		STEP(g, "%s = sys_openat(AT_FDCWD, %s, %s)", slot.text, path, flags);
		break;
	default:
		STEP(g, "%s = open(%s, %s)", slot.text, path, flags);
	}
}

static void fill_container(struct generator *g, int i, const char *flags)
{
	struct slot *slot = fill(g, CONTAINER, i);

	slot->serial = ++g->containers;
	slot->stays = strncmp(flags, "O_RDWR", 6) || (flags[6] && strcmp(flags + 6, "|O_CLOEXEC"));
}

static void open_container(struct generator *g)
{
	const char *flags = create_flags(g);
	int i = any_slot(g, CONTAINER, false);

	if (i < 0)
		return;
	open_path(g, name_of(CONTAINER, i), "/dev/vfio/vfio", flags);
	fill_container(g, i, flags);
}

static void open_group_of(struct generator *g, int device)
{
	int i = any_slot(g, GROUP, false);
	char path[] = "/dev/vfio/noiommu-$gA";

	if (i < 0)
		return;
	path[sizeof(path) - 2] += device;
	open_path(g, name_of(GROUP, i), path, create_flags(g));
	fill(g, GROUP, i)->device = device;
}

static void open_group(struct generator *g)
{
	open_group_of(g, any_device(g));
}

/* Other names for the same things, and names of nothing */
static void open_odd(struct generator *g)
{
	static const char *const paths[] = {
		"/dev/vfio/$gA",
		"/dev/vfio/0$gA",
		"/dev/vfio/noiommu-4095",
		"/dev/vfio/noiommu-",
		"/dev/vfio/noiommu-0$gA",
		"/dev/vfio/noiommu-$gA ",
		"/dev/vfio/noiommu-$gAx",
		"/dev/vfio/noiommu--1",
		"/dev/vfio/noiommu-4294967296",
		"/dev//vfio/./noiommu-$gA",
		"/dev/vfio/../vfio/noiommu-$gA",
		"/dev/vfio/vfio/",
		"/dev/vfio/noiommu-$gA/",
		"/dev/vfio/vfio/vfio",
		"/dev/./vfio//vfio",
		"/dev/vfio/VFIO",
		"/dev/vfio",
		"/dev/vfio/",
		"",
		"vfio",
		"/dev/vfiox",
		"/dev/vfio/../vfio/vfio",
		"/proc/self/root/dev/vfio/vfio",
	};
	static const char *const names[] = {"noiommu-$gA", "vfio", "$gA", "./vfio", "vfio/", ""};
	const char *path = ONE_OF(g, paths), *name = ONE_OF(g, names), *flags = open_flags(g);
	struct name from = pick_any(g);
	int i = any_slot(g, OTHER, false);

	if (i < 0)
		return;
	if (percent(g, 30))
		STEP(g, "%s = openat(%s, %s, %s)", name_of(OTHER, i).text, from.text, name, flags);
	else
		open_path(g, name_of(OTHER, i), path, flags);
	vary_device(g);
	fill(g, OTHER, i)->serial = UNSURE;
	g->containers++;
}

/* /dev/vfio held open, and its entries reached from there */
static void open_directory(struct generator *g)
{
	static const char *const paths[] = {
		"/dev/vfio",
		"/dev/vfio/",
		"/dev",
		"/",
		"/sys/bus/pci/devices/$dA",
		"/sys/bus/pci/devices/$dA/iommu_group",
		"/sys/kernel/iommu_groups",
		"/sys/kernel/iommu_groups/$gA/devices",
	};
	static const char *const flags[] = {
		"O_RDONLY|O_DIRECTORY",
		"O_RDONLY|O_DIRECTORY|O_CLOEXEC",
		"O_PATH",
		"O_RDONLY",
		"O_RDONLY|O_NOFOLLOW",
		"O_RDWR",
	};
	const char *path = percent(g, 50) ? paths[0] : ONE_OF(g, paths);
	int i = any_slot(g, OTHER, false);

	if (i < 0)
		return;
	STEP(g, "%s = open(%s, %s)", name_of(OTHER, i).text, path, ONE_OF(g, flags));
	vary_device(g);
	fill(g, OTHER, i)->stays = strstr(path, "iommu_group");
}

static void open_below_directory(struct generator *g)
{
	enum kind kind = percent(g, 50) ? CONTAINER : GROUP;
	const char *flags = open_flags(g);
	int d = any_slot(g, OTHER, true), device = any_device(g), i;
	char name[] = "noiommu-$gA";

	if (d < 0) {
		open_directory(g);
		return;
	}
	name[sizeof(name) - 2] += device;
	i = any_slot(g, kind, false);
	if (i < 0)
		return;
	STEP(g, "%s = openat(%s, %s, %s)", name_of(kind, i).text, name_of(OTHER, d).text,
	     kind == CONTAINER ? "vfio" : name, flags);
	if (kind == CONTAINER)
		fill_container(g, i, flags);
	else
		fill(g, kind, i)->device = device;
}

static void reopen(struct generator *g)
{
	int i = any_slot(g, OTHER, false);
	struct name from = pick_any(g);

	if (i < 0)
		return;
	STEP(g, "%s = reopen(%s, %s)", name_of(OTHER, i).text, from.text, open_flags(g));
	fill(g, OTHER, i)->serial = UNSURE;
	g->containers++;
}

/* Most pointers are good ones, else few sequences would come far. */
static const char *place(struct generator *g)
{
	static const char *const bad[] = {
		"@cut", "@cut", "@readonly", "@readonly", "@null", "@hole", "@kernel",
	};

	if (percent(g, 75))
		return "";
	return percent(g, 40) ? "@fit" : ONE_OF(g, bad);
}

/* The same for an argument that may be a plain value */
static const char *place_of(struct generator *g, const char *argument)
{
	return argument[strlen(argument) - 1] == '}' ? place(g) : "";
}

/* ---- containers ---------------------------------------------------------- */

/* Extensions, IOMMU types and other values that an ioctl takes */
static const char *extension(struct generator *g)
{
	static const char *const values[] = {
		"0", "1", "2",	"3",  "4",  "5",	   "6",		 "7",
		"8", "9", "10", "11", "-1", "0x100000008", "0x80000008",
	};

	return percent(g, 40) ? "8" : ONE_OF(g, values);
}

static void container_ioctl(struct generator *g)
{
	static const char *const others[] = {
		"IOMMU_GET_INFO, {24 0 0 0 0 0}",
		"IOMMU_MAP_DMA, {32 3 0x10000 0 0 0 0x1000 0}",
		"IOMMU_MAP_DMA, {0 0}",
		"IOMMU_UNMAP_DMA, {24 0 0 0 0x1000 0}",
		"IOMMU_UNMAP_DMA, {24 2 0 0 0 0}",
		"GROUP_GET_STATUS, {8 0}",
		"0x3b99, 0",
		"0, 0",
		"-1, 0",
		"0x3b75, 1",
		"0x3b80, {12 0 0}",
		"0x3b81, {20 0 0 0 0}",
		"0x3b8f, 0",
		"0x3b85, {40 0 0 0 0 0 0 0 0 0}",
		"0x3b88, {16 0 0 0}",
		"0x5401, {0}",
		"0x541b, {0}",
	};
	struct name c = pick(g, CONTAINER);
	const char *request = ONE_OF(g, others);

	switch (below(g, 6)) {
	case 0:
		STEP(g, "ioctl(%s, GET_API_VERSION%s, 0)", c.text,
		     percent(g, 10) ? "+0x100000000" : "");
		break;
	case 1:
	case 2:
		STEP(g, "ioctl(%s, CHECK_EXTENSION, %s)", c.text, extension(g));
		break;
	case 3:
		STEP(g, "ioctl(%s, SET_IOMMU, %s)", c.text, extension(g));
		break;
	default:
		STEP(g, "ioctl(%s, %s%s)", c.text, request, place_of(g, request));
	}
}

static void set_iommu(struct generator *g, int c)
{
	STEP(g, "ioctl(%s, SET_IOMMU, %s)", name_of(CONTAINER, c).text,
	     percent(g, 85) ? "8" : extension(g));
	g->slot[CONTAINER][c].driven = true;
}

/* ---- groups -------------------------------------------------------------- */

static void get_status(struct generator *g)
{
	static const int sizes[] = {0, 4, 7, 8, 8, 8, 12, 4096, -1};

	struct name group = pick(g, GROUP);
	int size = ONE_OF(g, sizes), flags = percent(g, 80) ? 0 : 0xff;

	STEP(g, "ioctl(%s, GROUP_GET_STATUS, {%d %d}%s)", group.text, size, flags, place(g));
}

static void set_container(struct generator *g, int group, int container)
{
	STEP(g, "ioctl(%s, GROUP_SET_CONTAINER, {%s})", name_of(GROUP, group).text,
	     name_of(CONTAINER, container).text);
	g->slot[GROUP][group].container = container;
}

static void set_any_container(struct generator *g)
{
	int group = any_slot(g, GROUP, true), container = any_slot(g, CONTAINER, true);
	struct name to = pick(g, GROUP), fd = pick_any(g);

	if (group >= 0 && container >= 0 && percent(g, 50))
		set_container(g, group, container);
	else if (percent(g, 20))
		STEP(g, "ioctl(%s, GROUP_SET_CONTAINER, {-1}%s)", to.text, place(g));
	else
		STEP(g, "ioctl(%s, GROUP_SET_CONTAINER, {%s}%s)", to.text, fd.text, place(g));
}

static void unset_container(struct generator *g)
{
	struct name group = pick(g, GROUP), fd = pick(g, CONTAINER);
	int i = any_slot(g, GROUP, true);

	if (i >= 0 && percent(g, 60)) {
		STEP(g, "ioctl(%s, GROUP_UNSET_CONTAINER, %s)", name_of(GROUP, i).text,
		     percent(g, 70) ? "0" : fd.text);
		g->slot[GROUP][i].container = -1;
	} else {
		STEP(g, "ioctl(%s, GROUP_UNSET_CONTAINER, %s)", group.text,
		     percent(g, 50) ? "{8 0}" : fd.text);
	}
}

static void unknown_group_ioctl(struct generator *g)
{
	static const char *const requests[] = {
		"0x3b99, 0",
		"0, 0",
		"GET_API_VERSION, 0",
		"CHECK_EXTENSION, 8",
		"SET_IOMMU, 8",
		"DEVICE_GET_INFO, {20 0 0 0 0}",
		"DEVICE_RESET, 0",
		"DEVICE_GET_REGION_INFO, {32 0}",
		"GROUP_GET_STATUS+0x100000000, {8 0}",
		"0x3b76, {24 0 0 0 0 0}",
		"0x3b77, {12 0 0}",
		"0x3b78, {8 0}",
		"0x5401, {0}",
		"0x541b, {0}",
		"-1, 0",
	};

	struct name group = pick(g, GROUP);

	STEP(g, "ioctl(%s, %s)", group.text, ONE_OF(g, requests));
}

static bool is_slow(struct generator *g, int device)
{
	return g->profile[device] == 's';
}

static void get_device(struct generator *g, int group)
{
	int device = g->slot[GROUP][group].device;
	int i = any_slot(g, DEVICE, false);

	if (i < 0 || (is_slow(g, device) && !g->may_be_slow))
		return;
	STEP(g, "%s = ioctl(%s, GROUP_GET_DEVICE_FD, \"$d%c\"%s)", name_of(DEVICE, i).text,
	     name_of(GROUP, group).text, 'A' + device, percent(g, 10) ? "@fit" : "");
	fill(g, DEVICE, i)->device = device;
}

static void get_any_device(struct generator *g)
{
	int group = any_slot(g, GROUP, true);

	if (group >= 0)
		get_device(g, group);
}

/* Names that are refused, and so cost no reset even of a slow device */
static void get_odd_device(struct generator *g)
{
	static const char *const names[] = {
		"",
		" ",
		"$dA x",
		"$dAx",
		"$dA vf_token=",
		"$dA vf_token=1234",
		"$dA vf_token=bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3",
		"$dA  vf_token=bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3 ",
		"$dA vf_token=bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3x",
		"$dA vf_token=bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3 x",
		"$dA vf_token=xd8d9d2b-5a5f-4f5a-a211-f591514ba1f3",
		"$dA vf_token=BD8D9D2B-5A5F-4F5A-A211-F591514BA1F3 vf_token=",
		"$dA,vf_token=bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3",
		"ffff:ff:1f.7",
		"0000:00:00.0",
		"00:03.0",
		"$long",
		"$dA$long",
		"$dA $long",
		"noiommu-$gA",
		"$gA",
		"/dev/vfio",
		"../$dA",
		"$dA/",
		"$dA\t",
	};
	const char *name = ONE_OF(g, names);
	const char *where = percent(g, 25) ? place(g) : "";
	int i = any_slot(g, DEVICE, false);

	if (i < 0)
		return;
	STEP(g, "%s = ioctl(%s, GROUP_GET_DEVICE_FD, \"%s\"%s)", name_of(DEVICE, i).text,
	     pick(g, GROUP).text, name, where);
	vary_device(g);
}

/* A good name given to a group that should refuse it, or at a place that should */
static void get_refused_device(struct generator *g)
{
	static const char *const bad[] = {"@cut", "@null", "@hole", "@kernel"};
	int i = any_slot(g, DEVICE, false), group = any_slot(g, GROUP, true), device;
	struct slot *slot = group < 0 ? NULL : &g->slot[GROUP][group];

	if (i < 0 || group < 0)
		return;
	if (slot->container < 0 || !g->slot[CONTAINER][slot->container].driven) {
		STEP(g, "%s = ioctl(%s, GROUP_GET_DEVICE_FD, \"$d%c\")", name_of(DEVICE, i).text,
		     name_of(GROUP, group).text, 'A' + slot->device);
		return;
	}
	device = any_device(g);
	STEP(g, "%s = ioctl(%s, GROUP_GET_DEVICE_FD, \"$d%c\"%s)", name_of(DEVICE, i).text,
	     name_of(GROUP, group).text, 'A' + device,
	     device == slot->device ? ONE_OF(g, bad) : "");
}

/* ---- devices ------------------------------------------------------------- */

static void device_info(struct generator *g)
{
	static const char *const requests[] = {
		"DEVICE_GET_INFO, {20 0 0 0 0}",
		"DEVICE_GET_INFO, {16 0 0 0}",
		"DEVICE_GET_INFO, {12 0}",
		"DEVICE_GET_INFO, {4096 0}",
		"DEVICE_GET_IRQ_INFO, {16 0 0 0}",
		"DEVICE_GET_IRQ_INFO, {16 0 2 0}",
		"DEVICE_GET_IRQ_INFO, {16 0 5 0}",
		"DEVICE_GET_IRQ_INFO, {8 0 0 0}",
		"DEVICE_SET_IRQS, {20 0x21 2 0 0}",
		"DEVICE_SET_IRQS, {20 0x21 0 0 0}",
		"DEVICE_SET_IRQS, {20 0 0 0 0}",
		"DEVICE_SET_IRQS, {20 0x21 9 0 0}",
		"DEVICE_FEATURE, {8 0x40001}",
		"DEVICE_FEATURE, {8 0x70000}",
		"DEVICE_FEATURE, {4 0}",
		"0x3b80, {0}",
		"0x3b99, 0",
		"0, 0",
		"GET_API_VERSION, 0",
		"GROUP_GET_STATUS, {8 0}",
		"GROUP_SET_CONTAINER, {c0}",
		"0x5421, {0}",
	};
	const char *request = ONE_OF(g, requests);
	struct name d = pick(g, DEVICE);

	STEP(g, "ioctl(%s, %s%s)", d.text, request, place_of(g, request));
}

static void device_region(struct generator *g)
{
	static const int sizes[] = {32, 32, 32, 32, 31, 24, 0, 4096, 256};

	int size = ONE_OF(g, sizes), region = below(g, 11);
	struct name d = pick(g, DEVICE);

	STEP(g, "ioctl(%s, DEVICE_GET_REGION_INFO, {%d 0 %d 0 0 0 0 0}%s)", d.text, size, region,
	     place(g));
}

/* The parts of config space that say nothing of where the machine put the device */
static void device_config(struct generator *g)
{
	static const char *const ranges[] = {
		"4, CONFIG",	    "2, CONFIG",	"16, CONFIG",
		"1, CONFIG+0xe",    "4, CONFIG+0x2c",	"1, CONFIG+0x34",
		"4, CONFIG+0x3c",   "2, CONFIG+4",	"0, CONFIG",
		"4, CONFIG+0x1000", "4, CONFIG+0xfffe", "3, CONFIG+1",
		"4, VGA",	    "4, 9895604649984", "4, -1",
	};
	static const char *const changes[] = {
		"{5}, 1, CONFIG+0x3c", "{2}, 2, CONFIG+4", "{0}, 2, CONFIG+4",
		"{0x1234}, 2, CONFIG", "{0}, 0, CONFIG",   "{0}, 4, VGA",
	};

	const char *range = ONE_OF(g, ranges);
	struct name d = pick(g, DEVICE);

	if (percent(g, 65))
		STEP(g, "pread(%s, {}%s, %s)", d.text, place(g), range);
	else
		STEP(g, "pwrite(%s, %s)", d.text, ONE_OF(g, changes));
}

static void device_reset(struct generator *g)
{
	int i = any_slot(g, DEVICE, true);

	/* What the generator takes for closed may still be open: resets cost time. */
	if (i < 0 || (is_slow(g, g->slot[DEVICE][i].device) && percent(g, 70)))
		return;
	STEP(g, "ioctl(%s, DEVICE_RESET, %d)", name_of(DEVICE, i).text, below(g, 2));
}

/* With a group of each device, as far as there is one: where it can be done, it is. */
static void hot_reset_all(struct generator *g, struct name d)
{
	char fds[32] = "";
	int nr = 0;

	for (int device = 0; device < g->devices; device++) {
		for (int i = 0; i < SLOTS_PER_KIND; i++) {
			if (!g->slot[GROUP][i].open || g->slot[GROUP][i].device != device)
				continue;
			sprintf(fds + strlen(fds), " %s", name_of(GROUP, i).text);
			nr++;
			break;
		}
	}
	STEP(g, "ioctl(%s, DEVICE_PCI_HOT_RESET, {%d 0 %d%s})", d.text, 12 + 4 * nr, nr, fds);
}

static void device_hot_reset(struct generator *g)
{
	static const char *const infos[] = {"12 0 0", "20 0 0", "28 0 0", "4096 0 0", "8 0 0"};
	struct name d = pick(g, DEVICE), one = pick(g, GROUP), other = pick(g, GROUP);
	const char *info = ONE_OF(g, infos);

	switch (below(g, 7)) {
	case 0:
	case 1:
		STEP(g, "ioctl(%s, DEVICE_GET_PCI_HOT_RESET_INFO, {%s}%s)", d.text, info, place(g));
		break;
	case 2:
		STEP(g, "ioctl(%s, DEVICE_PCI_HOT_RESET, {12 0 0})", d.text);
		break;
	case 3:
		STEP(g, "ioctl(%s, DEVICE_PCI_HOT_RESET, {16 0 1 %s}%s)", d.text, one.text,
		     place(g));
		break;
	case 4:
		STEP(g, "ioctl(%s, DEVICE_PCI_HOT_RESET, {20 0 2 %s %s})", d.text, one.text,
		     other.text);
		break;
	case 5:
		hot_reset_all(g, d);
		break;
	default:
		STEP(g, "ioctl(%s, DEVICE_PCI_HOT_RESET, {16 %d 1 -1})", d.text, below(g, 2));
	}
}

static void device_memory(struct generator *g)
{
	static const char *const maps[] = {
		"4096, BAR0",	 "4096, BAR0+0x1000", "4096, CONFIG",
		"1048576, BAR0", "4096, ROM",	      "4096, BAR1",
	};

	struct name d = pick(g, DEVICE);

	STEP(g, "mmap(%s, %s)", d.text, ONE_OF(g, maps));
}

/* ---- any descriptor ------------------------------------------------------ */

static void close_slot(struct generator *g, enum kind kind, int i)
{
	static const char *const ways[] = {"sys_close", "close_range", "fclose"};

	STEP(g, "%s(%s)", percent(g, 85) ? "close" : ONE_OF(g, ways), name_of(kind, i).text);
	g->slot[kind][i].open = false;
}

static void close_any(struct generator *g)
{
	enum kind kind = any_kind(g);
	int i = any_slot(g, kind, true);

	if (i >= 0 && percent(g, 95))
		close_slot(g, kind, i);
	else
		STEP(g, "close(%s)", name_of(kind, below(g, SLOTS_PER_KIND)).text);
}

static void vfork_close(struct generator *g)
{
	STEP(g, "vfork_close(%s)", pick_any(g).text);
}

/* See `differences`: what came may be a group or a device, and is asked at once. */
static void ask_what_came(struct generator *g, enum kind kind, int i)
{
	if (kind == GROUP)
		STEP(g, "ioctl(%s, GROUP_GET_STATUS, {8 0})", name_of(kind, i).text);
	if (kind == DEVICE)
		STEP(g, "ioctl(%s, DEVICE_GET_INFO, {20 0 0 0 0})", name_of(kind, i).text);
}

/* Through a socket, containers only while they are the newest: see `differences`. */
static void pass(struct generator *g, enum kind kind, int from, int to)
{
	const struct slot *slot = &g->slot[kind][from];

	if ((slot->serial && slot->serial != g->containers) || (kind == OTHER && slot->stays))
		return;
	STEP(g, "%s = pass(%s)", name_of(kind, to).text, name_of(kind, from).text);
	ask_what_came(g, kind, to);
	g->slot[kind][to] = *slot;
}

static void duplicate(struct generator *g)
{
	enum kind kind = any_kind(g);
	int from = any_slot(g, kind, true), to = any_slot(g, kind, false);
	struct name old, new;

	if (from < 0 || to < 0)
		return;
	old = name_of(kind, from);
	new = name_of(kind, to);
	switch (below(g, 8)) {
	case 0:
		STEP(g, "%s = fcntl(%s, F_DUPFD, %d)", new.text, old.text, 20 * below(g, 2));
		break;
	case 1:
		STEP(g, "%s = fcntl(%s, F_DUPFD_CLOEXEC, %d)", new.text, old.text,
		     20 * below(g, 2));
		break;
	case 2:
		STEP(g, "%s = dup2(%s, %d)", new.text, old.text, 40 + kind * SLOTS_PER_KIND + to);
		break;
	case 3:
		STEP(g, "%s = dup3(%s, %d, %s)", new.text, old.text,
		     40 + kind * SLOTS_PER_KIND + to, percent(g, 50) ? "O_CLOEXEC" : "0");
		break;
	case 4:
	case 5:
		pass(g, kind, from, to);
		return;
	default:
		STEP(g, "%s = dup(%s)", new.text, old.text);
	}
	g->slot[kind][to] = g->slot[kind][from];
}

/* One descriptor put in another's place, which closes what was there */
static void replace(struct generator *g)
{
	enum kind kind = any_kind(g), other = percent(g, 70) ? kind : any_kind(g);
	int from = any_slot(g, kind, true), to = any_slot(g, other, true);
	const char *new;
	struct name target;

	if (from < 0 || to < 0)
		return;
	target = name_of(other, to);
	new = target.text;
	if (percent(g, 60))
		STEP(g, "%s = dup2(%s, %s)", new, name_of(kind, from).text, new);
	else
		STEP(g, "%s = dup3(%s, %s, %s)", new, name_of(kind, from).text, new,
		     percent(g, 50) ? "O_CLOEXEC" : "0");
	if (kind == other)
		g->slot[other][to] = g->slot[kind][from];
	else
		g->slot[other][to].serial = UNSURE;
}

static void descriptor(struct generator *g)
{
	static const char *const steps[] = {
		"fcntl(%s, F_GETFD)",
		"fcntl(%s, F_GETFD)",
		"fcntl(%s, F_SETFD, FD_CLOEXEC)",
		"fcntl(%s, F_SETFD, 0)",
		"fcntl(%s, F_GETFL)",
		"fcntl(%s, F_GETFL)",
		"fcntl(%s, F_SETFL, O_NONBLOCK)",
		"fcntl(%s, F_SETFL, 0)",
		"fcntl(%s, 9999)",
		"fstat(%s)",
		"fstat(%s)",
		"fdlink(%s)",
		"fdlink(%s)",
		"fdlist(%s)",
		"fdlist(%s)",
		"statx(%s, , AT_EMPTY_PATH)",
		"fstatat(%s, , AT_EMPTY_PATH)",
		"poll(%s)",
		"read(%s, {}, 8)",
		"read(%s, {}, 0)",
		"pread(%s, {}, 8, 0)",
		"write(%s, {0 0}, 8)",
		"pwrite(%s, {0 0}, 8, 0)",
		"lseek(%s, 0, SEEK_CUR)",
		"lseek(%s, 4096, SEEK_SET)",
		"lseek(%s, 0, SEEK_END)",
		"mmap(%s, 4096, 0)",
	};
	const char *step = ONE_OF(g, steps);
	int blank = strcspn(step, "%");

	STEP(g, "%.*s%s%s", blank, step, pick_any(g).text, step + blank + 2);
}

/* ---- names --------------------------------------------------------------- */

static const char *path(struct generator *g)
{
	static const char *const paths[] = {
		"/dev/vfio/vfio",
		"/dev/vfio/vfio",
		"/dev/vfio/noiommu-$gA",
		"/dev/vfio/noiommu-$gA",
		"/dev/vfio/$gA",
		"/dev/vfio/noiommu-4095",
		"/dev/vfio/noiommu-0$gA",
		"/dev/vfio",
		"/dev/vfio/",
		"/dev/vfio/devices",
		"/dev/vfio/vfio/",
		"/dev/vfio/noiommu-$gA/x",
		"/sys/bus/pci/devices/$dA",
		"/sys/bus/pci/devices/$dA/iommu_group",
		"/sys/bus/pci/devices/$dA/iommu_group/",
		"/sys/bus/pci/devices/$dA/iommu_group/name",
		"/sys/bus/pci/devices/$dA/iommu_group/devices",
		"/sys/bus/pci/devices/$dA/iommu_group/devices/$dA",
		"/sys/bus/pci/devices/$dA/iommu_group/nothing",
		"/sys/bus/pci/devices/0000:00:00.0/iommu_group",
		"/sys/kernel/iommu_groups",
		"/sys/kernel/iommu_groups/$gA",
		"/sys/kernel/iommu_groups/$gA/name",
		"/sys/kernel/iommu_groups/$gA/devices",
		"/sys/kernel/iommu_groups/$gA/devices/$dA",
		"/sys/kernel/iommu_groups/4095",
		"/sys/kernel/iommu_groups/4095/devices",
		"/sys/module/vfio",
		"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		"vfio",
		"noiommu-$gA",
		"",
		".",
		"..",
		"devices",
		"name",
		"devices/$dA",
		"/sys/kernel/iommu_groups/$gA/devices/..",
	};

	return ONE_OF(g, paths);
}

static void look(struct generator *g)
{
	const char *p = path(g);

	switch (below(g, 23)) {
	case 0:
	case 1:
		STEP(g, "stat(%s)", p);
		break;
	case 2:
		STEP(g, "lstat(%s)", p);
		break;
	case 3:
		STEP(g, "stat64(%s)", p);
		break;
	case 4:
		STEP(g, "fstatat(AT_FDCWD, %s, %s)", p,
		     percent(g, 50) ? "AT_SYMLINK_NOFOLLOW" : "0");
		break;
	case 5:
		STEP(g, "statx(AT_FDCWD, %s, 0)", p);
		break;
	case 6:
		STEP(g, "access(%s, F_OK)", p);
		break;
	case 7:
		STEP(g, "access(%s, %s)", p, percent(g, 50) ? "R_OK|W_OK" : "X_OK");
		break;
	case 8:
		STEP(g, "faccessat(AT_FDCWD, %s, R_OK, 0)", p);
		break;
	case 9:
		STEP(g, "realpath(%s)", p);
		break;
	case 10:
		STEP(g, "scandir(%s)", p);
		break;
	case 11:
		STEP(g, "list(%s)", p);
		break;
	case 12:
		STEP(g, "cat(/sys/bus/pci/devices/$dA/iommu_group/name)");
		break;
	case 13:
		STEP(g, "fcat(/sys/kernel/iommu_groups/$gA/name)");
		break;
	case 14:
		STEP(g, "readlink(/sys/bus/pci/devices/$dA/iommu_group)");
		break;
	case 15:
		STEP(g, "readlink_short(/sys/bus/pci/devices/$dA/iommu_group)");
		break;
	case 16:
		STEP(g, "readlinkat(AT_FDCWD, %s)", p);
		break;
	case 17:
		STEP(g, "list(/dev/vfio)");
		break;
	case 18:
		STEP(g, "list(/sys/kernel/iommu_groups/$gA/devices)");
		break;
	case 19:
		STEP(g, "getxattr(%s, security.selinux)", p);
		break;
	case 20:
		STEP(g, "lgetxattr(%s, system.posix_acl_access)", p);
		break;
	case 21:
		STEP(g, "llistxattr(%s)", p);
		break;
	default:
		STEP(g, "readlink(%s)", p);
	}
	vary_device(g);
}

static void look_from_directory(struct generator *g)
{
	static const char *const names[] = {
		"vfio",	      "noiommu-$gA",	 "noiommu-4095",     "$gA",	".",   "..",
		"vfio/vfio",  "iommu_group",	 "iommu_group/name", "devices", "$dA", "name",
		"../devices", "devices/../type",
	};
	struct name d = pick(g, OTHER);
	const char *name = ONE_OF(g, names);

	switch (below(g, 7)) {
	case 0:
		STEP(g, "fstatat(%s, %s, 0)", d.text, name);
		break;
	case 1:
		STEP(g, "faccessat(%s, %s, F_OK, 0)", d.text, name);
		break;
	case 2:
		STEP(g, "readlinkat(%s, %s)", d.text, name);
		break;
	case 3:
		STEP(g, "statx(%s, %s, AT_SYMLINK_NOFOLLOW)", d.text, name);
		break;
	case 4:
		STEP(g, "getdents(%s, %s)", d.text, percent(g, 80) ? "4096" : "16");
		break;
	case 5:
		STEP(g, "fchdir(%s)", d.text);
		g->changed_directory = true;
		break;
	default:
		STEP(g, "fdlist(%s)", d.text);
	}
	vary_device(g);
}

static void change_directory(struct generator *g)
{
	static const char *const paths[] = {
		"/dev/vfio",
		"/dev/vfio",
		"/dev",
		"/",
		"/sys/bus/pci/devices/$dA",
		"/sys/kernel/iommu_groups/$gA",
		"/sys/bus/pci/devices/$dA/iommu_group",
		"vfio",
		"devices",
		"..",
		"name",
		".",
	};

	STEP(g, "chdir(%s)", ONE_OF(g, paths));
	g->changed_directory = true;
	vary_device(g);
	if (percent(g, 50))
		STEP(g, "getcwd()");
}

/* ---- which step ---------------------------------------------------------- */

/* One step nearer to an open device */
static void advance(struct generator *g)
{
	int device = any_device(g), container = any_slot(g, CONTAINER, true), group = -1;

	for (int i = 0; i < SLOTS_PER_KIND; i++)
		if (g->slot[GROUP][i].open && g->slot[GROUP][i].device == device)
			group = i;

	if (container < 0)
		open_container(g);
	else if (group < 0)
		open_group_of(g, device);
	else if (g->slot[GROUP][group].container < 0)
		set_container(g, group, container);
	else if (!g->slot[CONTAINER][g->slot[GROUP][group].container].driven)
		set_iommu(g, g->slot[GROUP][group].container);
	else
		get_device(g, group);
}

static void begin_child(struct generator *g);

static const struct choice {
	int weight;
	void (*generate)(struct generator *g);
	enum kind needs; /* what there should be for the step to mean much */
} menu[] = {
	{40, advance, KINDS},
	{2, open_container, KINDS},
	{4, open_group, KINDS},
	{3, open_odd, KINDS},
	{2, open_directory, KINDS},
	{3, open_below_directory, KINDS},
	{1, reopen, KINDS},
	{8, container_ioctl, CONTAINER},
	{5, get_status, GROUP},
	{3, set_any_container, GROUP},
	{3, unset_container, GROUP},
	{2, unknown_group_ioctl, GROUP},
	{2, get_any_device, GROUP},
	{3, get_odd_device, GROUP},
	{3, get_refused_device, GROUP},
	{2, device_info, DEVICE},
	{1, device_region, DEVICE},
	{2, device_config, DEVICE},
	{1, device_reset, DEVICE},
	{2, device_hot_reset, DEVICE},
	{1, device_memory, DEVICE},
	{6, close_any, KINDS},
	{1, vfork_close, KINDS},
	{3, duplicate, KINDS},
	{1, replace, KINDS},
	{6, descriptor, KINDS},
	{7, look, KINDS},
	{2, look_from_directory, OTHER},
	{1, change_directory, KINDS},
	{1, begin_child, KINDS},
};

static const struct choice *choose(struct generator *g)
{
	const struct choice *choice = menu;
	int total = 0, chosen;

	for (size_t i = 0; i < ARRAY_SIZE(menu); i++)
		total += menu[i].weight;
	for (chosen = below(g, total); chosen >= choice->weight; choice++)
		chosen -= choice->weight;
	return choice;
}

static void any_step(struct generator *g)
{
	const struct choice *choice = choose(g);

	if (choice->needs != KINDS && any_slot(g, choice->needs, true) < 0 && percent(g, 95))
		advance(g);
	else
		choice->generate(g);
}

/* What exec() makes the library forget: see `differences`. */
static bool may_exec(const struct generator *g)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < SLOTS_PER_KIND; i++)
			if (g->slot[kind][i].open && g->slot[kind][i].stays)
				return false;
	return g->containers <= 1 && !g->changed_directory;
}

static void exec(struct generator *g)
{
	for (int i = 0; i < SLOTS_PER_KIND; i++) {
		if (g->slot[CONTAINER][i].open)
			STEP(g, "fcntl(%s, F_SETFL, 0)", name_of(CONTAINER, i).text);
		if (g->slot[GROUP][i].open)
			STEP(g, "fcntl(%s, F_SETFD, 0)", name_of(GROUP, i).text);
	}
	STEP(g, "exec()");
	for (enum kind kind = GROUP; kind <= DEVICE; kind++)
		for (int i = 0; i < SLOTS_PER_KIND; i++)
			if (g->slot[kind][i].open)
				ask_what_came(g, kind, i);
}

/* What a child does to its descriptors, its parent does not notice. */
static void begin_child(struct generator *g)
{
	struct slot parents[KINDS][SLOTS_PER_KIND];
	int containers = g->containers, steps = 1 + below(g, 6);

	if (g->in_child || percent(g, 50))
		return;
	g->in_child = true;
	memcpy(parents, g->slot, sizeof(parents));
	STEP(g, "fork()");
	if (percent(g, 8) && may_exec(g))
		exec(g);
	if (percent(g, 15))
		STEP(g, "drop_rawio()");
	while (steps--)
		any_step(g);
	STEP(g, "exit()");
	memcpy(g->slot, parents, sizeof(parents));
	g->containers = containers;
	g->in_child = false;
}

/* Everything closed, one after the other in any order */
static void close_all(struct generator *g)
{
	int open = 0;

	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < SLOTS_PER_KIND; i++)
			open += g->slot[kind][i].open;
	while (open) {
		enum kind kind = below(g, KINDS);
		int i = any_slot(g, kind, true);

		if (i >= 0)
			close_slot(g, kind, i);
		open -= i >= 0;
	}
}

/* Sequences that open slow devices are few, so that many of the others fit into the time. */
void generate(struct sequence *sequence, uint64_t seed, const char *profile)
{
	struct generator g = {.random = seed, .sequence = sequence, .profile = profile};
	int steps = 5 + below(&g, 45);

	sequence->nr = 0;
	g.devices = strlen(profile) ? strlen(profile) : 1;
	g.may_be_slow = percent(&g, 6) || !strchr(profile, 'q');
	while (sequence->nr < steps)
		any_step(&g);
	if (percent(&g, 50))
		close_all(&g);
}
