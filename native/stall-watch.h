#pragma once

#include <napi.h>

// stall_watch_start, stall_watch_alive and stall_watch_stop: word of a thread of JavaScript that is blocked.
void InitializeStallWatch(Napi::Env env, Napi::Object exports);
