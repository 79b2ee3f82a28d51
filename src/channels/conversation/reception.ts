import { hash } from 'node:crypto';
import type { PeopleConfiguration } from '../../config/channel-table.js';
import type { RevisionOutcome } from '../../store/messages.js';
import type { AcceptOutcome } from '../../store/turns.js';
import { ownCommand } from '../../text/own-command.js';
import type {
  ChannelCheckpoint,
  ChannelContext,
  ChannelMessage,
  Person,
  Received,
  ReceiveOutcome,
} from '../channel.js';
import { Complaints } from '../complaints.js';
import { type Decision, decide } from './decision.js';
import { limitedText, plainName, storableText } from './plain-text.js';
import type { Role } from './roles.js';
import type { Teller } from './teller.js';
import type { WordUse } from './word-actions.js';
import { type SaidWord, withoutEscape, wordOf } from './words.js';

/** `silent`: the person was given a code just now. `full`: too many wait for one. */
export type CodeOffer =
  | { readonly outcome: 'code'; readonly code: string; readonly minutes: number }
  | { readonly outcome: 'silent' | 'full' };

/** The people of one channel, as the gateway knows them. */
export interface ChannelPeople {
  /** Null: a stranger. */
  role(person: string): Promise<Role | null>;
  offerCode(person: Person): Promise<CodeOffer>;
}

export interface ReceptionOptions extends Pick<ChannelContext, 'name' | 'accept' | 'log' | 'clock'> {
  readonly rules: PeopleConfiguration;
  readonly people: ChannelPeople;
  readonly teller: Teller;
  /** Has a word done, and gives the answer. Null: it was done before. Rejects if that can't be told. */
  readonly perform: (said: SaidWord, use: WordUse) => Promise<string | null>;
  /** Gives a message that arrived before its new text; null: it was deleted. See `Store.reviseMessage`. */
  readonly revise: (
    arrived: { readonly conversation: string; readonly id: string },
    text: string | null,
  ) => Promise<RevisionOutcome['outcome'] | null>;
  /** True if the agent of the conversation can't be started now. */
  readonly isHeld: (conversation: string, person: string) => Promise<boolean>;
}

interface Decided {
  readonly received: Received;
  readonly decision: Decision;
  readonly role: Role | null;
}

