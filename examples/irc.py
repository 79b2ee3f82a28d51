#!/usr/bin/env python3
"""IRC as a channel of sd-gateway (docs/channels/protocol.md).

    [channels.irc]
    type = "command"
    command = ["/usr/bin/python3", "/path/to/irc.py", "--tls", "irc.example.org", "6697", "gateway", "#dev"]
    token_file = "/etc/sd-gateway/irc.password"   # the server's password, if it wants one
    allow = ["ada"]

In a room it answers those who begin with its nick ("gateway: hello"), in private everybody that may write. A person is a
nick here: on a network where anybody may take any nick, anybody may be that person.

IRC does not send a message again, so one that comes while this program is away is lost. It has no receipt either, but
answers in order: if PONG comes after a message, the server has it.
"""
import json
import socket
import ssl
import sys
import threading
import time

words = [word for word in sys.argv[1:] if word != "--tls"]
host, port, nick, rooms = words[0], int(words[1]), words[2], words[3:]
lock = threading.Lock()
# Orders whose PONG has not come: by the id, the receiver, and the error that came before it, or None.
waiting = {}
ending = threading.Event()


def say(**line):
    with lock:
        print(json.dumps(line), flush=True)


def tell(*lines):
    with lock:
        server.sendall("".join(f"{line}\r\n" for line in lines).encode())


def pieces(text, limit=400):
    """Lines of at most so many bytes, cut at blanks where there are some."""
    for line in text.replace("\r", "").replace("\0", "").split("\n"):
        rest = line.encode()
        while len(rest) > limit:
            end = rest.rfind(b" ", 1, limit)
            while end == -1 or (rest[end] & 0xC0) == 0x80:  # Within a character.
                end = limit if end == -1 else end - 1
            yield rest[:end].decode()
            rest = rest[end:].lstrip(b" ")
        if rest:
            yield rest.decode()


def parse(line):
    """(nick of the sender, command, parameters) of a line (RFC 2812, section 2.3.1)."""
    prefix = ""
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
    head, found, last = line.partition(" :")
    command, *parameters = head.split()
    return prefix.split("!")[0], command.upper(), parameters + ([last] if found else [])


def message(sender, to, text):
    if to != nick:
        called = text[: len(nick) + 1].lower() in (f"{nick.lower()}:", f"{nick.lower()},")
        if not called:
            return
        text = text[len(nick) + 1 :].strip()
    if text:
        room = to != nick
        chat = to if room else sender
        id = str(time.time_ns())
        say(type="inbound", id=id, chat=chat, person=sender, text=text, group=room, addressed=room)


def hear(command, sender, parameters):
    if command == "PING":
        tell(f"PONG :{parameters[-1]}")
    elif command == "PONG":
        id = parameters[-1]
        if id not in waiting:  # No message was sent before it: it answers "health".
            say(type="healthy", id=id)
            return
        _, error = waiting.pop(id)
        if error is None:
            say(type="sent", id=id)
        else:
            say(type="not_sent", id=id, reason=error, final=True)
    elif command == "PRIVMSG":
        message(sender, *parameters)
    elif command in ("401", "403", "404", "411", "412"):  # No such nick, no such room, not allowed there.
        for id, (to, _) in list(waiting.items()):
            if to == parameters[1]:
                waiting[id] = (to, " ".join(parameters[1:]))
    elif command == "001":
        if rooms:
            tell(f"JOIN {','.join(rooms)}")
        say(type="ready", protocol=1)
    elif command in ("432", "433", "436", "464", "465", "ERROR") and not ending.is_set():  # The nick, the password, or a ban.
        sys.exit(f"{host}: {' '.join(parameters)}")


def orders():
    for text in sys.stdin:
        line = json.loads(text)
        if line["type"] == "send":
            to = line["to"].replace(" ", "").replace("\r", "").replace("\n", "")
            waiting[line["id"]] = (to, None)
            tell(*(f"PRIVMSG {to} :{piece}" for piece in pieces(line["text"])), f"PING :{line['id']}")
        elif line["type"] == "health":
            tell(f"PING :{line['id']}")
    # The gateway ends the channel.
    ending.set()
    tell("QUIT")


start = json.loads(sys.stdin.readline())
server = socket.create_connection((host, port), timeout=30)
if "--tls" in sys.argv:
    server = ssl.create_default_context().wrap_socket(server, server_hostname=host)
server.settimeout(None)
tell(*([f"PASS {start['secret']}"] if start["secret"] else []), f"NICK {nick}", f"USER {nick} 0 * :sd-gateway")
threading.Thread(target=orders, daemon=True).start()
for raw in server.makefile("rb"):
    line = raw.decode(errors="replace").rstrip("\r\n")
    if line:
        sender, command, parameters = parse(line)
        hear(command, sender, parameters)
sys.exit(None if ending.is_set() else f"{host} closed the connection")
