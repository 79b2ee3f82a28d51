#!/usr/bin/env python3
"""A channel's program with a platform of files, which dies where it is told (docs/channels/protocol.md).

usage: channel-program.py DIRECTORY [CAPABILITY...]

in       one message a line, its text or its members as JSON; its number is its id and its cursor
acked    ids that the gateway has stored
out      ids and texts that were sent, one a line
die      if it is there: a point, and "program" or "gateway". Whoever reaches the point removes the file and kills that
"""
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

directory, capabilities = Path(sys.argv[1]), sys.argv[2:]
lock = threading.Lock()
stopping = threading.Event()


def reaches(point):
    try:
        wanted, victim = (directory / "die").read_text().split()
    except OSError:
        return
    if wanted != point:
        return
    (directory / "die").unlink()
    os.kill(os.getpid() if victim == "program" else os.getppid(), signal.SIGKILL)
    # The gateway is gone: so is whoever reads this.
    time.sleep(60 if victim == "program" else 0.2)


def append(name, text):
    with open(directory / name, "a") as file:
        file.write(text + "\n")


def say(**line):
    with lock:
        print(json.dumps(line), flush=True)


def members(line):
    return {"type": "inbound", **(json.loads(line) if line.startswith("{") else {"text": line})}


def watch(told):
    while not stopping.wait(0.02):
        lines = (directory / "in").read_text().split("\n")[:-1]
        for number in range(told + 1, len(lines) + 1):
            reaches("before-inbound")
            say(**{"chat": "#dev", "person": "ada", **members(lines[number - 1])}, id=str(number), cursor=number)
            reaches("after-inbound")
        told = len(lines)


for text in sys.stdin:
    line = json.loads(text)
    kind = line["type"]
    if kind == "start":
        say(type="ready", protocol=1, capabilities=capabilities, text_limit=40)
        threading.Thread(target=watch, args=(line["cursor"] or 0,), daemon=True).start()
    elif kind == "stored":
        reaches("after-stored")
        append("acked", line["id"])
    elif kind == "send":
        reaches("before-sent")
        if line["part"] > 1:
            reaches("between-parts")
        append("out", f"{line['id']} {line['text']}")
        reaches("after-sent")
        say(type="sent", id=line["id"])
    elif kind == "reconcile":
        there = line["id"] in (directory / "out").read_text()
        say(type="sent" if there else "not_sent", id=line["id"], reason="it is not there")
    elif kind == "health":
        say(type="healthy", id=line["id"])
    elif kind == "stop":
        stopping.set()
