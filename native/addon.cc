// The system calls that Node doesn't offer, under their C names. Loaded by src/systemd/native.ts only.

#include <napi.h>

#include "journal.h"
#include "notify.h"
#include "process.h"
#include "signal.h"
#include "stall-watch.h"
#include "timeout-extension.h"

namespace {

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  InitializeNotify(env, exports);
  InitializeProcess(env, exports);
  InitializeJournal(env, exports);
  InitializeTimeoutExtension(env, exports);
  InitializeStallWatch(env, exports);
  InitializeSignal(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sd_gateway, Initialize)
