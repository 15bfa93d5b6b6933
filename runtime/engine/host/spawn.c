// Child processes, by clone(CLONE_VM | CLONE_VFORK) on a stack of their own, as posix_spawn does
// it: no page tables are copied, and the shared memory brings back why the child failed before it
// was a program. (vfork() would share this stack, which the compiler does not expect.) exec is the
// same without a child.
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host.h"

typedef struct Spawn {
  const char *file;
  const char *cwd;
  char **argv;
  char **env;
  const int *fds;  // by index in the child; -1 for /dev/null
  int *moved;      // their copies, above all indices
  int fd_count;
  int null_fd;
  int netns;
  int death_signal;
  bool new_session;
  pid_t parent;
  const char *failed_call;
  int failure;  // errno, written by the child
} Spawn;

static bool place_descriptors(const Spawn *spawn) {
  for (int i = 0; i < spawn->fd_count; i++) {
    int from = spawn->fds[i] == -1 ? spawn->null_fd : spawn->fds[i];
    spawn->moved[i] = fcntl(from, F_DUPFD_CLOEXEC, spawn->fd_count);
    if (spawn->moved[i] < 0) return false;
  }
  for (int i = 0; i < spawn->fd_count; i++) {
    if (dup2(spawn->moved[i], i) < 0) return false;
  }
  // Descriptors that we inherited ourselves may lack the flag.
  return syscall(SYS_close_range, (unsigned)spawn->fd_count, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
}

// AddressSanitizer does not know the child's stack.
#define ON_FOREIGN_STACK __attribute__((no_sanitize_address))

ON_FOREIGN_STACK static const char *become_program(const Spawn *spawn) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (spawn->new_session && setsid() < 0) return "setsid";
  if (spawn->death_signal > 0) {
    if (prctl(PR_SET_PDEATHSIG, spawn->death_signal) < 0) return "prctl";
    // The parent may be gone already. 0: it is outside the child's PID namespace.
    pid_t parent = getppid();
    if (parent != 0 && parent != spawn->parent) _exit(127);
  }
  if (spawn->netns >= 0 && setns(spawn->netns, CLONE_NEWNET) < 0) return "setns";
  if (!place_descriptors(spawn)) return "dup2";
  if (spawn->cwd && chdir(spawn->cwd) < 0) return "chdir";
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(spawn->file, spawn->argv);
  return "exec";
}

ON_FOREIGN_STACK static int child_main(void *argument) {
  Spawn *spawn = argument;
  spawn->failed_call = become_program(spawn);
  spawn->failure = errno;
  _exit(127);
}

static JSValue start_child(JSContext *ctx, Spawn *spawn) {
  static char stack[128 * 1024] __attribute__((aligned(16)));
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);  // no handler of ours may run in the child
  char **own_environment = environ;
  if (spawn->env) environ = spawn->env;  // also what the child's exec searches PATH in
  pid_t pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, spawn);
  int number = errno;
  environ = own_environment;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return throw_errno(ctx, "clone", NULL, number);
  if (!spawn->failed_call) return JS_NewInt32(ctx, pid);
  (void)RETRY_INTERRUPTED(waitpid(pid, NULL, 0));
  bool is_cwd = strcmp(spawn->failed_call, "chdir") == 0;
  return throw_errno(ctx, spawn->failed_call, is_cwd ? spawn->cwd : spawn->file, spawn->failure);
}

// Answers only if it fails.
static JSValue replace_self(JSContext *ctx, Spawn *spawn) {
  char **own_environment = environ;
  if (spawn->env) environ = spawn->env;
  const char *failed_call = become_program(spawn);
  int number = errno;
  environ = own_environment;
  return throw_errno(ctx, failed_call, spawn->file, number);
}

static JSValue run_program(JSContext *ctx, JSValueConst *argv,
                           JSValue (*run)(JSContext *ctx, Spawn *spawn)) {
  static const char *const names[] = {"file", "cwd", "netns", "parentDeathSignal", "setsid"};
  ARGUMENTS(options);
  LIST(arguments);
  LIST(environment);
  LIST(fds);
  if (!get_properties(ctx, argv[0], names, "??oof", &options) ||
      !get_list_property(ctx, argv[0], "argv", 's', &arguments) ||
      !get_list_property(ctx, argv[0], "env", 's', &environment) ||
      !get_list_property(ctx, argv[0], "fds", 'i', &fds)) {
    return JS_EXCEPTION;
  }
  if (arguments.count == 0) return JS_ThrowTypeError(ctx, "argv needs at least one element");
  Spawn spawn = {
      .file = options.texts[0] ? options.texts[0] : arguments.texts[0],
      .cwd = options.texts[1],
      .argv = arguments.texts,
      .env = environment.texts,
      .fds = fds.numbers,
      .moved = checked_realloc(NULL, (size_t)fds.count, sizeof(int)),
      .fd_count = fds.count,
      .null_fd = open("/dev/null", O_RDWR | O_CLOEXEC),
      .netns = (int)options.numbers[2],
      .death_signal = (int)options.numbers[3],
      .new_session = options.numbers[4],
      .parent = getpid(),
  };
  JSValue result = run(ctx, &spawn);
  if (spawn.null_fd >= 0) close(spawn.null_fd);
  free(spawn.moved);
  return result;
}

SYS_VERB(sys_spawn) { return run_program(ctx, argv, start_child); }

SYS_VERB(sys_exec) { return run_program(ctx, argv, replace_self); }

VERBS(spawn_verbs, SYS_ENTRY("spawn", sys_spawn), SYS_ENTRY("exec", sys_exec))
