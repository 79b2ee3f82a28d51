import { vi } from 'vitest';
import { findCommand, type ParsedCommand, parseCommand } from '../../src/cli/usage.js';

export interface RunEnd {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command in this process, which takes less time than another one. It must not change the process. Rejects with what
 * the command throws.
 */
export async function runHere(
  run: (parsed: ParsedCommand) => Promise<number>,
  [name = '', ...words]: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<RunEnd> {
  for (const [variable, value] of Object.entries(environment)) vi.stubEnv(variable, value);
  const said = { stdout: '', stderr: '' };
  const listen = (stream: 'stdout' | 'stderr') =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      said[stream] += String(text);
      return true;
    });
  const spies = [listen('stdout'), listen('stderr')];
  try {
    const status = await run(parseCommand(findCommand(name), words));
    return { status, ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}
