import { z } from 'zod';
import type { ChannelContext } from '../channel.js';
import { storableText } from '../conversation/plain-text.js';
import type { SlackApi } from './slack-api.js';

/** A name is believed for so long, and one that could not be had is asked for again after that; in milliseconds. */
const freshMs = 3_600_000;
const retryMs = 60_000;
/** Slack sends a message again that is not acknowledged within 3 s: a name is not worth that. */
const timeoutMs = 1_500;
const mostNames = 1_000;
const longestName = 100;

const answer = z.object({
  user: z.object({
    name: z.string().optional(),
    real_name: z.string().optional(),
    profile: z.object({ display_name: z.string().optional(), real_name: z.string().optional() }).optional(),
  }),
});

interface Known {
  readonly name: string | null;
  readonly until: number;
}

/** Names of people, which events do not have. */
export class PeopleNames {
  readonly #context: Pick<ChannelContext, 'clock' | 'signal'>;
  /** The oldest first. */
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<void>>();

  constructor(context: Pick<ChannelContext, 'clock' | 'signal'>) {
    this.#context = context;
  }

  /** Null: it is not known. */
  of(user: string): string | null {
    return this.#known.get(user)?.name ?? null;
  }

  /** Resolves once the names are known, or can't be had. It never rejects. */
  async learn(users: readonly string[], api: SlackApi): Promise<void> {
    const now = this.#context.clock.now();
    const unknown = users.filter((user) => (this.#known.get(user)?.until ?? 0) <= now);
    await Promise.all(unknown.map((user) => this.#once(user, api)));
  }

  #once(user: string, api: SlackApi): Promise<void> {
    const asked = this.#asked.get(user) ?? this.#ask(user, api).finally(() => this.#asked.delete(user));
    this.#asked.set(user, asked);
    return asked;
  }

  async #ask(user: string, api: SlackApi): Promise<void> {
    const { clock, signal } = this.#context;
    const end = await api.call('users.info', { user }, { timeoutMs, signal });
    const parsed = answer.safeParse(end.kind === 'ok' ? end.result : undefined);
    const name = parsed.success ? nameIn(parsed.data.user) : this.of(user);
    this.#known.delete(user);
    this.#known.set(user, { name, until: clock.now() + (parsed.success ? freshMs : retryMs) });
    const [oldest] = this.#known.keys();
    if (this.#known.size > mostNames && oldest !== undefined) this.#known.delete(oldest);
  }
}

function nameIn({ name, real_name: real, profile }: z.output<typeof answer>['user']): string | null {
  const given = [profile?.display_name, profile?.real_name, real, name];
  const chosen = given.find((each) => each !== undefined && each.trim() !== '');
  return chosen === undefined ? null : storableText(chosen.slice(0, longestName));
}
