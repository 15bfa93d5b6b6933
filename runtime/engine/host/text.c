// What is the same in every process.
#include "host.h"

SYS_VERB(sys_strerror) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  JSValue object = new_object(ctx);
  set_value(ctx, object, "code", JS_NewString(ctx, errno_name((int)a.numbers[0])));
  set_value(ctx, object, "message", JS_NewString(ctx, strerror((int)a.numbers[0])));
  return object;
}

SYS_VERB(sys_versions) {
  JSValue object = new_object(ctx);
  set_value(ctx, object, "engine", JS_NewString(ctx, ENGINE_VERSION));
  set_value(ctx, object, "libc", JS_NewString(ctx, LIBC_VERSION));
  return object;
}

// Lone surrogates pass as they are; polyfill.ts replaces them.
SYS_VERB(sys_utf8_encode) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "t", &a)) return JS_EXCEPTION;
  return new_bytes(ctx, a.texts[0], a.text_lengths[0]);
}

SYS_VERB(sys_utf8_decode) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "b", &a)) return JS_EXCEPTION;
  return JS_NewStringLen(ctx, (const char *)a.bytes, a.byte_count);
}

VERBS(text_verbs, SYS_ENTRY("strerror", sys_strerror), SYS_ENTRY("versions", sys_versions),
      SYS_ENTRY("utf8Encode", sys_utf8_encode), SYS_ENTRY("utf8Decode", sys_utf8_decode))
