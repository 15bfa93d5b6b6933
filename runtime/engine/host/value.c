#include <stdio.h>

#include "host.h"

static JSValue view_bytes(JSContext *ctx, JSValue buffer) {
  if (JS_IsException(buffer)) return buffer;
  // The engine reads three arguments, whatever count it is told.
  JSValueConst arguments[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue view = JS_NewTypedArray(ctx, 3, arguments, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return view;
}

JSValue new_bytes(JSContext *ctx, const void *data, size_t length) {
  return view_bytes(ctx, JS_NewArrayBufferCopy(ctx, data, length));
}

static void free_adopted(JSRuntime *runtime, void *opaque, void *data) {
  js_free_rt(runtime, data);
}

uint8_t *resize_buffer(JSContext *ctx, uint8_t *data, size_t size) {
  uint8_t *resized = js_realloc(ctx, data, size ? size : 1);
  if (!resized) die_uncaught(ctx);
  return resized;
}

JSValue adopt_bytes(JSContext *ctx, uint8_t *data, size_t length) {
  JSValue buffer = JS_NewArrayBuffer(ctx, data, length, free_adopted, NULL, false);
  if (JS_IsException(buffer)) js_free(ctx, data);
  return view_bytes(ctx, buffer);
}

static JSValue expect_value(JSContext *ctx, JSValue value) {
  if (JS_IsException(value)) die_uncaught(ctx);
  return value;
}

JSValue new_object(JSContext *ctx) { return expect_value(ctx, JS_NewObject(ctx)); }

JSValue new_array(JSContext *ctx) { return expect_value(ctx, JS_NewArray(ctx)); }

void set_value(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
  if (JS_SetPropertyStr(ctx, object, name, expect_value(ctx, value)) < 0) die_uncaught(ctx);
}

void set_number(JSContext *ctx, JSValueConst object, const char *name, int64_t number) {
  set_value(ctx, object, name, JS_NewInt64(ctx, number));
}

void append_value(JSContext *ctx, JSValueConst array, uint32_t index, JSValue value) {
  if (JS_SetPropertyUint32(ctx, array, index, expect_value(ctx, value)) < 0) die_uncaught(ctx);
}

void *checked_realloc(void *old, size_t count, size_t size) {
  void *memory = reallocarray(old, count ? count : 1, size);
  if (!memory) die("out of memory");
  return memory;
}

// The build makes errno-names.h of errno.h: X(ENOENT), X(EPERM) ...
#define X(name) [name] = #name,
static const char *const errno_names[] = {
#include "errno-names.h"
};
#undef X

const char *errno_name(int number) {
  bool is_known = number > 0 && number < (int)(sizeof errno_names / sizeof *errno_names);
  return is_known && errno_names[number] ? errno_names[number] : "EUNKNOWN";
}

JSValue throw_errno(JSContext *ctx, const char *syscall, const char *subject, int number) {
  char message[512];
  snprintf(message, sizeof message, "%s: %s%s%s: %s", errno_name(number), syscall,
           subject ? " " : "", subject ? subject : "", strerror(number));
  JSValue error = expect_value(ctx, JS_NewError(ctx));
  JS_DefinePropertyValueStr(ctx, error, "message", JS_NewString(ctx, message),
                            JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  set_value(ctx, error, "code", JS_NewString(ctx, errno_name(number)));
  set_number(ctx, error, "errno", number);
  set_value(ctx, error, "syscall", JS_NewString(ctx, syscall));
  return JS_Throw(ctx, error);
}

JSValue done(JSContext *ctx, const char *syscall, const char *subject, int64_t result) {
  return result < 0 ? throw_errno(ctx, syscall, subject, errno) : JS_UNDEFINED;
}

JSValue answer(JSContext *ctx, const char *syscall, const char *subject, int64_t result) {
  return result < 0 ? throw_errno(ctx, syscall, subject, errno) : JS_NewInt64(ctx, result);
}

JSValue answer_io(JSContext *ctx, const char *syscall, const char *subject, int64_t result) {
  bool is_later = result < 0 && (errno == EAGAIN || errno == EINPROGRESS);
  return is_later ? JS_NewInt32(ctx, -EAGAIN) : answer(ctx, syscall, subject, result);
}
