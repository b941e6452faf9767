/* SPDX-License-Identifier: MIT */
/* The little of a libc that the image has. */
#ifndef TRAP_FLOOR_H
#define TRAP_FLOOR_H

/* The kernel's, behind the environment on the program's first stack. */
void floor_set_auxv(const unsigned long *from);

/* What pthread_atfork() was given; there is one who calls it. */
struct floor_fork {
	void (*before)(void);
	void (*in_parent)(void);
	void (*in_child)(void);
};
extern struct floor_fork floor_fork;

#endif
