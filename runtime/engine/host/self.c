// What the program knows of itself.
#include <sys/random.h>

#include "host.h"

#define RANDOM_MAX (16 << 20)

static int argument_count;
static char **argument_values;

void set_program_arguments(int count, char **values) {
  argument_count = count;
  argument_values = values;
}

SYS_VERB(sys_args) {
  JSValue list = new_array(ctx);
  for (int i = 0; i < argument_count; i++) {
    append_value(ctx, list, (uint32_t)i, JS_NewString(ctx, argument_values[i]));
  }
  return list;
}

SYS_VERB(sys_env) {
  JSValue variables = new_object(ctx);
  for (char **entry = environ; *entry; entry++) {
    const char *separator = strchr(*entry, '=');
    if (!separator || separator == *entry) continue;
    JSAtom name = JS_NewAtomLen(ctx, *entry, (size_t)(separator - *entry));
    // Defined, not set: a variable named __proto__ is a variable.
    JS_DefinePropertyValue(ctx, variables, name, JS_NewString(ctx, separator + 1), JS_PROP_C_W_E);
    JS_FreeAtom(ctx, name);
  }
  return variables;
}

SYS_VERB(sys_now) { return JS_NewFloat64(ctx, (double)monotonic_ns() / 1e6); }

SYS_VERB(sys_getrandom) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  size_t length = (size_t)a.numbers[0];
  if (length > RANDOM_MAX) return JS_ThrowRangeError(ctx, "too many random bytes");
  uint8_t *data = resize_buffer(ctx, NULL, length);
  // Only a signal handler could make it short, and there is none.
  if (getrandom(data, length, 0) == (ssize_t)length) return adopt_bytes(ctx, data, length);
  js_free(ctx, data);
  return throw_errno(ctx, "getrandom", NULL, errno);
}

SYS_VERB(sys_gc) {
  JS_RunGC(JS_GetRuntime(ctx));
  return JS_UNDEFINED;
}

SYS_VERB(sys_exit) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  _exit((int)a.numbers[0]);
}

VERBS(self_verbs, SYS_ENTRY("args", sys_args), SYS_ENTRY("env", sys_env), SYS_ENTRY("now", sys_now),
      SYS_ENTRY("getrandom", sys_getrandom), SYS_ENTRY("gc", sys_gc), SYS_ENTRY("exit", sys_exit))
