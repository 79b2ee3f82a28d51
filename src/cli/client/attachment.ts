import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { counted } from '../../text/counted.js';
import { plainFileName } from '../../text/file-name.js';
import { commandStatus } from '../command.js';
import { printable } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { type GatewayClient, StreamRefusedError } from './http.js';
import { askOrRefuse, Refused, readMessage, type ShownFile } from './messages.js';

/** Downloads a file of a message or of its reply. */
export async function attachment(parsed: ParsedCommand): Promise<number> {
  const [id = '', number = '1'] = parsed.operands;
  if (!/^[1-9]\d{0,5}$/.test(number)) {
    throw new UsageError(`"${number}" is no number of a file, such as 1`, parsed.command.name);
  }
  const isOfReply = parsed.flags.has('reply');
  const target = parsed.values['output'] ?? null;
  if (target === '-' && process.stdout.isTTY) {
    throw new UsageError('a file does not go to a terminal: name one with -o FILE', parsed.command.name);
  }
  return askOrRefuse(parsed, async (client) => {
    const message = await readMessage(client, id);
    const files = (isOfReply ? message.reply?.attachments : message.attachments) ?? [];
    const file = files[Number(number) - 1];
    if (file === undefined) {
      const of = isOfReply ? 'The reply of the message' : 'The message';
      process.stderr.write(
        `sd-gateway: ${of} has ${counted(files.length, 'file')}: there is no number ${number}.\n`,
      );
      return commandStatus.failure;
    }
    return target === '-' ? print(client, file) : save(client, file, target ?? plainFileName(file.name));
  });
}

async function print(client: GatewayClient, file: ShownFile): Promise<number> {
  for await (const chunk of contentOf(client, file)) {
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
  }
  return commandStatus.success;
}

async function save(client: GatewayClient, file: ShownFile, path: string): Promise<number> {
  let target: Awaited<ReturnType<typeof open>>;
  try {
    target = await open(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'it is there already; name another one with -o FILE' : message;
    process.stderr.write(`sd-gateway: ${printable(path)} was not written: ${printable(reason)}\n`);
    return commandStatus.failure;
  }
  let isWhole = false;
  try {
    for await (const chunk of contentOf(client, file)) await target.writeFile(chunk);
    isWhole = true;
  } finally {
    await target.close();
    if (!isWhole) rmSync(path, { force: true });
  }
  process.stderr.write(`Saved ${printable(path)}, ${file.size} bytes of ${printable(file.media_type)}\n`);
  return commandStatus.success;
}

/** Throws an error at its end if it is not the file that the gateway has taken. */
async function* contentOf(
  client: GatewayClient,
  { name, path, sha256 }: ShownFile,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of client.content(path)) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof StreamRefusedError) throw new Refused(error.answer, `to give ${name}`);
    throw error;
  }
  if (hash.digest('hex') !== sha256) throw new Error(`${name} did not come as the gateway has taken it.`);
}
