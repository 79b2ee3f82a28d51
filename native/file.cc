// Questions about files that Node.js has no call for.

#include <errno.h>
#include <sys/xattr.h>

#include "addon.h"
#include "arguments.h"

namespace {

// Longest value that is read, in bytes.
constexpr size_t kLongestAttribute = 4096;

// getxattr(path: string, name: string): the value of an extended attribute, or a negative errno: -ENODATA if the file has
// no such attribute. See getxattr(2).
napi_value Getxattr(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Utf8 path;
  Utf8 name;
  if (!path.Append(env, arguments[0]) || !name.Append(env, arguments[1])) return nullptr;
  if (path.has_nul() || name.has_nul()) return Number(env, -EINVAL);
  char value[kLongestAttribute];
  ssize_t size = getxattr(path.data(), name.data(), value, sizeof(value));
  if (size < 0) return Number(env, -errno);
  napi_value text;
  napi_create_string_utf8(env, value, static_cast<size_t>(size), &text);
  return text;
}

}  // namespace

void InitializeFile(Napi::Env env, Napi::Object exports) { ExportFunction(env, exports, "getxattr", Getxattr); }
