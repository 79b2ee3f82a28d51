import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramError, runProgram } from '../manager/program.js';
import { type Known, known, type NodeFacts, unknown } from './facts.js';

/** Where a manager looks for a program, systemd.exec(5): $PATH. */
const managerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Finds the Node.js that ExecStart= runs the gateway with, and what loads in it. */
export async function gatherNode(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Known<NodeFacts>> {
  const named = command.find((word) => /^node(js)?\d*$/.test(basename(word)));
  const path = environment['PATH'] ?? managerPath;
  try {
    const { status, stdout, stderr } = await runProgram(
      '/usr/bin/env',
      [
        `PATH=${path}`,
        named ?? 'node',
        // Not in this Node.js, which may be another one.
        fileURLToPath(new URL('./node-probe.js', import.meta.url)),
      ],
      { timeout: 20_000 },
    );
    if (status !== 0) return unknown(stderr.trim().split('\n')[0] ?? `it ended with ${status}`);
    return known(JSON.parse(stdout) as NodeFacts);
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}
