import { commandStatus } from '../command.js';
import { printable, versionedLine } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import { askGateway, refused } from './access.js';

/** Answers a question of an agent, by its code. */
async function answer(parsed: ParsedCommand, effect: 'allow' | 'deny'): Promise<number> {
  const [code = ''] = parsed.operands;
  return askGateway(parsed, async (client) => {
    const answered = await client.post(`/v1/questions/${encodeURIComponent(code)}`, { answer: effect }, {});
    if (answered.status === 401) return null;
    if (answered.status !== 200) return refused(answered, `to ${effect} ${code}`);
    const done = effect === 'allow' ? 'Allowed' : 'Denied';
    process.stdout.write(
      parsed.flags.has('json')
        ? versionedLine(answered.body)
        : `${printable(`${done}: ${String(answered.body?.['title'])}`)}\n`,
    );
    return commandStatus.success;
  });
}

export function approve(parsed: ParsedCommand): Promise<number> {
  return answer(parsed, 'allow');
}

export function deny(parsed: ParsedCommand): Promise<number> {
  return answer(parsed, 'deny');
}
