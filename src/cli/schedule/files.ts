import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { messageBody, sessionName } from '../../channels/http/request-schema.js';
import { readRegularFile, syncDirectory } from '../../linux/files.js';
import { asOwnerOf } from '../../linux/owner.js';
import type { Progress } from './due.js';

const folder = 'schedules';

const definition = z.object({
  /** Part of the keys, so that a schedule that is added anew is another one. */
  id: z.string(),
  calendar: z.string(),
  /** Seconds since the Unix epoch: elapses before it are none of this schedule's. */
  since: z.number(),
  session: sessionName,
  message: messageBody,
});

/** A schedule as it is kept: in a file of the gateway's user, which nobody else may read. */
export type Definition = z.output<typeof definition>;

const progress = z.object({ last: z.number(), pending: z.array(z.number()) });

/** The file of a schedule holds something else. */
export class ScheduleFileError extends Error {
  constructor(path: string, options: ErrorOptions) {
    super(`${path} is no schedule: remove the schedule, and add it again`, options);
    this.name = 'ScheduleFileError';
  }
}

/** Null: there is no such file. One that this user may not read is an error. */
function parsed<Type>(type: z.ZodType<Type>, path: string): Type | null {
  let text: string;
  try {
    text = readRegularFile(path, 'links-refused').toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return type.parse(JSON.parse(text));
  } catch (cause) {
    throw new ScheduleFileError(path, { cause });
  }
}

function writeFile(path: string, value: object, flags: number): void {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW | flags, 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(value)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The files of schedules in a gateway's state directory. Root reads and writes them as the gateway's user. */
export class ScheduleFiles {
  constructor(readonly state: string) {}

  #inside<Result>(work: (directory: string) => Result): Result {
    return asOwnerOf(this.state, (state) => work(join(state, folder)));
  }

  /** Throws an error with the code EEXIST if there is one of that name. */
  add(name: string, value: Definition): void {
    this.#inside((directory) => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFile(join(directory, `${name}.json`), value, constants.O_EXCL);
      syncDirectory(directory);
    });
  }

  /** Null: there is none. */
  read(name: string): Definition | null {
    return this.#inside((directory) => parsed(definition, join(directory, `${name}.json`)));
  }

  progress(name: string, { since }: Definition): Progress {
    return this.#inside(
      (directory) => parsed(progress, join(directory, `${name}.progress`)) ?? { last: since, pending: [] },
    );
  }

  /** On disk when it returns, whole or not at all. */
  record(name: string, value: Progress): void {
    this.#inside((directory) => {
      const path = join(directory, `${name}.progress`);
      writeFile(`${path}.new`, value, constants.O_TRUNC);
      renameSync(`${path}.new`, path);
      syncDirectory(directory);
    });
  }

  /** Gives the files that were there. */
  remove(name: string): readonly string[] {
    return this.#inside((directory) => {
      const own = ['json', 'progress', 'progress.new'].map((end) => `${name}.${end}`);
      const found = own.filter((file) => existsSync(join(directory, file)));
      for (const file of found) rmSync(join(directory, file));
      if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
      return found.map((file) => join(this.state, folder, file));
    });
  }
}
