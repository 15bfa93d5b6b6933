#include "host.h"

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

static bool get_text(JSContext *ctx, JSValueConst value, bool may_have_nul, const char **out,
                     size_t *length) {
  bool is_text = JS_IsString(value);
  if (!is_text) JS_ThrowTypeError(ctx, "an argument must be a string");
  *out = is_text ? JS_ToCStringLen(ctx, length, value) : NULL;
  if (!*out || may_have_nul || strlen(*out) == *length) return *out != NULL;
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

// Reads the argument at `position`, which argv[0] is.
static bool get_argument(JSContext *ctx, JSValueConst *argv, char letter, int position,
                         Arguments *out) {
  JSValueConst value = argv[0];
  int64_t *number = &out->numbers[position];
  const char **text = &out->texts[position];
  size_t *length = &out->text_lengths[position];
  switch (letter) {
    case 'i': return get_int(ctx, value, number);
    case 'l': return get_number(ctx, value, number);
    case 'm': *number = 0600; return JS_IsUndefined(value) || get_int(ctx, value, number);
    case 'o': *number = -1; return JS_IsUndefined(value) || get_int(ctx, value, number);
    case 'f': *number = JS_ToBool(ctx, value); return *number >= 0;
    case 's': return get_text(ctx, value, false, text, length);
    case '?':
      return JS_IsNull(value) || JS_IsUndefined(value) || get_text(ctx, value, false, text, length);
    case 't': return get_text(ctx, value, true, text, length);
    case 'b': return get_bytes(ctx, value, out);
    case 'r': return get_range(ctx, argv, out);
  }
  return false;
}

bool get_arguments(JSContext *ctx, JSValueConst *argv, const char *format, Arguments *out) {
  bool good = true;
  for (int i = 0; good && format[i]; i++) good = get_argument(ctx, argv + i, format[i], i, out);
  return good;
}

bool get_properties(JSContext *ctx, JSValueConst object, const char *const *names,
                    const char *format, Arguments *out) {
  bool good = true;
  for (int i = 0; good && format[i]; i++) {
    JSValue value = JS_GetPropertyStr(ctx, object, names[i]);
    good = !JS_IsException(value) && get_argument(ctx, &value, format[i], i, out);
    JS_FreeValue(ctx, value);
  }
  return good;
}

void free_list(List *list) {
  for (int i = 0; i < list->count; i++) {
    if (list->texts[i]) JS_FreeCString(list->ctx, list->texts[i]);
  }
  free(list->texts);
  free(list->numbers);
}

bool get_list(JSContext *ctx, JSValueConst array, char letter, List *out) {
  static const char *const names[] = {"length"};
  ARGUMENTS(length);
  if (!get_properties(ctx, array, names, "i", &length)) return false;
  size_t count = (size_t)length.numbers[0];
  out->texts = checked_realloc(NULL, count + 1, sizeof *out->texts);
  out->numbers = checked_realloc(NULL, count, sizeof *out->numbers);
  for (; (size_t)out->count < count; out->count++) {
    Arguments item = {.ctx = ctx};
    JSValue value = JS_GetPropertyUint32(ctx, array, (uint32_t)out->count);
    bool good = !JS_IsException(value) && get_argument(ctx, &value, letter, 0, &item);
    JS_FreeValue(ctx, value);
    if (!good) return false;
    out->texts[out->count] = (char *)item.texts[0];
    out->numbers[out->count] = (int)item.numbers[0];
  }
  out->texts[count] = NULL;
  return true;
}

bool get_list_property(JSContext *ctx, JSValueConst object, const char *name, char letter,
                       List *out) {
  JSValue array = JS_GetPropertyStr(ctx, object, name);
  bool good = !JS_IsException(array);
  if (good && !JS_IsUndefined(array)) good = get_list(ctx, array, letter, out);
  JS_FreeValue(ctx, array);
  return good;
}
