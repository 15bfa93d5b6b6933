// What the program knows of itself.
#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "loop.h"
#include "verbs.h"

static int argument_count;
static char **argument_values;

void set_arguments(int count, char **values) {
  argument_count = count;
  argument_values = values;
}

SYS_VERB(sys_args) {
  JSValue list = JS_NewArray(ctx);
  for (int i = 0; i < argument_count; i++) {
    append_value(ctx, list, (uint32_t)i, JS_NewString(ctx, argument_values[i]));
  }
  return list;
}

SYS_VERB(sys_env) {
  JSValue variables = JS_NewObject(ctx);
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
  int length;
  if (!get_int(ctx, argv[0], &length)) return JS_EXCEPTION;
  if (length < 0) return JS_ThrowRangeError(ctx, "a length is negative");
  uint8_t *data = checked_realloc(NULL, (size_t)length, 1);
  for (size_t got = 0; got < (size_t)length;) {
    ssize_t count = getrandom(data + got, (size_t)length - got, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      free(data);
      return throw_errno(ctx, "getrandom", NULL, errno);
    }
    got += (size_t)count;
  }
  return adopt_bytes(ctx, data, (size_t)length);
}

SYS_VERB(sys_gc) {
  JS_RunGC(JS_GetRuntime(ctx));
  malloc_trim(0);  // glibc keeps freed pages without it
  return JS_UNDEFINED;
}

SYS_VERB(sys_exit) {
  int code;
  if (!get_int(ctx, argv[0], &code)) return JS_EXCEPTION;
  _exit(code);
}

SYS_VERB(sys_strerror) {
  int number;
  if (!get_int(ctx, argv[0], &number)) return JS_EXCEPTION;
  JSValue object = JS_NewObject(ctx);
  if (JS_IsException(object)) return object;
  set_value(ctx, object, "code", JS_NewString(ctx, errno_name(number)));
  set_value(ctx, object, "message", JS_NewString(ctx, strerror(number)));
  return object;
}

SYS_VERB(sys_versions) {
  JSValue object = JS_NewObject(ctx);
  if (JS_IsException(object)) return object;
  set_value(ctx, object, "engine", JS_NewString(ctx, ENGINE_VERSION));
  set_value(ctx, object, "libc", JS_NewString(ctx, gnu_get_libc_version()));
  return object;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("args", 0, sys_args),         JS_CFUNC_DEF("env", 0, sys_env),
    JS_CFUNC_DEF("now", 0, sys_now),           JS_CFUNC_DEF("getrandom", 1, sys_getrandom),
    JS_CFUNC_DEF("gc", 0, sys_gc),             JS_CFUNC_DEF("exit", 1, sys_exit),
    JS_CFUNC_DEF("strerror", 1, sys_strerror), JS_CFUNC_DEF("versions", 0, sys_versions),
};
const VerbTable self_verbs = VERB_TABLE(entries);
