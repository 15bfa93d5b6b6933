// The event loop: watched descriptors, timers, promise jobs.
#ifndef BERTH_LOOP_H
#define BERTH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "quickjs.h"
#include "value.h"

// Calls back until neither a watch nor a timer is left.
void run_loop(JSContext *ctx);
// Calls a function without arguments, then the jobs it caused; what it throws ends the program.
void call_back(JSContext *ctx, JSValueConst function);
// Runs promise jobs until none is left; a rejection that nobody handles ends the program.
void run_jobs(JSContext *ctx);
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

extern const VerbTable watch_verbs, timer_verbs;

#endif
