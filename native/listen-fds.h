#pragma once

#include <napi.h>

// sd_listen_fds_with_names, see sd_listen_fds(3).
void InitializeListenFds(Napi::Env env, Napi::Object exports);
