#include <limits.h>
#include <time.h>

#include "host.h"

#define NS_PER_MS 1000000

typedef struct Timer {
  int64_t due_ns;
  int64_t id;
  JSValue callback;
} Timer;

// Sorted, the earliest last; of two with the same time the one set first comes first.
static Timer *timers;
static int timer_count, timer_capacity;
static int64_t last_id;

int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

SYS_VERB(set_timer) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "l", &a)) return JS_EXCEPTION;
  if (!JS_IsFunction(ctx, argv[1])) return JS_ThrowTypeError(ctx, "a timer needs a function");
  int64_t delay_ms = a.numbers[0] < 0 ? 0 : a.numbers[0] > INT_MAX ? INT_MAX : a.numbers[0];
  int64_t due_ns = monotonic_ns() + delay_ms * NS_PER_MS;
  if (timer_count == timer_capacity) {
    timer_capacity = timer_capacity ? 2 * timer_capacity : 16;
    timers = checked_realloc(timers, timer_capacity, sizeof *timers);
  }
  int place = timer_count;
  while (place > 0 && timers[place - 1].due_ns <= due_ns) place--;
  memmove(&timers[place + 1], &timers[place], (timer_count - place) * sizeof *timers);
  timers[place] = (Timer){due_ns, ++last_id, JS_DupValue(ctx, argv[1])};
  timer_count++;
  return JS_NewInt64(ctx, last_id);
}

SYS_VERB(clear_timer) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "l", &a)) return JS_EXCEPTION;
  for (int i = 0; i < timer_count; i++) {
    if (timers[i].id != a.numbers[0]) continue;
    JSValue callback = timers[i].callback;
    memmove(&timers[i], &timers[i + 1], (timer_count - i - 1) * sizeof *timers);
    timer_count--;
    JS_FreeValue(ctx, callback);
    break;
  }
  return JS_UNDEFINED;
}

int run_timers(JSContext *ctx) {
  // Timers set by these callbacks wait for the next turn: descriptors must get theirs.
  int64_t last_of_turn = last_id;
  int64_t now_ns = monotonic_ns();
  for (int i = timer_count - 1; i >= 0 && timers[i].due_ns <= now_ns; i = timer_count - 1) {
    if (timers[i].id > last_of_turn) return 0;
    JSValue callback = timers[i].callback;
    timer_count--;
    call_back(ctx, callback);
    JS_FreeValue(ctx, callback);
  }
  if (timer_count == 0) return -1;
  int64_t wait_ns = timers[timer_count - 1].due_ns - monotonic_ns();
  // Rounded up: a timer is never early.
  return wait_ns <= 0 ? 0 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

VERBS(timer_verbs, SYS_ENTRY("setTimer", set_timer), SYS_ENTRY("clearTimer", clear_timer))
