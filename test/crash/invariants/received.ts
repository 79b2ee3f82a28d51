import { groupBy } from '../group-by.js';
import { isChannel, kindOf } from '../kinds.js';
import type { Record, StoredMessage } from '../record.js';
import { repliesOf } from './replies.js';

/** One key, one body and its own file for each reply; who goes by the key sees each once, in the order of its session. */
export function received({ received: receipts, stored }: Pick<Record, 'received' | 'stored'>): string[] {
  const found: string[] = [];
  const bySession = groupBy(stored, ({ session }) => session);
  const messages = new Map(stored.map((message) => [message.id, message]));
  const replied = new Set<string>();
  const reached = new Map<string, number>();
  for (const { key, type, data, sameBody } of repliesOf(receipts)) {
    if (!sameBody) found.push(`${key}: it came with two bodies`);
    const { id, session, seq } = data;
    const at = reached.get(session) ?? 0;
    if (type !== 'message.replied') found.push(`${session} ${seq}: ${type} was received`);
    if (replied.has(id)) found.push(`${session} ${seq}: its reply came under two keys`);
    const passed = (bySession.get(session) ?? []).slice(at, Math.max(at, seq - 1));
    if (seq <= at || !passed.every(mayBeMissing)) {
      found.push(`${session}: the reply to message ${seq} came after that to ${at}`);
    }
    const state = messages.get(id)?.state;
    if (state === 'cancelled' || state === 'collected') {
      found.push(`${session} ${seq}: its reply was received, and it is ${state}`);
    }
    const files = data.reply?.attachments?.map(({ sha256 }) => sha256) ?? [];
    if (files.join() !== (data.reply?.metadata.sha256 ?? '')) {
      found.push(`${session} ${seq}: its reply came with the files ${files.join()}`);
    }
    replied.add(id);
    reached.set(session, seq);
  }
  for (const message of stored) {
    const { session, seq, id } = message;
    if (!isChannel(kindOf(session)) && !mayBeMissing(message) && !replied.has(id)) {
      found.push(`${session} ${seq}: its reply was never received`);
    }
  }
  return found;
}

/** No reply of its own needs to come. A dead one is judged by how it ended. */
function mayBeMissing({ state }: StoredMessage): boolean {
  return ['cancelled', 'collected', 'dead'].includes(state);
}
