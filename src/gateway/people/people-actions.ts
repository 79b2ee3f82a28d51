import type { Role } from '../../channels/conversation/roles.js';
import type {
  AllowedPerson,
  ForgetOutcome,
  PeopleList,
  PeopleOperations,
  SessionOperations,
} from '../../channels/surroundings.js';
import type { Log } from '../../log/log.js';
import type { Message } from '../../store/messages.js';
import { itemsOfPages } from '../../store/pages.js';
import type { Store } from '../../store/store.js';
import type { People } from './people.js';

export interface PeopleActionsOptions {
  readonly people: People;
  readonly store: Pick<Store, 'sessions' | 'sessionMessages'>;
  readonly sessions: Pick<SessionOperations, 'deleteSession'>;
  readonly log: Log;
  /** Names of the channels that people write to. */
  readonly channels: () => readonly string[];
}

const pageLimit = 200;

/** Messages of a session, by their authors. */
export interface Authors {
  /** Messages of the person, and those of others. One without an author is nobody's. */
  readonly own: number;
  readonly others: number;
}

/** Counts whose messages these are. An id of another channel is another person. */
export function authorsOf(
  messages: readonly Pick<Message, 'sender' | 'channel'>[],
  channel: string,
  id: string,
): Authors {
  const written = messages.filter(({ sender }) => sender !== null);
  const own = written.filter((message) => message.sender === id && message.channel === channel).length;
  return { own, others: written.length - own };
}

/** The orders of an operator about people. */
export class PeopleActions implements PeopleOperations {
  readonly #options: PeopleActionsOptions;

  constructor(options: PeopleActionsOptions) {
    this.#options = options;
  }

  list(): Promise<PeopleList> {
    return this.#options.people.list();
  }

  accept(code: string, role: Role): Promise<AllowedPerson | null> {
    return this.#options.people.accept(code, role);
  }

  async forget(id: string, channel: string | null): Promise<ForgetOutcome> {
    const { people, log, channels } = this.#options;
    const known = channel === null ? await people.channelsOf(id) : [channel];
    const [name] = known.length === 0 ? channels() : known;
    // In several channels one id is several people.
    if (name === undefined || !channels().includes(name) || (known.length === 0 && channels().length > 1)) {
      return { outcome: 'unknown' };
    }
    if (known.length > 1) return { outcome: 'ambiguous', channels: known };
    const wasLetIn = await people.remove(name, id);
    const { deleted, kept, busy } = await this.#forgetSessions(name, id);
    const mayStillWrite = (await people.person(name, id)) !== null;
    if (!wasLetIn && deleted.length + kept.length + busy.length === 0 && !mayStillWrite) {
      return { outcome: 'unknown' };
    }
    const sessions = `${deleted.length} sessions deleted, ${kept.length + busy.length} kept`;
    log.notice(
      `Forgotten by request: the person ${JSON.stringify(id)} of the channel ${name}; ${sessions}.`,
      {
        SD_GATEWAY_CHANNEL: name,
      },
    );
    return { outcome: 'forgotten', channel: name, deleted, kept, busy, mayStillWrite };
  }

  /** Deletes the sessions in which nobody else has written. */
  async #forgetSessions(channel: string, id: string) {
    const deleted: string[] = [];
    const kept: string[] = [];
    const busy: string[] = [];
    for (const session of await this.#sessionsOf(channel)) {
      const { own, others } = await this.#authors(session, channel, id);
      if (own === 0) continue;
      if (others > 0) kept.push(session);
      else if ((await this.#options.sessions.deleteSession(session)) === 'busy') busy.push(session);
      else deleted.push(session);
    }
    return { deleted, kept, busy };
  }

  async #sessionsOf(channel: string): Promise<readonly string[]> {
    const { store } = this.#options;
    const names: string[] = [];
    for await (const { session } of itemsOfPages((after) => store.sessions({ limit: pageLimit, after }))) {
      if (session.startsWith(`${channel}:`)) names.push(session);
    }
    return names;
  }

  /** Reads no further than it takes to know that the person isn't alone there. */
  async #authors(session: string, channel: string, id: string): Promise<Authors> {
    let authors: Authors = { own: 0, others: 0 };
    let after: string | null = null;
    do {
      const page = await this.#options.store.sessionMessages(session, { limit: pageLimit, after });
      const { own, others } = authorsOf(page?.items ?? [], channel, id);
      authors = { own: authors.own + own, others: authors.others + others };
      after = page?.next ?? null;
    } while (after !== null && (authors.own === 0 || authors.others === 0));
    return authors;
  }
}
