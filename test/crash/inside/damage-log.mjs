// Run before each start of a gateway under test for which there is an order (ExecStartPre=): keeps the files of the
// store, and damages its write-ahead log.
//   node damage-log.mjs STORE ORDER KEPT    ORDER: {"kind": …, "seed": …} as JSON; KEPT: a directory for the files
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { Random } from './random.mjs';

const [store, order, kept] = process.argv.slice(2);
const { kind, seed } = JSON.parse(readFileSync(order, 'utf8'));
const random = new Random(seed);
const log = `${store}-wal`;
rmSync(order);

rmSync(kept, { recursive: true, force: true });
mkdirSync(kept);
for (const path of [store, log, `${store}-seal`]) {
  if (existsSync(path)) copyFileSync(path, join(kept, basename(path)));
}

const headerBytes = 32;
const bytes = existsSync(log) ? readFileSync(log) : Buffer.alloc(0);
const flip = (from, until) => {
  const bit = random.between(from * 8, until * 8 - 1);
  bytes[bit >> 3] ^= 1 << (bit & 7);
  // In place: the file keeps its owner.
  writeFileSync(log, bytes, { flag: 'r+' });
};
if (bytes.length > headerBytes) {
  const frameBytes = bytes.readUInt32BE(8) + 24;
  const frames = Math.floor((bytes.length - headerBytes) / frameBytes);
  const frame = headerBytes + random.between(0, frames - 1) * frameBytes;
  if (kind === 'moved') rmSync(log);
  if (kind === 'checksum') flip(frame + 16, frame + 24);
  if (kind === 'bit') flip(0, bytes.length);
  if (kind === 'cut') truncateSync(log, random.between(0, bytes.length - 1));
  rmSync(`${store}-shm`, { force: true });
}
