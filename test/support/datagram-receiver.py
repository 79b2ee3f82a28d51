"""Binds a Unix datagram socket and tells, as JSON lines, what arrives there with which credentials and descriptors.

Arguments: the address (a path, or @name for an abstract one). Commands, one a line on standard input:
  read          waits for one datagram and tells it
  count N PATH  waits for N datagrams, then tells their number in PATH, which may be a FIFO
  pending       tells how many datagrams wait (reads them all without waiting)
  close-fds     closes the descriptors received so far
"""

import array
import base64
import fcntl
import json
import os
import socket
import stat
import struct
import sys

F_GET_SEALS = 1034
LARGEST = 1 << 20


def tell(value):
    print(json.dumps(value), flush=True)


def describe(fd):
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind):
        return {"kind": "fifo" if stat.S_ISFIFO(kind) else "socket" if stat.S_ISSOCK(kind) else "other"}
    size = os.fstat(fd).st_size
    return {
        "kind": "file",
        "seals": fcntl.fcntl(fd, F_GET_SEALS),
        "content": base64.b64encode(os.pread(fd, size, 0)).decode(),
    }


def receive(receiver, held, flags=0):
    data, ancillary, _, _ = receiver.recvmsg(LARGEST, 1 << 16, flags)
    told = {"data": base64.b64encode(data).decode(), "fds": []}
    for level, kind, content in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            told["pid"], told["uid"], told["gid"] = struct.unpack("iII", content)
        elif kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            held.extend(fds)
            told["fds"] = [describe(fd) for fd in fds]
    return told


def main():
    address = sys.argv[1]
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    receiver.bind("\0" + address[1:] if address.startswith("@") else address)
    held = []
    tell("bound")
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "read":
            tell(receive(receiver, held))
        elif command == "count":
            for _ in range(int(arguments[0])):
                receive(receiver, held)
            with open(arguments[1], "w") as file:
                file.write(arguments[0])
            tell("counted")
        elif command == "pending":
            count = 0
            try:
                while True:
                    receive(receiver, held, socket.MSG_DONTWAIT)
                    count += 1
            except BlockingIOError:
                tell(count)
        elif command == "close-fds":
            for fd in held:
                os.close(fd)
            held.clear()
            tell("closed")


main()
