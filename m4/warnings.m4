# NOIOMMU_SHIM_WARNINGS
#
# --enable-werror makes warnings errors; a developer's and CI's builds use it,
# a distribution's need not.
AC_DEFUN([NOIOMMU_SHIM_WARNINGS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])])
  WARNING_CFLAGS="-Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wpointer-arith -Wvla -Wundef"
  AS_IF([test "$enable_werror" = yes], [WARNING_CFLAGS="$WARNING_CFLAGS -Werror"])
  AC_SUBST([WARNING_CFLAGS])
  # A call takes little of the stack of whoever makes it. Sanitizers need more.
  AS_IF([test -z "$with_sanitizer"], [FRAME_CFLAGS="-Wframe-larger-than=768"])
  AC_SUBST([FRAME_CFLAGS])
])
