import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { NativeSignal } from './native-signal.js';

/** What the addon exports besides the signals: the system calls, under their C names (native/). */
export type NativeCore = object;

export type Native = NativeCore & NativeSignal;

/** The addon is not built, or not for this machine. Its message says what to run. */
export class NativeAddonError extends Error {
  constructor(options: ErrorOptions) {
    const { platform, arch, versions } = process;
    const cause = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(
      `The native addon of sd-gateway can't be loaded in ${folder} ` +
        `(platform ${platform}, architecture ${arch}, Node ${versions.node}, ABI ${versions.modules}). ` +
        'No prebuilt binary fits, and none was built here, as after an install without scripts. ' +
        'Run "npm rebuild sd-gateway --ignore-scripts=false" where sd-gateway is installed, or reinstall it ' +
        'with scripts allowed; a build needs a C++ compiler, make and python3 ' +
        `(Debian: apt-get install build-essential python3). The loader said: ${cause}`,
      options,
    );
    this.name = 'NativeAddonError';
  }
}

/** The package's top folder, two up both from src/systemd and from dist/systemd. */
const folder = fileURLToPath(new URL('../../', import.meta.url));

let loaded: Native | undefined;

/**
 * The addon: a prebuilt binary for this machine, or the one built here. Loaded at the first call, so that what
 * needs no system call works without it. Throws `NativeAddonError`.
 */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

function load(): Native {
  const require = createRequire(import.meta.url);
  try {
    const nodeGypBuild: (folder: string) => Native = require('node-gyp-build');
    return nodeGypBuild(folder);
  } catch (cause) {
    throw new NativeAddonError({ cause });
  }
}
