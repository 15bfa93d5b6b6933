#include <fcntl.h>
#include <stdio.h>
#include <sys/reboot.h>

#include "host.h"

#define CAUSES_MAX 8
#define LOG_MAX 900  // the kernel refuses records above about 1,000 bytes

// To stderr, and of PID 1 to the kernel's log, which outlives the process: one line, one record.
static void say(const char *prefix, const char *text) {
  static int kmsg = -1;
  if (kmsg < 0 && getpid() == 1) kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  while (*text) {
    int length = (int)strcspn(text, "\n");
    dprintf(STDERR_FILENO, "%s%.*s\n", prefix, length, text);
    if (kmsg >= 0) dprintf(kmsg, "%s%.*s\n", prefix, length < LOG_MAX ? length : LOG_MAX, text);
    text += length + (text[length] == '\n');
    prefix = "";
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
  say("Uncaught ", message);
  end();
}

static void say_value(JSContext *ctx, const char *prefix, JSValueConst value) {
  const char *text = JS_ToCString(ctx, value);
  if (!text) JS_FreeValue(ctx, JS_GetException(ctx));
  say(prefix, text ? text : "a value that has no text");
  if (text) JS_FreeCString(ctx, text);
}

_Noreturn void die_uncaught(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  const char *prefix = "Uncaught ";
  for (int depth = 0; depth < CAUSES_MAX && !JS_IsUndefined(error); depth++) {
    say_value(ctx, prefix, error);
    if (!JS_IsObject(error)) break;
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    if (JS_IsString(stack)) say_value(ctx, "", stack);
    JSValue cause = JS_GetPropertyStr(ctx, error, "cause");
    error = JS_IsException(cause) ? JS_UNDEFINED : cause;
    prefix = "Caused by ";
  }
  end();
}
