import { commandStatus } from './commands.js';
import { askGateway, refused } from './gateway-access.js';
import { jsonLine, printable } from './terminal.js';
import { type ParsedCommand, UsageError } from './usage.js';

interface Cancelled {
  readonly id: string;
}

/** Cancels a message, or all of a session that waits or runs. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const [id] = parsed.operands;
  const session = parsed.values['session'];
  if ((id === undefined) === (session === undefined)) {
    throw new UsageError('name either a message or, with --session, a session', parsed.command.name);
  }
  const path =
    session === undefined
      ? `/v1/messages/${encodeURIComponent(id ?? '')}/cancel`
      : `/v1/sessions/${encodeURIComponent(session)}/cancel`;
  return askGateway(parsed, async (client) => {
    const answer = await client.post(path, {}, {});
    if (answer.status === 401) return null;
    if (answer.status !== 200) return refused(answer, 'to cancel it');
    if (parsed.flags.has('json')) process.stdout.write(jsonLine(answer.body));
    else if (session === undefined) process.stdout.write(`Cancelled ${id}\n`);
    else {
      const cancelled = (answer.body?.['cancelled'] ?? []) as readonly Cancelled[];
      for (const message of cancelled) process.stdout.write(`Cancelled ${printable(String(message.id))}\n`);
      if (cancelled.length === 0) process.stdout.write(`Nothing waits or runs in ${session}\n`);
    }
    return commandStatus.success;
  });
}
