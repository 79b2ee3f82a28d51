import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgramError } from '../manager/program.js';
import type { ServiceManager } from '../manager/service-manager.js';

export interface Verification {
  /** Reasons why the unit must not be installed; empty if it may. */
  readonly problems: readonly string[];
  /** Other remarks of systemd, such as about drop-ins. */
  readonly warnings: readonly string[];
}

/** `--recursive-errors=` of systemd-analyze(1): what is wrong with other units is not for us. */
const recursiveErrorsVersion = 250;

/** Judges what `systemd-analyze verify` printed about a unit in `path`. */
export function judgeVerification(status: number | null, output: string, path: string): Verification {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  // About the file itself even a warning counts: systemd would ignore the line.
  const own = lines.filter((line) => line.startsWith(`${path}:`)).map((line) => line.slice(path.length + 1));
  const others = lines.filter((line) => !line.startsWith(`${path}:`));
  // A line of a drop-in that systemd ignores makes the check fail, but not the unit.
  const areIgnored = others.length > 0 && others.every((line) => /^\/[^:]+:\d+: .*ignoring/i.test(line));
  if (status === 0 || areIgnored) return { problems: own, warnings: others };
  const said = [...own, ...others];
  return { problems: said.length === 0 ? [`exit status ${status}`] : said, warnings: [] };
}

/**
 * Has systemd check the unit, with its drop-ins, before it is where the manager would take it. Rejects with a
 * ProgramError when systemd-analyze can't be run.
 */
export async function verifyUnit(
  manager: ServiceManager,
  version: number,
  unit: string,
  text: string,
): Promise<Verification> {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-verify-'));
  try {
    const path = join(directory, unit);
    writeFileSync(path, text);
    const own = version >= recursiveErrorsVersion ? ['--recursive-errors=no'] : [];
    const { status, stdout, stderr } = await manager.program(
      'systemd-analyze',
      ['--man=no', ...own, 'verify', path],
      { timeout: 60_000 },
    );
    return judgeVerification(status, `${stdout}${stderr}`, path);
  } catch (error) {
    if (!(error instanceof ProgramError) || error.reason !== 'missing') throw error;
    return { problems: [], warnings: ['there is no systemd-analyze here: the unit was not checked'] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
