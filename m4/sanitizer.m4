# NOIOMMU_SHIM_SANITIZER
#
# --with-sanitizer=address,undefined or =thread instruments everything.
# --enable-debug has functions that need the lock look whether it is held.
# --enable-helgrind has the library tell helgrind what it cannot know.
AC_DEFUN([NOIOMMU_SHIM_SANITIZER], [
  AC_ARG_WITH([sanitizer],
    [AS_HELP_STRING([--with-sanitizer=LIST], [build with -fsanitize=LIST])],
    [SANITIZER_CFLAGS="-fsanitize=$withval -fno-omit-frame-pointer"],
    [SANITIZER_CFLAGS=])
  AC_SUBST([SANITIZER_CFLAGS])
  AC_ARG_ENABLE([debug],
    [AS_HELP_STRING([--enable-debug], [end a process that needs the lock and does not hold it])])
  AS_IF([test "$enable_debug" = yes],
    [AC_DEFINE([ENABLE_DEBUG], [1], [functions that need the lock look whether it is held])])
  AC_ARG_ENABLE([helgrind],
    [AS_HELP_STRING([--enable-helgrind], [tell helgrind of the lock and of atomic variables])])
  AS_IF([test "$enable_helgrind" = yes], [
    AC_CHECK_HEADER([valgrind/helgrind.h], [],
      [AC_MSG_ERROR([--enable-helgrind needs valgrind/helgrind.h])])
    AC_DEFINE([ENABLE_HELGRIND], [1], [helgrind is told of the lock and of atomic variables])
  ])
])
