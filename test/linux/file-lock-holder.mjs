// Holds the lock of the file in its argument until it is killed.
import { tryLock } from '../../dist/linux/file-lock.js';

const lock = tryLock(process.argv[2]);
process.stdout.write(`${lock.locked}\n`);
setInterval(() => {}, 60_000);
