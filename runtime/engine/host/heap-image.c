// A program does not begin with its modules: the build runs them once, and every process begins
// with the heap that they leave. The pages are the file's until they are written to.
//
// What is linked is always at the same address, and so is the heap while the image is made: what
// points there is right in every process. Nothing else of that first process may be in the heap:
// modules have no system calls (main.c) and no time, and the build makes the image twice, in
// different environments, and compares.
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "host.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // linux/mman.h; musl lacks it
#endif

#define PAGE_SIZE 4096
// On each side of where the program stands: more than the engine's whole share of the stack.
#define STACK_REACH (4 * 1024 * 1024)

// At its head: zeros until it is made.
typedef struct Image {
  Program program;
  Heap heap;
  const char *end;
} Image;

extern Image app_image[];
extern const uint8_t app_bytecode[];

static bool is_seeding;

bool is_of_image(const void *memory) {
  return memory >= (const void *)app_image && (const char *)memory < app_image->end;
}

bool begin_image(void) {
  char *start = (char *)(app_image + 1), *end = (char *)app_bytecode;
  if (end < start + PAGE_SIZE) return false;
  heap = (Heap){.chunk = start, .chunk_left = (size_t)(end - start), .is_closed = true};
  app_image->end = end;
  is_seeding = true;
  return true;
}

// The engine's marks of where the stack begins and ends, which wake_image() sets anew.
static void forget_stack(void) {
  uintptr_t low = (uintptr_t)__builtin_frame_address(0) - STACK_REACH;
  for (uintptr_t *word = (uintptr_t *)app_image; (const char *)word < app_image->end; word++) {
    if (*word - low < 2 * STACK_REACH) *word = 0;
  }
}

_Noreturn void write_image(const Program *program) {
  JS_RunGC(program->runtime);
  heap.chunk_left = -(uintptr_t)heap.chunk % PAGE_SIZE;
  heap.is_closed = false;
  *app_image = (Image){*program, heap, heap.chunk + heap.chunk_left};
  forget_stack();
  for (const char *from = (const char *)app_image; from < app_image->end;) {
    ssize_t count = RETRY_INTERRUPTED(write(STDOUT_FILENO, from, (size_t)(app_image->end - from)));
    if (count < 0) die("the heap image could not be written");
    from += count;
  }
  _exit(EXIT_SUCCESS);
}

bool wake_image(Program *program) {
  if (!app_image->program.runtime) return false;
  *program = app_image->program;
  heap = app_image->heap;
  if (program->is_brief) {
    size_t size = (size_t)(app_image->end - (const char *)app_image);
    madvise(app_image, size, MADV_POPULATE_WRITE);  // since Linux 5.14, and only an aid
  }
  JS_UpdateStackTop(program->runtime);
  return true;
}

// In place of the C library's. The engine is the first to ask: with the time it seeds
// Math.random(), which polyfill.ts removes, as it would be the same in every process.
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now = {0};
  if (heap.is_closed && !is_seeding) die("a module asks for the time while it is loaded");
  if (!is_seeding) clock_gettime(CLOCK_REALTIME, &now);
  is_seeding = false;
  *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
