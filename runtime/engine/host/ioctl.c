// ioctl: only requests whose argument is known, so that the kernel never writes past a buffer.
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "host.h"

#define NUMBER 0  // the argument is a number, not a pointer

static const struct Request {
  unsigned long request;
  size_t size;  // bytes that the kernel reads and writes, or NUMBER
} requests[] = {
    {TUNSETIFF, sizeof(struct ifreq)},
    {TUNSETPERSIST, NUMBER},
};

static const struct Request *find_request(unsigned long request) {
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    if (requests[i].request == request) return &requests[i];
  }
  return NULL;
}

SYS_VERB(sys_ioctl) {
  ARGUMENTS(a);
  bool is_number = JS_IsNumber(argv[2]);
  if (!get_arguments(ctx, argv, is_number ? "ill" : "ilb", &a)) return JS_EXCEPTION;
  const struct Request *known = find_request((unsigned long)a.numbers[1]);
  if (!known || known->size != (is_number ? NUMBER : a.byte_count)) {
    return throw_errno(ctx, "ioctl", NULL, EINVAL);
  }
  void *argument = is_number ? (void *)(uintptr_t)a.numbers[2] : a.bytes;
  return answer(ctx, "ioctl", NULL, ioctl((int)a.numbers[0], known->request, argument));
}

VERBS(ioctl_verbs, SYS_ENTRY("ioctl", sys_ioctl))
