#pragma once

#include <napi.h>

// malloc_trim and mallopt.
void InitializeFreeMemory(Napi::Env env, Napi::Object exports);
