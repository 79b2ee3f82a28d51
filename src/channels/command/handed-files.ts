import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Attachment } from '../../store/messages.js';
import type { ChannelContext } from '../channel.js';

/** A file of a reply, as a program finds it. */
export interface HandedFile {
  /** As the agent calls it: never a path. */
  readonly name: string;
  readonly media_type: string;
  /** In bytes. */
  readonly size: number;
  /** Null: the store has forgotten the file. */
  readonly path: string | null;
}

/** Puts the files of a reply where the channel's program reads them, below its own directory, for as long as it sends. */
export class HandedFiles {
  readonly #directory: string;
  readonly #openFile: ChannelContext['openFile'];

  /** @param directory of the program, which is its home */
  constructor(directory: string, openFile: ChannelContext['openFile']) {
    this.#directory = join(directory, '.sd-gateway', 'files');
    this.#openFile = openFile;
  }

  /** Removes what earlier sends have left. */
  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Writes the files of one send, each readable by its owner only. Rejects if one can't be read or written. */
  async put(id: string, files: readonly Attachment[]): Promise<readonly HandedFile[]> {
    await this.remove(id);
    if (files.length > 0) await mkdir(this.#of(id), { recursive: true, mode: 0o700 });
    const handed: HandedFile[] = [];
    for (const [index, file] of files.entries()) {
      const path = join(this.#of(id), String(index + 1));
      const content = await this.#openFile(file);
      if (content !== null) await pipeline(content, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      const { name, mediaType, sizeBytes } = file;
      handed.push({ name, media_type: mediaType, size: sizeBytes, path: content === null ? null : path });
    }
    return handed;
  }

  async remove(id: string): Promise<void> {
    await rm(this.#of(id), { recursive: true, force: true });
  }

  #of(id: string): string {
    return join(this.#directory, id);
  }
}
