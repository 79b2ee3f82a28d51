import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { Place } from '../cli/foreground.js';

const shortMinutes = fileURLToPath(new URL('fixtures/short-minutes.cjs', import.meta.url));

const place = new Place();
afterEach(() => place.remove());

it('collects the garbage of both threads at rest', { timeout: 60_000 }, async () => {
  const { child, end } = await place.start({ NODE_OPTIONS: `--require ${shortMinutes}` });
  const threads = new Set<string>();
  await new Promise<void>((resolve) => {
    let printed = '';
    child.stdout?.on('data', (text: string) => {
      printed += text;
      // "[PID:THREAD]  312 ms: Mark-Compact 9.0 (25.6) -> 4.6 (5.6) MB, … testing; …": the reason of a call of gc().
      for (const [, thread = ''] of printed.matchAll(/^\[\d+:(0x[0-9a-f]+)\].* Mark-Compact .* testing;/gm))
        threads.add(thread);
      if (threads.size === 2) resolve();
    });
  });
  child.kill('SIGTERM');
  expect((await end).stderr).not.toContain('is kept at rest');
});
