#pragma once

#include <napi.h>
#include <stddef.h>

#include <atomic>

#include "datagram-sender.h"

// Each adds its functions to the addon's exports.
void InitializeDatagramReceiver(Napi::Env env, Napi::Object exports);
void InitializeFatalSignal(Napi::Env env, Napi::Object exports);
void InitializeFile(Napi::Env env, Napi::Object exports);
void InitializeJournal(Napi::Env env, Napi::Object exports);
void InitializeNotify(Napi::Env env, Napi::Object exports);
void InitializeProcess(Napi::Env env, Napi::Object exports);
void InitializeSignal(Napi::Env env, Napi::Object exports);
void InitializeStallWatch(Napi::Env env, Napi::Object exports);
void InitializeTimeoutExtension(Napi::Env env, Napi::Object exports);

// Sends a message to the service manager at `address`, from any thread. kSent, kQueued, 0 when `address` is null, or a
// negative errno.
int SendNotification(const char* address, const Datagram& state);

// Sends one entry to journald at `address`, from any thread. kSent, kQueued, or a negative errno.
int SendJournalEntry(const char* address, const char* data, size_t size);

// True while a stall watch has told of a blocked event loop that has not come back.
extern std::atomic<bool> event_loop_stalls;
