// Between JavaScript values and C. Arguments are checked, never coerced: no script runs between the
// reading of an argument and its use.
#ifndef BERTH_VALUE_H
#define BERTH_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

#define ARGUMENTS_MAX 5

// A verb of `sys`, and its entry in a table. The engine pads argv with undefined up to the maximum.
#define SYS_VERB(name) \
  static JSValue name(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
#define SYS_ENTRY(name, function) JS_CFUNC_DEF(name, ARGUMENTS_MAX, function)

typedef struct VerbTable {
  const JSCFunctionListEntry *entries;
  int count;
} VerbTable;
#define VERB_TABLE(entries) {entries, sizeof(entries) / sizeof(*(entries))}

typedef struct Arguments {
  JSContext *ctx;
  const char *texts[ARGUMENTS_MAX];  // by position; UTF-8 with a terminating NUL
  size_t text_lengths[ARGUMENTS_MAX];
  int64_t numbers[ARGUMENTS_MAX];  // by position
  uint8_t *bytes;                  // of the one Uint8Array; valid until script runs again
  size_t byte_count;
} Arguments;

// Reads argv by a format with one letter for each argument. False with a pending exception.
//   i  number that fits in 32 bits, signed or not      s  string without NUL
//   l  number                                          ?  the same, or null
//   m  file mode, 0600 if undefined                    t  string, any
//   b  Uint8Array                                      r  Uint8Array, offset?, length?
bool get_arguments(JSContext *ctx, JSValueConst *argv, const char *format, Arguments *out);
void free_arguments(Arguments *arguments);
// Frees its texts at the end of the scope.
#define ARGUMENTS(name) __attribute__((cleanup(free_arguments))) Arguments name = {.ctx = ctx}

JSValue new_bytes(JSContext *ctx, const void *data, size_t length);
// Takes `data`, from malloc, over.
JSValue adopt_bytes(JSContext *ctx, uint8_t *data, size_t length);
// These end the program if they fail, which they do for want of memory only.
JSValue new_object(JSContext *ctx);
JSValue new_array(JSContext *ctx);
void set_value(JSContext *ctx, JSValueConst object, const char *name, JSValue value);
void set_number(JSContext *ctx, JSValueConst object, const char *name, int64_t number);
void append_value(JSContext *ctx, JSValueConst array, uint32_t index, JSValue value);
void *checked_realloc(void *old, size_t count, size_t size);

const char *errno_name(int number);
// A SysError; `subject` is the path concerned, or NULL.
JSValue throw_errno(JSContext *ctx, const char *syscall, const char *subject, int number);
// What a call answered, or the error in errno if it is negative: undefined, the number, or the
// number with EAGAIN and EINPROGRESS as the answer -11 that sys.ts calls EAGAIN.
JSValue done(JSContext *ctx, const char *syscall, const char *subject, int64_t result);
JSValue answer(JSContext *ctx, const char *syscall, const char *subject, int64_t result);
JSValue answer_io(JSContext *ctx, const char *syscall, const char *subject, int64_t result);

#endif