/** The layer between a channel and the queue: it decides what becomes of the messages of people, and has it done. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #complaints: Complaints;
  /** The times of the last messages of nobody that were kept. */
  #ofNobody: number[] = [];

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#complaints = new Complaints(options);
  }

  /** See `ChannelContext.receive`. */
  async receive(
    received: readonly Received[],
    checkpoint?: ChannelCheckpoint,
  ): Promise<readonly ReceiveOutcome[]> {
    const decided = await this.#decide(received);
    const outcomes: ReceiveOutcome[] = [];
    let waiting: Decided[] = [];
    for (const each of decided) {
      if (each.decision !== 'word' && each.decision !== 'edit' && each.decision !== 'deletion') {
        waiting.push(each);
        continue;
      }
      // A message that came before a word or an edit is in the queue when that is done.
      outcomes.push(...(await this.#accept(waiting)));
      waiting = [];
      const done = each.decision === 'word' ? await this.#say(each) : await this.#revise(each);
      if ('outcome' in done) outcomes.push(done);
      else waiting.push(done);
    }
    outcomes.push(...(await this.#accept(waiting, checkpoint)));
    return outcomes;
  }

  /** See `ChannelContext.keeps`. */
  async keeps(received: Received): Promise<boolean> {
    const [decided] = await this.#decide([received]);
    return decided !== undefined && isKept(decided);
  }

  async #decide(received: readonly Received[]): Promise<readonly Decided[]> {
    const { people, rules } = this.#options;
    const known = new Map<string, Role | null>();
    const decided: Decided[] = [];
    for (const each of received) {
      const id = each.person?.id ?? null;
      if (id !== null && !known.has(id)) known.set(id, await people.role(id));
      const role = id === null ? null : (known.get(id) ?? null);
      decided.push({ received: each, decision: decide(each, rules, role), role });
    }
    return decided;
  }

  /** Puts those on disk that are kept, with the checkpoint, and tells the persons of all what they have to know. */
  async #accept(
    decided: readonly Decided[],
    checkpoint?: ChannelCheckpoint,
  ): Promise<readonly ReceiveOutcome[]> {
    const { accept, rules } = this.#options;
    const kept = decided.filter((each) => isKept(each) && this.#hasRoom(each));
    const messages = kept.map((each) => messageOf(each.received, rules));
    const accepted =
      messages.length === 0 && checkpoint === undefined ? [] : await accept(messages, checkpoint);
    const results = new Map<Decided, AcceptOutcome>();
    for (const [index, outcome] of accepted.entries()) {
      const each = kept[index];
      if (each !== undefined) results.set(each, outcome);
    }
    const outcomes: ReceiveOutcome[] = [];
    for (const each of decided) {
      const outcome = results.get(each);
      if (outcome !== undefined) await this.#tell(each.received, outcome);
      else if (each.decision === 'not-allowed') await this.#refuse(each.received);
      outcomes.push(outcome ?? { outcome: each.decision === 'not-allowed' ? 'not-allowed' : 'ignored' });
    }
    return outcomes;
  }

  /** Anybody may be the author of what nobody is known to have written: some of it is kept, and not a disk full. */
  #hasRoom({ received: { person, defect } }: Decided): boolean {
    if (person !== null) return true;
    const { name, clock } = this.#options;
    const now = clock.now();
    this.#ofNobody = this.#ofNobody.filter((at) => now - at < hourMs);
    if (this.#ofNobody.length < mostOfNobody) {
      this.#ofNobody.push(now);
      return true;
    }
    this.#complaints.note(
      'nobody',
      `A message to the channel ${name} was left out: nobody knows its author, ${mostOfNobody} such are kept an hour, and ${defect?.reason ?? 'it has a defect.'}`,
    );
    return false;
  }

  async #tell(received: Received, outcome: AcceptOutcome): Promise<void> {
    const { teller, isHeld, name } = this.#options;
    const { replyTo, conversation, person, defect } = received;
    if (outcome.outcome === 'full') {
      this.#complaints.note(
        'full',
        `A message to the channel ${name} was set aside as dead: ${outcome.waiting} wait already (dispatch.${outcome.limit}_queue). See "${ownCommand('dead')}".`,
      );
      teller.notify(replyTo, 'full');
    } else if (outcome.outcome === 'set-aside') {
      this.#complaints.note(
        'defect',
        `A message to the channel ${name} was set aside as dead: ${defect?.reason ?? 'it has a defect'} See "${ownCommand('dead')}".`,
      );
      if (person !== null) teller.notify(replyTo, defectNotices[defect?.kind ?? 'unreadable']);
    } else if (outcome.outcome === 'accepted' && person !== null && (await isHeld(conversation, person.id))) {
      teller.notify(replyTo, 'held');
    }
  }

  /** A stranger gets a code in private, if the channel gives any, and no word otherwise. */
  async #refuse({ person, isGroup, replyTo }: Received): Promise<void> {
    const { name, rules, people, teller } = this.#options;
    if (rules.pairing === true && isGroup === false && person !== null && replyTo !== null) {
      const offer = await people.offerCode(person);
      if (offer.outcome === 'code') {
        const { code, minutes } = offer;
        teller.answer(replyTo, teller.text('pairing', { code: writtenPair(code), minutes }));
      }
      if (offer.outcome !== 'full') return;
      this.#complaints.note(
        'full-pairing',
        `A stranger was given no code by the channel ${name}: too many wait. See "${ownCommand('people list')}"; "${ownCommand('people forget ID')}" makes room.`,
      );
      return;
    }
    this.#complaints.note(
      'stranger',
      `Somebody who may not write to the channel ${name} did: the person ${JSON.stringify(person?.id ?? null)}. To allow it, add this id to channels.${name}.allow, and reload.`,
    );
  }

  /** Gives a message that stands for the edit, if it is one of its own. */
  async #revise(each: Decided): Promise<Decided | ReceiveOutcome> {
    const { revise, rules } = this.#options;
    const { received, decision } = each;
    const { conversation, id } = received;
    if (id === null) return { outcome: 'ignored' };
    if (decision === 'deletion') {
      return { outcome: (await revise({ conversation, id }, null)) === 'revised' ? 'revised' : 'ignored' };
    }
    const { text } = messageOf(received, rules);
    const outcome = await revise({ conversation, id }, text);
    if (outcome === 'revised') return { outcome };
    // It may name the gateway only since it was edited.
    if (outcome === null) return { ...each, decision: 'message' };
    if (rules.edits !== 'new') return { outcome: 'ignored' };
    return { ...each, decision: 'message', received: { ...received, id: idOfEdit(id, text) } };
  }

  async #say({ received, role }: Decided): Promise<ReceiveOutcome> {
    const { teller, perform } = this.#options;
    const { conversation, id, person, isGroup, replyTo } = received;
    const said = wordOf(received);
    if (said === null || person === null || role === null) return { outcome: 'ignored' };
    // Where it isn't known, others may read along.
    const use = { conversation, id, person: person.id, role, isGroup: isGroup !== false };
    const answer = await perform(said, use);
    if (answer !== null) teller.answer(replyTo, answer);
    return { outcome: 'word' };
  }
}

const defectNotices = {
  unreadable: 'unreadable',
  'too-large': 'too_large',
  encrypted: 'encrypted',
} as const;

/** Messages without a known author that are kept in an hour. */
const mostOfNobody = 20;
const hourMs = 3_600_000;

/** Longest part of a message that can't be read which is kept, in bytes. */
const keptBytes = 65_536;

function isKept({ decision }: Decided): boolean {
  return decision === 'message' || decision === 'set-aside' || decision === 'edit';
}

/** The same edit has the same id when it comes again. */
function idOfEdit(id: string, text: string): string {
  return `${id}~${hash('sha256', text).slice(0, 16)}`;
}

function messageOf(received: Received, { words }: PeopleConfiguration): ChannelMessage {
  const { person, isGroup, isAddressed: _addressed, origin: _origin, defect, ...message } = received;
  const sender = person === null ? {} : { sender: person.id };
  if (defect !== undefined) {
    const text = limitedText(defect.raw ?? message.text, keptBytes);
    return { ...message, ...sender, text, setAside: storableText(defect.reason) };
  }
  const text = storableText(words ? withoutEscape(message.text) : message.text);
  return { ...message, ...sender, text: isGroup === true ? `${nameBefore(person)}: ${text}` : text };
}

/** The name under which a person of a group is known, which nobody can make look like the text of another one. */
function nameBefore(person: Person | null): string {
  return plainName(person?.name ?? null) ?? plainName(person?.id ?? null) ?? '?';
}

/** With a hyphen in the middle, as it is easier to read out. */
function writtenPair(code: string): string {
  const half = Math.ceil(code.length / 2);
  return `${code.slice(0, half)}-${code.slice(half)}`;
}
