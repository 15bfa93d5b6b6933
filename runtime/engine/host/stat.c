// What the kernel knows of files and file systems.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "host.h"

static JSValue new_stat(JSContext *ctx, const struct stat *status) {
  JSValue object = new_object(ctx);
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

static JSValue stat_path(JSContext *ctx, JSValueConst *argv, const char *name,
                         int (*call)(const char *path, struct stat *status)) {
  ARGUMENTS(a);
  struct stat status;
  if (!get_arguments(ctx, argv, "s", &a)) return JS_EXCEPTION;
  if (call(a.texts[0], &status) == 0) return new_stat(ctx, &status);
  if (errno == ENOENT || errno == ENOTDIR) return JS_NULL;
  return throw_errno(ctx, name, a.texts[0], errno);
}

SYS_VERB(sys_stat) { return stat_path(ctx, argv, "stat", stat); }

SYS_VERB(sys_lstat) { return stat_path(ctx, argv, "lstat", lstat); }

SYS_VERB(sys_fstat) {
  ARGUMENTS(a);
  struct stat status;
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  int result = fstat((int)a.numbers[0], &status);
  return result < 0 ? throw_errno(ctx, "fstat", NULL, errno) : new_stat(ctx, &status);
}

SYS_VERB(sys_statvfs) {
  ARGUMENTS(a);
  struct statvfs status;
  if (!get_arguments(ctx, argv, "s", &a)) return JS_EXCEPTION;
  if (statvfs(a.texts[0], &status) < 0) return throw_errno(ctx, "statvfs", a.texts[0], errno);
  JSValue object = new_object(ctx);
  // f_frsize is the unit of the counts; f_bsize is only the preferred size of a transfer.
  set_number(ctx, object, "blockSize", (int64_t)status.f_frsize);
  set_number(ctx, object, "blocks", (int64_t)status.f_blocks);
  set_number(ctx, object, "blocksFree", (int64_t)status.f_bfree);
  set_number(ctx, object, "blocksAvailable", (int64_t)status.f_bavail);
  set_number(ctx, object, "files", (int64_t)status.f_files);
  set_number(ctx, object, "filesAvailable", (int64_t)status.f_favail);
  set_value(ctx, object, "isReadOnly", JS_NewBool(ctx, status.f_flag & ST_RDONLY));
  return object;
}

VERBS(stat_verbs, SYS_ENTRY("stat", sys_stat), SYS_ENTRY("lstat", sys_lstat),
      SYS_ENTRY("fstat", sys_fstat), SYS_ENTRY("statvfs", sys_statvfs))
