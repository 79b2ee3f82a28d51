import { setTimeout as pause } from 'node:timers/promises';
import { toldAgents } from './agents.js';
import type { WaitingQuestion } from './chat-questions.js';
import { type GatewayAnswer, type GatewayClient, StreamRefusedError, UnreachableError } from './http.js';
import type { ShownFile, ShownReply } from './messages.js';
import { postMessage } from './send.js';

/** Told of a turn while it runs. */
export interface TurnListener {
  /** The next piece of the reply. */
  text(piece: string): void;
  /** The turn runs again: what was written of its reply is void. */
  restart(): void;
  /** One line that says what the agent does now. */
  status(line: string): void;
  /** The agent waits for a person's answer. Called once for each question. */
  question(question: WaitingQuestion): void;
}

export interface TurnOutcome {
  readonly id: string;
  /** `refused`: the gateway did not take the message. `unfollowed`: it took it, and does not tell what becomes of it. */
  readonly state: 'replied' | 'dead' | 'cancelled' | 'refused' | 'unfollowed';
  /** The reply, or the reason why there is none. */
  readonly text: string;
  readonly files: readonly ShownFile[];
}

/** Longest time in which the gateway may be away, as for a restart, in milliseconds. */
const longestAwayMs = 60_000;
const reconnectAfterMs = 1_000;
/** Longest time in which a store that is out of order may take the message, in milliseconds. */
const longestPostMs = 30_000;

/** A conversation in one session. */
export class Conversation {
  readonly #client: GatewayClient;
  readonly #path: string;
  readonly #session: string;

  constructor(client: GatewayClient, session: string) {
    this.#client = client;
    this.#session = session;
    this.#path = `/v1/sessions/${encodeURIComponent(session)}`;
  }

  /** The last turns of the session; 404 if there is no such session. */
  history(limit: number): Promise<GatewayAnswer> {
    return this.#client.get(`${this.#path}/history?limit=${limit}`);
  }

  reset(): Promise<GatewayAnswer> {
    return this.#client.post(`${this.#path}/reset`, {}, {});
  }

  setAgent(agent: string): Promise<GatewayAnswer> {
    return this.#client.put(`${this.#path}/agent`, { agent });
  }

  /** Says which agent the session has, and which there are. */
  async agents(): Promise<string> {
    const { body } = await this.#client.get(`${this.#path}/route`);
    const names = (await toldAgents(this.#client)).map(({ name }) => name);
    const now = body?.['agent'] === undefined ? '' : `The agent is ${body['agent']}. `;
    return `${now}/agent NAME chooses another one${names.length === 0 ? '' : ` of: ${names.join(', ')}`}.`;
  }

  /** Answers a question by its code. */
  answer(code: string, effect: 'allow' | 'deny'): Promise<GatewayAnswer> {
    return this.#client.post(`/v1/questions/${encodeURIComponent(code)}`, { answer: effect }, {});
  }

  /** The questions of the session that wait for an answer. None if the token may not see them. */
  async questions(): Promise<readonly WaitingQuestion[]> {
    const found: WaitingQuestion[] = [];
    let after: string | null = null;
    do {
      const cursor: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
      const { status, body } = await this.#client.get(`/v1/questions?limit=1000${cursor}`);
      if (status !== 200) return found;
      const items = (body?.['items'] ?? []) as readonly (WaitingQuestion & ListedQuestion)[];
      found.push(...items.filter(({ session, state }) => session === this.#session && state === 'open'));
      after = body?.['next'] as string | null;
    } while (after !== null);
    return found;
  }

  /** Sends a message with files, and follows its turn to the end. An abort of `signal` cancels it. */
  async say(
    text: string,
    listener: TurnListener,
    signal: AbortSignal,
    files: readonly string[] = [],
  ): Promise<TurnOutcome> {
    const deadline = performance.now() + longestPostMs;
    const answer = await postMessage(this.#client, this.#session, { text }, deadline, files);
    if (answer.status !== 202) return refusedOutcome('', 'refused', answer);
    const id = String(answer.body?.['id']);
    const cancel = () => {
      // The stream shows what becomes of it.
      this.#client.post(`/v1/messages/${id}/cancel`, {}, {}).catch(() => undefined);
    };
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#follow(id, listener);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  async #follow(id: string, listener: TurnListener): Promise<TurnOutcome> {
    const never = new AbortController();
    const asked = new Set<string>();
    const ask = (question: WaitingQuestion) => {
      if (asked.has(question.code)) return;
      asked.add(question.code);
      listener.question(question);
    };
    let position = 0;
    let lastSeenAt = performance.now();
    for (;;) {
      try {
        let isFirst = true;
        for await (const { event, data } of this.#client.events(
          `/v1/messages/${id}?stream=true`,
          never.signal,
        )) {
          lastSeenAt = performance.now();
          // The stream tells those that are asked from now on.
          if (isFirst) for (const question of await this.questions()) ask(question);
          isFirst = false;
          if (event === 'question' && data !== null) ask(data as unknown as WaitingQuestion);
          if (event === 'message') return outcomeOf(id, data);
          if (event === 'status') listener.status(String(data?.['text']));
          const next = Number(data?.['position'] ?? 0);
          // After a break the pieces come again from the first one on.
          if (next <= position) continue;
          position = next;
          if (event === 'delta') listener.text(String(data?.['text']));
          else if (event === 'restart') listener.restart();
        }
      } catch (error) {
        if (error instanceof StreamRefusedError) return refusedOutcome(id, 'unfollowed', error.answer);
        if (!(error instanceof UnreachableError)) throw error;
        if (performance.now() - lastSeenAt > longestAwayMs) throw error;
      }
      await pause(reconnectAfterMs);
    }
  }
}

interface ListedQuestion {
  readonly session: string;
  readonly state: string;
}

function refusedOutcome(
  id: string,
  state: 'refused' | 'unfollowed',
  { status, body }: GatewayAnswer,
): TurnOutcome {
  return { id, state, text: String(body?.['detail'] ?? `status ${status}`), files: [] };
}

function outcomeOf(id: string, message: Readonly<Record<string, unknown>> | null): TurnOutcome {
  const reply = message?.['reply'] as ShownReply | null | undefined;
  const state = message?.['state'];
  if (state === 'dead' || state === 'cancelled') {
    return { id, state, text: String(message?.['error'] ?? ''), files: [] };
  }
  return { id, state: 'replied', text: String(reply?.text ?? ''), files: reply?.attachments ?? [] };
}
