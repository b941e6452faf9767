/* SPDX-License-Identifier: MIT */
#ifndef TRAP_ARCH_H
#define TRAP_ARCH_H

#ifdef __x86_64__
#include "trap/arch-x86_64.h"
#else
#error "src/trap knows no other processor yet: an entry file and an arch-*.h are needed"
#endif

#endif
