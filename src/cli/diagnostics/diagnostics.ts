import { dirname, resolve } from 'node:path';
import { errorMessage } from '../../text/failure-text.js';
import { ownProgram } from '../../units/plan.js';
import { programVersion } from '../../version.js';
import { commandStatus } from '../command.js';
import { printable, reportLine, Spinner, terminalOf } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { type ArchivedFile, archiveOf, writeNewFile } from './archive.js';
import { OwnWords } from './own-words.js';
import { type Part, partsOf } from './parts.js';
import { Redaction } from './redact.js';

/** A part that was gathered, or the reason why it was not. */
interface Gathered extends Pick<Part, 'file' | 'contents'> {
  readonly text: string | null;
  readonly missing: string | null;
}

const explanation = `Diagnostics of sd-gateway, for a report of a bug.

Of each text only the words are here that the program itself has; "…" stands for what was left out. Sessions, messages,
channels and agents have numbers in the place of their names. There are no texts of messages, no replies, no metadata and
no secrets. Look at the files all the same before you send them.
`;

/** One that fails is told, whatever it is: the others are worth having. */
async function gatherPart({ file, contents, text }: Part): Promise<Gathered> {
  try {
    return { file, contents, text: await text(), missing: null };
  } catch (error) {
    return { file, contents, text: null, missing: errorMessage(error) };
  }
}

function lineOf({ file, contents, missing }: Gathered): string {
  return missing === null ? `  ${file}: ${contents}` : `  ${file} is missing: ${missing}`;
}

function filesOf(parts: readonly Gathered[], redaction: Redaction): readonly ArchivedFile[] {
  // The reason may name a path.
  const told = parts.map((part) => ({
    ...part,
    missing: part.missing === null ? null : redaction.text(part.missing),
  }));
  const manifest = {
    version: 1,
    program: programVersion(),
    at: new Date().toISOString(),
    files: told.map(({ file, contents, missing }) => ({ file, contents, missing })),
  };
  return [
    { name: 'README.txt', text: `${explanation}\n${told.map(lineOf).join('\n')}\n` },
    { name: 'manifest.json', text: `${JSON.stringify(manifest, null, 2)}\n` },
    ...parts.flatMap(({ file, text }) => (text === null ? [] : [{ name: file, text }])),
  ];
}

/** Writes one archive for the report of a bug. */
export async function diagnostics(parsed: ParsedCommand): Promise<number> {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const directory = `sd-gateway-diagnostics-${stamp}`;
  const output = parsed.values['output'] ?? `${directory}.tar.gz`;
  if (output === '') throw new UsageError('--output is empty', parsed.command.name);
  const asJson = parsed.flags.has('json');
  const spinner = new Spinner(process.stderr, terminalOf(parsed, process.stderr));
  const redaction = new Redaction(OwnWords.read(dirname(dirname(dirname(ownProgram)))));
  const parts: Gathered[] = [];
  for (const part of partsOf(parsed, redaction)) {
    if (spinner.isMoving) spinner.show(`Gathering ${part.file}`);
    parts.push(await gatherPart(part));
  }
  spinner.stop();
  const archive = archiveOf(directory, filesOf(parts, redaction));
  try {
    writeNewFile(output, archive);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason =
      code === 'EEXIST' || code === 'ELOOP'
        ? `${output} is there already, and stays: name another file with --output`
        : errorMessage(error);
    process.stderr.write(`sd-gateway: ${printable(reason)}\n`);
    return commandStatus.failure;
  }
  if (asJson) {
    const files = parts.map(({ file, contents, missing }) => ({ file, contents, missing }));
    process.stdout.write(reportLine({ output: resolve(output), sizeBytes: archive.length, files }));
    return commandStatus.success;
  }
  const text = [
    `Wrote ${output} (${archive.length} bytes, readable by you alone):`,
    ...parts.map(lineOf),
    'Look at it before you send it: it goes to whoever reads the report.',
    `  tar --extract --gzip --file ${output}`,
  ];
  process.stdout.write(`${text.map(printable).join('\n')}\n`);
  return commandStatus.success;
}
