/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/hidden.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/quiet.h"
#include "base/sys.h"

#define LINE 512 /* longest line, with its newline */

enum log_level log_limit = LOG_WARN;

/* ---- the target ---- */

/*
 * The identity of a file. The kernel may give the inode number of a deleted file to a new
 * one; the birth time, where the file system has one, tells the two apart.
 */
struct identity {
	dev_t dev;
	ino_t ino;
	bool has_birth;
	int64_t birth_sec;
	uint32_t birth_nsec;
};

enum target_type { NOWHERE, TO_NULL, TO_FILE, TO_PIPE, TO_SOCKET, TO_TERMINAL };

struct target {
	enum target_type type;
	struct identity identity;
};

static struct target standard_error, named;
static struct hidden named_fd = HIDDEN_NONE;

/* As the kernel's new_encode_dev() does for fstat(). */
static dev_t encode(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

/* Does not ask the server of a network file system, which may not answer. */
static int identify_by_statx(int fd, struct identity *identity, unsigned int *mode)
{
	struct uapi_statx st;
	long ret = sys_call(SYS_statx, fd, (long)"", AT_EMPTY_PATH | UAPI_AT_STATX_DONT_SYNC,
			    UAPI_STATX_TYPE | UAPI_STATX_INO | UAPI_STATX_BTIME, (long)&st, 0);

	if (ret)
		return (int)ret;
	*mode = st.mode;
	*identity = (struct identity){
		.dev = encode(st.dev_major, st.dev_minor),
		.ino = st.ino,
		.has_birth = st.mask & UAPI_STATX_BTIME,
		.birth_sec = st.btime.tv_sec,
		.birth_nsec = st.btime.tv_nsec,
	};
	return 0;
}

/* For kernels before 4.11, and for seccomp filters that do not know statx(). */
static int identify_by_fstat(int fd, struct identity *identity, unsigned int *mode)
{
	struct stat st;
	int ret = sys_fstat(fd, &st);

	if (ret)
		return ret;
	*mode = st.st_mode;
	*identity = (struct identity){
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return 0;
}

static int identify(int fd, struct identity *identity, unsigned int *mode)
{
	int ret = identify_by_statx(fd, identity, mode);

	if (ret && ret != -EBADF)
		ret = identify_by_fstat(fd, identity, mode);
	return ret;
}

static bool is_terminal(int fd)
{
	char settings[64]; /* the kernel's struct termios has 36 */

	return !sys_ioctl(fd, TCGETS, settings);
}

static struct target describe(int fd)
{
	struct target target = {.type = NOWHERE};
	unsigned int mode;

	if (identify(fd, &target.identity, &mode))
		return target;
	if (S_ISREG(mode))
		target.type = TO_FILE;
	else if (S_ISFIFO(mode))
		target.type = TO_PIPE;
	else if (S_ISSOCK(mode))
		target.type = TO_SOCKET;
	else if (S_ISCHR(mode) && is_terminal(fd))
		target.type = TO_TERMINAL;
	return target;
}

static bool is_still(const struct target *target, int fd)
{
	const struct identity *then = &target->identity;
	struct identity now;
	unsigned int mode;

	if (target->type == NOWHERE || identify(fd, &now, &mode))
		return false;
	if (now.dev != then->dev || now.ino != then->ino)
		return false;
	return !now.has_birth || !then->has_birth ||
	       (now.birth_sec == then->birth_sec && now.birth_nsec == then->birth_nsec);
}

static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == encode(1, 3);
}

int log_to_file(const char *path)
{
	struct target target;
	struct stat st;
	int fd, ret;

	lock_assert_held();
	/* Only a regular file is opened: opening another one may block or have an effect. */
	ret = sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
	if (!ret && is_null_device(&st)) {
		hidden_close(&named_fd);
		named = (struct target){.type = TO_NULL};
		return 0;
	}
	if (!ret && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EINVAL;
	fd = (int)sys_call(SYS_openat, AT_FDCWD, (long)path,
			   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
				   O_NONBLOCK,
			   0600, 0, 0);
	if (fd < 0)
		return fd;
	target = describe(fd);
	if (target.type != TO_FILE) {
		sys_close(fd);
		return -EINVAL;
	}
	hidden_close(&named_fd);
	named = target;
	hidden_keep(&named_fd);
	return hidden_take(&named_fd, fd);
}

/* ---- writing without blocking ---- */

static bool has_room(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLOUT};
	const struct timespec now = {0, 0};

	return sys_call(SYS_ppoll, (long)&poll, 1, (long)&now, 0, 0, 0) == 1 &&
	       poll.revents & POLLOUT;
}

/*
 * O_NONBLOCK cannot be used: it belongs to the open file, which other processes share. A
 * pipe that polls as writable has room for PIPE_BUF bytes, so for a line.
 */
static long put_into_pipe(int fd, const char *text, size_t len)
{
	const struct iovec part = {(void *)text, len};
	long ret = sys_call(SYS_pwritev2, fd, (long)&part, 1, -1, -1, UAPI_RWF_NOWAIT);

	/* FIFOs, and all pipes before Linux 6.4, reject the flag. */
	if (ret != -EOPNOTSUPP && ret != -ENOSYS && ret != -EINVAL && ret != -EPERM)
		return ret;
	return has_room(fd) ? sys_write(fd, text, len) : -EAGAIN;
}

/*
 * A terminal that polls as writable has room for 256 characters, the unit of its buffers
 * (drivers/tty/tty_buffer.c). A newline can become two.
 */
#define TERMINAL_PIECE 254

static long put_on_terminal(int fd, const char *text, size_t len)
{
	size_t done = 0;
	long ret = 0;

	while (done < len && ret >= 0) {
		size_t left = len - done;

		ret = -EAGAIN;
		if (has_room(fd))
			ret = sys_write(fd, text + done,
					left < TERMINAL_PIECE ? left : TERMINAL_PIECE);
		if (ret > 0)
			done += (size_t)ret;
	}
	return done ? (long)done : ret;
}

static long put(enum target_type type, int fd, const char *text, size_t len)
{
	switch (type) {
	case TO_FILE:
		return sys_write(fd, text, len);
	case TO_PIPE:
		return put_into_pipe(fd, text, len);
	case TO_SOCKET:
		return sys_call(SYS_sendto, fd, (long)text, (long)len, MSG_DONTWAIT | MSG_NOSIGNAL,
				0, 0);
	case TO_TERMINAL:
		return put_on_terminal(fd, text, len);
	case TO_NULL:
	case NOWHERE:
		break;
	}
	return -EBADF;
}

/* ---- the queue ---- */

#define SLOTS 32

/*
 * A lock-free queue. A slot's turn is twice the number of rounds that it has seen, plus
 * one while it holds a line. All zeroes is an empty queue, which the child of a fork()
 * starts with: the parent writes the lines that are queued there.
 */
struct queue {
	_Atomic(uint64_t) head, tail;
	_Atomic(unsigned int) lost; /* dropped lines since the last line that was written */
	_Atomic(bool) is_cut;	    /* the last line was written without its newline */
	struct slot {
		_Atomic(uint64_t) turn;
		size_t len;
		char text[LINE];
	} slots[SLOTS];
};

static struct queue unwiped; /* before the log starts, and for kernels without MADV_WIPEONFORK */
static struct queue *_Atomic queue = &unwiped;
static _Atomic(bool) started;

/* A signal handler that never returns would leave a claimed slot unusable. */
static uint64_t block_signals(void)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t mask = 0;

	sys_sigprocmask(SIG_SETMASK, &all, &mask);
	return mask;
}

