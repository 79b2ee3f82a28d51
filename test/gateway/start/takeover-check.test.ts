import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { checkBeforeTakeover } from '../../../src/gateway/start/takeover-check.js';

const script = `process.title = process.argv[1];
require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

let child: ChildProcess;
afterEach(() => void child.kill('SIGKILL'));

/** A process of that name that listens; gives its port. */
async function listener(name: string): Promise<number> {
  child = spawn(process.execPath, ['-e', script, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  return Number(String(text));
}

it.each([
  ['systemd', /keeps that socket for a unit\. Stop the unit first: systemctl --user stop UNIT\. The other/],
  [
    'nginx',
    /nginx \(pid \d+\) does, which is not the gateway to take over from\. The other gateway was left/,
  ],
])('is refused while %s has the address, with the next step', async (name, text) => {
  const port = await listener(name);
  const check = {
    listen: { kind: 'tcp', host: '127.0.0.1', port } as const,
    holderPid: null,
    secrets: () => undefined,
    store: async () => undefined,
  };
  await expect(checkBeforeTakeover(check)).rejects.toThrow(text);
});
