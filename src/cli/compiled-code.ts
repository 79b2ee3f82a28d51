import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, Script } from 'node:vm';

/**
 * The code of the bundle's files as V8 has compiled it. `compile.ts` keeps it beside each file, in the package: whoever
 * can write there could change the file itself. Node.js 20 has a compile cache for no folder that its user can't write.
 */

/** The bundle's folder, where this module is. */
export const bundle = dirname(fileURLToPath(import.meta.url));

export const compiledName = (file: string) => `${file}.compiled`;

/** Bytes of SHA-256. */
const digestBytes = 32;

/** V8 looks neither at its own build nor at the text, and at no checksum. */
function digestOf(text: Uint8Array, code: Uint8Array): Buffer {
  const { size, mtimeMs } = statSync(process.execPath);
  const node = `${process.version} ${process.arch} ${size} ${mtimeMs}\n`;
  return createHash('sha256').update(node).update(text).update(code).digest();
}

/** The content of the file that keeps compiled code. */
export function sealedCode(text: Uint8Array, code: Uint8Array): Buffer {
  return Buffer.concat([digestOf(text, code), code]);
}

/** Reads what was compiled of this very text by this Node.js; null if there is none. */
function compiledCodeOf(file: string, text: Uint8Array): Buffer | null {
  try {
    const sealed = readFileSync(compiledName(file));
    const code = sealed.subarray(digestBytes);
    return digestOf(text, code).equals(sealed.subarray(0, digestBytes)) ? code : null;
  } catch {
    // Without it V8 compiles the text, which takes longer.
    return null;
  }
}

/** Compiles a CommonJS file, of ASCII or UTF-8, as Node.js does. `code`: of an earlier time, that V8 may still refuse. */
export function compile(file: string, text: Buffer, code: Buffer | null): Script {
  return new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: file,
    ...(code === null ? {} : { cachedData: code }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

export function run(script: Script, module: NodeJS.Module, file: string): void {
  const body: (...scope: readonly unknown[]) => void = script.runInThisContext();
  body.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
}

type Loader = (module: NodeJS.Module, file: string) => void;

/** Has `load` load the files of the bundle from now on; where it gives false, Node.js does. */
export function loadBundleBy(load: (module: NodeJS.Module, file: string) => boolean): void {
  // require.extensions: deprecated, but for good.
  const { extensions } = createRequire(import.meta.url) as { extensions: Record<string, Loader> };
  const loadByNode = extensions['.js'];
  if (loadByNode === undefined) return;
  extensions['.js'] = (module, file) => {
    if (dirname(file) !== bundle || !load(module, file)) loadByNode(module, file);
  };
}

/** From now on, files of the bundle are loaded with their compiled code if there is some. */
export function useCompiledCode(): void {
  loadBundleBy((module, file) => {
    const size = statSync(compiledName(file), { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return false;
    const text = readFileSync(file);
    const code = compiledCodeOf(file, text);
    if (code === null) return false;
    run(compile(file, text, code), module, file);
    return true;
  });
}
