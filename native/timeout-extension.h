#pragma once

#include <napi.h>

// timeout_extension_start, timeout_extension_stop and report_progress.
void InitializeTimeoutExtension(Napi::Env env, Napi::Object exports);
