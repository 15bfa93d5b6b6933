// UTF-8. Lone surrogates pass as they are; polyfill.ts replaces them.
#include "verbs.h"

SYS_VERB(sys_utf8_encode) {
  TEXT text = {0};
  if (!get_text(ctx, argv[0], &text)) return JS_EXCEPTION;
  return new_bytes(ctx, text.chars, text.length);
}

SYS_VERB(sys_utf8_decode) {
  Bytes bytes;
  if (!get_bytes(ctx, argv[0], &bytes)) return JS_EXCEPTION;
  return JS_NewStringLen(ctx, (const char *)bytes.start, bytes.length);
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("utf8Encode", 1, sys_utf8_encode),
    JS_CFUNC_DEF("utf8Decode", 1, sys_utf8_decode),
};
const VerbTable text_verbs = VERB_TABLE(entries);
