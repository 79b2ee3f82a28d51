import type { OpenAiSettings } from '../../../../src/channels/http/openai/settings.js';
import type { Turn } from '../../../../src/store/turns.js';
import { type Served, type ServeOptions, serve, token } from '../http-fixture.js';

export const openAiSettings: OpenAiSettings = {
  isEnabled: true,
  sessionHeaders: ['X-Session-Id'],
  chatHeaders: ['X-OpenWebUI-Chat-Id'],
  expireMs: 3_600_000,
  bodyLimitBytes: 4_000_000,
};

/** The HTTP channel with the OpenAI-compatible API, and what a client of it does. */
export async function serveFront(settings: Partial<OpenAiSettings> = {}, options: ServeOptions = {}) {
  const inForce = { ...openAiSettings, ...settings };
  const served = await serve({ ...options, channel: { openAi: () => inForce, ...options.channel } });
  const call = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    secret = token,
  ) =>
    fetch(served.base + path, {
      method,
      headers: {
        authorization: `Bearer ${secret}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return {
    ...served,
    call,
    chat: (body: object, headers: Record<string, string> = {}) =>
      call('POST', '/v1/chat/completions', { model: 'default', ...body }, headers),
    /** Waits until a message can be claimed. */
    turn: () => nextTurn(served),
    /** Writes pieces of the reply, as the dispatcher does. */
    write: (turn: Turn, texts: readonly string[]) => writePieces(served, turn, texts),
    /** A named token with these scopes. */
    async token(name: string, scopes: readonly string[]): Promise<string> {
      const response = await call('POST', '/v1/tokens', { name, scopes });
      return ((await response.json()) as { readonly token: string }).token;
    },
  };
}

export type ServedFront = Awaited<ReturnType<typeof serveFront>>;

async function nextTurn({ store }: Pick<Served, 'store'>): Promise<Turn> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    const [turn] = await store.claimTurns({ owner: 'test', limit: 1, leaseMs: 60_000 });
    if (turn !== undefined) return turn;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('No message came.');
}

const written = new WeakMap<Turn, number>();

async function writePieces(
  { store, events }: Pick<Served, 'store' | 'events'>,
  turn: Turn,
  texts: readonly string[],
): Promise<void> {
  for (const text of texts) {
    const position = (written.get(turn) ?? turn.deltas) + 1;
    written.set(turn, position);
    events.emitProgress(turn.messageId, turn.session, { type: 'delta', position, text });
  }
  await store.appendDeltas(turn, texts);
  events.emitProgress(turn.messageId, turn.session, { type: 'stored' });
}

export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

export async function errorOf(response: Response | Promise<Response>) {
  const answer = await response;
  const body = JSON.parse(await answer.text()) as OpenAiErrorBody;
  return { status: answer.status, headers: answer.headers, ...body };
}

/** The events of a stream: their data, and the lines that are none. */
export interface Events {
  readonly data: readonly string[];
  readonly text: string;
}

export function eventsIn(text: string): Events {
  const data = text.split('\n\n').flatMap((event) => {
    const lines = event.split('\n').filter((line) => line.startsWith('data: '));
    return lines.length === 0 ? [] : [lines.map((line) => line.slice(6)).join('\n')];
  });
  return { data, text };
}

/** Reads a stream until a part of it has come. */
export async function until(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  part: string,
  before = '',
): Promise<string> {
  const decoder = new TextDecoder();
  let text = before;
  while (!text.includes(part)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The stream ended before ${JSON.stringify(part)}: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  return text;
}
