import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

it('puts a start that is refused on record as refused, with the status that it exits with', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-service-'));
  try {
    const environment = {
      PATH: process.env['PATH'],
      STATE_DIRECTORY: join(folder, 'state'),
      RUNTIME_DIRECTORY: join(folder, 'runtime'),
      CONFIGURATION_DIRECTORY: join(folder, 'configuration'),
    };
    mkdirSync(environment.CONFIGURATION_DIRECTORY);
    // There is no socket unit, which shows only once the store is open.
    writeFileSync(
      join(environment.CONFIGURATION_DIRECTORY, 'sd-gateway.toml'),
      '[http]\nlisten = "systemd"\n',
    );
    const { status, stderr } = spawnSync(process.execPath, [program, 'run'], {
      env: environment,
      encoding: 'utf8',
    });
    const records = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(status).toBe(78);
    expect(records.find(({ message }) => message?.startsWith('Stopped'))).toMatchObject({
      SD_GATEWAY_STOP_CAUSE: 'refused',
      SD_GATEWAY_EXIT_STATUS: '78',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
