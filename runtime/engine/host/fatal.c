#include "fatal.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define CAUSES_MAX 8

static void write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, text, length);
    if (written <= 0) return;  // Nobody is left to tell.
    text += written;
    length -= (size_t)written;
  }
}

// One line: to stderr, and of PID 1 to the kernel's log, which outlives the process.
static void say(const char *text, size_t length) {
  char line[900];  // The kernel refuses records above about 1,000 bytes.
  int size = snprintf(line, sizeof line, "%.*s\n", (int)(length < 800 ? length : 800), text);
  write_all(STDERR_FILENO, line, (size_t)size);
  static int kmsg = -1;
  if (kmsg < 0 && getpid() == 1) kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  if (kmsg >= 0) write_all(kmsg, line, (size_t)size);
}

static void say_lines(const char *text) {
  while (*text) {
    size_t length = strcspn(text, "\n");
    say(text, length);
    text += length + (text[length] == '\n');
  }
}

_Noreturn static void end(void) {
  if (getpid() == 1) {
    // The kernel panics when PID 1 exits; what reached the page cache must reach the disks first.
    sync();
    reboot(RB_POWER_OFF);
  }
  _exit(EXIT_UNCAUGHT);
}

_Noreturn void die(const char *message) {
  char line[256];
  snprintf(line, sizeof line, "Uncaught %s", message);
  say_lines(line);
  end();
}

static void say_value(JSContext *ctx, const char *prefix, JSValueConst value) {
  const char *text = JS_ToCString(ctx, value);
  if (!text) JS_FreeValue(ctx, JS_GetException(ctx));
  char line[900];
  snprintf(line, sizeof line, "%s%s", prefix, text ? text : "(a value that has no text)");
  say_lines(line);
  if (text) JS_FreeCString(ctx, text);
}

static void say_stack(JSContext *ctx, JSValueConst error) {
  JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
  const char *text = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
  if (text) say_lines(text);
  if (text) JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, stack);
}

_Noreturn void die_uncaught(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  const char *prefix = "Uncaught ";
  for (int depth = 0; depth < CAUSES_MAX && !JS_IsUndefined(error); depth++) {
    say_value(ctx, prefix, error);
    if (!JS_IsObject(error)) break;
    say_stack(ctx, error);
    JSValue cause = JS_GetPropertyStr(ctx, error, "cause");
    JS_FreeValue(ctx, error);
    error = JS_IsException(cause) ? JS_UNDEFINED : cause;
    prefix = "Caused by ";
  }
  end();
}
