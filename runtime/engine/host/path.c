// Names in the file system.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "verbs.h"

SYS_VERB(sys_rename) {
  TEXT from = {0};
  TEXT to = {0};
  if (!get_path(ctx, argv[0], &from) || !get_path(ctx, argv[1], &to)) return JS_EXCEPTION;
  return done(ctx, "rename", to.chars, rename(from.chars, to.chars));
}

SYS_VERB(sys_unlink) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  return done(ctx, "unlink", path.chars, unlink(path.chars));
}

SYS_VERB(sys_mkdir) {
  TEXT path = {0};
  int mode;
  if (!get_path(ctx, argv[0], &path) || !get_int(ctx, argv[1], &mode)) return JS_EXCEPTION;
  return done(ctx, "mkdir", path.chars, mkdir(path.chars, mode));
}

SYS_VERB(sys_rmdir) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  return done(ctx, "rmdir", path.chars, rmdir(path.chars));
}

SYS_VERB(sys_symlink) {
  TEXT target = {0};
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &target) || !get_path(ctx, argv[1], &path)) return JS_EXCEPTION;
  return done(ctx, "symlink", path.chars, symlink(target.chars, path.chars));
}

SYS_VERB(sys_readlink) {
  TEXT path = {0};
  char target[4096];  // PATH_MAX, with which Linux bounds targets
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  ssize_t length = readlink(path.chars, target, sizeof target);
  if (length < 0) return throw_errno(ctx, "readlink", path.chars, errno);
  return JS_NewStringLen(ctx, target, (size_t)length);
}

SYS_VERB(sys_readdir) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  DIR *directory = opendir(path.chars);
  if (!directory) return throw_errno(ctx, "opendir", path.chars, errno);
  JSValue names = JS_NewArray(ctx);
  uint32_t count = 0;
  struct dirent *entry;
  while (errno = 0, (entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    append_value(ctx, names, count++, JS_NewString(ctx, entry->d_name));
  }
  int number = errno;
  closedir(directory);
  if (number == 0) return names;
  JS_FreeValue(ctx, names);
  return throw_errno(ctx, "readdir", path.chars, number);
}

SYS_VERB(sys_chmod) {
  TEXT path = {0};
  int mode;
  if (!get_path(ctx, argv[0], &path) || !get_int(ctx, argv[1], &mode)) return JS_EXCEPTION;
  return done(ctx, "chmod", path.chars, chmod(path.chars, mode));
}

SYS_VERB(sys_chown) {
  TEXT path = {0};
  int uid, gid;
  if (!get_path(ctx, argv[0], &path) || !get_int(ctx, argv[1], &uid) ||
      !get_int(ctx, argv[2], &gid)) {
    return JS_EXCEPTION;
  }
  return done(ctx, "lchown", path.chars, lchown(path.chars, (uid_t)uid, (gid_t)gid));
}

SYS_VERB(sys_mknod) {
  TEXT path = {0};
  int mode, major_number, minor_number;
  if (!get_path(ctx, argv[0], &path) || !get_int(ctx, argv[1], &mode) ||
      !get_int(ctx, argv[2], &major_number) || !get_int(ctx, argv[3], &minor_number)) {
    return JS_EXCEPTION;
  }
  dev_t device = makedev((unsigned)major_number, (unsigned)minor_number);
  return done(ctx, "mknod", path.chars, mknod(path.chars, mode, device));
}

SYS_VERB(sys_chdir) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  return done(ctx, "chdir", path.chars, chdir(path.chars));
}

SYS_VERB(sys_chroot) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  return done(ctx, "chroot", path.chars, chroot(path.chars));
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("rename", 2, sys_rename),     JS_CFUNC_DEF("unlink", 1, sys_unlink),
    JS_CFUNC_DEF("mkdir", 2, sys_mkdir),       JS_CFUNC_DEF("rmdir", 1, sys_rmdir),
    JS_CFUNC_DEF("symlink", 2, sys_symlink),   JS_CFUNC_DEF("readlink", 1, sys_readlink),
    JS_CFUNC_DEF("readdir", 1, sys_readdir),   JS_CFUNC_DEF("chmod", 2, sys_chmod),
    JS_CFUNC_DEF("chown", 3, sys_chown),       JS_CFUNC_DEF("mknod", 4, sys_mknod),
    JS_CFUNC_DEF("chdir", 1, sys_chdir),       JS_CFUNC_DEF("chroot", 1, sys_chroot),
};
const VerbTable path_verbs = VERB_TABLE(entries);
