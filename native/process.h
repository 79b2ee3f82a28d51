#pragma once

#include <napi.h>

// sd_booted, sd_watchdog_enabled, getppid, flock and SO_PEERCRED.
void InitializeProcess(Napi::Env env, Napi::Object exports);
