import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const built = (file: string) => JSON.stringify(new URL(`../../../dist/${file}`, import.meta.url).href);

/** Runs as PID 1: leaves orphans behind, reaps them beside children of its own, and tells of both. */
const program = `
  import { spawn } from 'node:child_process';
  import { once } from 'node:events';
  import { setTimeout as pause } from 'node:timers/promises';
  import { reapOrphans } from ${built('gateway/supervisor/orphans.js')};
  import { zombieChildren } from ${built('linux/process.js')};

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
  console.log(JSON.stringify({ pid: process.pid, statuses: [...new Set(statuses)], left: zombieChildren().length }));
`;

it.runIf(process.getuid?.() === 0)(
  'reaps what others left to PID 1, and none of the gateway’s own children',
  async () => {
    const { stdout } = await promisify(execFile)('unshare', [
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      process.execPath,
      '--input-type=module',
      '--eval',
      program,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ pid: 1, statuses: [7], left: 0 });
  },
);
