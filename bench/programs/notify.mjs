// sd_notify("STATUS=…") from JavaScript:   node notify.mjs own|library|npm|systemd-notify COUNT BURST
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { drain, inBursts, receiverAnswer, report } from './bursts.mjs';

const [contender, count, burst] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const text = (i) => `Ready: ${i} sessions, 3 running, 4 waiting`;

if (contender === 'own' || contender === 'library') {
  const { notify } = await import(
    contender === 'own' ? '../../dist/systemd/notify.js' : '../../dist/library/index.js'
  );
  report(
    inBursts(count, burst, (i) => {
      if (notify({ status: text(i) }).outcome !== 'sent') throw new Error('It was not sent at once.');
    }),
  );
} else if (contender === 'npm') {
  const peer = createRequire(import.meta.url)('sd-notify');
  report(inBursts(count, burst, (i) => peer.sendStatus(text(i))));
} else {
  const run = promisify(execFile);
  receiverAnswer();
  let spent = 0n;
  for (let i = 0; i < count; i++) {
    const began = process.hrtime.bigint();
    await run('systemd-notify', ['--no-block', `--status=${text(i)}`]);
    spent += process.hrtime.bigint() - began;
    drain(1);
  }
  report(spent);
}
