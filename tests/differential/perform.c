/* SPDX-License-Identifier: MIT */
/*
 * One step done, and its answer in words. The functions below mirror the calls
 * that they make; those that only look at names and files are in look.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/vfio.h>

#include "differential.h"

static unsigned long device_opens;

unsigned long perform_device_opens(void)
{
	return device_opens;
}

void answer(struct answer *a, const char *format, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(a->text + a->used, room, format, args);
	va_end(args);
	a->used += (size_t)length < room ? (size_t)length : room - 1;
}

void answer_result(struct answer *a, long result)
{
	if (result < 0)
		answer(a, "%s", strerrorname_np(errno));
	else
		answer(a, "%ld", result);
}

static void answer_memory(struct answer *a)
{
	static char changes[1024];

	if (memory_changes(changes, sizeof(changes)))
		answer(a, " data=%s", changes);
}

static void answer_fd(const struct call *call, struct answer *a, int fd)
{
	int flags;

	if (fd < 0 || !call->result) {
		answer_result(a, fd);
		return;
	}
	slot_assign(call->result, fd);
	flags = fcntl(fd, F_GETFD);
	answer(a, "fd");
	if (flags < 0)
		answer(a, " flags=%s", strerrorname_np(errno));
	else if (flags & FD_CLOEXEC)
		answer(a, " cloexec");
}

/* ---- descriptors --------------------------------------------------------- */

static void do_open(const struct call *call, struct answer *a)
{
	answer_fd(call, a, open(call_path(call, 0), call_value(call, 1), 0600));
}

static void do_open64(const struct call *call, struct answer *a)
{
	answer_fd(call, a, open64(call_path(call, 0), call_value(call, 1), 0600));
}

static void do_openat(const struct call *call, struct answer *a)
{
	answer_fd(call, a,
		  openat(call_value(call, 0), call_path(call, 1), call_value(call, 2), 0600));
}

/* By number, as programs do that were not written in C */
static void do_sys_openat(const struct call *call, struct answer *a)
{
	answer_fd(call, a,
		  syscall(SYS_openat, call_value(call, 0), call_path(call, 1), call_value(call, 2),
			  0600));
}

static void do_reopen(const struct call *call, struct answer *a)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%ld", call_value(call, 0));
	answer_fd(call, a, open(path, call_value(call, 1)));
}

static void forget(const struct call *call)
{
	int *slot = slot_find(call_text(call, 0));

	if (slot)
		*slot = -1;
}

static void do_close(const struct call *call, struct answer *a)
{
	answer_result(a, close(call_value(call, 0)));
	forget(call);
}

static void do_sys_close(const struct call *call, struct answer *a)
{
	answer_result(a, syscall(SYS_close, call_value(call, 0)));
	forget(call);
}

static void do_close_range(const struct call *call, struct answer *a)
{
	unsigned int fd = call_value(call, 0);

	answer_result(a, close_range(fd, fd, 0));
	forget(call);
}

/* libc closes the descriptor inside fclose(), where no wrapper of close() sees it. */
static void do_fclose(const struct call *call, struct answer *a)
{
	static const char *const modes[] = {
		[O_RDONLY] = "r",
		[O_WRONLY] = "w",
		[O_RDWR] = "r+",
		[O_ACCMODE] = "r",
	};
	int fd = call_value(call, 0);
	FILE *file = fdopen(fd, modes[fcntl(fd, F_GETFL) & O_ACCMODE]);

	answer_result(a, file ? fclose(file) : -1);
	if (file)
		forget(call);
}

/*
 * The child of vfork() has its own descriptors but the parent's memory: after
 * it has closed one, the parent still has it.
 */
static void do_vfork_close(const struct call *call, struct answer *a)
{
	int fd = call_value(call, 0), status;
	volatile int result = 0, error = 0;
	pid_t child = vfork();

	if (!child) {
		result = close(fd);
		error = errno;
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		answer(a, "no child");
		return;
	}
	errno = error;
	answer_result(a, result);
}

static void do_dup(const struct call *call, struct answer *a)
{
	answer_fd(call, a, dup(call_value(call, 0)));
}

static void do_dup2(const struct call *call, struct answer *a)
{
	answer_fd(call, a, dup2(call_value(call, 0), call_value(call, 1)));
}

static void do_dup3(const struct call *call, struct answer *a)
{
	answer_fd(call, a, dup3(call_value(call, 0), call_value(call, 1), call_value(call, 2)));
}

static void do_fcntl(const struct call *call, struct answer *a)
{
	int command = call_value(call, 1);
	int result = fcntl(call_value(call, 0), command, call_value(call, 2));

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		answer_fd(call, a, result);
	else if (command == F_GETFL && result >= 0)
		answer(a, "0%o", result);
	else
		answer_result(a, result);
}

struct fd_message {
	char byte;
	struct iovec part;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr header;
};

static void fd_message_init(struct fd_message *m)
{
	memset(m, 0, sizeof(*m));
	m->part = (struct iovec){&m->byte, 1};
	m->header.msg_iov = &m->part;
	m->header.msg_iovlen = 1;
	m->header.msg_control = m->control;
	m->header.msg_controllen = sizeof(m->control);
}

static int send_fd(int socket, int fd)
{
	struct fd_message m;
	struct cmsghdr *c;

	fd_message_init(&m);
	c = CMSG_FIRSTHDR(&m.header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &m.header, 0);
}

static int receive_fd(int socket)
{
	struct fd_message m;
	struct cmsghdr *c;
	int fd;

	fd_message_init(&m);
	if (recvmsg(socket, &m.header, 0) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m.header);
	if (!c)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* The descriptor as another process gets it: through a socket */
static void do_pass(const struct call *call, struct answer *a)
{
	int pair[2], fd = -1, saved;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		answer_result(a, -1);
		return;
	}
	if (send_fd(pair[0], call_value(call, 0)) >= 0)
		fd = receive_fd(pair[1]);
	saved = errno;
	close(pair[0]);
	close(pair[1]);
	errno = saved;
	answer_fd(call, a, fd);
}

