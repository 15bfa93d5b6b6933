// The native host: the engine, its `sys` object, and the program's bytecode, which app.S links in.
#include <signal.h>
#include <sys/mman.h>

#include "host.h"

#define PAGE_SIZE 4096
#define STACK_SIZE (1024 * 1024)
// Allocated bytes before the first collection: a program of milliseconds ends without one.
#define GC_THRESHOLD (1024 * 1024)

extern const uint8_t app_bytecode[], app_bytecode_end[];

static const VerbTable *const tables[] = {
    &watch_verbs, &timer_verbs, &call_verbs,    &file_verbs, &stat_verbs,
    &ioctl_verbs, &spawn_verbs, &process_verbs, &self_verbs,
};

static void install_sys(JSContext *ctx) {
  JSValue sys = new_object(ctx);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    JS_SetPropertyFunctionList(ctx, sys, tables[i]->entries, tables[i]->count);
  }
  JSValue global = JS_GetGlobalObject(ctx);
  set_value(ctx, global, "sys", sys);
  JS_FreeValue(ctx, global);
}

// The engine has its own copy then. Pages of a file that nobody looks at still count as the program's memory.
static void forget_bytecode(void) {
  uintptr_t start = ((uintptr_t)app_bytecode + PAGE_SIZE - 1) & ~(uintptr_t)(PAGE_SIZE - 1);
  uintptr_t end = (uintptr_t)app_bytecode_end & ~(uintptr_t)(PAGE_SIZE - 1);
  if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
}

int main(int argc, char **argv) {
  set_program_arguments(argc, argv);
  signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an EPIPE
#ifdef __SANITIZE_ADDRESS__
  JSRuntime *runtime = JS_NewRuntime();  // each block is to be seen by itself
#else
  JSRuntime *runtime = JS_NewRuntime2(&allocator, NULL);
#endif
  JSContext *ctx = runtime ? JS_NewContext(runtime) : NULL;
  if (!ctx) die("out of memory");
  JS_SetMaxStackSize(runtime, STACK_SIZE);
  JS_SetGCThreshold(runtime, GC_THRESHOLD);
  JS_SetHostPromiseRejectionTracker(runtime, track_rejection, NULL);
  install_sys(ctx);
  size_t size = (size_t)(app_bytecode_end - app_bytecode);
  JSValue app = JS_ReadObject(ctx, app_bytecode, size, JS_READ_OBJ_BYTECODE);
  forget_bytecode();
  if (JS_IsException(app) || JS_ResolveModule(ctx, app) < 0) die_uncaught(ctx);
  JSValue result = JS_EvalFunction(ctx, app);
  if (JS_IsException(result)) die_uncaught(ctx);
  JS_FreeValue(ctx, result);
  run_loop(ctx);
  _exit(0);  // the kernel frees faster than we do
}
