/**
 * The package's first file, with the exports of `index.ts`. An import reads this file alone: it makes what callers compare,
 * and loads the rest at the first call.
 */
import type * as Library from './index.js';

export { exitStatus } from '../lifecycle/stop-cause.js';
export { ArgumentError, NativeAddonError, SystemCallError } from '../linux/errors.js';

type FunctionName = {
  [Name in keyof typeof Library]: (typeof Library)[Name] extends (...given: never[]) => unknown
    ? Name
    : never;
}[keyof typeof Library];

/** The file of `index.ts`, as tools/library/rolldown.config.ts knows it: the bundle has it beside this one. */
declare const require: (file: './cjs/library.cjs') => typeof Library;
let loaded: typeof Library | undefined;

function library(): typeof Library {
  loaded ??= require('./cjs/library.cjs');
  return loaded;
}

/** A function of the library under its own name. */
function later<Name extends FunctionName>(name: Name): (typeof Library)[Name] {
  const functions = {
    [name]: (...given: readonly unknown[]) =>
      (library()[name] as (...given: readonly unknown[]) => unknown)(...given),
  };
  return functions[name] as unknown as (typeof Library)[Name];
}

export const barrier = later('barrier');
export const booted = later('booted');
export const closeServer = later('closeServer');
export const describeReport = later('describeReport');
export const describeSupervision = later('describeSupervision');
export const listen = later('listen');
export const listenFds = later('listenFds');
export const notify = later('notify');
export const notifyQueue = later('notifyQueue');
export const onSignal = later('onSignal');
export const supervise = later('supervise');
export const supervision = later('supervision');
export const watchdogEnabled = later('watchdogEnabled');

export const credentials: typeof Library.credentials = {
  get directory() {
    return library().credentials.directory;
  },
  path: (name) => library().credentials.path(name),
  read: (name) => library().credentials.read(name),
};

export const fdStore: typeof Library.fdStore = {
  get capacity() {
    return library().fdStore.capacity;
  },
  put: (...given) => library().fdStore.put(...given),
  take: (name) => library().fdStore.take(name),
  remove: (name) => library().fdStore.remove(name),
};

export const journal: typeof Library.journal = {
  send: (fields) => library().journal.send(fields),
  flush: (timeoutMilliseconds) => library().journal.flush(timeoutMilliseconds),
};