/* Claims the slot at *end. NULL: no slot is ready. */
static struct slot *claim(struct queue *q, _Atomic(uint64_t) *end, unsigned int has_line)
{
	uint64_t at = *end;

	for (;;) {
		struct slot *slot = &q->slots[at % SLOTS];
		uint64_t turn = slot->turn, due = at / SLOTS * 2 + has_line;

		if (turn < due)
			return NULL;
		if (turn == due && atomic_compare_exchange_weak(end, &at, at + 1))
			return slot;
		if (turn > due)
			at = *end;
	}
}

static void enter(const char *text, size_t len)
{
	uint64_t mask = block_signals();
	struct queue *q = queue;
	struct slot *slot = claim(q, &q->tail, 0);

	if (slot) {
		memcpy(slot->text, text, len);
		slot->len = len;
		slot->turn++;
	} else {
		q->lost++;
	}
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Takes the next line out. Returns its length; 0: the queue is empty. */
static size_t next(struct queue *q, char text[LINE])
{
	uint64_t mask = block_signals();
	struct slot *slot = claim(q, &q->head, 1);
	size_t len = 0;

	if (slot) {
		len = slot->len;
		memcpy(text, slot->text, len);
		slot->turn++;
	}
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	return len;
}

/* text[0] is reserved for the newline that the last line lacks. */
static bool write_line(char *text, size_t len)
{
	const struct target *target = &named;
	struct queue *q = queue;
	int fd = named_fd.fd;
	bool was_cut = q->is_cut;
	struct quiet quiet;
	long ret;

	if (named.type == TO_NULL)
		return true;
	/* The program may have closed the hidden descriptor by a raw close(). */
	if (fd < 0 || !is_still(target, fd)) {
		target = &standard_error;
		fd = STDERR_FILENO;
		if (!is_still(target, fd))
			return false;
	}
	if (was_cut)
		*text = '\n';
	text += !was_cut;
	len += was_cut;
	quiet = quiet_begin();
	ret = put(target->type, fd, text, len);
	quiet_end(quiet, ret);
	if (ret > 0)
		q->is_cut = (size_t)ret < len;
	return ret == (long)len;
}

static bool tell_lost(unsigned int lost)
{
	char text[128];
	size_t len = format(text + 1, sizeof(text) - 1,
			    "noiommu-shim[%d]: warning: lost lines of this log, which could not be "
			    "written: %u\n",
			    sys_getpid(), lost);

	return write_line(text, len);
}

static void write_all(void)
{
	char text[1 + LINE];
	unsigned int lost;
	size_t len;

	while (started && (len = next(queue, text + 1))) {
		struct queue *q = queue;

		lost = atomic_exchange(&q->lost, 0);
		if ((lost && !tell_lost(lost)) || !write_line(text, len))
			q->lost += lost + 1;
	}
}

void log_start(void)
{
	struct queue *wiped = queue == &unwiped ? process_memory(sizeof(*wiped)) : NULL;
	char text[LINE];
	size_t len;

	lock_assert_held();
	hidden_close(&named_fd);
	standard_error = describe(STDERR_FILENO);
	if (wiped) {
		queue = wiped;
		/* Lines from before the library's constructor. */
		while ((len = next(&unwiped, text)))
			enter(text, len);
	}
	started = true;
	lock_run_after(write_all);
}

/* Not inlined, so that its stack frame is gone when the lines are written. */
static __attribute__((noinline)) void say(enum log_level level, const char *f, va_list args)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[LINE];
	size_t len =
		format(line, sizeof(line), "noiommu-shim[%d]: %s: ", sys_getpid(), names[level]);

	len += format_args(line + len, sizeof(line) - 1 - len, f, args);
	line[len++] = '\n';
	enter(line, len);
}

void log_line(enum log_level level, const char *f, ...)
{
	va_list args;

	if (level > log_limit)
		return;
	va_start(args, f);
	say(level, f, args);
	va_end(args);
	lock_run_after(write_all);
}
