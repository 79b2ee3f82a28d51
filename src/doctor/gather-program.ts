import { basename } from 'node:path';
import { ProgramError, runProgram } from '../manager/program.js';
import { type Known, known, type NodeFacts, unknown } from './facts.js';

/** Where a manager looks for a program, systemd.exec(5): $PATH. */
const managerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs in the unit's Node.js, not in this one. */
const probe = `
const facts = { file: process.execPath, version: process.version, modules: process.versions.modules, addon: null, sqlite: null };
const attempt = async (load) => { try { await load(); return null; } catch (error) { return String(error.message).split('\\n')[0]; } };
facts.addon = await attempt(async () => (await import(process.argv[1])).native());
facts.sqlite = await attempt(async () => new (await import(process.argv[2])).default(':memory:').close());
process.stdout.write(JSON.stringify(facts));
`;

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
        '--input-type=module',
        '--eval',
        probe,
        new URL('../systemd/native.js', import.meta.url).href,
        import.meta.resolve('better-sqlite3'),
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
