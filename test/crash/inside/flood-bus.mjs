// Floods the system bus until its standard input ends: signals to everybody, and calls to the service manager, whose
// answers nobody reads. Prints a line once it floods. The messages are those of the D-Bus Specification.
import { connect } from 'node:net';

const connections = 4;
const kinds = { call: 1, signal: 4 };
const fieldCodes = { path: 1, interface: 2, member: 3, destination: 6 };

function message(kind, serial, fields) {
  const head = Buffer.alloc(16);
  const parts = [head];
  let length = 0;
  const put = (bytes) => {
    parts.push(bytes);
    length += bytes.length;
  };
  const align = () => put(Buffer.alloc(-length & 7));
  for (const [name, text] of Object.entries(fields)) {
    align();
    const type = name === 'path' ? 'o' : 's';
    const size = Buffer.alloc(4);
    size.writeUInt32LE(Buffer.byteLength(text));
    put(Buffer.from([fieldCodes[name], 1, type.charCodeAt(0), 0]));
    put(size);
    put(Buffer.from(`${text}\0`));
  }
  head.write('l');
  head[1] = kind;
  head[3] = 1;
  head.writeUInt32LE(serial, 8);
  head.writeUInt32LE(length, 12);
  align();
  return Buffer.concat(parts);
}

const hello = message(kinds.call, 1, {
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'Hello',
  destination: 'org.freedesktop.DBus',
});
const ping = message(kinds.call, 2, {
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.DBus.Peer',
  member: 'Ping',
  destination: 'org.freedesktop.systemd1',
});
const signal = message(kinds.signal, 3, { path: '/flood', interface: 'org.example.Flood', member: 'Rise' });
const wave = Buffer.concat([...Array.from({ length: 200 }, () => signal), ping]);

let isTold = false;

function flood() {
  const socket = connect('/run/dbus/system_bus_socket');
  const uid = Buffer.from(String(process.getuid())).toString('hex');
  const rise = () => {
    while (socket.write(wave));
    socket.once('drain', rise);
  };
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  socket.once('data', () => {
    socket.pause();
    socket.write('BEGIN\r\n');
    socket.write(hello);
    rise();
    if (!isTold) process.stdout.write('"floods"\n');
    isTold = true;
  });
  // The bus ends whoever reads nothing for too long.
  socket.on('error', () => undefined).once('close', () => setTimeout(flood, 20));
}

for (let index = 0; index < connections; index += 1) flood();
process.stdin.once('end', () => process.exit(0)).resume();
