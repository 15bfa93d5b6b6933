// ioctl: only requests whose argument is known, so that the kernel never writes past a buffer.
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
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
    {TUNSETOWNER, NUMBER},
    {TUNSETGROUP, NUMBER},
    {FICLONE, NUMBER},
    {FITHAW, NUMBER},
    {FS_IOC_FIEMAP, sizeof(struct fiemap)},
    {LOOP_CTL_GET_FREE, NUMBER},
    {LOOP_CONFIGURE, sizeof(struct loop_config)},
    {LOOP_CLR_FD, NUMBER},
};

static const struct Request *find_request(unsigned long request) {
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    if (requests[i].request == request) return &requests[i];
  }
  return NULL;
}

// Bytes that the kernel reads and writes of this argument: a table of extents says itself how many.
static size_t size_of_argument(const struct Request *known, const Arguments *a) {
  struct fiemap map;
  if (known->request != FS_IOC_FIEMAP || a->byte_count < sizeof map) return known->size;
  memcpy(&map, a->bytes, sizeof map);
  return sizeof map + map.fm_extent_count * sizeof(struct fiemap_extent);
}

SYS_VERB(sys_ioctl) {
  ARGUMENTS(a);
  bool is_number = JS_IsNumber(argv[2]);
  if (!get_arguments(ctx, argv, is_number ? "ill" : "ilb", &a)) return JS_EXCEPTION;
  const struct Request *known = find_request((unsigned long)a.numbers[1]);
  if (!known || size_of_argument(known, &a) != a.byte_count) {
    return throw_errno(ctx, "ioctl", NULL, EINVAL);
  }
  void *argument = is_number ? (void *)(uintptr_t)a.numbers[2] : a.bytes;
  return answer(ctx, "ioctl", NULL, ioctl((int)a.numbers[0], known->request, argument));
}

VERBS(ioctl_verbs, SYS_ENTRY("ioctl", sys_ioctl))
