// How the program ends when it cannot go on.
#ifndef BERTH_FATAL_H
#define BERTH_FATAL_H

#include "quickjs.h"

#define EXIT_UNCAUGHT 70  // EX_SOFTWARE of sysexits.h

// Says `message` and ends: exit status 70, or power-off if this is PID 1.
_Noreturn void die(const char *message);
// The same with the pending exception: its text, stack and causes.
_Noreturn void die_uncaught(JSContext *ctx);

#endif
