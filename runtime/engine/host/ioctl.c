// ioctl: only requests whose argument is known here, so that the kernel never writes past a buffer.
#include <errno.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "verbs.h"

#define NUMBER 0  // the argument is a number, not a pointer

static const struct {
  unsigned long request;
  size_t size;  // bytes that the kernel reads and writes, or NUMBER
} requests[] = {
    {TUNSETIFF, sizeof(struct ifreq)},
    {TUNGETIFF, sizeof(struct ifreq)},
    {TUNSETPERSIST, NUMBER},
    {TUNSETOWNER, NUMBER},
    {TUNSETGROUP, NUMBER},
    {TIOCSCTTY, NUMBER},
    {TIOCSWINSZ, sizeof(struct winsize)},
    {BLKGETSIZE64, sizeof(uint64_t)},
};

SYS_VERB(sys_ioctl) {
  int fd;
  int64_t request;
  if (!get_int(ctx, argv[0], &fd) || !get_int64(ctx, argv[1], &request)) return JS_EXCEPTION;
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    if (requests[i].request != (unsigned long)request) continue;
    if (requests[i].size == NUMBER) {
      int64_t number;
      if (!get_int64(ctx, argv[2], &number)) return JS_EXCEPTION;
      return answer(ctx, "ioctl", NULL, ioctl(fd, requests[i].request, (unsigned long)number));
    }
    Bytes bytes;
    if (!get_bytes(ctx, argv[2], &bytes)) return JS_EXCEPTION;
    if (bytes.length != requests[i].size) break;
    return answer(ctx, "ioctl", NULL, ioctl(fd, requests[i].request, bytes.start));
  }
  return throw_errno(ctx, "ioctl", NULL, EINVAL);
}

static const JSCFunctionListEntry entries[] = {JS_CFUNC_DEF("ioctl", 3, sys_ioctl)};
const VerbTable ioctl_verbs = VERB_TABLE(entries);
