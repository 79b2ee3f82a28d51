import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { openRegularFile } from '../linux/files.js';
import { errorMessage } from '../text/failure-text.js';
import { shellCommand } from '../text/shell-words.js';

const largestBytes = 65_536;

export interface SecretSettings {
  readonly name: string;
  readonly token_file: string | null;
  readonly token_credential: string | null;
  /** Its name in the configuration, before `_file` and `_credential`. Default: "token". */
  readonly key?: string;
}

/**
 * The secret of a channel, without white space around it; null: it has none. Throws an error that says what to do; it does
 * not hold the secret.
 */
export function readChannelSecret(
  { name, token_file, token_credential, key = 'token' }: SecretSettings,
  credentialsDirectory: string | null,
): string | null {
  if (token_credential !== null) {
    if (credentialsDirectory === null) {
      throw new Error(
        `the unit has no credentials, and channels.${name}.${key}_credential names "${token_credential}": add LoadCredential=${token_credential}:PATH to it (systemd.exec(5)), and restart it`,
      );
    }
    return readSecret(
      join(credentialsDirectory, token_credential),
      `channels.${name}.${key}_credential`,
      false,
    );
  }
  return token_file === null ? null : readSecret(token_file, `channels.${name}.${key}_file`, true);
}

/**
 * The token of a bot, which has to be there and to have the form that the platform gives. It stands in no error.
 *
 * @param given the platform's way to it, in the words behind "no token of a bot:"
 */
export function readBotToken(
  settings: SecretSettings,
  credentialsDirectory: string | null,
  form: RegExp,
  given: string,
): string {
  const token = readChannelSecret(settings, credentialsDirectory);
  const { name } = settings;
  if (token === null) throw new Error(`channels.${name} needs token_file or token_credential`);
  if (form.test(token)) return token;
  throw new Error(
    `the secret of channels.${name} is no token of a bot: ${given}, and the file has nothing else in it`,
  );
}

function readSecret(path: string, setting: string, isOwnFile: boolean): string {
  const wrong = (what: string) => new Error(`the secret ${path} (${setting}) ${what}`);
  let descriptor: number;
  try {
    descriptor = openRegularFile(path, 'links-followed');
  } catch (error) {
    const isDenied = isOwnFile && (error as NodeJS.ErrnoException).code === 'EACCES';
    throw wrong(`can't be read: ${isDenied ? describeDenial(path) : errorMessage(error)}`);
  }
  try {
    const { size, mode, uid } = fstatSync(descriptor);
    if (size > largestBytes) throw wrong(`is larger than ${largestBytes} bytes`);
    if (isOwnFile && (mode & 0o077) !== 0) {
      throw wrong(`can be read by others: run ${uid === process.geteuid?.() ? closing(path) : taking(path)}`);
    }
    const secret = readFileSync(descriptor, 'utf8').trim();
    if (secret === '') throw wrong('is empty');
    return secret;
  } finally {
    closeSync(descriptor);
  }
}

function closing(path: string): string {
  return shellCommand(['chmod', '600', path]);
}

/** The commands that give the file to this user alone. A mode without an owner would close it to the gateway. */
function taking(path: string): string {
  return `${shellCommand(['chown', userName(), path])} && ${closing(path)}`;
}

function describeDenial(path: string): string {
  const user = `the user ${userName()}, who runs the gateway,`;
  try {
    statSync(path);
  } catch {
    return `${user} may not enter a directory above it. Let them (chmod o+x), or put the file elsewhere`;
  }
  return `${user} may not. Have root run ${taking(path)}`;
}

/** The number, if the user database has no name for it. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}
