// The verbs that are one system call each.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "host.h"

#define INT(i) ((int)(uint32_t)a.numbers[i])
#define LONG(i) (a.numbers[i])
#define TEXT(i) (a.texts[i])
#define ADDRESS (const struct sockaddr *)a.bytes, (socklen_t)a.byte_count
#define RETRY RETRY_INTERRUPTED

// On Linux the descriptor is free whatever close() answers: EINTR must not be repeated.
static int close_fd(JSContext *ctx, int fd) {
  unwatch(ctx, fd);
  int result = close(fd);
  return result < 0 && errno == EINTR ? 0 : result;
}

static int replace_fd(JSContext *ctx, int from, int to) {
  if (from == to) return to;
  unwatch(ctx, to);
  return RETRY(dup3(from, to, O_CLOEXEC));
}

// The flags of openat2 are 64 bits wide and checked: O_CLOEXEC is among them.
static int open_beneath(int directory, const char *path, int flags, int64_t resolve) {
  struct open_how how = {.flags = (uint32_t)flags | O_CLOEXEC, .resolve = (uint64_t)resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static int set_mount_attributes(const char *path, int flags, int64_t attributes) {
  struct mount_attr change = {.attr_set = (uint64_t)attributes};
  return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, (unsigned)flags, &change, sizeof change);
}

// Effective, permitted and inheritable: what is in `mask`, and nothing else.
static int64_t set_capabilities(uint64_t mask) {
  struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
  uint32_t low = (uint32_t)mask, high = (uint32_t)(mask >> 32);
  struct __user_cap_data_struct sets[] = {{low, low, low}, {high, high, high}};
  return syscall(SYS_capset, &self, sets);
}

static int add_filter(uint8_t *instructions, size_t size) {
  size_t count = size / sizeof(struct sock_filter);
  struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)(void *)instructions};
  if (size % sizeof(struct sock_filter) != 0 || count > BPF_MAXINSNS) {
    errno = EINVAL;
    return -1;
  }
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0L, 0L);
}

// X(verb, format of its arguments, what becomes of the result, call)
// clang-format off
#define CALLS(X) \
  X(open, "sim", answer, RETRY(open(TEXT(0), INT(1) | O_CLOEXEC, INT(2)))) \
  X(openat2, "isil", answer, RETRY(open_beneath(INT(0), TEXT(1), INT(2), LONG(3)))) \
  X(close, "i", done, close_fd(ctx, INT(0))) \
  X(dup2, "ii", done, replace_fd(ctx, INT(0), INT(1))) \
  X(read, "ir", answer_io, RETRY(read(INT(0), a.bytes, a.byte_count))) \
  X(write, "ir", answer_io, RETRY(write(INT(0), a.bytes, a.byte_count))) \
  X(fsync, "i", done, RETRY(fsync(INT(0)))) \
  X(ftruncate, "il", done, RETRY(ftruncate(INT(0), LONG(1)))) \
  X(fallocate, "iill", done, RETRY(fallocate(INT(0), INT(1), LONG(2), LONG(3)))) \
  X(lseek, "ili", answer, lseek(INT(0), LONG(1), INT(2))) \
  X(flock, "ii", answer_io, RETRY(flock(INT(0), INT(1)))) \
  X(setNonBlocking, "i", done, fcntl(INT(0), F_SETFL, fcntl(INT(0), F_GETFL) | O_NONBLOCK)) \
  X(rename, "ss", done, rename(TEXT(0), TEXT(1))) \
  X(unlink, "s", done, unlink(TEXT(0))) \
  X(mkdir, "si", done, mkdir(TEXT(0), INT(1))) \
  X(rmdir, "s", done, rmdir(TEXT(0))) \
  X(symlink, "ss", done, symlink(TEXT(0), TEXT(1))) \
  X(chmod, "si", done, chmod(TEXT(0), INT(1))) \
  X(chown, "sii", done, lchown(TEXT(0), INT(1), INT(2))) \
  X(mknod, "siii", done, mknod(TEXT(0), INT(1), makedev(INT(2), INT(3)))) \
  X(chdir, "s", done, chdir(TEXT(0))) \
  X(chroot, "s", done, chroot(TEXT(0))) \
  X(umask, "i", answer, umask(INT(0))) \
  X(mount, "?s?l?", done, mount(TEXT(0), TEXT(1), TEXT(2), LONG(3), TEXT(4))) \
  X(umount, "si", done, umount2(TEXT(0), INT(1))) \
  X(mountSetattr, "sil", done, set_mount_attributes(TEXT(0), INT(1), LONG(2))) \
  X(pivotRoot, "ss", done, syscall(SYS_pivot_root, TEXT(0), TEXT(1))) \
  X(finitModule, "is", done, syscall(SYS_finit_module, INT(0), TEXT(1), 0)) \
  X(sync, "", done, (sync(), 0)) \
  X(socket, "iii", answer, socket(INT(0), INT(1) | SOCK_CLOEXEC, INT(2))) \
  X(bind, "ib", done, bind(INT(0), ADDRESS)) \
  X(connect, "ib", answer_io, RETRY(connect(INT(0), ADDRESS))) \
  X(listen, "ii", done, listen(INT(0), INT(1))) \
  X(accept, "i", answer_io, RETRY(accept4(INT(0), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK))) \
  X(setsockopt, "iiii", done, \
    setsockopt(INT(0), INT(1), INT(2), &(int){INT(3)}, sizeof(int))) \
  X(kill, "ii", done, kill(INT(0), INT(1))) \
  X(getpid, "", answer, getpid()) \
  X(getppid, "", answer, getppid()) \
  X(prctl, "ill", answer, prctl(INT(0), LONG(1), LONG(2), 0L, 0L)) \
  X(setgroups, "", done, setgroups(0, NULL)) \
  X(setresgid, "i", done, setresgid((gid_t)INT(0), (gid_t)INT(0), (gid_t)INT(0))) \
  X(setresuid, "i", done, setresuid((uid_t)INT(0), (uid_t)INT(0), (uid_t)INT(0))) \
  X(capset, "l", done, set_capabilities((uint64_t)LONG(0))) \
  X(seccomp, "b", done, add_filter(a.bytes, a.byte_count)) \
  X(setsid, "", answer, setsid()) \
  X(setns, "ii", done, setns(INT(0), INT(1))) \
  X(unshare, "i", done, unshare(INT(0))) \
  X(sethostname, "s", done, sethostname(TEXT(0), a.text_lengths[0])) \
  X(reboot, "i", done, reboot(INT(0)))
// clang-format on

// Of two paths, the second is the one that is made.
#define DEFINE_VERB(name, format, outcome, call)                              \
  SYS_VERB(verb_##name) {                                                     \
    ARGUMENTS(a);                                                             \
    if (!get_arguments(ctx, argv, format, &a)) return JS_EXCEPTION;           \
    int64_t result = (call);                                                  \
    return outcome(ctx, #name, a.texts[1] ? a.texts[1] : a.texts[0], result); \
  }
CALLS(DEFINE_VERB)

#define DEFINE_ENTRY(name, format, outcome, call) SYS_ENTRY(#name, verb_##name),
VERBS(call_verbs, CALLS(DEFINE_ENTRY))
