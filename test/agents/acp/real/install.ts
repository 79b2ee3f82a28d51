import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RealAgent } from './agents.js';

const project = fileURLToPath(new URL('../../../../', import.meta.url));
const run = promisify(execFile);

/**
 * Installs an agent in a folder of its own, unless it is there; some take 400 MB. The folder is below the checkout, which
 * machines have, too. Gives the words that run it.
 */
export async function installAgent(agent: RealAgent): Promise<readonly string[]> {
  const all = join(project, 'node_modules/.cache/real-agents');
  const folder = join(all, agent.name.toLowerCase().replace(' ', '-'));
  const [path, ...words] = agent.program;
  const program = join(folder, 'node_modules', path);
  const wanted = JSON.stringify({ private: true, dependencies: agent.packages });
  const file = join(folder, 'package.json');
  if (!existsSync(program) || readFileSync(file, 'utf8') !== wanted) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, wanted);
    // A lock would need each optional package from the registry.
    const options = ['--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    if (!agent.hasPlatformPackage) options.push('--omit=optional');
    await run('npm', ['install', ...options], { cwd: folder });
  }
  return agent.isBinary ? [program, ...words] : [await nodeOf(agent, all), program, ...words];
}

/** The Node.js that runs the agent. */
async function nodeOf({ nodeVersion }: RealAgent, folder: string): Promise<string> {
  if (nodeVersion === null) return process.execPath;
  const env = { ...process.env, OTHER_NODES: join(folder, 'nodes') };
  const { stdout } = await run('bash', [join(project, 'test/node-of.sh'), nodeVersion], { env });
  return join(stdout.trim(), 'bin/node');
}
