import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile, compiledName, sealedCode } from '../../src/cli/compiled-code.js';
import { messageIds } from '../../src/log/fields.js';
import { Place } from './foreground.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

let place: Place;
/** A package of its own, as it is installed: nothing is compiled ahead. */
let folder: string;
beforeEach(() => {
  place = new Place();
  folder = join(place.directory, 'package');
  mkdirSync(folder);
  for (const part of ['package.json', 'dist/cli/main.js', 'dist/cli/package.json', 'dist/bundle']) {
    cpSync(join(checkout, part), join(folder, part), {
      recursive: true,
      filter: (path) => !path.endsWith('.compiled'),
    });
  }
  for (const part of ['node_modules', 'build', 'prebuilds'])
    if (existsSync(join(checkout, part))) symlinkSync(join(checkout, part), join(folder, part));
});
afterEach(() => place.remove());

const bundled = () => join(folder, 'dist/bundle');
const compiled = () => readdirSync(bundled()).filter((name) => name.endsWith('.compiled'));

/** The gateway's part of the bundle. */
function gatewayFile(): string {
  const name = readdirSync(bundled()).find((each) => /^gateway-[^.]*\.js$/.test(each));
  return join(bundled(), name ?? '');
}

/** Starts the gateway, and ends it once it is ready; gives what it printed until then. */
async function start(): Promise<string> {
  const gateway = spawn(process.execPath, [join(folder, 'dist/cli/main.js'), 'run'], {
    env: place.environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = once(gateway, 'close');
  let printed = '';
  gateway.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.includes(messageIds.ready)) gateway.kill('SIGTERM');
  });
  await end;
  return printed;
}

const compileAhead = () =>
  spawnSync(process.execPath, [join(bundled(), 'compile.js')], { encoding: 'utf8', env: place.environment });

test('what was compiled ahead is used, and a second time nothing has to be compiled', async () => {
  expect(compileAhead()).toMatchObject({ status: 0, stdout: '', stderr: '' });
  const names = compiled();
  expect(names).toContain(`${gatewayFile().slice(bundled().length + 1)}.compiled`);
  const before = names.map((name) => readFileSync(join(bundled(), name), 'latin1'));
  expect(compileAhead()).toMatchObject({ status: 0, stderr: '' });
  expect(names.map((name) => readFileSync(join(bundled(), name), 'latin1')).join() === before.join()).toBe(
    true,
  );
  expect(await start()).toContain(messageIds.ready);
});

describe('compiled code', () => {
  /** Code of another script of the same length, which V8 takes for its own. */
  function plant(seal: (text: Buffer, code: Buffer) => Buffer): () => boolean {
    const file = gatewayFile();
    const text = readFileSync(file);
    const mark = join(place.directory, 'planted-code-has-run');
    const planted = `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '');`.padEnd(text.length);
    const code = compile(file, Buffer.from(planted), null).createCachedData();
    writeFileSync(compiledName(file), seal(text, code));
    return () => existsSync(mark);
  }

  test('is run in the place of the text', async () => {
    const hasRun = plant(sealedCode);
    expect(await start()).not.toContain(messageIds.ready);
    expect(hasRun()).toBe(true);
  });

  test.each<[string, (text: Buffer, code: Buffer) => Buffer]>([
    [
      'of another text',
      (text, code) => sealedCode(Buffer.from(text.toString('latin1').replace('e', 'f')), code),
    ],
    [
      'that is damaged',
      (text, code) => {
        const sealed = sealedCode(text, code);
        sealed[sealed.length - 1] = ~(sealed.at(-1) ?? 0);
        return sealed;
      },
    ],
    ['that is cut off', (text, code) => sealedCode(text, code).subarray(0, -1)],
    ['that is empty', () => Buffer.alloc(0)],
  ])('%s is left alone', async (_what, seal) => {
    const hasRun = plant(seal);
    expect(await start()).toContain(messageIds.ready);
    expect(hasRun()).toBe(false);
  });
});

test('a gateway that can’t start is no failure of the installation', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(bundled(), 'compile.js')], {
    encoding: 'utf8',
    env: { ...place.environment, TMPDIR: join(place.directory, 'x'.repeat(120)) },
  });
  expect(status).toBe(0);
  expect(stderr).toContain('sd-gateway is not compiled ahead, so its starts take longer: ');
  expect(compiled()).toEqual([]);
});
