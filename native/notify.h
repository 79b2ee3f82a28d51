#pragma once

#include <napi.h>

#include "datagram-sender.h"

// The one sender of this process's notifications, shared by all its threads.
DatagramSender& NotificationSender();

// Sends `state` to NOTIFY_SOCKET. kSent, kQueued, 0 without NOTIFY_SOCKET, or a negative errno.
int SendNotification(const Datagram& state);

// sd_notify, sd_pid_notify_with_fds, and what became of those that had to wait; see sd_notify(3).
void InitializeNotify(Napi::Env env, Napi::Object exports);
