// The system calls that Node doesn't offer, under their C names. Loaded by src/systemd/native.ts only.

#include <napi.h>

#include "signal.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  InitializeSignal(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sd_gateway, Initialize)
