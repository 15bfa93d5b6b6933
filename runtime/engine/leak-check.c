// Of the build with sanitizers alone, linked with --wrap=_exit: LeakSanitizer looks when a program
// ends by exit(), and ours end by _exit().
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_LEAK 23

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

static pid_t program;

__attribute__((constructor)) static void remember_program(void) { program = getpid(); }

// Not in a child that shares our memory until it is a program of its own, and not after an
// uncaught error, whose values nobody frees any more.
__attribute__((no_sanitize_address)) void __wrap__exit(int status) {
  bool is_orderly = status == EXIT_SUCCESS && getpid() == program;
  __real__exit(is_orderly && __lsan_do_recoverable_leak_check() ? EXIT_LEAK : status);
}
