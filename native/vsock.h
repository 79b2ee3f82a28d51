#pragma once

#include <stddef.h>

#include "socket-address.h"

// The socket type for an address that leaves it open: datagrams where the hypervisor has them, else connections
// (sd_notify(3), NOTES). A type, or a negative errno.
int VsockTypeThatWorks();

// Binds to a port under 1024, which shows the host that a privileged process speaks; without the privilege any port
// will do. 0, or a negative errno.
int BindPrivilegedVsockPort(int fd);

// Sends one message as one connection, whose end is the message's end, and waits for the receiver to close it too.
// Blocks. 1, or a negative errno.
int SendByVsockConnection(const SocketAddress& address, int type, const char* data, size_t size);
