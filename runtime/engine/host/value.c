#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fatal.h"

bool get_int64(JSContext *ctx, JSValueConst value, int64_t *out) {
  if (!JS_IsNumber(value)) {
    JS_ThrowTypeError(ctx, "an argument must be a number");
    return false;
  }
  return JS_ToInt64(ctx, out, value) == 0;
}

bool get_int(JSContext *ctx, JSValueConst value, int *out) {
  int64_t number;
  if (!get_int64(ctx, value, &number)) return false;
  // Flags such as MS_NOUSER use bit 31: both readings of 32 bits are legal.
  if (number < INT32_MIN || number > (int64_t)UINT32_MAX) {
    JS_ThrowRangeError(ctx, "an argument does not fit in 32 bits");
    return false;
  }
  *out = (int)(uint32_t)number;
  return true;
}

bool get_optional_int(JSContext *ctx, JSValueConst value, int fallback, int *out) {
  *out = fallback;
  return JS_IsUndefined(value) || get_int(ctx, value, out);
}

void free_text(Text *text) {
  if (text->chars) JS_FreeCString(text->ctx, text->chars);
}

bool get_text(JSContext *ctx, JSValueConst value, Text *out) {
  if (!JS_IsString(value)) {
    JS_ThrowTypeError(ctx, "an argument must be a string");
    return false;
  }
  out->ctx = ctx;
  out->chars = JS_ToCStringLen(ctx, &out->length, value);
  return out->chars != NULL;
}

bool get_path(JSContext *ctx, JSValueConst value, Text *out) {
  if (!get_text(ctx, value, out)) return false;
  if (strlen(out->chars) == out->length) return true;
  JS_ThrowTypeError(ctx, "an argument contains a NUL character");
  return false;
}

bool get_nullable_path(JSContext *ctx, JSValueConst value, Text *out) {
  return JS_IsNull(value) || get_path(ctx, value, out);
}

bool get_bytes(JSContext *ctx, JSValueConst value, Bytes *out) {
  size_t offset, length, element_size, buffer_size;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, &length, &element_size);
  if (JS_IsException(buffer)) return false;
  uint8_t *data = JS_GetArrayBuffer(ctx, &buffer_size, buffer);
  JS_FreeValue(ctx, buffer);
  if (!data) return false;
  if (element_size != 1 || offset > buffer_size || length > buffer_size - offset) {
    JS_ThrowTypeError(ctx, "an argument must be a Uint8Array");
    return false;
  }
  *out = (Bytes){data + offset, length};
  return true;
}

bool get_range(JSContext *ctx, JSValueConst *argv, Bytes *out) {
  Bytes all;
  int64_t offset = 0;
  if (!JS_IsUndefined(argv[1]) && !get_int64(ctx, argv[1], &offset)) return false;
  if (!get_bytes(ctx, argv[0], &all)) return false;
  int64_t length = (int64_t)all.length - offset;
  if (!JS_IsUndefined(argv[2]) && !get_int64(ctx, argv[2], &length)) return false;
  if (offset < 0 || length < 0 || offset > (int64_t)all.length ||
      length > (int64_t)all.length - offset) {
    JS_ThrowRangeError(ctx, "offset and length are outside the buffer");
    return false;
  }
  *out = (Bytes){all.start + offset, (size_t)length};
  return true;
}

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
  (void)runtime, (void)opaque;
  free(data);
}

JSValue adopt_bytes(JSContext *ctx, uint8_t *data, size_t length) {
  JSValue buffer = JS_NewArrayBuffer(ctx, data, length, free_adopted, NULL, false);
  if (JS_IsException(buffer)) free(data);
  return view_bytes(ctx, buffer);
}

// A half-built answer would be worse than the end: these fail for want of memory only.
void set_value(JSContext *ctx, JSValueConst object, const char *name, JSValue value) {
  if (JS_IsException(value) || JS_SetPropertyStr(ctx, object, name, value) < 0) die_uncaught(ctx);
}

void set_number(JSContext *ctx, JSValueConst object, const char *name, int64_t number) {
  set_value(ctx, object, name, JS_NewInt64(ctx, number));
}

void append_value(JSContext *ctx, JSValueConst array, uint32_t index, JSValue value) {
  if (JS_IsException(value) || JS_SetPropertyUint32(ctx, array, index, value) < 0) {
    die_uncaught(ctx);
  }
}

const char *errno_name(int number) {
  const char *name = strerrorname_np(number);
  return name ? name : "EUNKNOWN";
}

JSValue throw_errno(JSContext *ctx, const char *syscall, const char *subject, int number) {
  char message[512];
  snprintf(message, sizeof message, "%s: %s%s%s: %s", errno_name(number), syscall,
           subject ? " " : "", subject ? subject : "", strerror(number));
  JSValue error = JS_NewError(ctx);
  if (JS_IsException(error)) return error;
  JS_DefinePropertyValueStr(ctx, error, "message", JS_NewString(ctx, message),
                            JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  set_value(ctx, error, "code", JS_NewString(ctx, errno_name(number)));
  set_number(ctx, error, "errno", number);
  set_value(ctx, error, "syscall", JS_NewString(ctx, syscall));
  return JS_Throw(ctx, error);
}

JSValue done(JSContext *ctx, const char *syscall, const char *subject, int result) {
  return result < 0 ? throw_errno(ctx, syscall, subject, errno) : JS_UNDEFINED;
}

JSValue answer(JSContext *ctx, const char *syscall, const char *subject, int64_t result) {
  return result < 0 ? throw_errno(ctx, syscall, subject, errno) : JS_NewInt64(ctx, result);
}

JSValue answer_io(JSContext *ctx, const char *syscall, int64_t result) {
  // EWOULDBLOCK is EAGAIN on Linux.
  if (result < 0 && (errno == EAGAIN || errno == EINPROGRESS)) {
    return JS_NewInt32(ctx, ANSWER_EAGAIN);
  }
  return answer(ctx, syscall, NULL, result);
}

void *checked_realloc(void *old, size_t count, size_t size) {
  void *memory = reallocarray(old, count ? count : 1, size);
  if (!memory) die("out of memory");
  return memory;
}
