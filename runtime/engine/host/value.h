// Conversions between JavaScript values and C: arguments are checked, nothing is coerced, so that no
// script runs between the reading of an argument and its use.
#ifndef BERTH_VALUE_H
#define BERTH_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

// A verb of `sys`. The engine pads argv with undefined up to the length in its table entry.
#define SYS_VERB(name) \
  static JSValue name(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)

typedef struct VerbTable {
  const JSCFunctionListEntry *entries;
  int count;
} VerbTable;

#define VERB_TABLE(entries) {entries, sizeof(entries) / sizeof(*(entries))}

// UTF-8 with a terminating NUL, freed at the end of its scope: `TEXT path = {0};`
typedef struct Text {
  JSContext *ctx;
  const char *chars;
  size_t length;
} Text;
void free_text(Text *text);
#define TEXT __attribute__((cleanup(free_text))) Text

// A view of a Uint8Array; valid until script runs again.
typedef struct Bytes {
  uint8_t *start;
  size_t length;
} Bytes;

// Each answers false with a pending exception if the value is not what it must be.
bool get_int(JSContext *ctx, JSValueConst value, int *out);
bool get_int64(JSContext *ctx, JSValueConst value, int64_t *out);
bool get_optional_int(JSContext *ctx, JSValueConst value, int fallback, int *out);
bool get_text(JSContext *ctx, JSValueConst value, Text *out);
// As get_text, without NUL inside: for the kernel.
bool get_path(JSContext *ctx, JSValueConst value, Text *out);
// null gives chars == NULL.
bool get_nullable_path(JSContext *ctx, JSValueConst value, Text *out);
bool get_bytes(JSContext *ctx, JSValueConst value, Bytes *out);
// argv[0] is the array, argv[1] an optional offset, argv[2] an optional length.
bool get_range(JSContext *ctx, JSValueConst *argv, Bytes *out);

JSValue new_bytes(JSContext *ctx, const void *data, size_t length);
// Takes `data`, from malloc, over.
JSValue adopt_bytes(JSContext *ctx, uint8_t *data, size_t length);
void set_number(JSContext *ctx, JSValueConst object, const char *name, int64_t number);
void set_value(JSContext *ctx, JSValueConst object, const char *name, JSValue value);
void append_value(JSContext *ctx, JSValueConst array, uint32_t index, JSValue value);

// The number that sys.ts calls EAGAIN.
#define ANSWER_EAGAIN (-11)

const char *errno_name(int number);
// A SysError; `subject` is the path concerned, or NULL.
JSValue throw_errno(JSContext *ctx, const char *syscall, const char *subject, int number);
// A call that is done or throws: undefined.
JSValue done(JSContext *ctx, const char *syscall, const char *subject, int result);
// A call with an answer: its number, or throws.
JSValue answer(JSContext *ctx, const char *syscall, const char *subject, int64_t result);
// As answer(), but EAGAIN, EINPROGRESS and EWOULDBLOCK are answers too.
JSValue answer_io(JSContext *ctx, const char *syscall, int64_t result);

// Never NULL: without memory the program ends.
void *checked_realloc(void *old, size_t count, size_t size);

#endif
