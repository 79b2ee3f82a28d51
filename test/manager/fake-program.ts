import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';

/** Puts a program of that name before all others, for one test; `script` is what it does, in JavaScript (CommonJS). */
export function fakeProgram(name: string, script: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-program-'));
  writeFileSync(join(directory, name), `#!${process.execPath}\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${directory}${delimiter}${process.env['PATH']}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });
}
