import type { AcceptOutcome } from '../../store/turns.js';
import type {
  ChannelCheckpoint,
  ChannelContext,
  ChannelMessage,
  Received,
  ReceiveOutcome,
} from '../channel.js';
import { Complaints } from '../complaints.js';
import { type ConversationRules, type Decision, decide } from './decision.js';
import { limitedText, storableText } from './plain-text.js';

export interface ReceptionOptions extends Pick<ChannelContext, 'name' | 'accept' | 'log' | 'clock'> {
  readonly rules: ConversationRules;
}

/** The layer between a channel and the queue: it decides what becomes of the messages of people. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #complaints: Complaints;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#complaints = new Complaints(options);
  }

  /** See `ChannelContext.receive`. */
  async receive(
    received: readonly Received[],
    checkpoint?: ChannelCheckpoint,
  ): Promise<readonly ReceiveOutcome[]> {
    const { accept, rules } = this.#options;
    const decided = received.map((each) => ({ received: each, decision: decide(each, rules) }));
    const kept = decided.filter(({ decision }) => isKept(decision));
    const accepted = await accept(
      kept.map((each) => messageOf(each.received)),
      checkpoint,
    );
    const outcomes = new Map<Received, AcceptOutcome>();
    for (const [index, outcome] of accepted.entries()) {
      const each = kept[index];
      if (each !== undefined) outcomes.set(each.received, outcome);
    }
    return decided.map(({ received: each, decision }) => {
      if (decision === 'not-allowed') this.#noteStranger(each);
      const outcome = outcomes.get(each);
      if (outcome?.outcome === 'full') this.#noteFull(outcome);
      return outcome ?? { outcome: decision === 'not-allowed' ? decision : 'ignored' };
    });
  }

  /** See `ChannelContext.keeps`. */
  async keeps(received: Received): Promise<boolean> {
    return isKept(decide(received, this.#options.rules));
  }

  #noteStranger({ person }: Received): void {
    const { name } = this.#options;
    this.#complaints.note(
      'stranger',
      `Somebody who may not write to the channel ${name} did: the person ${JSON.stringify(person?.id ?? null)}. To allow it, add this id to channels.${name}.allow, and reload.`,
    );
  }

  #noteFull({ limit, waiting }: Extract<AcceptOutcome, { readonly outcome: 'full' }>): void {
    this.#complaints.note(
      'full',
      `A message to the channel ${this.#options.name} was set aside as dead: ${waiting} wait already (dispatch.${limit}_queue). See "sd-gateway dead".`,
    );
  }
}

function isKept(decision: Decision): boolean {
  return decision === 'message' || decision === 'set-aside';
}

/** Longest part of a message that can't be read which is kept, in bytes. */
const keptBytes = 65_536;

function messageOf(received: Received): ChannelMessage {
  const { person, isGroup: _group, isAddressed: _addressed, origin: _origin, defect, ...message } = received;
  const sender = person === null ? {} : { sender: person.id };
  if (defect === undefined) return { ...message, ...sender, text: storableText(message.text) };
  const text = limitedText(defect.raw ?? message.text, keptBytes);
  return { ...message, ...sender, text, setAside: defect.reason };
}
