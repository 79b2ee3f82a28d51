#pragma once

#include <napi.h>

// journal_send, journal_flush and journal_queue: entries for journald.
void InitializeJournal(Napi::Env env, Napi::Object exports);
