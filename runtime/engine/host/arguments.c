#include <string.h>

#include "value.h"

void free_arguments(Arguments *arguments) {
  for (int i = 0; i < ARGUMENTS_MAX; i++) {
    if (arguments->texts[i]) JS_FreeCString(arguments->ctx, arguments->texts[i]);
  }
}

static bool get_number(JSContext *ctx, JSValueConst value, int64_t *out) {
  if (JS_IsNumber(value)) return JS_ToInt64(ctx, out, value) == 0;
  JS_ThrowTypeError(ctx, "an argument must be a number");
  return false;
}

static bool get_int(JSContext *ctx, JSValueConst value, int64_t *out) {
  if (!get_number(ctx, value, out)) return false;
  if (*out >= INT32_MIN && *out <= (int64_t)UINT32_MAX) return true;
  JS_ThrowRangeError(ctx, "an argument does not fit in 32 bits");
  return false;
}

static bool get_text(JSContext *ctx, JSValueConst value, const char **out, size_t *length) {
  if (!JS_IsString(value)) {
    JS_ThrowTypeError(ctx, "an argument must be a string");
    return false;
  }
  *out = JS_ToCStringLen(ctx, length, value);
  return *out != NULL;
}

static bool get_path(JSContext *ctx, JSValueConst value, const char **out, size_t *length) {
  if (!get_text(ctx, value, out, length)) return false;
  if (strlen(*out) == *length) return true;
  JS_ThrowTypeError(ctx, "an argument contains a NUL character");
  return false;
}

static bool get_bytes(JSContext *ctx, JSValueConst value, Arguments *out) {
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
  out->bytes = data + offset;
  out->byte_count = length;
  return true;
}

static bool get_range(JSContext *ctx, JSValueConst *argv, Arguments *out) {
  if (!get_bytes(ctx, argv[0], out)) return false;
  int64_t total = (int64_t)out->byte_count, offset = 0;
  if (!JS_IsUndefined(argv[1]) && !get_number(ctx, argv[1], &offset)) return false;
  int64_t length = total - offset;
  if (!JS_IsUndefined(argv[2]) && !get_number(ctx, argv[2], &length)) return false;
  if (offset < 0 || offset > total || length < 0 || length > total - offset) {
    JS_ThrowRangeError(ctx, "offset and length are outside the buffer");
    return false;
  }
  out->bytes += offset;
  out->byte_count = (size_t)length;
  return true;
}

bool get_arguments(JSContext *ctx, JSValueConst *argv, const char *format, Arguments *out) {
  bool good = true;
  for (int i = 0; good && format[i]; i++) {
    const char **text = &out->texts[i];
    size_t *length = &out->text_lengths[i];
    int64_t *number = &out->numbers[i];
    switch (format[i]) {
      case 'i': good = get_int(ctx, argv[i], number); break;
      case 'l': good = get_number(ctx, argv[i], number); break;
      case 'm':
        *number = 0600;
        good = JS_IsUndefined(argv[i]) || get_int(ctx, argv[i], number);
        break;
      case 's': good = get_path(ctx, argv[i], text, length); break;
      case '?': good = JS_IsNull(argv[i]) || get_path(ctx, argv[i], text, length); break;
      case 't': good = get_text(ctx, argv[i], text, length); break;
      case 'b': good = get_bytes(ctx, argv[i], out); break;
      case 'r': good = get_range(ctx, argv + i, out); break;
    }
  }
  return good;
}
