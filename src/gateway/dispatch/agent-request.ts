import type { AgentFile, AgentRequest, EarlierTurn } from '../../agents/agent.js';
import type { Attachment, Message } from '../../store/messages.js';
import type { NewAttachments } from '../../store/new-attachments.js';
import { agentSessionKey, agentSessionKind } from '../../store/records.js';
import { turnText } from '../../store/rules/ready-queue.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { traceparentOf } from '../../text/trace-context.js';
import { plainSenders, type TurnSenders } from './turn-senders.js';

export type AgentRequestStore = Pick<Store, 'history' | 'openBlob' | 'record' | 'putRecord' | 'deleteRecord'>;

/** Makes what an agent is given of a turn. `agent`: its name in the configuration. `replyFiles` has those it makes. */
export function agentRequest(
  store: AgentRequestStore,
  agent: string,
  turn: Turn,
  replyFiles: Pick<NewAttachments, 'add'>,
  senders: Pick<TurnSenders, 'of'> = plainSenders(turn),
): AgentRequest {
  const { turnId, messageId, session, generation, seq, attempt, putBacks, text, metadata } = turn;
  const filesOf = ({ messageId, attachments = [] }: MessageFiles): readonly AgentFile[] =>
    attachments.map((attachment, index) => ({
      ...attachment,
      path: `/v1/messages/${messageId}/attachments/${index + 1}`,
      open: () => store.openBlob(attachment.id),
    }));
  const key = agentSessionKey({ session, generation, agent });
  return {
    turnId,
    messageId,
    session,
    generation,
    seq,
    attempt,
    putBacks,
    text,
    metadata,
    traceparent: traceparentOf(metadata),
    sender: senders.of(turn.sender),
    collected: turn.collected.map((part) => ({
      messageId: part.messageId,
      seq: part.seq,
      text: part.text,
      metadata: part.metadata,
      // Messages of several channels may be one turn only if their replies go to one place: that is one channel.
      sender: senders.of(part.sender),
    })),
    files: [...turn.collected, turn].flatMap(filesOf),
    addFile: (file, content) => replyFiles.add(file, content),
    history: async (limit) => earlierTurns(await store.history(session, limit, { generation, before: seq })),
    agentSession: {
      read: async () => (await store.record(agentSessionKind, key))?.value ?? null,
      write: async (value) => {
        if (value === null) await store.deleteRecord(agentSessionKind, key);
        else await store.putRecord({ kind: agentSessionKind, key, value });
      },
    },
  };
}

interface MessageFiles {
  readonly messageId: string;
  readonly attachments?: readonly Attachment[];
}

/** Puts the messages of each turn together. */
export function earlierTurns(messages: readonly Message[]): readonly EarlierTurn[] {
  const parts = new Map<string, Message[]>();
  const turns: EarlierTurn[] = [];
  for (const message of messages) {
    const { id, seq, text, sender, channel, acceptedAt, reply, collectedIn } = message;
    if (collectedIn !== null) {
      parts.set(collectedIn.id, [...(parts.get(collectedIn.id) ?? []), message]);
    } else if (reply !== null) {
      turns.push({
        messageId: id,
        seq,
        text: turnText(parts.get(id) ?? [], text),
        sender: plainSenders({ channel }).of(sender),
        acceptedAt,
        reply: { text: reply.text, metadata: reply.metadata },
      });
    }
  }
  return turns;
}
