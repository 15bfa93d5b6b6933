#include <sys/epoll.h>

#include "host.h"

typedef struct Watch {
  JSValue readable;  // a function or null
  JSValue writable;
  uint32_t events;      // what epoll watches for; 0: not registered
  uint32_t generation;  // changes when the watch ends, so that its late events are known as such
} Watch;

static Watch *watches;  // by descriptor
static int watch_capacity;
static int watch_count;

static void grow(int fd) {
  if (fd < watch_capacity) return;
  int capacity = fd < 32 ? 64 : 2 * fd;
  watches = checked_realloc(watches, capacity, sizeof *watches);
  for (; watch_capacity < capacity; watch_capacity++) {
    watches[watch_capacity] = (Watch){JS_NULL, JS_NULL, 0, 0};
  }
}

static int epoll(void) {
  static int fd = -1;
  if (fd < 0) fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) die("epoll_create1 failed");
  return fd;
}

// Makes epoll watch `fd` for `events`. False with errno if it cannot, as for a regular file.
static bool control(int fd, uint32_t events) {
  Watch *watch = &watches[fd];
  uint64_t key = (uint64_t)watch->generation << 32 | (uint32_t)fd;
  struct epoll_event event = {.events = events, .data.u64 = key};
  int operation = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  return epoll_ctl(epoll(), events ? operation : EPOLL_CTL_DEL, fd, &event) == 0;
}

static void set_callbacks(JSContext *ctx, Watch *watch, JSValueConst readable,
                          JSValueConst writable) {
  JSValue old_readable = watch->readable, old_writable = watch->writable;
  watch->readable = JS_DupValue(ctx, readable);
  watch->writable = JS_DupValue(ctx, writable);
  JS_FreeValue(ctx, old_readable);
  JS_FreeValue(ctx, old_writable);
}

void unwatch(JSContext *ctx, int fd) {
  if (fd < 0 || fd >= watch_capacity || watches[fd].events == 0) return;
  control(fd, 0);
  watches[fd].events = 0;
  watches[fd].generation++;
  watch_count--;
  set_callbacks(ctx, &watches[fd], JS_NULL, JS_NULL);
}

SYS_VERB(watch) {
  ARGUMENTS(a);
  if (!get_arguments(ctx, argv, "i", &a)) return JS_EXCEPTION;
  int fd = (int)a.numbers[0];
  if (fd < 0) return throw_errno(ctx, "watch", NULL, EBADF);
  uint32_t events =
      (JS_IsFunction(ctx, argv[1]) ? EPOLLIN : 0) | (JS_IsFunction(ctx, argv[2]) ? EPOLLOUT : 0);
  if (events == 0) {
    unwatch(ctx, fd);
    return JS_UNDEFINED;
  }
  grow(fd);
  Watch *watch = &watches[fd];
  if (watch->events != events && !control(fd, events)) {
    return throw_errno(ctx, "epoll_ctl", NULL, errno);
  }
  if (watch->events == 0) watch_count++;
  watch->events = events;
  set_callbacks(ctx, watch, argv[1], argv[2]);
  return JS_UNDEFINED;
}

bool has_watches(void) { return watch_count > 0; }

static void deliver(JSContext *ctx, const struct epoll_event *event) {
  int fd = (int)(uint32_t)event->data.u64;
  uint32_t generation = (uint32_t)(event->data.u64 >> 32);
  // `watches` is read anew each time: a callback may grow it.
  if (watches[fd].generation != generation) return;
  if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR) && watches[fd].events & EPOLLIN) {
    call_back(ctx, watches[fd].readable);
  }
  if (watches[fd].generation != generation) return;
  if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && watches[fd].events & EPOLLOUT) {
    call_back(ctx, watches[fd].writable);
  }
}

void poll_watches(JSContext *ctx, int timeout_ms) {
  struct epoll_event events[64];
  int count = epoll_wait(epoll(), events, 64, timeout_ms);
  if (count < 0 && errno != EINTR) die("epoll_wait failed");
  for (int i = 0; i < count; i++) deliver(ctx, &events[i]);
}

VERBS(watch_verbs, SYS_ENTRY("watch", watch))
