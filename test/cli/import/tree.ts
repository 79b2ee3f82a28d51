import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SourceDirectory } from '../../../src/cli/import/source-directory.js';

export const tokens = {
  telegram: '123456789:AAF-abcdefghijklmnopqrstuvwx',
  other: '987654321:AAF-zyxwvutsrqponmlkjihgfedc',
  discord: 'MTIzNDU2Nzg5MDEyMzQ1.GabcdE.abcdefghijklmnopqrstuvwxyz012345',
  slackBot: 'xoxb-1234567890-abcdef',
  slackApp: 'xapp-1-ABC-1234567890',
  slackSigning: '0123456789abcdef0123456789abcdef',
  matrix: 'syt_Ym90_abcdefghijklmnopqrst_0a1B2c',
  otherMatrix: 'syt_b3Bz_zyxwvutsrqponmlkjihg_3D4e5F',
} as const;

/** A directory with these files, by their names in it; gone when the test is over. */
export function directoryWith(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-import-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, 0o600);
  }
  return directory;
}

export function sourceWith(files: Readonly<Record<string, string>>): SourceDirectory {
  const directory = directoryWith(files);
  return new SourceDirectory(directory, directory);
}
