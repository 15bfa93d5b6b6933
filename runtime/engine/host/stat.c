// What the kernel knows of files and file systems.
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "verbs.h"

static JSValue new_stat(JSContext *ctx, const struct stat *status) {
  JSValue object = JS_NewObject(ctx);
  if (JS_IsException(object)) return object;
  set_number(ctx, object, "dev", (int64_t)status->st_dev);
  set_number(ctx, object, "ino", (int64_t)status->st_ino);
  set_number(ctx, object, "mode", status->st_mode);
  set_number(ctx, object, "uid", status->st_uid);
  set_number(ctx, object, "gid", status->st_gid);
  set_number(ctx, object, "rdev", (int64_t)status->st_rdev);
  set_number(ctx, object, "size", status->st_size);
  set_number(ctx, object, "blocks", status->st_blocks);
  return object;
}

static JSValue stat_path(JSContext *ctx, JSValueConst value,
                         int (*call)(const char *path, struct stat *status), const char *name) {
  TEXT path = {0};
  struct stat status;
  if (!get_path(ctx, value, &path)) return JS_EXCEPTION;
  if (call(path.chars, &status) == 0) return new_stat(ctx, &status);
  if (errno == ENOENT || errno == ENOTDIR) return JS_NULL;
  return throw_errno(ctx, name, path.chars, errno);
}

SYS_VERB(sys_stat) { return stat_path(ctx, argv[0], stat, "stat"); }

SYS_VERB(sys_lstat) { return stat_path(ctx, argv[0], lstat, "lstat"); }

SYS_VERB(sys_fstat) {
  int fd;
  struct stat status;
  if (!get_int(ctx, argv[0], &fd)) return JS_EXCEPTION;
  if (fstat(fd, &status) < 0) return throw_errno(ctx, "fstat", NULL, errno);
  return new_stat(ctx, &status);
}

SYS_VERB(sys_statvfs) {
  TEXT path = {0};
  struct statvfs status;
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  if (statvfs(path.chars, &status) < 0) return throw_errno(ctx, "statvfs", path.chars, errno);
  JSValue object = JS_NewObject(ctx);
  if (JS_IsException(object)) return object;
  // f_frsize is the unit of the block counts; f_bsize is only the preferred size of a transfer.
  set_number(ctx, object, "blockSize", (int64_t)status.f_frsize);
  set_number(ctx, object, "blocks", (int64_t)status.f_blocks);
  set_number(ctx, object, "blocksAvailable", (int64_t)status.f_bavail);
  set_number(ctx, object, "files", (int64_t)status.f_files);
  set_number(ctx, object, "filesAvailable", (int64_t)status.f_favail);
  return object;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("stat", 1, sys_stat),
    JS_CFUNC_DEF("lstat", 1, sys_lstat),
    JS_CFUNC_DEF("fstat", 1, sys_fstat),
    JS_CFUNC_DEF("statvfs", 1, sys_statvfs),
};
const VerbTable stat_verbs = VERB_TABLE(entries);