/* ---- what is done with a descriptor -------------------------------------- */

/* Groups have other numbers elsewhere: an index of the device instead. */
static void normalise_groups(void)
{
	uint32_t nr = *memory_word(2);

	for (uint32_t i = 0; i < nr && i < MAX_DEVICES; i++) {
		uint32_t *group = memory_word(3 + 2 * i);
		int device = world_device_of_group(*group);

		if (device >= 0)
			*group = 0xA0 + device;
	}
}

static void do_ioctl(const struct call *call, struct answer *a)
{
	unsigned long request = call_value(call, 1);
	const char *argument = call_text(call, 2);
	unsigned long value = memory_is(argument) ? (unsigned long)memory_put(argument)
						  : (unsigned long)value_of(argument);
	int result = ioctl(call_value(call, 0), request, value);

	if (call->result)
		answer_fd(call, a, result);
	else
		answer_result(a, result);

	if (result >= 0 && (unsigned int)request == VFIO_GROUP_GET_DEVICE_FD)
		device_opens++;
	if (!memory_is(argument))
		return;
	if (!result && !strcmp(call_text(call, 1), "DEVICE_GET_PCI_HOT_RESET_INFO"))
		normalise_groups();
	answer_memory(a);
}

static void do_read(const struct call *call, struct answer *a)
{
	void *buffer = memory_put(call_text(call, 1));

	answer_result(a, read(call_value(call, 0), buffer, call_value(call, 2)));
	answer_memory(a);
}

static void do_pread(const struct call *call, struct answer *a)
{
	void *buffer = memory_put(call_text(call, 1));

	answer_result(a,
		      pread(call_value(call, 0), buffer, call_value(call, 2), call_value(call, 3)));
	answer_memory(a);
}

static void do_write(const struct call *call, struct answer *a)
{
	void *buffer = memory_put(call_text(call, 1));

	answer_result(a, write(call_value(call, 0), buffer, call_value(call, 2)));
}

static void do_pwrite(const struct call *call, struct answer *a)
{
	void *buffer = memory_put(call_text(call, 1));

	answer_result(
		a, pwrite(call_value(call, 0), buffer, call_value(call, 2), call_value(call, 3)));
}

static void do_lseek(const struct call *call, struct answer *a)
{
	answer_result(a, lseek(call_value(call, 0), call_value(call, 1), call_value(call, 2)));
}

static void do_mmap(const struct call *call, struct answer *a)
{
	size_t length = call_value(call, 1);
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, call_value(call, 0),
		       call_value(call, 2));

	answer_result(a, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		munmap(p, length);
}

static void do_poll(const struct call *call, struct answer *a)
{
	struct pollfd p = {.fd = call_value(call, 0), .events = POLLIN | POLLOUT};

	answer_result(a, poll(&p, 1, 0));
	answer(a, " events=%x", p.revents);
}

static void do_flock(const struct call *call, struct answer *a)
{
	answer_result(a, flock(call_value(call, 0), call_value(call, 1)));
}

/* ---- the process --------------------------------------------------------- */

static void do_chdir(const struct call *call, struct answer *a)
{
	answer_result(a, chdir(call_path(call, 0)));
}

static void do_fchdir(const struct call *call, struct answer *a)
{
	answer_result(a, fchdir(call_value(call, 0)));
}

/* The capability without which the kernel refuses everything about no-IOMMU */
static void do_drop_rawio(const struct call *call, struct answer *a)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	(void)call;
	if (syscall(SYS_capget, &header, data)) {
		answer_result(a, -1);
		return;
	}
	data[0].effective &= ~(1u << CAP_SYS_RAWIO);
	answer_result(a, syscall(SYS_capset, &header, data));
}

static const struct operation operations[] = {
	{"open", do_open},
	{"open64", do_open64},
	{"openat", do_openat},
	{"sys_openat", do_sys_openat},
	{"reopen", do_reopen},
	{"close", do_close},
	{"sys_close", do_sys_close},
	{"close_range", do_close_range},
	{"fclose", do_fclose},
	{"vfork_close", do_vfork_close},
	{"dup", do_dup},
	{"dup2", do_dup2},
	{"dup3", do_dup3},
	{"fcntl", do_fcntl},
	{"pass", do_pass},
	{"ioctl", do_ioctl},
	{"read", do_read},
	{"pread", do_pread},
	{"write", do_write},
	{"pwrite", do_pwrite},
	{"lseek", do_lseek},
	{"mmap", do_mmap},
	{"poll", do_poll},
	{"flock", do_flock},
	{"chdir", do_chdir},
	{"fchdir", do_fchdir},
	{NULL, NULL},
};

/* What cannot be taken back is for children. */
static const struct operation child_operations[] = {
	{"drop_rawio", do_drop_rawio},
	{NULL, NULL},
};

static const struct operation *find(const struct operation *o, const char *name)
{
	while (o->name && strcmp(o->name, name))
		o++;
	return o->name ? o : NULL;
}

void perform(const char *step, struct answer *a, bool in_child)
{
	const struct operation *o = NULL;
	static struct call call;

	a->used = 0;
	a->text[0] = 0;
	if (call_parse(&call, step)) {
		o = find(operations, call.name);
		if (!o)
			o = find(look_operations, call.name);
		if (!o && in_child)
			o = find(child_operations, call.name);
	}
	if (o)
		o->perform(&call, a);
	else
		answer(a, "not understood");
}
