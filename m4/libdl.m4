dnl dlsym() is in libc since glibc 2.34, in libdl before. What is built against
dnl the newer one has to name libdl all the same, to load where only the older
dnl one is. Sets DL_LIBS.
AC_DEFUN([NOIOMMU_SHIM_LIBDL], [
  AC_MSG_CHECKING([for libdl.so.2])
  DL_LIBS='-Wl,--push-state,--no-as-needed,-l:libdl.so.2,--pop-state'
  noiommu_shim_saved_LIBS=$LIBS
  LIBS="$DL_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [
    AC_MSG_RESULT([yes])
  ], [
    AC_MSG_RESULT([no])
    DL_LIBS=-ldl
  ])
  LIBS=$noiommu_shim_saved_LIBS
  AC_SUBST([DL_LIBS])
])
