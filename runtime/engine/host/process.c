// Children that have ended, and signals as a descriptor.
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "host.h"

SYS_VERB(sys_waitpid) {
  ARGUMENTS(a);
  int status = 0;
  if (!get_arguments(ctx, argv, "ii", &a)) return JS_EXCEPTION;
  pid_t pid = (pid_t)a.numbers[0];
  pid_t ended = RETRY_INTERRUPTED(waitpid(pid, &status, (int)a.numbers[1]));
  if (ended == 0 || (ended < 0 && errno == ECHILD)) return JS_NULL;
  if (ended < 0) return throw_errno(ctx, "waitpid", NULL, errno);
  JSValue exit = new_object(ctx);
  set_number(ctx, exit, "pid", ended);
  set_number(ctx, exit, "code", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  set_number(ctx, exit, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return exit;
}

SYS_VERB(sys_signalfd) {
  LIST(numbers);
  sigset_t signals;
  sigemptyset(&signals);
  if (!get_list(ctx, argv[0], 'i', &numbers)) return JS_EXCEPTION;
  for (int i = 0; i < numbers.count; i++) sigaddset(&signals, numbers.numbers[i]);
  int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd >= 0) sigprocmask(SIG_BLOCK, &signals, NULL);
  return answer(ctx, "signalfd", NULL, fd);
}

VERBS(process_verbs, SYS_ENTRY("waitpid", sys_waitpid), SYS_ENTRY("signalfd", sys_signalfd))
