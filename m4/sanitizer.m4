# NOIOMMU_SHIM_SANITIZER
#
# --with-sanitizer=address,undefined or =thread instruments everything.
AC_DEFUN([NOIOMMU_SHIM_SANITIZER], [
  AC_ARG_WITH([sanitizer],
    [AS_HELP_STRING([--with-sanitizer=LIST], [build with -fsanitize=LIST])],
    [SANITIZER_CFLAGS="-fsanitize=$withval -fno-omit-frame-pointer"],
    [SANITIZER_CFLAGS=])
  AC_SUBST([SANITIZER_CFLAGS])
])
