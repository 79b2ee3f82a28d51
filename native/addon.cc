// The system calls that Node doesn't offer, under their C names. Loaded by src/linux/native.ts only.

#include "addon.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  InitializeDatagramReceiver(env, exports);
  InitializeFatalSignal(env, exports);
  InitializeFile(env, exports);
  InitializeJournal(env, exports);
  InitializeNotify(env, exports);
  InitializeProcess(env, exports);
  InitializeSignal(env, exports);
  InitializeStallWatch(env, exports);
  InitializeTimeoutExtension(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sd_gateway, Initialize)
