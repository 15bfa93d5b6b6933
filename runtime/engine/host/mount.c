// Mounts, modules, and the end of the machine.
#include <errno.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "verbs.h"

SYS_VERB(sys_mount) {
  TEXT source = {0};
  TEXT target = {0};
  TEXT type = {0};
  TEXT data = {0};
  int64_t flags;
  if (!get_nullable_path(ctx, argv[0], &source) || !get_path(ctx, argv[1], &target) ||
      !get_nullable_path(ctx, argv[2], &type) || !get_int64(ctx, argv[3], &flags) ||
      !get_nullable_path(ctx, argv[4], &data)) {
    return JS_EXCEPTION;
  }
  int result = mount(source.chars, target.chars, type.chars, (unsigned long)flags, data.chars);
  return done(ctx, "mount", target.chars, result);
}

SYS_VERB(sys_umount) {
  TEXT target = {0};
  int flags;
  if (!get_path(ctx, argv[0], &target) || !get_int(ctx, argv[1], &flags)) return JS_EXCEPTION;
  return done(ctx, "umount2", target.chars, umount2(target.chars, flags));
}

SYS_VERB(sys_finit_module) {
  int fd;
  TEXT parameters = {0};
  if (!get_int(ctx, argv[0], &fd) || !get_path(ctx, argv[1], &parameters)) return JS_EXCEPTION;
  int result = (int)syscall(SYS_finit_module, fd, parameters.chars, 0);
  return done(ctx, "finit_module", NULL, result);
}

SYS_VERB(sys_sync) {
  sync();
  return JS_UNDEFINED;
}

SYS_VERB(sys_reboot) {
  int command;
  if (!get_int(ctx, argv[0], &command)) return JS_EXCEPTION;
  return done(ctx, "reboot", NULL, reboot(command));
}

SYS_VERB(sys_sethostname) {
  TEXT name = {0};
  if (!get_path(ctx, argv[0], &name)) return JS_EXCEPTION;
  return done(ctx, "sethostname", name.chars, sethostname(name.chars, name.length));
}

SYS_VERB(sys_umask) {
  int mask;
  if (!get_int(ctx, argv[0], &mask)) return JS_EXCEPTION;
  return JS_NewInt32(ctx, (int)umask((mode_t)mask));
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("mount", 5, sys_mount),
    JS_CFUNC_DEF("umount", 2, sys_umount),
    JS_CFUNC_DEF("finitModule", 2, sys_finit_module),
    JS_CFUNC_DEF("sync", 0, sys_sync),
    JS_CFUNC_DEF("reboot", 1, sys_reboot),
    JS_CFUNC_DEF("sethostname", 1, sys_sethostname),
    JS_CFUNC_DEF("umask", 1, sys_umask),
};
const VerbTable mount_verbs = VERB_TABLE(entries);
