// Sockets. Addresses are sockaddr bytes, which TypeScript builds.
#include <errno.h>
#include <sys/socket.h>

#include "verbs.h"

SYS_VERB(sys_socket) {
  int domain, type, protocol;
  if (!get_int(ctx, argv[0], &domain) || !get_int(ctx, argv[1], &type) ||
      !get_int(ctx, argv[2], &protocol)) {
    return JS_EXCEPTION;
  }
  return answer(ctx, "socket", NULL, socket(domain, type | SOCK_CLOEXEC, protocol));
}

SYS_VERB(sys_bind) {
  int fd;
  Bytes address;
  if (!get_int(ctx, argv[0], &fd) || !get_bytes(ctx, argv[1], &address)) return JS_EXCEPTION;
  int result = bind(fd, (const struct sockaddr *)address.start, (socklen_t)address.length);
  return done(ctx, "bind", NULL, result);
}

SYS_VERB(sys_connect) {
  int fd, result;
  Bytes address;
  if (!get_int(ctx, argv[0], &fd) || !get_bytes(ctx, argv[1], &address)) return JS_EXCEPTION;
  do result = connect(fd, (const struct sockaddr *)address.start, (socklen_t)address.length);
  while (result < 0 && errno == EINTR);
  return answer_io(ctx, "connect", result);
}

SYS_VERB(sys_listen) {
  int fd, backlog;
  if (!get_int(ctx, argv[0], &fd) || !get_int(ctx, argv[1], &backlog)) return JS_EXCEPTION;
  return done(ctx, "listen", NULL, listen(fd, backlog));
}

SYS_VERB(sys_accept) {
  int fd, result;
  if (!get_int(ctx, argv[0], &fd)) return JS_EXCEPTION;
  do result = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (result < 0 && (errno == EINTR || errno == ECONNABORTED));
  return answer_io(ctx, "accept4", result);
}

SYS_VERB(sys_setsockopt) {
  int fd, level, option, value;
  if (!get_int(ctx, argv[0], &fd) || !get_int(ctx, argv[1], &level) ||
      !get_int(ctx, argv[2], &option) || !get_int(ctx, argv[3], &value)) {
    return JS_EXCEPTION;
  }
  int result = setsockopt(fd, level, option, &value, sizeof value);
  return done(ctx, "setsockopt", NULL, result);
}

SYS_VERB(sys_getsockopt) {
  int fd, level, option, value = 0;
  socklen_t size = sizeof value;
  if (!get_int(ctx, argv[0], &fd) || !get_int(ctx, argv[1], &level) ||
      !get_int(ctx, argv[2], &option)) {
    return JS_EXCEPTION;
  }
  int result = getsockopt(fd, level, option, &value, &size);
  if (result < 0) return throw_errno(ctx, "getsockopt", NULL, errno);
  return JS_NewInt32(ctx, value);
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("socket", 3, sys_socket),
    JS_CFUNC_DEF("bind", 2, sys_bind),
    JS_CFUNC_DEF("connect", 2, sys_connect),
    JS_CFUNC_DEF("listen", 2, sys_listen),
    JS_CFUNC_DEF("accept", 1, sys_accept),
    JS_CFUNC_DEF("setsockopt", 4, sys_setsockopt),
    JS_CFUNC_DEF("getsockopt", 3, sys_getsockopt),
};
const VerbTable socket_verbs = VERB_TABLE(entries);
