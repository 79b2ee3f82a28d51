// A worker thread that uses the addon as `workerData` says.
import { parentPort, workerData } from 'node:worker_threads';
import { notify, notifyBarrier } from '../../dist/systemd/notify.js';
import { startTimeoutExtension } from '../../dist/systemd/timeout-extension.js';

if (workerData === 'notify') {
  const sent = notify({ status: 'from a worker' });
  const unset = notify({ status: 'from a worker' }, { unsetEnvironment: true });
  parentPort.postMessage({ sent, unset });
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
