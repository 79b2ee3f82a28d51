import { isAscii } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';

export interface LoadedScript {
  readonly exports: unknown;
  /** Keeps what V8 has compiled of it so far; null where there is no need, or no place. Throws what the system says. */
  readonly keep: (() => void) | null;
}

/** Of SHA-256, in bytes. */
const digestLength = 32;

const digest = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();

/**
 * Loads a CommonJS script with V8’s code cache (vm.Script, `cachedData`), which Node.js keeps by itself from 22.1 on
 * only (module.enableCompileCache). V8 compares no more of the script than its length, and looks at no checksum: the
 * script's name must change with its content, and what was kept is used only if it is whole.
 */
export function loadScript(file: string, directory: string | null): LoadedScript {
  const kept =
    directory === null ? null : join(directory, `${basename(file)}-${process.version}-${process.arch}`);
  const cachedData = kept === null ? null : readKept(kept);
  const text = readAsFunction(file);
  const script = new Script(text, {
    filename: file,
    ...(cachedData === null ? {} : { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const module = { exports: {} };
  const run: (...scope: readonly unknown[]) => void = script.runInThisContext();
  run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
  const needed = cachedData === null || script.cachedDataRejected === true;
  return {
    exports: module.exports,
    keep: kept === null || !needed ? null : () => keepFile(kept, script.createCachedData()),
  };
}

const opening = Buffer.from('(function (exports, require, module, __filename, __dirname) {');
const closing = Buffer.from('\n})');

/** Put together before V8 has it, which would copy it. Of ASCII (tools/ascii-only.ts) each byte is a character. */
function readAsFunction(file: string): string {
  const text = Buffer.concat([opening, readFileSync(file), closing]);
  return text.toString(isAscii(text) ? 'latin1' : 'utf8');
}

/** Null when there is none that can be trusted: whole, and written by this user, as it is run as it is. */
function readKept(path: string): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    // Whatever the reason is: `keep` meets it too, and says so.
    return null;
  }
  try {
    if (fstatSync(descriptor).uid !== process.geteuid?.()) return null;
    const content = readFileSync(descriptor);
    const data = content.subarray(digestLength);
    return digest(data).equals(content.subarray(0, digestLength)) ? data : null;
  } finally {
    closeSync(descriptor);
  }
}

/** In place only once it is whole; what was there for other versions goes. */
function keepFile(path: string, data: Buffer): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true });
  const unfinished = `${path}-new`;
  const descriptor = openSync(unfinished, 'wx', 0o600);
  try {
    writeFileSync(descriptor, digest(data));
    writeFileSync(descriptor, data);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, path);
}
