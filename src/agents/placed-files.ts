import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Log } from '../log/log.js';
import { errorMessage } from '../text/failure-text.js';
import { AgentError, type AgentFile } from './agent.js';

/** A file of a turn, as a copy that the agent can read. */
export interface PlacedFile extends AgentFile {
  /** Absolute. */
  readonly location: string;
}

/** The directory of all copies, below that of all agents. */
function copiesDirectory(agents: string): string {
  return join(agents, 'files');
}

/** Copies of the files of one turn. */
export class PlacedFiles {
  readonly list: readonly PlacedFile[];
  readonly #directory: string;

  private constructor(directory: string, list: readonly PlacedFile[]) {
    this.#directory = directory;
    this.list = list;
  }

  /**
   * Copies the files of a turn below the directory of all agents, to be read only by its owner. Each is in a directory of
   * its own, so that it keeps its name. If one can't be copied, none stays.
   *
   * @throws AgentError
   */
  static async place(agents: string, files: readonly AgentFile[], signal: AbortSignal): Promise<PlacedFiles> {
    const directory = join(copiesDirectory(agents), randomUUID());
    const list: PlacedFile[] = [];
    try {
      for (const [index, file] of files.entries()) {
        const parent = join(directory, String(index + 1));
        await mkdir(parent, { recursive: true, mode: 0o700 });
        const location = join(parent, basename(file.name));
        await copy(file, location, signal);
        list.push({ ...file, location });
      }
    } catch (error) {
      await rm(directory, { recursive: true, force: true }).catch(() => undefined);
      if (error instanceof AgentError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new AgentError(
        'unavailable',
        `the files of the message could not be copied to ${directory}: ${code ?? message}; check whether the disk is full, and who owns ${agents}`,
        true,
        { cause: error },
      );
    }
    return new PlacedFiles(directory, list);
  }

  /** Removes the copies. If that fails, it says so in the log: the turn has its outcome, and the next start tries again. */
  async remove(log: Pick<Log, 'warning'>): Promise<void> {
    try {
      await rm(this.#directory, { recursive: true, force: true });
    } catch (error) {
      log.warning(`The copies of a message’s files were not removed: ${errorMessage(error)}`);
    }
  }
}

/** Removes the copies that a gateway left which crashed. No turn may run. */
export async function removePlacedFiles(agents: string): Promise<void> {
  await rm(copiesDirectory(agents), { recursive: true, force: true });
}

async function copy(file: AgentFile, location: string, signal: AbortSignal): Promise<void> {
  const content = await file.open();
  if (content === null) throw gone(file);
  let leftBytes = file.sizeBytes;
  const target = await open(location, 'wx', 0o400);
  try {
    for await (const chunk of content) {
      if (signal.aborted)
        throw new AgentError('cancelled', 'the turn was cancelled before its agent was started', true);
      await target.writeFile(chunk);
      leftBytes -= chunk.length;
    }
  } finally {
    await target.close();
  }
  if (leftBytes !== 0) throw gone(file);
}

/** The message was deleted while its turn began. */
function gone({ name }: AgentFile): AgentError {
  return new AgentError(
    'failed',
    `the file ${JSON.stringify(name)} of the message is no longer in the store`,
    false,
  );
}

/** Reads a file of a message. @throws AgentError if it is gone */
export async function contentOf(file: AgentFile): Promise<Buffer> {
  const content = await file.open();
  if (content === null) throw gone(file);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A file of text as a part of the message's own text, for a model to read. */
export function fileAsText({ name, mediaType }: AgentFile, content: Buffer): string {
  return `File ${JSON.stringify(name)} (${mediaType}):\n\n${content.toString()}`;
}

/** Stands for a file whose content is left out, so that a model knows of it. */
export function fileNamedOnly({ name, mediaType, sizeBytes }: AgentFile, why: string): string {
  return `[The file ${JSON.stringify(name)} (${mediaType}, ${sizeBytes} bytes) came with the message, and ${why}.]`;
}
