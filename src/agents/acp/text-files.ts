import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, ftruncateSync, readFile, writeFile } from 'node:fs';
import { promisify } from 'node:util';
import { OutsideError, openBelow, openBelowToWrite } from '../../linux/open-below.js';
import { errorMessage } from '../../text/failure-text.js';
import { oneLine } from '../one-line.js';
import { invalidParams, invalidRequest, RpcError, resourceNotFound } from './rpc.js';
import { membersOf } from './updates.js';

/** Rights of an agent to the files of its session, through the gateway. */
export type FileAccess = 'off' | 'read' | 'write';

/** Largest file that is read or written, in bytes. A message of the agent has room for 8 MiB. */
const largestFileBytes = 4 * 1024 ** 2;

const methods: ReadonlyMap<string, FileAccess> = new Map([
  ['fs/read_text_file', 'read'],
  ['fs/write_text_file', 'write'],
]);

/** True if the gateway has announced the method. */
export function offersFile(method: string, access: FileAccess): boolean {
  const needed = methods.get(method);
  return needed !== undefined && (access === 'write' || access === needed);
}

/**
 * Reads or writes a file below the directory of the session (ACP, "File System").
 *
 * @throws RpcError
 */
export async function answerFile(method: string, params: unknown, directory: string): Promise<object> {
  const { path, line, limit, content } = membersOf(params);
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new RpcError(invalidParams, '"path" must be an absolute path');
  }
  try {
    if (method === 'fs/write_text_file') {
      await write(directory, path, content);
      return {};
    }
    return { content: linesOf(await read(directory, path), line, limit) };
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw new RpcError(resourceNotFound, oneLine(`${path}: ${reasonOf(error)}`, 1_000));
  }
}

/** The words for the agent; an error of the file system has a path by a descriptor, which tells it nothing. */
function reasonOf(error: unknown): string {
  if (error instanceof OutsideError) return 'it is not below the directory of the session';
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'ELOOP' || code === 'ENOTDIR') return 'a part of it is a symbolic link, or no directory';
  return code === '' ? errorMessage(error) : code;
}

async function read(directory: string, path: string): Promise<string> {
  const descriptor = openBelow(directory, path);
  try {
    // One that grows meanwhile is cut.
    if (fstatSync(descriptor).size > largestFileBytes) throw tooLarge(path);
    const bytes = (await promisify(readFile)(descriptor)).subarray(0, largestFileBytes);
    if (!isUtf8(bytes)) throw new RpcError(invalidRequest, `${path}: it is no text in UTF-8`);
    return bytes.toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

async function write(directory: string, path: string, content: unknown): Promise<void> {
  if (typeof content !== 'string') throw new RpcError(invalidParams, '"content" must be a text');
  if (Buffer.byteLength(content) > largestFileBytes) throw tooLarge(path);
  const descriptor = openBelowToWrite(directory, path);
  try {
    ftruncateSync(descriptor);
    await promisify(writeFile)(descriptor, content);
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(path: string): RpcError {
  return new RpcError(invalidRequest, `${path}: it is larger than ${largestFileBytes} bytes`);
}

/** So many lines from that one on, which count from 1; null or undefined: all. */
function linesOf(text: string, line: unknown, limit: unknown): string {
  for (const [name, value] of Object.entries({ line, limit })) {
    if (value === undefined || value === null) continue;
    if (!Number.isInteger(value) || Number(value) < 0) {
      throw new RpcError(invalidParams, `"${name}" must be a whole number`);
    }
  }
  if ((line ?? null) === null && (limit ?? null) === null) return text;
  const from = Math.max(Number(line ?? 1), 1) - 1;
  const lines = text.split('\n');
  return lines.slice(from, (limit ?? null) === null ? undefined : from + Number(limit)).join('\n');
}
