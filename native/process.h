#pragma once

#include <napi.h>

// getppid, pidfd_inode, set_close_on_exec, _exit, flock and SO_PEERCRED.
void InitializeProcess(Napi::Env env, Napi::Object exports);
