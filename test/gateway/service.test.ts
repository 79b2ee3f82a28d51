import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const fullForToken = fileURLToPath(new URL('./fixtures/full-for-token.cjs', import.meta.url));

let folder: string;
let environment: Readonly<Record<string, string>>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-service-'));
  environment = {
    PATH: process.env['PATH'] ?? '',
    STATE_DIRECTORY: join(folder, 'state'),
    RUNTIME_DIRECTORY: join(folder, 'runtime'),
    CONFIGURATION_DIRECTORY: join(folder, 'configuration'),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

function configure(text: string): void {
  mkdirSync(join(folder, 'configuration'));
  writeFileSync(join(folder, 'configuration/sd-gateway.toml'), text);
}

function recordsIn(stderr: string): readonly Record<string, string>[] {
  return stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
}

it('puts a start that is refused on record as refused, with the status that it exits with', () => {
  // There is no socket unit, which shows only once the store is open.
  configure('[http]\nlisten = "systemd"\n');
  const { status, stderr } = spawnSync(process.execPath, [program, 'run'], {
    env: environment,
    encoding: 'utf8',
  });
  expect(status).toBe(78);
  expect(recordsIn(stderr).find(({ message }) => message?.startsWith('Stopped'))).toMatchObject({
    SD_GATEWAY_STOP_CAUSE: 'refused',
    SD_GATEWAY_EXIT_STATUS: '78',
  });
});

/** Starts a gateway whose first tokens find no room, and stops it once it serves. Gives what it said. */
async function runWithoutRoom(tokensWithoutRoom: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [program, 'run'], {
    env: {
      ...environment,
      NODE_OPTIONS: `--require=${fullForToken}`,
      TOKENS_WITHOUT_ROOM: String(tokensWithoutRoom),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (!stderr.includes('Ready after') && (stderr + text).includes('Ready after')) child.kill('SIGTERM');
    stderr += text;
  });
  await once(child, 'close');
  return recordsIn(stderr).map(({ message = '' }) => message);
}

it('puts a start on record once, also if it waits for room or ends without', async () => {
  configure(
    `supervisor = "container"\n[http]\nlisten = "unix:${join(folder, 'http.sock')}"\n[start]\nwait = "600ms"\n`,
  );
  const waited = await runWithoutRoom(2);
  expect(waited.filter((text) => /The start (waits|goes on)/.test(text))).toHaveLength(2);
  rmSync(join(folder, 'state/token'));
  const failed = await runWithoutRoom(100);
  expect(failed.filter((text) => text.startsWith('The last run'))).toEqual([
    expect.stringContaining('The last run ended cleanly'),
  ]);
  expect(failed.at(-1)).toContain('exit status 1');
  const next = await runWithoutRoom(0);
  expect(next.filter((text) => text.startsWith('The last run'))).toEqual([
    expect.stringMatching(/The last run did not end as planned: .*no space left on device/),
  ]);
}, 20_000);
