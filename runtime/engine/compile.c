// compile SOURCE NAME BYTECODE: JavaScript to bytecode. NAME is what stack traces call the file.
// Linked with the same engine as the host: bytecode fits one build only.
#include <stdio.h>
#include <stdlib.h>

#include "quickjs.h"

static char *read_source(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) return NULL;
  long size = ftell(file);
  if (size < 0) return NULL;
  rewind(file);
  char *source = malloc((size_t)size + 1);  // the engine wants a NUL after the end
  if (!source || fread(source, 1, (size_t)size, file) != (size_t)size) return NULL;
  fclose(file);
  source[size] = 0;
  *length = (size_t)size;
  return source;
}

static int fail(JSContext *ctx, const char *what) {
  JSValue error = JS_GetException(ctx);
  const char *text = JS_ToCString(ctx, error);
  fprintf(stderr, "%s: %s\n", what, text ? text : "");
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t length, size;
  char *source = read_source(argv[1], &length);
  if (!source) {
    perror(argv[1]);
    return 1;
  }
  JSRuntime *runtime = JS_NewRuntime();
  JSContext *ctx = runtime ? JS_NewContext(runtime) : NULL;
  if (!ctx) return 1;
  JS_SetStripInfo(runtime, JS_STRIP_SOURCE);  // lines and columns stay
  JSValue program =
      JS_Eval(ctx, source, length, argv[2], JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(program)) return fail(ctx, argv[2]);
  uint8_t *bytecode = JS_WriteObject(ctx, &size, program, JS_WRITE_OBJ_BYTECODE);
  if (!bytecode) return fail(ctx, argv[2]);
  FILE *output = fopen(argv[3], "wb");
  if (!output || fwrite(bytecode, 1, size, output) != size || fclose(output) != 0) {
    perror(argv[3]);
    return 1;
  }
  return 0;
}
