// Notes its fatal signals in the directory of its first argument, and ends as the second one says.
import { spawn } from 'node:child_process';
import { noteFatalSignals } from '../../../dist/gateway/supervisor/last-words.js';
import { startStallWatch } from '../../../dist/systemd/watchdog.js';

const [, , directory, end] = process.argv;
noteFatalSignals(directory);
const soon = (signal) =>
  spawn('/bin/sh', ['-c', `sleep 0.5; kill -${signal} ${process.pid}`], { stdio: 'ignore' });
const forever = () => setInterval(() => {}, 60_000);
switch (end) {
  case 'exit':
    process.exit(1);
    break;
  case 'abort':
    process.abort();
    break;
  case 'out of memory': {
    const kept = [];
    for (;;) kept.push(new Array(1_000).fill(kept.length));
  }
  case 'ABRT while it is blocked':
    startStallWatch({
      limitMilliseconds: 100,
      journalEntry: [['MESSAGE', 'blocked']],
      status: 'blocked',
      journalSocket: '/nonexistent',
    });
    soon('ABRT');
    for (;;);
  default:
    soon(end);
    forever();
}
