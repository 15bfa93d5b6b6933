// Descriptors and what is done with them.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "loop.h"
#include "verbs.h"

SYS_VERB(sys_open) {
  TEXT path = {0};
  int flags, mode, fd;
  if (!get_path(ctx, argv[0], &path) || !get_int(ctx, argv[1], &flags) ||
      !get_optional_int(ctx, argv[2], 0600, &mode)) {
    return JS_EXCEPTION;
  }
  do fd = open(path.chars, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return answer(ctx, "open", path.chars, fd);
}

SYS_VERB(sys_close) {
  int fd;
  if (!get_int(ctx, argv[0], &fd)) return JS_EXCEPTION;
  unwatch(ctx, fd);
  // On Linux the descriptor is free whatever close() answers; EINTR must not be repeated.
  int result = close(fd);
  return result < 0 && errno == EINTR ? JS_UNDEFINED : done(ctx, "close", NULL, result);
}

SYS_VERB(sys_read) {
  int fd;
  Bytes bytes;
  if (!get_int(ctx, argv[0], &fd) || !get_range(ctx, argv + 1, &bytes)) return JS_EXCEPTION;
  ssize_t result;
  do result = read(fd, bytes.start, bytes.length);
  while (result < 0 && errno == EINTR);
  return answer_io(ctx, "read", result);
}

SYS_VERB(sys_write) {
  int fd;
  Bytes bytes;
  if (!get_int(ctx, argv[0], &fd) || !get_range(ctx, argv + 1, &bytes)) return JS_EXCEPTION;
  ssize_t result;
  do result = write(fd, bytes.start, bytes.length);
  while (result < 0 && errno == EINTR);
  return answer_io(ctx, "write", result);
}

SYS_VERB(sys_read_file) {
  TEXT path = {0};
  if (!get_path(ctx, argv[0], &path)) return JS_EXCEPTION;
  int fd = open(path.chars, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return throw_errno(ctx, "open", path.chars, errno);
  // The size of files in /proc is 0: read until the end, whatever stat says.
  size_t capacity = 8192, length = 0;
  uint8_t *data = checked_realloc(NULL, capacity, 1);
  ssize_t count;
  while ((count = read(fd, data + length, capacity - length)) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    length += (size_t)count;
    if (length == capacity) data = checked_realloc(data, capacity *= 2, 1);
  }
  int number = errno;
  close(fd);
  if (count == 0) return adopt_bytes(ctx, data, length);
  free(data);
  return throw_errno(ctx, "read", path.chars, number);
}

SYS_VERB(sys_fsync) {
  int fd;
  if (!get_int(ctx, argv[0], &fd)) return JS_EXCEPTION;
  return done(ctx, "fsync", NULL, fsync(fd));
}

SYS_VERB(sys_ftruncate) {
  int fd;
  int64_t length;
  if (!get_int(ctx, argv[0], &fd) || !get_int64(ctx, argv[1], &length)) return JS_EXCEPTION;
  return done(ctx, "ftruncate", NULL, ftruncate(fd, length));
}

SYS_VERB(sys_lseek) {
  int fd, whence;
  int64_t offset;
  if (!get_int(ctx, argv[0], &fd) || !get_int64(ctx, argv[1], &offset) ||
      !get_int(ctx, argv[2], &whence)) {
    return JS_EXCEPTION;
  }
  return answer(ctx, "lseek", NULL, lseek(fd, offset, whence));
}

SYS_VERB(sys_flock) {
  int fd, operation, result;
  if (!get_int(ctx, argv[0], &fd) || !get_int(ctx, argv[1], &operation)) return JS_EXCEPTION;
  do result = flock(fd, operation);
  while (result < 0 && errno == EINTR);
  return answer_io(ctx, "flock", result);
}

SYS_VERB(sys_pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return throw_errno(ctx, "pipe2", NULL, errno);
  JSValue pair = JS_NewArray(ctx);
  append_value(ctx, pair, 0, JS_NewInt32(ctx, ends[0]));
  append_value(ctx, pair, 1, JS_NewInt32(ctx, ends[1]));
  return pair;
}

SYS_VERB(sys_dup2) {
  int from, to;
  if (!get_int(ctx, argv[0], &from) || !get_int(ctx, argv[1], &to)) return JS_EXCEPTION;
  if (from == to) return JS_UNDEFINED;
  unwatch(ctx, to);
  int result;
  do result = dup3(from, to, O_CLOEXEC);
  while (result < 0 && errno == EINTR);
  return done(ctx, "dup3", NULL, result);
}

SYS_VERB(sys_set_non_blocking) {
  int fd;
  if (!get_int(ctx, argv[0], &fd)) return JS_EXCEPTION;
  int flags = fcntl(fd, F_GETFL);
  int result = flags < 0 ? flags : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  return done(ctx, "fcntl", NULL, result);
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("open", 3, sys_open),
    JS_CFUNC_DEF("close", 1, sys_close),
    JS_CFUNC_DEF("read", 4, sys_read),
    JS_CFUNC_DEF("write", 4, sys_write),
    JS_CFUNC_DEF("readFile", 1, sys_read_file),
    JS_CFUNC_DEF("fsync", 1, sys_fsync),
    JS_CFUNC_DEF("ftruncate", 2, sys_ftruncate),
    JS_CFUNC_DEF("lseek", 3, sys_lseek),
    JS_CFUNC_DEF("flock", 2, sys_flock),
    JS_CFUNC_DEF("pipe", 0, sys_pipe),
    JS_CFUNC_DEF("dup2", 2, sys_dup2),
    JS_CFUNC_DEF("setNonBlocking", 1, sys_set_non_blocking),
};
const VerbTable file_verbs = VERB_TABLE(entries);
