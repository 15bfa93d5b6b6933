// The native host: the engine, its `sys` object, and the program that app.S links in.
#include <signal.h>

#include "host.h"

#define STACK_SIZE (1024 * 1024)
// Allocated bytes before the first collection: a program of milliseconds ends without one.
#define GC_THRESHOLD (1024 * 1024)

extern const uint8_t app_bytecode[], app_bytecode_end[];

static const VerbTable *const tables[] = {
    &watch_verbs, &timer_verbs, &call_verbs,    &file_verbs, &stat_verbs,
    &ioctl_verbs, &spawn_verbs, &process_verbs, &self_verbs,
};

static void add_verbs(JSContext *ctx, JSValueConst sys, const VerbTable *table) {
  JS_SetPropertyFunctionList(ctx, sys, table->entries, table->count);
}

static JSContext *new_context(void) {
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
  return ctx;
}

static void load_modules(JSContext *ctx) {
  size_t size = (size_t)(app_bytecode_end - app_bytecode);
  JSValue app = JS_ReadObject(ctx, app_bytecode, size, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(app) || JS_ResolveModule(ctx, app) < 0) die_uncaught(ctx);
  JSValue result = JS_EvalFunction(ctx, app);
  if (JS_IsException(result)) die_uncaught(ctx);
  JS_FreeValue(ctx, result);
  run_jobs(ctx);
}

// System calls come last: what one said while modules are loaded would be in the image for ever.
static Program load_program(void) {
  JSContext *ctx = new_context();
  JSValue sys = new_object(ctx), global = JS_GetGlobalObject(ctx);
  add_verbs(ctx, sys, &text_verbs);
  set_value(ctx, global, "sys", JS_DupValue(ctx, sys));
  JS_FreeValue(ctx, global);
  load_modules(ctx);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) add_verbs(ctx, sys, tables[i]);
  JSValue main = JS_GetPropertyStr(ctx, sys, "main");
  if (!JS_IsFunction(ctx, main)) die("the program does not set sys.main");
  JSValue is_brief = JS_GetPropertyStr(ctx, sys, "isBrief");
  JS_FreeValue(ctx, sys);
  return (Program){JS_GetRuntime(ctx), ctx, main, JS_ToBool(ctx, is_brief)};
}

int main(int argc, char **argv) {
  set_program_arguments(argc, argv);
  signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an EPIPE
  Program program;
  if (!wake_image(&program)) {
    bool makes_image = begin_image();
    program = load_program();
    if (makes_image) write_image(&program);
  }
  call_back(program.ctx, program.main);
  run_loop(program.ctx);
  _exit(0);  // the kernel frees faster than we do
}
