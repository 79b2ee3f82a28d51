import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const project = new URL('../../', import.meta.url).pathname;

/**
 * Checks the types of the `src` in a folder of node_modules/.cache, by the project's rules; gives what the compiler says, which
 * is empty if all is well. One thread of it takes a third less of the processors, which other tests use at the time.
 */
export function typeErrors(directory: string): string {
  const configuration = { extends: '../../../tsconfig.json', include: ['src'] };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(configuration));
  const compiler = join(project, 'node_modules/typescript/bin/tsc');
  const words = [compiler, '--noEmit', '--singleThreaded', '--project', directory];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { cwd: project, encoding: 'utf8' });
  return status === 0 ? stdout : `status ${status}\n${stdout}${stderr}`;
}
