#!/usr/bin/env python3
"""A channel of sd-gateway in one file (docs/channels/protocol.md). Its platform is a directory:

each file NAME in CHAT/in is a message of the person PERSON, as text or, if it is none, as a file.
Each reply is a file in CHAT/out.

    [channels.files]
    type = "command"
    command = ["/usr/bin/python3", "/usr/local/lib/channel.py", ".", "ada"]
    allow = ["ada"]

"." is channels/files in the state directory, where the sandbox of the unit lets it write. The chat "dev" is made so:

    sudo install -d -o sd-gateway /var/lib/sd-gateway/channels/files/dev /var/lib/sd-gateway/channels/files/dev/in

A directory elsewhere has to belong to sd-gateway, too, and needs ReadWritePaths= in a drop-in of the unit.
"""
import json
import os
import shutil
import sys
import threading
from pathlib import Path

root, person = Path(sys.argv[1]), sys.argv[2]
lock = threading.Lock()
stopping = threading.Event()


def say(**line):
    with lock:
        print(json.dumps(line), flush=True)


def content(path, chat):
    try:
        return {"text": path.read_text()}
    except UnicodeDecodeError:  # The gateway takes files from the program's home.
        copy = f"{chat}~{path.name}"
        shutil.copyfile(path, Path.home() / copy)
        return {"text": "", "attachments": [{"path": copy, "name": path.name}]}


def watch():
    """Tells the gateway of each file once. What has no answer comes again with the next start."""
    told = set()
    while not stopping.wait(0.1):
        for path in sorted(root.glob("*/in/*")):
            if path not in told and not path.name.startswith("."):
                told.add(path)
                chat = path.parent.parent.name
                message = {"chat": chat, "person": person, "group": False, **content(path, chat)}
                say(type="inbound", id=f"{chat}/{path.name}", **message)


def send(line):
    """Writes beside the place and renames, so that a reply is there as a whole or not at all."""
    if line["to"] in ("", ".", "..") or "/" in line["to"]:  # It would be another directory than a chat's.
        say(type="not_sent", id=line["id"], reason="a chat can't have this name", final=True)
        return
    out = root / line["to"] / "out"
    try:
        out.mkdir(parents=True, exist_ok=True)
        beside = out / f".{line['id']}"
        beside.write_text(line["text"])
        os.replace(beside, out / line["id"])
        say(type="sent", id=line["id"])
    except OSError as error:
        say(type="not_sent", id=line["id"], reason=str(error))


for text in sys.stdin:
    line = json.loads(text)
    kind = line["type"]
    if kind == "start":
        say(type="ready", protocol=1, capabilities=["reconcile"])
        threading.Thread(target=watch, daemon=True).start()
    elif kind in ("stored", "refused"):  # Its own acknowledgement: the file goes.
        chat, name = line["id"].split("/", 1)
        (root / chat / "in" / name).unlink(missing_ok=True)
        (Path.home() / f"{chat}~{name}").unlink(missing_ok=True)
    elif kind == "send":
        send(line)
    elif kind == "reconcile":
        there = (root / line["to"] / "out" / line["id"]).exists()
        say(type="sent" if there else "not_sent", id=line["id"], reason="there is no such file")
    elif kind == "health":
        say(type="healthy", id=line["id"])
    elif kind == "stop":
        stopping.set()
