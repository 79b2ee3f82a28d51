#pragma once

#include <napi.h>

// sd_notify_barrier, see sd_notify(3).
void InitializeBarrier(Napi::Env env, Napi::Object exports);
