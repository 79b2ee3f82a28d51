#pragma once

#include <napi.h>

// Exposes the signals with their senders; see signal.cc.
void InitializeSignal(Napi::Env env, Napi::Object exports);
