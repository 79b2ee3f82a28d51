import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandOf, gatherNode } from '../../../src/doctor/facts/unit.js';

const shown = (path: string, words: string) =>
  `{ path=${path} ; argv[]=${words} ; ignore_errors=no ; start_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }`;

it.each([
  ['/bin/a', '/bin/a run', ['/bin/a', 'run']],
  ['/opt/node js/node', '/opt/node js/node main.js run', ['/opt/node js/node', 'main.js', 'run']],
  ['/opt/node js/node', '/opt/node js/node', ['/opt/node js/node']],
  // "@": the words begin with a name of their own.
  ['/usr/bin/node', 'gateway main.js run', ['/usr/bin/node', 'main.js', 'run']],
  ['/opt/node', '/opt/node js/node run', ['/opt/node', 'js/node', 'run']],
])('%s, started as %s, is %j', (path, words, command) => {
  expect(commandOf(shown(path, words))).toEqual(command);
});

it('finds nothing where the unit starts nothing', () => {
  expect(commandOf('')).toEqual([]);
});

it('asks the unit’s Node.js, also in a path with a blank', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway doctor-'));
  try {
    const node = join(directory, 'bin', 'node');
    mkdirSync(join(directory, 'bin'));
    const facts = { file: node, version: 'v20.19.0', modules: '115', addon: null, sqlite: null };
    writeFileSync(node, `#!/bin/sh\necho '${JSON.stringify(facts)}'\n`);
    chmodSync(node, 0o755);
    expect(await gatherNode(commandOf(shown(node, `${node} main.js run`)), {})).toEqual({
      known: true,
      value: facts,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
