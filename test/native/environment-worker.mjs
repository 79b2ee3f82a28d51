// A worker thread that uses the addon as `workerData` says.
import { parentPort, workerData } from 'node:worker_threads';
import { notify, notifyBarrier } from '../../dist/systemd/notify.js';
import { startTimeoutExtension } from '../../dist/systemd/timeout-extension.js';

if (workerData === 'notify') {
  parentPort.postMessage(notify({ status: 'from a worker' }));
} else {
  startTimeoutExtension({
    intervalMilliseconds: 60_000,
    extensionMicroseconds: 120_000_000n,
    limitMilliseconds: 60_000,
  });
  notifyBarrier(60_000);
  parentPort.on('message', () => process.exit());
  parentPort.postMessage('begun');
}
