import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Script } from 'node:vm';
import { messageIds } from '../log/fields.js';
import { errorMessage } from '../text/failure-text.js';
import { bundle, compile, compiledName, loadBundleBy, run, sealedCode } from './compiled-code.js';

/**
 * A program of the build and of the installation. It starts a gateway in a directory of its own, stops it, and keeps what
 * V8 has compiled of the bundle by then (see compiled-code.ts). Node.js loads it into that gateway, too (`--require`).
 */

const own = fileURLToPath(import.meta.url);

/** Bytes of a file below which a second file costs more than it saves. */
const smallestFile = 4 * 1024;
/** From its readiness to the stop of the gateway, which loads more of the bundle meanwhile. */
const idleMs = 500;
/** Longest time of the gateway. */
const timeoutMs = 60_000;

function keepWhatIsCompiled(): void {
  const scripts = new Map<string, { readonly script: Script; readonly text: Buffer }>();
  loadBundleBy((module, file) => {
    const text = readFileSync(file);
    if (text.length < smallestFile) return false;
    const script = compile(file, text, null);
    scripts.set(file, { script, text });
    run(script, module, file);
    return true;
  });
  process.once('exit', () => {
    for (const [file, { script, text }] of scripts) {
      const unfinished = `${compiledName(file)}-new`;
      writeFileSync(unfinished, sealedCode(text, script.createCachedData()));
      chmodSync(unfinished, statSync(file).mode);
      renameSync(unfinished, compiledName(file));
    }
  });
}

/** Resolves with all that the gateway printed, once it has ended. */
function runGateway(directory: string): Promise<string> {
  const program = join(bundle, '../cli/main.js');
  const child = spawn(process.execPath, ['--require', own, program, 'run'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      STATE_DIRECTORY: join(directory, 'state'),
      RUNTIME_DIRECTORY: join(directory, 'run'),
      CONFIGURATION_DIRECTORY: join(directory, 'etc'),
      SD_GATEWAY_HTTP_LISTEN: `unix:${join(directory, 'http.sock')}`,
    },
  });
  const kill = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const wasReady = printed.includes(messageIds.ready);
    printed += text;
    if (!wasReady && printed.includes(messageIds.ready)) setTimeout(() => child.kill('SIGTERM'), idleMs);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(kill);
      resolve(printed);
    });
  });
}

async function main(): Promise<void> {
  let directory: string | null = null;
  try {
    directory = mkdtempSync(join(tmpdir(), 'sd-gateway-compile-'));
    const printed = await runGateway(directory);
    if (!printed.includes(messageIds.ready)) throw new Error(printed.trim());
  } catch (error) {
    // The program is complete without it.
    process.stderr.write(
      `sd-gateway is not compiled ahead, so its starts take longer: ${errorMessage(error)}\n`,
    );
  } finally {
    if (directory !== null) rmSync(directory, { recursive: true, force: true });
  }
}

if (createRequire(own).main?.filename === own) void main();
else keepWhatIsCompiled();
