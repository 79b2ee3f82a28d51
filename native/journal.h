#pragma once

#include <napi.h>
#include <stddef.h>

// Sends one entry from any thread. kSent, kQueued, or a negative errno.
int SendJournalEntry(const char* address, const char* data, size_t size);

// journal_send, journal_flush and journal_queue: entries for journald.
void InitializeJournal(Napi::Env env, Napi::Object exports);
