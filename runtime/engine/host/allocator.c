// The engine's memory. It asks for a great many blocks, most of them at start, where musl's malloc
// takes longer than the program: they are cut from chunks, and wait in a list of their size once
// they are freed. Chunks are never given back; large blocks are musl's.
#include <stddef.h>
#include <sys/mman.h>

#include "host.h"

#define STEP 16    // sizes of small blocks, header included, are multiples of it,
#define SMALL 512  // and those of others powers of two,
#define LARGE (32 * 1024)
#define CHUNK (128 * 1024)

// Before each block that the engine has: the size of the whole. 8 bytes are aligned enough for it.
struct Block {
  size_t size;
  Block *next;  // while it is free
};

#define HEADER offsetof(Block, next)

_Static_assert(HEAP_LISTS == SMALL / STEP + 8, "a list for each size");
Heap heap;

static Block *block_of(const void *memory) { return (Block *)((char *)memory - HEADER); }

static size_t usable_size(const void *memory) {
  return memory ? block_of(memory)->size - HEADER : 0;
}

static unsigned bits_of(size_t number) { return 64u - (unsigned)__builtin_clzl(number); }

// 0 of what no memory has room for.
static size_t size_of_block(size_t wanted) {
  if (wanted > PTRDIFF_MAX - 2 * STEP) return 0;
  size_t size = (wanted + HEADER + STEP - 1) / STEP * STEP;
  return size <= SMALL || size > LARGE ? size : (size_t)1 << bits_of(size - 1);
}

static Block **list_of(size_t size) {
  return &heap.free_blocks[size <= SMALL ? size / STEP : SMALL / STEP + bits_of(size / SMALL - 1)];
}

// With its pages, which would otherwise come one by one, each for a fault.
static bool begin_chunk(void) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  char *begun = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (begun == MAP_FAILED) return false;
  heap.chunk = begun;
  heap.chunk_left = CHUNK;
  return true;
}

// What is left of a chunk is given up only for a small block, and so is little.
static Block *cut(size_t size) {
  if (heap.chunk_left < size) {
    if (heap.is_closed) return NULL;
    if (size > SMALL && heap.chunk_left > 0) return malloc(size);
    if (!begin_chunk()) return NULL;
  }
  Block *block = (Block *)heap.chunk;
  heap.chunk += size;
  heap.chunk_left -= size;
  return block;
}

static void *allocate(JSMallocState *state, size_t wanted) {
  size_t size = size_of_block(wanted);
  if (size == 0 || state->malloc_size + size > state->malloc_limit) return NULL;
  Block **list = size > LARGE ? NULL : list_of(size), *block;
  if (!list) {
    block = heap.is_closed ? cut(size) : malloc(size);
  } else if ((block = *list) != NULL) {
    *list = block->next;
  } else {
    block = cut(size);
  }
  if (!block) return NULL;
  block->size = size;
  state->malloc_count++;
  state->malloc_size += size;
  return &block->next;
}

static void release(JSMallocState *state, void *memory) {
  if (!memory) return;
  Block *block = block_of(memory);
  state->malloc_count--;
  state->malloc_size -= block->size;
  if (block->size > LARGE) {
    if (!is_of_image(block)) free(block);
  } else {
    Block **list = list_of(block->size);
    block->next = *list;
    *list = block;
  }
}

static void *resize(JSMallocState *state, void *memory, size_t wanted) {
  if (!memory) return wanted == 0 ? NULL : allocate(state, wanted);
  if (wanted == 0) {
    release(state, memory);
    return NULL;
  }
  Block *block = block_of(memory);
  size_t size = size_of_block(wanted), before = block->size, usable = before - HEADER;
  if (size == before) return memory;
  if (size > LARGE && before > LARGE && !is_of_image(block)) {
    if (state->malloc_size - before + size > state->malloc_limit) return NULL;
    if (!(block = realloc(block, size))) return NULL;
    block->size = size;
    state->malloc_size += size - before;
    return &block->next;
  }
  void *moved = allocate(state, wanted);
  if (!moved) return NULL;
  memcpy(moved, memory, wanted < usable ? wanted : usable);
  release(state, memory);
  return moved;
}

const JSMallocFunctions allocator = {allocate, release, resize, usable_size};
