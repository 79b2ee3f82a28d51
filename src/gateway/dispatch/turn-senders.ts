import type { AgentSender } from '../../agents/agent.js';
import { turnText } from '../../store/rules/ready-queue.js';
import type { CollectedMessage, Turn } from '../../store/turns.js';
import { ownCommand } from '../../text/own-command.js';

/** The authors of a turn's messages, as they stand when it begins. */
export interface TurnSenders {
  /** Gives an author by the id; null if the id is null. */
  of(id: string | null): AgentSender | null;
  /** False: the right to write was taken from the author since the message came. */
  mayWrite(id: string | null): boolean;
}

/** Looks the authors up. Rejects if the store can't tell. */
export type SendersOf = (turn: Turn) => TurnSenders | Promise<TurnSenders>;

/** Authors of whom no more is known than their ids. */
export function plainSenders({ channel }: Pick<Turn, 'channel'>): TurnSenders {
  return {
    of: (id) => (id === null ? null : { id, name: null, channel, role: null }),
    mayWrite: () => true,
  };
}

/** Why a turn isn't run whose author may no longer write. */
export function notAllowedReason(sender: string | null, channel: string): string {
  return `${JSON.stringify(sender)} may no longer write by the channel ${channel} (channels.${channel}.allow, "${ownCommand('people list')}").`;
}

/** Takes those messages out of a turn whose authors may no longer write. Null: its own message is one of them. */
export function allowedTurn(turn: Turn, senders: TurnSenders): Turn | null {
  if (!senders.mayWrite(turn.sender)) return null;
  const collected = turn.collected.filter(({ sender }) => senders.mayWrite(sender));
  if (collected.length === turn.collected.length) return turn;
  return { ...turn, collected, text: turnText(collected, ownText(turn)) };
}

/** The text of the turn's own message, which stands behind those of the others. */
function ownText({
  text,
  collected,
}: Pick<Turn, 'text'> & { readonly collected: readonly CollectedMessage[] }) {
  const before = turnText(collected, '');
  return before === '' ? text : text.slice(before.length).replace(/^\n\n/, '');
}
