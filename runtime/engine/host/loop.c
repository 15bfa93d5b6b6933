#include "host.h"

typedef struct Rejection {
  JSValue promise;
  JSValue reason;
} Rejection;

// Rejected promises without a handler; one may still come before the jobs have run out.
static Rejection *rejections;
static int rejection_count;

void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL is_handled,
                     void *opaque) {
  if (!is_handled) {
    int count = rejection_count++;
    rejections = checked_realloc(rejections, (size_t)rejection_count, sizeof *rejections);
    rejections[count] = (Rejection){JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
    return;
  }
  for (int i = 0; i < rejection_count; i++) {
    if (JS_VALUE_GET_PTR(rejections[i].promise) != JS_VALUE_GET_PTR(promise)) continue;
    JS_FreeValue(ctx, rejections[i].promise);
    JS_FreeValue(ctx, rejections[i].reason);
    rejections[i] = rejections[--rejection_count];
  }
}

void run_jobs(JSContext *ctx) {
  JSContext *job_context;
  int status;
  while ((status = JS_ExecutePendingJob(JS_GetRuntime(ctx), &job_context)) != 0) {
    if (status < 0) die_uncaught(job_context);
  }
  if (rejection_count == 0) return;
  JS_Throw(ctx, JS_DupValue(ctx, rejections[0].reason));
  die_uncaught(ctx);
}

void call_back(JSContext *ctx, JSValueConst function) {
  // The callback may replace itself: hold it while it runs.
  JSValue held = JS_DupValue(ctx, function);
  JSValue result = JS_Call(ctx, held, JS_UNDEFINED, 0, NULL);
  JS_FreeValue(ctx, held);
  if (JS_IsException(result)) die_uncaught(ctx);
  JS_FreeValue(ctx, result);
  run_jobs(ctx);
}

void run_loop(JSContext *ctx) {
  run_jobs(ctx);
  for (;;) {
    int timeout_ms = run_timers(ctx);
    if (timeout_ms < 0 && !has_watches()) return;
    poll_watches(ctx, timeout_ms);
  }
}
