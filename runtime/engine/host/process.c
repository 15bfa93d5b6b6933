// Processes, signals and namespaces.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verbs.h"

SYS_VERB(sys_waitpid) {
  int pid, flags, status = 0;
  if (!get_int(ctx, argv[0], &pid) || !get_int(ctx, argv[1], &flags)) return JS_EXCEPTION;
  pid_t ended;
  do ended = waitpid(pid, &status, flags);
  while (ended < 0 && errno == EINTR);
  if (ended == 0 || (ended < 0 && errno == ECHILD)) return JS_NULL;
  if (ended < 0) return throw_errno(ctx, "waitpid", NULL, errno);
  JSValue exit = JS_NewObject(ctx);
  if (JS_IsException(exit)) return exit;
  set_number(ctx, exit, "pid", ended);
  set_number(ctx, exit, "code", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  set_number(ctx, exit, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return exit;
}

SYS_VERB(sys_kill) {
  int pid, number;
  if (!get_int(ctx, argv[0], &pid) || !get_int(ctx, argv[1], &number)) return JS_EXCEPTION;
  return done(ctx, "kill", NULL, kill(pid, number));
}

SYS_VERB(sys_getpid) { return JS_NewInt32(ctx, getpid()); }

SYS_VERB(sys_prctl) {
  int operation;
  int64_t argument;
  if (!get_int(ctx, argv[0], &operation) || !get_int64(ctx, argv[1], &argument)) {
    return JS_EXCEPTION;
  }
  return answer(ctx, "prctl", NULL, prctl(operation, (unsigned long)argument, 0UL, 0UL, 0UL));
}

SYS_VERB(sys_setsid) { return answer(ctx, "setsid", NULL, setsid()); }

SYS_VERB(sys_signalfd) {
  sigset_t signals;
  sigemptyset(&signals);
  for (uint32_t i = 0;; i++) {
    int number;
    JSValue value = JS_GetPropertyUint32(ctx, argv[0], i);
    if (JS_IsUndefined(value)) break;
    if (JS_IsException(value) || !get_int(ctx, value, &number)) return JS_EXCEPTION;
    if (sigaddset(&signals, number) < 0) return throw_errno(ctx, "sigaddset", NULL, errno);
  }
  int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd >= 0) sigprocmask(SIG_BLOCK, &signals, NULL);
  return answer(ctx, "signalfd", NULL, fd);
}

SYS_VERB(sys_setns) {
  int fd, type;
  if (!get_int(ctx, argv[0], &fd) || !get_int(ctx, argv[1], &type)) return JS_EXCEPTION;
  return done(ctx, "setns", NULL, setns(fd, type));
}

SYS_VERB(sys_unshare) {
  int flags;
  if (!get_int(ctx, argv[0], &flags)) return JS_EXCEPTION;
  return done(ctx, "unshare", NULL, unshare(flags));
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("waitpid", 2, sys_waitpid), JS_CFUNC_DEF("kill", 2, sys_kill),
    JS_CFUNC_DEF("getpid", 0, sys_getpid),   JS_CFUNC_DEF("prctl", 2, sys_prctl),
    JS_CFUNC_DEF("setsid", 0, sys_setsid),   JS_CFUNC_DEF("signalfd", 1, sys_signalfd),
    JS_CFUNC_DEF("setns", 2, sys_setns),     JS_CFUNC_DEF("unshare", 1, sys_unshare),
};
const VerbTable process_verbs = VERB_TABLE(entries);
