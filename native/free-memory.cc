// What the C library does with freed memory.

#include "free-memory.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "arguments.h"

namespace {

// malloc_trim(pad: number): 1 when memory was handed back to the system, 0, or a negative errno: -ENOSYS where the C
// library has no such call, as musl, which keeps little.
napi_value MallocTrim(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int64_t pad;
  if (!arguments.Int64(0, &pad)) return nullptr;
  if (pad < 0) return Number(env, -EINVAL);
#ifdef __GLIBC__
  return Number(env, malloc_trim(static_cast<size_t>(pad)));
#else
  return Number(env, -ENOSYS);
#endif
}

// mallopt(param: number, value: number): 1 when it was set, 0 when it can't be, or -ENOSYS as above.
napi_value Mallopt(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  int32_t param;
  int32_t value;
  if (!arguments.Int32(0, &param) || !arguments.Int32(1, &value)) return nullptr;
#ifdef __GLIBC__
  return Number(env, mallopt(param, value));
#else
  return Number(env, -ENOSYS);
#endif
}

}  // namespace

void InitializeFreeMemory(Napi::Env env, Napi::Object exports) {
  ExportFunction(env, exports, "malloc_trim", MallocTrim);
  ExportFunction(env, exports, "mallopt", Mallopt);
}
