"""Listens where a gateway would, and writes down who came and what they sent.

attacker.py LOG tcp PORT          answers each request as a gateway that takes the message
attacker.py LOG unix PATH         the same at a Unix socket
attacker.py LOG control PATH URL  answers as a gateway's control socket that names URL as its address
"""

import json
import os
import socket
import struct
import sys
import threading

log, kind, where = sys.argv[1:4]
escape = "\x1b]0;taken over\x07\x9b2J"


def note(text):
    with open(log, "a", encoding="utf-8") as file:
        file.write(text + "\n")


def peer(connection):
    if kind == "tcp":
        return ""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return "uid %d" % struct.unpack("3i", credentials)[1]


def control(connection):
    line = connection.makefile("rb").readline()
    note(line.decode("utf-8", "replace").strip())
    facts = {
        "listening": sys.argv[4:],
        "runs": [],
        "parts": [],
        "work": None,
        "waitingHosts": [],
        "supervision": escape,
        "supervisionWarnings": [],
        "status": escape,
        "state": "ready",
        "version": "1",
        "node": "v20.0.0",
        "instance": None,
        "unit": None,
        "invocationId": None,
        "startedAt": 0,
        "readyAt": 0,
        "watchdog": None,
        "trouble": None,
        "reloadRefused": None,
        "residentMemory": 0,
        "configurationFile": None,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "database": escape,
        "eventLoopDelay": {"mean": 0, "p99": 0, "max": 0},
    }
    answers = [{"event": "status", "text": escape}, {"event": "facts", "facts": facts}]
    if b"command" in line:
        answers = answers[:1]
    for answer in answers:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    connection.close()


def http(connection):
    connection.settimeout(5)
    try:
        note(connection.recv(65536).decode("utf-8", "replace"))
        body = json.dumps({"id": escape, "state": "replied", "reply": {"text": escape}}).encode()
        head = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        connection.sendall((head % len(body)).encode() + body)
    except OSError as error:
        note("nothing came: %s" % error)
    connection.close()


def serve(connection):
    note("connected " + peer(connection))
    (control if kind == "control" else http)(connection)


if kind == "tcp":
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(where)))
else:
    listener = socket.socket(socket.AF_UNIX)
    if os.path.lexists(where):
        os.unlink(where)
    listener.bind(where)
listener.listen(64)
note("listens")
if "NOTIFY_SOCKET" in os.environ:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
