// The native host: its parts see one another through this header alone.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quickjs.h"

// A call again that a signal interrupted.
#define RETRY_INTERRUPTED(call)                     \
  ({                                                \
    __typeof__(call) result_;                       \
    do result_ = (call);                            \
    while (result_ == -1 && errno == EINTR);        \
    result_;                                        \
  })

// ---- Verbs of `sys`, a table in each file

#define ARGUMENTS_MAX 5

// A verb of `sys`, and its entry in a table. The engine pads argv with undefined up to the maximum.
#define SYS_VERB(name) \
  static JSValue name(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
#define SYS_ENTRY(name, function) JS_CFUNC_DEF(name, ARGUMENTS_MAX, function)

typedef struct VerbTable {
  const JSCFunctionListEntry *entries;
  int count;
} VerbTable;
#define VERBS(table, ...)                                      \
  static const JSCFunctionListEntry entries[] = {__VA_ARGS__}; \
  const VerbTable table = {entries, sizeof entries / sizeof *entries};

// The verbs that modules have while they are loaded,
extern const VerbTable text_verbs;
// and those that the program has from then on.
extern const VerbTable watch_verbs, timer_verbs, call_verbs, file_verbs, stat_verbs, ioctl_verbs;
extern const VerbTable spawn_verbs, process_verbs, self_verbs;

// ---- The program and its heap

typedef struct Program {
  JSRuntime *runtime;
  JSContext *ctx;
  JSValue main;
  bool is_brief;
} Program;

extern const JSMallocFunctions allocator;

#define HEAP_LISTS 40
typedef struct Block Block;
typedef struct Heap {
  Block *free_blocks[HEAP_LISTS];  // by size
  char *chunk;                     // from which new ones are cut
  size_t chunk_left;
  bool is_closed;  // there is no memory but the chunk
} Heap;
extern Heap heap;

// True, and `program` is what the image holds, unless the image is yet to be made.
bool wake_image(Program *program);
// From here on the heap grows in the image. False if there is no room for one.
bool begin_image(void);
// To standard output.
_Noreturn void write_image(const Program *program);
bool is_of_image(const void *memory);

// ---- Arguments: checked, never coerced, so that no script runs between reading and use

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
//   l  number                                          ?  the same, or null or undefined: NULL
//   m  file mode, 0600 if undefined                    t  string, any
//   o  as i, -1 if undefined                           b  Uint8Array
//   f  truth                                           r  Uint8Array, offset?, length?
bool get_arguments(JSContext *ctx, JSValueConst *argv, const char *format, Arguments *out);
// The same for properties of an object.
bool get_properties(JSContext *ctx, JSValueConst object, const char *const *names,
                    const char *format, Arguments *out);
void free_arguments(Arguments *arguments);
// Frees its texts at the end of the scope.
#define ARGUMENTS(name) __attribute__((cleanup(free_arguments))) Arguments name = {.ctx = ctx}

// An array of texts or of numbers.
typedef struct List {
  JSContext *ctx;
  char **texts;  // ends with NULL
  int *numbers;
  int count;
} List;

// Reads an array, its elements by a letter of get_arguments.
bool get_list(JSContext *ctx, JSValueConst array, char letter, List *out);
// The same for a property; undefined leaves `out` empty.
bool get_list_property(JSContext *ctx, JSValueConst object, const char *name, char letter,
                       List *out);
void free_list(List *list);
#define LIST(name) __attribute__((cleanup(free_list))) List name = {.ctx = ctx}

// ---- Values

JSValue new_bytes(JSContext *ctx, const void *data, size_t length);
// Of the engine's memory; NULL is a buffer of no size. Ends the program if there is none.
uint8_t *resize_buffer(JSContext *ctx, uint8_t *data, size_t size);
// Takes such a buffer over.
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

// ---- The event loop: watched descriptors, timers, promise jobs

// Runs all promise jobs. A rejection that nobody handles ends the program.
void run_jobs(JSContext *ctx);
// Calls back until neither a watch nor a timer is left.
void run_loop(JSContext *ctx);
// Calls a function without arguments, then runs all promise jobs. What is thrown ends the program.
void call_back(JSContext *ctx, JSValueConst function);
// For JS_SetHostPromiseRejectionTracker.
void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL is_handled,
                     void *opaque);

// Forgets the callbacks of `fd`; to be called before the descriptor is closed or replaced.
void unwatch(JSContext *ctx, int fd);
// Calls back what is ready; waits at most `timeout_ms`, without end if negative.
void poll_watches(JSContext *ctx, int timeout_ms);
bool has_watches(void);

int64_t monotonic_ns(void);
// Calls the timers that are due; milliseconds until the next one, -1 if there is none.
int run_timers(JSContext *ctx);

// ---- The end

#define EXIT_UNCAUGHT 70  // EX_SOFTWARE of sysexits.h

// Says `message` and ends: exit status 70, or power-off if this is PID 1.
_Noreturn void die(const char *message);
// The same with the pending exception: its text, stack and causes.
_Noreturn void die_uncaught(JSContext *ctx);

// What the program was started with; for args().
void set_program_arguments(int count, char **values);
