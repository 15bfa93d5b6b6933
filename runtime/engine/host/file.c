// Descriptors, files and directories, beyond single calls.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "host.h"

SYS_VERB(sys_pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return throw_errno(ctx, "pipe2", NULL, errno);
  JSValue pair = new_array(ctx);
  append_value(ctx, pair, 0, JS_NewInt32(ctx, ends[0]));
  append_value(ctx, pair, 1, JS_NewInt32(ctx, ends[1]));
  return pair;
}

SYS_VERB(sys_getsockopt) {
  ARGUMENTS(a);
  int value = 0;
  socklen_t size = sizeof value;
  if (!get_arguments(ctx, argv, "iii", &a)) return JS_EXCEPTION;
  int fd = (int)a.numbers[0], level = (int)a.numbers[1], option = (int)a.numbers[2];
  int result = getsockopt(fd, level, option, &value, &size);
  return result < 0 ? throw_errno(ctx, "getsockopt", NULL, errno) : JS_NewInt32(ctx, value);
}

SYS_VERB(sys_receive) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  int fd = (int)a.numbers[0];
  // MSG_TRUNC: the whole length, whatever would fit.
  ssize_t length = RETRY_INTERRUPTED(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC));
  if (length < 0) return answer_io(ctx, "recv", NULL, length);
  uint8_t *data = resize_buffer(ctx, NULL, (size_t)length);
  length = RETRY_INTERRUPTED(recv(fd, data, (size_t)length, 0));
  if (length >= 0) return adopt_bytes(ctx, data, (size_t)length);
  int number = errno;
  js_free(ctx, data);
  return throw_errno(ctx, "recv", NULL, number);
}

static JSValue read_to_end(JSContext *ctx, int fd, const char *path) {
  // The size of files in /proc is 0: read until the end, whatever stat says.
  size_t capacity = 4096, length = 0;
  uint8_t *data = resize_buffer(ctx, NULL, capacity);
  ssize_t count;
  while ((count = RETRY_INTERRUPTED(read(fd, data + length, capacity - length))) > 0) {
    length += (size_t)count;
    if (length == capacity) data = resize_buffer(ctx, data, capacity *= 2);
  }
  int number = errno;
  close(fd);
  if (count == 0) return adopt_bytes(ctx, data, length);
  js_free(ctx, data);
  return throw_errno(ctx, "read", path, number);
}

static JSValue read_file(JSContext *ctx, JSValueConst *argv, bool may_be_absent) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "s", &a)) return JS_EXCEPTION;
  int fd = RETRY_INTERRUPTED(open(a.texts[0], O_RDONLY | O_CLOEXEC));
  if (fd >= 0) return read_to_end(ctx, fd, a.texts[0]);
  if (may_be_absent && (errno == ENOENT || errno == ENOTDIR)) return JS_NULL;
  return throw_errno(ctx, "open", a.texts[0], errno);
}

SYS_VERB(sys_read_file) { return read_file(ctx, argv, false); }

SYS_VERB(sys_find_file) { return read_file(ctx, argv, true); }

SYS_VERB(sys_readlink) {
  ARGUMENTS(a);
  char target[PATH_MAX];
  if (!get_arguments(ctx, argv, "s", &a)) return JS_EXCEPTION;
  ssize_t length = readlink(a.texts[0], target, sizeof target);
  if (length < 0) return throw_errno(ctx, "readlink", a.texts[0], errno);
  return JS_NewStringLen(ctx, target, (size_t)length);
}

SYS_VERB(sys_readdir) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "s", &a)) return JS_EXCEPTION;
  DIR *directory = opendir(a.texts[0]);
  if (!directory) return throw_errno(ctx, "opendir", a.texts[0], errno);
  JSValue names = new_array(ctx);
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
  return throw_errno(ctx, "readdir", a.texts[0], number);
}

static int give_entry(int parent, const char *name, const struct stat *status, gid_t group) {
  bool is_directory = S_ISDIR(status->st_mode), is_given = status->st_gid == group;
  if (!is_given && fchownat(parent, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (S_ISLNK(status->st_mode)) return 0;
  mode_t mode = status->st_mode & 07777, wanted = mode | (is_directory ? 02770 : 0660);
  // A program loses its set-ID bits with the change of its group: they are given back.
  return is_given && mode == wanted ? 0 : fchmodat(parent, name, wanted, 0);
}

static int give_tree(int parent, const char *name, dev_t device, gid_t group);

static int give_children(int fd, dev_t device, gid_t group) {
  DIR *directory = fdopendir(fd);
  if (!directory) {
    close(fd);
    return -1;
  }
  int result = 0;
  struct dirent *entry;
  while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    result = give_tree(dirfd(directory), entry->d_name, device, group);
  }
  int number = errno;
  closedir(directory);
  errno = number;
  return number == 0 ? 0 : -1;
}

// What is mounted below is not of the tree. A directory comes after all below it: the root is the last.
static int give_tree(int parent, const char *name, dev_t device, gid_t group) {
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (device != 0 && status.st_dev != device) return 0;
  if (S_ISDIR(status.st_mode)) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || give_children(fd, status.st_dev, group) < 0) return -1;
  }
  return give_entry(parent, name, &status, group);
}

// A tree in one call: its names are bytes, which need not be text, and there may be very many.
SYS_VERB(sys_give_to_group) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "si", &a)) return JS_EXCEPTION;
  int result = give_tree(AT_FDCWD, a.texts[0], 0, (gid_t)a.numbers[1]);
  return result < 0 ? throw_errno(ctx, "giveToGroup", a.texts[0], errno) : JS_UNDEFINED;
}

VERBS(file_verbs, SYS_ENTRY("pipe", sys_pipe), SYS_ENTRY("getsockopt", sys_getsockopt),
      SYS_ENTRY("receive", sys_receive), SYS_ENTRY("readFile", sys_read_file),
      SYS_ENTRY("findFile", sys_find_file), SYS_ENTRY("readlink", sys_readlink), SYS_ENTRY("readdir", sys_readdir),
      SYS_ENTRY("giveToGroup", sys_give_to_group))
