import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { bearerToken } from '../../channels/http/bearer.js';
import { NoRegularFileError, openRegularFile } from '../../linux/files.js';

export interface SecretOptions {
  /** `$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential=); null outside a unit that has credentials. */
  readonly credentialsDirectory: string | null;
  /** The name of the credential and of the file: "token", "webhook-secret". */
  readonly name: string;
  readonly stateDirectory: string;
  /** Makes the secret of a first start. */
  readonly create: () => string;
  /** The form of a secret that somebody else made; `text` describes it: "must be …". */
  readonly form?: { readonly pattern: RegExp; readonly text: string };
}

export interface Secret {
  readonly value: string;
  readonly source: 'credential' | 'file' | 'created';
  readonly path: string;
}

/** A secret that can't be used as it is; the message says what to do. Another start would end the same way. */
export class SecretError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SecretError';
  }
}

/** Larger than any secret, in bytes. */
const largest = 64 * 1024;

/**
 * The secret from the unit's credential if it has one, else from a file in the state directory that only its owner
 * can read, made at the first start. White space around it is no part of it.
 *
 * @throws SecretError
 */
export function readOrCreateSecret(options: SecretOptions): Secret {
  if (options.credentialsDirectory !== null) {
    const path = join(options.credentialsDirectory, options.name);
    const value = readSecret(path, 'credential', options);
    if (value !== null) return { value, source: 'credential', path };
  }
  const path = join(options.stateDirectory, options.name);
  const present = readSecret(path, 'state', options);
  if (present !== null) return { value: present, source: 'file', path };
  const created = create(path, options.stateDirectory, options.create());
  if (created !== null) return { value: created, source: 'created', path };
  // Another start was quicker.
  const value = readSecret(path, 'state', options);
  if (value === null) throw new SecretError(`The ${options.name} in ${path} came and went; start again.`);
  return { value, source: 'file', path };
}

/**
 * Reads the secret in a file; returns null if there is no file. In a state directory it must be for its owner alone, who is this
 * user or root, and no link, which an agent could have made. systemd guards credentials by means that their mode doesn't
 * show.
 *
 * @param reachable another path of the file, which this user can use
 * @throws SecretError
 */
export function readSecret(
  path: string,
  kind: 'credential' | 'state',
  { name, form }: Pick<SecretOptions, 'name' | 'form'>,
  reachable: string = path,
): string | null {
  const checkMode = kind === 'state';
  const descriptor = open(path, kind, name, reachable);
  if (descriptor === null) return null;
  try {
    const { mode, size, uid } = fstatSync(descriptor);
    if (checkMode && (mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SecretError(
        `The ${name} in ${path} is open to other users (mode ${shown}). If nobody has read it: chmod 600 ${path}. Otherwise remove it; the next start makes a new one.`,
      );
    }
    if (checkMode && uid !== process.geteuid?.() && uid !== 0) {
      throw new SecretError(
        `The ${name} in ${path} belongs to user ${uid}, who may change it; give it to user ${process.geteuid?.()}, who the gateway runs as.`,
      );
    }
    if (size > largest) throw new SecretError(`The ${name} in ${path} is larger than ${largest} bytes.`);
    const value = readFileSync(descriptor, 'utf8').trim();
    // Nobody can write into the unit's copy.
    const another = 'give the unit another one (LoadCredential=, systemd.exec(5)), and restart it';
    if (value === '') {
      const mend = checkMode ? 'write one into it, or remove the file' : another;
      throw new SecretError(`The ${name} in ${path} is empty; ${mend}.`);
    }
    if (form !== undefined && !form.pattern.test(value)) {
      const mend = checkMode ? 'write another one into it' : another;
      throw new SecretError(`The ${name} in ${path} ${form.text}; ${mend}.`);
    }
    return value;
  } finally {
    closeSync(descriptor);
  }
}

/** The directory of a file, if its owner may not enter it; null otherwise, and where it can't be seen. */
function closedDirectory(path: string): { readonly path: string; readonly mode: string } | null {
  const directory = dirname(path);
  try {
    const mode = statSync(directory).mode & 0o7777;
    return (mode & 0o100) === 0 ? { path: directory, mode: mode.toString(8).padStart(4, '0') } : null;
  } catch (error) {
    // The reason why the file can't be read is reported all the same.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

function open(path: string, kind: 'credential' | 'state', name: string, reachable: string): number | null {
  try {
    return openRegularFile(reachable, kind === 'state' ? 'links-refused' : 'links-followed');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof NoRegularFileError) {
      throw new SecretError(
        `${path} ${error.message}; remove it, and put the ${name} itself there, or give it to the unit as a credential (LoadCredential=, systemd.exec(5)). Without either the next start makes a new one.`,
        { cause: error },
      );
    }
    const closed = closedDirectory(path);
    if ((error as NodeJS.ErrnoException).code === 'EACCES' && closed !== null) {
      throw new SecretError(
        `The ${name} in ${path} can't be read: the directory ${closed.path} has mode ${closed.mode}, which keeps out its own user. Open it: chmod 700 ${closed.path}`,
        { cause: error },
      );
    }
    throw new SecretError(
      `The ${name} in ${path} can't be read: ${(error as Error).message}. Check its owner and its mode.`,
      { cause: error },
    );
  }
}

/**
 * Writes beside and links into place, so that a crash can't leave half of a secret and two starts can't have two.
 * Returns null if there is one already.
 */
function create(path: string, directory: string, value: string): string | null {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      writeFileSync(descriptor, `${value}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
      throw error;
    } finally {
      unlinkSync(draft);
    }
    const parent = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
    return value;
  } catch (error) {
    throw new SecretError(
      `A new secret can't be kept in ${path}: ${(error as Error).message}. Check that ${directory} exists and can be written to by user ${process.geteuid?.()}.`,
      { cause: error },
    );
  }
}

/** The form of a token: no client could send another one. */
export const tokenForm = {
  pattern: new RegExp(`^${bearerToken.source}$`),
  text: 'must be of the characters A-Z a-z 0-9 . _ ~ + / - and "=" at its end only, in one line',
} as const;
