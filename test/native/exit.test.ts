import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const module = new URL('../../dist/systemd/process.js', import.meta.url).href;

it('ends the process with its status, after the listeners of "exit", whatever its threads are at', () => {
  const script = `
    import { Worker } from 'node:worker_threads';
    import { exitAtOnce } from ${JSON.stringify(module)};
    process.on('exit', (status) => process.stdout.write('exit ' + status));
    // A thread that no termination of JavaScript gets out of its call.
    const worker = new Worker('require("node:child_process").execFileSync("sleep", ["60"])', { eval: true });
    worker.on('online', () => exitAtOnce(75));
  `;
  const { status, stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 15_000 },
  );
  expect({ status, stdout, stderr, signal }).toEqual({
    status: 75,
    stdout: 'exit 75',
    stderr: '',
    signal: null,
  });
});
