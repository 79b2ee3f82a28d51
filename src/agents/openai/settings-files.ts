import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NoRegularFileError, openRegularFile } from '../../linux/files.js';
import { AgentError } from '../agent.js';

export interface KeySettings {
  /** `agent.key_file`; null: unset. */
  readonly keyFile: string | null;
  /** `agent.key_credential`: the name of a credential of the unit; null: unset. */
  readonly keyCredential: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The key for the model's server: from the credential, else the file, else `OPENAI_API_KEY`. Null: there is none, which
 * servers of one's own often want. Read for each turn, so that another key takes effect at once.
 *
 * @throws AgentError of reason `unavailable`
 */
export function readKey({ keyFile, keyCredential }: KeySettings, environment: Environment): string | null {
  if (keyCredential !== null) {
    const directory = environment['CREDENTIALS_DIRECTORY'];
    if (directory === undefined) {
      throw unavailable(
        `the unit has no credentials, and agent.key_credential names "${keyCredential}": add LoadCredential=${keyCredential}:PATH to it (systemd.exec(5)), and restart it`,
      );
    }
    return keyIn(join(directory, keyCredential), 'agent.key_credential');
  }
  if (keyFile !== null) return keyIn(keyFile, 'agent.key_file');
  const key = environment['OPENAI_API_KEY']?.trim() ?? '';
  return key === '' ? null : checkKey(key, 'OPENAI_API_KEY');
}

function keyIn(path: string, setting: string): string {
  return checkKey(readSmallFile(path, setting).trim(), `${path} (${setting})`);
}

/** Checks that a header can carry it (RFC 6750, section 2.1, and whatever else is visible ASCII). */
function checkKey(key: string, source: string): string {
  if (/^[\x21-\x7e]{1,8192}$/.test(key)) return key;
  throw unavailable(
    `the key in ${source} ${key === '' ? 'is empty' : 'must be one line of ASCII characters without spaces'}`,
  );
}

/** Larger than any prompt or key. */
const largestBytes = 1024 ** 2;

/**
 * Reads a file that a setting names.
 *
 * @param setting such as "agent.system_file"
 * @throws AgentError of reason `unavailable`: nothing is done until the file is there
 */
export function readSmallFile(path: string, setting: string): string {
  try {
    const descriptor = openRegularFile(path, 'links-followed');
    try {
      const { size } = fstatSync(descriptor);
      if (size > largestBytes) throw unavailable(`${path} (${setting}) is larger than ${largestBytes} bytes`);
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined && !(error instanceof NoRegularFileError)) throw error;
    const mend =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'the gateway’s user may not read it'
          : message;
    throw unavailable(`${path} (${setting}) can’t be read: ${mend}`);
  }
}

function unavailable(message: string): AgentError {
  return new AgentError('unavailable', message, false);
}
