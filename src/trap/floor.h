/* SPDX-License-Identifier: MIT */
/* The part of libc that the image has. */
#ifndef TRAP_FLOOR_H
#define TRAP_FLOOR_H

/* Sets the auxiliary vector. The kernel puts it behind the environment on the first stack. */
void floor_set_auxv(const unsigned long *from);

/* The arguments of pthread_atfork(), which is called only once. */
struct floor_fork {
	void (*before)(void);
	void (*in_parent)(void);
	void (*in_child)(void);
};
extern struct floor_fork floor_fork;

#endif
