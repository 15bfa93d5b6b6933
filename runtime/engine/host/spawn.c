// Child processes, by clone(CLONE_VM | CLONE_VFORK) on a stack of their own, as posix_spawn does
// it: no page tables are copied, and the shared memory brings back why the child failed before it
// was a program. (vfork() would share this stack, which the compiler does not expect.)
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verbs.h"

typedef struct Spawn {
  char *file;
  char *cwd;
  char **argv;
  char **env;
  int *fds;    // by index in the child
  int *moved;  // their copies, above all indices
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
    int from = spawn->fds[i] < 0 ? spawn->null_fd : spawn->fds[i];
    spawn->moved[i] = fcntl(from, F_DUPFD_CLOEXEC, spawn->fd_count);
    if (spawn->moved[i] < 0) return false;
  }
  for (int i = 0; i < spawn->fd_count; i++) {
    if (dup2(spawn->moved[i], i) < 0) return false;
  }
  // Descriptors that we inherited ourselves may lack the flag.
  return close_range((unsigned)spawn->fd_count, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0;
}

static const char *prepare_child(Spawn *spawn) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (spawn->new_session && setsid() < 0) return "setsid";
  if (spawn->death_signal) {
    if (prctl(PR_SET_PDEATHSIG, spawn->death_signal) < 0) return "prctl";
    // 0: the parent is outside the child's PID namespace.
    pid_t parent = getppid();
    if (parent != 0 && parent != spawn->parent) _exit(127);
  }
  if (spawn->netns >= 0 && setns(spawn->netns, CLONE_NEWNET) < 0) return "setns";
  if (!place_descriptors(spawn)) return "dup2";
  if (spawn->cwd && chdir(spawn->cwd) < 0) return "chdir";
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(spawn->file ? spawn->file : spawn->argv[0], spawn->argv);
  return "exec";
}

static int child_main(void *argument) {
  Spawn *spawn = argument;
  spawn->failed_call = prepare_child(spawn);
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
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  const char *subject = spawn->file ? spawn->file : spawn->argv[0];
  bool is_cwd = strcmp(spawn->failed_call, "chdir") == 0;
  return throw_errno(ctx, spawn->failed_call, is_cwd ? spawn->cwd : subject, spawn->failure);
}

// Reads a property by a format of get_arguments; undefined leaves `out` as it is.
static bool read_property(JSContext *ctx, JSValueConst request, const char *name,
                          const char *format, Arguments *out) {
  JSValue value = JS_GetPropertyStr(ctx, request, name);
  bool good = JS_IsUndefined(value) || get_arguments(ctx, &value, format, out);
  JS_FreeValue(ctx, value);
  return good;
}

static bool read_int(JSContext *ctx, JSValueConst request, const char *name, int *out) {
  ARGUMENTS(property);
  property.numbers[0] = *out;
  if (!read_property(ctx, request, name, "i", &property)) return false;
  *out = (int)property.numbers[0];
  return true;
}

static char *copy_text(const char *text) {
  return text ? strcpy(checked_realloc(NULL, strlen(text) + 1, 1), text) : NULL;
}

static bool read_text(JSContext *ctx, JSValueConst request, const char *name, char **out) {
  ARGUMENTS(property);
  if (!read_property(ctx, request, name, "s", &property)) return false;
  *out = copy_text(property.texts[0]);
  return true;
}

// An array property, its elements as texts or as numbers. False if it is missing, too.
static bool read_list(JSContext *ctx, JSValueConst request, const char *name, char ***texts,
                      int **numbers, int *count) {
  ARGUMENTS(length);
  JSValue list = JS_GetPropertyStr(ctx, request, name);
  bool good = read_property(ctx, list, "length", "i", &length);
  *count = good ? (int)length.numbers[0] : 0;
  if (texts) {
    *texts = checked_realloc(NULL, *count + 1, sizeof **texts);
    memset(*texts, 0, (*count + 1) * sizeof **texts);
  }
  if (numbers) *numbers = checked_realloc(NULL, *count, sizeof **numbers);
  for (int i = 0; good && i < *count; i++) {
    ARGUMENTS(item);
    JSValue value = JS_GetPropertyUint32(ctx, list, (uint32_t)i);
    good = get_arguments(ctx, &value, texts ? "s" : "i", &item);
    if (good && texts) (*texts)[i] = copy_text(item.texts[0]);
    if (good && numbers) (*numbers)[i] = (int)item.numbers[0];
    JS_FreeValue(ctx, value);
  }
  JS_FreeValue(ctx, list);
  return good;
}

static bool read_request(JSContext *ctx, JSValueConst request, Spawn *spawn) {
  JSValue new_session = JS_GetPropertyStr(ctx, request, "setsid");
  spawn->new_session = JS_ToBool(ctx, new_session) > 0;
  JS_FreeValue(ctx, new_session);
  JSValue env = JS_GetPropertyStr(ctx, request, "env");
  bool has_env = !JS_IsUndefined(env);
  JS_FreeValue(ctx, env);
  int argc, env_count;
  if (!read_list(ctx, request, "argv", &spawn->argv, NULL, &argc) ||
      !read_list(ctx, request, "fds", NULL, &spawn->fds, &spawn->fd_count) ||
      (has_env && !read_list(ctx, request, "env", &spawn->env, NULL, &env_count)) ||
      !read_text(ctx, request, "file", &spawn->file) ||
      !read_text(ctx, request, "cwd", &spawn->cwd) ||
      !read_int(ctx, request, "netns", &spawn->netns) ||
      !read_int(ctx, request, "parentDeathSignal", &spawn->death_signal)) {
    return false;
  }
  if (argc > 0) return true;
  JS_ThrowTypeError(ctx, "argv needs at least one element");
  return false;
}

static void free_list(char **list) {
  for (char **item = list; item && *item; item++) free(*item);
  free(list);
}

SYS_VERB(sys_spawn) {
  Spawn spawn = {.netns = -1, .null_fd = -1, .parent = getpid()};
  JSValue result = JS_EXCEPTION;
  if (read_request(ctx, argv[0], &spawn)) {
    spawn.moved = checked_realloc(NULL, spawn.fd_count, sizeof *spawn.moved);
    spawn.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    result = start_child(ctx, &spawn);
    if (spawn.null_fd >= 0) close(spawn.null_fd);
  }
  free_list(spawn.argv);
  free_list(spawn.env);
  free(spawn.file);
  free(spawn.cwd);
  free(spawn.fds);
  free(spawn.moved);
  return result;
}

static const JSCFunctionListEntry entries[] = {SYS_ENTRY("spawn", sys_spawn)};
const VerbTable spawn_verbs = VERB_TABLE(entries);
