import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const built = (file: string) => JSON.stringify(new URL(`../../../dist/${file}`, import.meta.url).href);

/** Leaves orphans behind, reaps them beside children of its own, and tells of both. */
const program = `
  import { spawn } from 'node:child_process';
  import { once } from 'node:events';
  import { setTimeout as pause } from 'node:timers/promises';
  import { reapOrphans } from ${built('gateway/supervisor/orphans.js')};
  import { adoptOrphans, zombieChildren } from ${built('linux/process.js')};

  if (process.pid !== 1) adoptOrphans();
  reapOrphans({ run: (_what, work) => work() }, 20);
  const statuses = [];
  for (let round = 0; round < 20; round += 1) {
    const child = spawn('sh', ['-c', 'sh -c "sleep 0.05; exit 3" & exit 7']);
    statuses.push((await once(child, 'exit'))[0]);
  }
  // The last ones have not ended before.
  await pause(100);
  const deadline = performance.now() + 10_000;
  while (zombieChildren().length > 0 && performance.now() < deadline) await pause(10);
  console.log(JSON.stringify({ isFirst: process.pid === 1, statuses: [...new Set(statuses)], left: zombieChildren().length }));
`;

const node = [process.execPath, '--input-type=module', '--eval', program];
const asFirst = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...node];

describe('reaps what others left, and none of the gateway’s own children', () => {
  const told = async ([file = '', ...words]: readonly string[]) =>
    JSON.parse((await promisify(execFile)(file, words)).stdout);

  it.runIf(process.getuid?.() === 0)('as PID 1', async () => {
    expect(await told(asFirst)).toEqual({ isFirst: true, statuses: [7], left: 0 });
  });

  it('as the one that adopts orphans', async () => {
    expect(await told(node)).toEqual({ isFirst: false, statuses: [7], left: 0 });
  });
});
