"""Listens on an address without taking connections until a line comes on standard input, then answers each with 204."""
import socket
import sys
import threading

host, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((host, port))
server.listen(0)
waiting = []
while True:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(0.3)
    try:
        client.connect((host, server.getsockname()[1]))
    except (TimeoutError, socket.timeout):
        client.close()
        break
    waiting.append(client)
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
for client in waiting:
    client.close()


def answer(connection):
    with connection:
        if connection.recv(65536):
            connection.sendall(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")


while True:
    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
