import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileFetchError } from '../../../src/channels/http/attachments/url-files.js';
import { createHttpChannel } from '../../../src/channels/http/http-channel.js';
import type { HttpChannelOptions, HttpSettings } from '../../../src/channels/http/options.js';
import type { HttpEndpoint } from '../../../src/channels/http/server/listen.js';
import type { PeopleOperations } from '../../../src/channels/surroundings.js';
import { MessageEvents } from '../../../src/gateway/events.js';
import { MessageActions } from '../../../src/gateway/message-actions.js';
import { Questions } from '../../../src/gateway/questions/questions.js';
import { SessionActions } from '../../../src/gateway/session-actions.js';
import type { Log } from '../../../src/log/log.js';
import type { Message } from '../../../src/store/messages.js';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.js';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';
import { withCalls } from '../../store/with-calls.js';

const noPeople: PeopleOperations = {
  list: async () => ({ allowed: [], waiting: [] }),
  accept: async () => null,
  forget: async () => ({ outcome: 'unknown' }),
};

export const token = 'correct-horse-battery-staple';

export interface ServeOptions {
  readonly endpoints?: readonly HttpEndpoint[];
  readonly settings?: Partial<HttpSettings>;
  readonly channel?: Partial<HttpChannelOptions>;
  /** Calls of the real store to be replaced. */
  readonly over?: Partial<Store>;
}

/** The HTTP channel over a real store and real sockets; nothing runs the messages but the test. */
export async function serve({ endpoints, settings, channel: overrides, over }: ServeOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-http-'));
  const { store } = await openSqliteStore({
    path: join(directory, 'gateway.db'),
    busyTimeout: 5_000,
    maxAttempts: 3,
  });
  const events = new MessageEvents();
  const accepted: Message[] = [];
  const records: string[] = [];
  const record = (message: string) => void records.push(message);
  const log: Log = {
    crit: record,
    err: record,
    warning: record,
    notice: record,
    info: record,
    debug: record,
  };
  const cutOff: string[] = [];
  const called = withCalls(store, over ?? {});
  const actions = new MessageActions({
    store: called,
    cutOff: (id) => cutOff.push(id),
    onChange: (id, session) => events.emit(id, session),
    log,
  });
  const ended: string[] = [];
  const sessions = new SessionActions({
    store: called,
    log,
    cancelSession: (session) => actions.cancelSession(session),
    agentDirectory: join(directory, 'agents'),
    agents: () => ['default', 'fast'],
    routes: () => [{ prefix: 'chat:', sender: 'ada', agent: 'fast' }],
    onEnd: (session) => ended.push(session),
  });
  const questions = new Questions({
    store: called,
    log,
    owner: 'test',
    timeoutMs: () => 60_000,
    onAsked: ({ messageId, session }) => events.emit(messageId, session),
  });
  const channel = createHttpChannel({
    store: called,
    actions,
    questions,
    people: noPeople,
    sessions,
    changes: events,
    log,
    token,
    openSockets: async () => ({
      endpoints: endpoints ?? [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
      connections: [],
    }),
    bounds: () => ({ total: 1_000, withoutToken: 500 }),
    bodyLimit: 262_144,
    settings: () => ({
      waitLimit: 60_000,
      queue: { session: 1_000, total: 10_000 },
      publicUrl: null,
      trustedProxies: [],
      channelNames: [],
      attachments: { count: 3, fileBytes: 1_000_000, totalBytes: 1_500_000, concurrency: 2 },
      ...settings,
    }),
    fetchFile: async () => {
      throw new FileFetchError('is not there');
    },
    retryAfterSeconds: () => 7,
    readiness: () => ({ ready: true, facts: { state: 'ready' } }),
    validateReplyUrl: (url) =>
      url.startsWith('https://') ? { ok: true } : { ok: false, reason: 'must be an https URL' },
    channelTarget: (name) =>
      name === 'irc'
        ? { ok: true, guarantee: { idempotent: false, unknown: 'drop' } }
        : {
            ok: false,
            member: 'channel',
            reason: 'must name a channel of the configuration; there are: irc',
          },
    accept: async (message, limits) => {
      const outcome = await called.accept(message, limits);
      if (outcome.outcome === 'accepted') {
        actions.interrupted(outcome.message.session, outcome.interrupted);
        accepted.push(outcome.message);
      }
      return outcome;
    },
    ...overrides,
  });
  const claim = async () => {
    const [turn] = await store.claimTurns({ owner: 'test', limit: 1, leaseMs: 60_000 });
    if (turn === undefined) throw new Error('No message waits.');
    return turn;
  };
  const complete = async (turn: Turn, text: string) => {
    await store.completeTurn(turn, { text, metadata: {} });
    events.emit(turn.messageId, turn.session, 'replied');
  };
  await channel.start();
  const addresses = channel.listening;
  const base = addresses[0] ?? '';
  return {
    channel,
    store,
    events,
    questions,
    accepted,
    /** Messages whose turns were to be ended. */
    cutOff,
    /** Sessions that agents were told the end of. */
    ended,
    records,
    addresses,
    base,
    directory,
    get: (path: string, headers = {}) =>
      fetch(base + path, { headers: { authorization: `Bearer ${token}`, ...headers } }),
    post: (session: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${base}/v1/sessions/${session}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    /** Posts a message with files: a form as browsers make it. */
    postForm: (session: string, parts: FormData, headers: Record<string, string> = {}) =>
      fetch(`${base}/v1/sessions/${session}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, ...headers },
        body: parts,
      }),
    /** A POST without a body. */
    ask: (path: string, body?: string) =>
      fetch(base + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
      }),
    claim,
    complete,
    /** Does what the dispatcher does: runs the session's next message. */
    async reply(text: string) {
      await complete(await claim(), text);
    },
    async dispose() {
      await channel.close(0);
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Members of the answers, as far as tests look into them one by one. */
export interface Body {
  readonly id: string;
  readonly session: string;
  readonly seq: number;
  readonly delivery: object | null;
  readonly items: readonly { readonly session: string; readonly text: string }[];
  readonly next: string | null;
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string }[];
}

export async function bodyOf(response: Response | Promise<Response>): Promise<Body> {
  return JSON.parse(await (await response).text());
}

export type Served = Awaited<ReturnType<typeof serve>>;

/** One connection, written to byte for byte. */
export async function rawConnection(base: string) {
  const address = new URL(base);
  const socket = connect({ host: address.hostname, port: Number(address.port) });
  await new Promise((resolve) => socket.once('connect', resolve));
  let received = '';
  const checks = new Set<() => void>();
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    received += chunk;
    for (const check of [...checks]) check();
  });
  // A reset is an end, too.
  socket.on('error', () => {});
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  return {
    write: (text: string) => void socket.write(text),
    /** Sends no more, and waits for the other side to end. */
    finish: () => void socket.end(),
    /** Everything received until the other side closed. */
    ended,
    end: () => void socket.destroy(),
    until: (part: string) =>
      new Promise<string>((resolve) => {
        const check = () => {
          if (!received.includes(part)) return;
          checks.delete(check);
          resolve(received);
        };
        checks.add(check);
        check();
      }),
  };
}
