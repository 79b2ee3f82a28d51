import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { peer } from './peers.js';

/**
 * Clients of platforms that others wrote. What they find right in a stand-in of test/support is no mistake of both ours. They
 * have types of their own: the type check runs without them.
 */

const folder = fileURLToPath(new URL('./node_modules/', import.meta.url));
const require = createRequire(import.meta.url);

export const npmClients = peer(
  ['grammy', '@slack/socket-mode', '@slack/web-api', '@discordjs/ws', 'matrix-js-sdk'].every((name) =>
    existsSync(`${folder}${name}/package.json`),
  ),
  'the clients are not installed: npm ci --ignore-scripts --prefix test/peers',
);

type Callback = (...given: never[]) => unknown;

export interface Grammy {
  readonly Bot: new (
    token: string,
    options: { readonly client: { readonly apiRoot: string } },
  ) => {
    readonly api: {
      sendDocument(chat: number, file: unknown, options: object): Promise<unknown>;
      getFile(id: string): Promise<{ readonly file_path?: string }>;
      editMessageText(chat: number, message: number, text: string): Promise<unknown>;
    };
    on(what: string, handle: (context: GrammyContext) => unknown): void;
    start(options: object): Promise<void>;
    stop(): Promise<void>;
  };
  readonly InputFile: new (content: Uint8Array, name: string) => unknown;
}

export interface GrammyContext {
  readonly message: { readonly text: string; readonly chat: { readonly id: number } };
  readonly me: { readonly username: string };
  reply(text: string, options?: object): Promise<{ readonly message_id: number }>;
}

export interface SocketMode {
  readonly SocketModeClient: new (options: {
    readonly appToken: string;
    readonly clientOptions: { readonly slackApiUrl: string };
    readonly logLevel: string;
  }) => {
    on(event: string, handle: Callback): void;
    start(): Promise<unknown>;
    disconnect(): Promise<void>;
  };
}

type SlackAnswer = Readonly<Record<string, unknown>> & { readonly ok: boolean; readonly ts?: string };

export interface SlackWebApi {
  readonly WebClient: new (
    token: string,
    options: { readonly slackApiUrl: string; readonly retryConfig: object; readonly logLevel: string },
  ) => {
    readonly auth: { test(): Promise<SlackAnswer> };
    readonly chat: {
      postMessage(message: object): Promise<SlackAnswer>;
      update(message: object): Promise<SlackAnswer>;
    };
    readonly conversations: { history(about: object): Promise<SlackAnswer> };
    readonly users: { info(about: object): Promise<SlackAnswer> };
  };
}

export interface DiscordRest {
  readonly REST: new (options: { readonly api: string; readonly version: string }) => DiscordRestClient;
}

export interface DiscordRestClient {
  setToken(token: string): DiscordRestClient;
  get(route: string): Promise<unknown>;
  post(route: string, options: object): Promise<unknown>;
  patch(route: string, options: object): Promise<unknown>;
}

export interface DiscordWs {
  readonly WebSocketManager: new (options: {
    readonly token: string;
    readonly intents: number;
    readonly rest: DiscordRestClient;
  }) => {
    on(event: string, handle: Callback): void;
    connect(): Promise<void>;
    destroy(options?: object): Promise<void>;
  };
}

interface MatrixSyncData {
  readonly next_batch: string;
}

export interface MatrixSdk {
  createClient(options: {
    readonly baseUrl: string;
    readonly accessToken: string;
    readonly userId: string;
    readonly logger: object;
  }): MatrixClient;
  readonly SyncAccumulator: new () => {
    accumulate(data: MatrixSyncData): void;
    getJSON(): {
      readonly nextBatch: string;
      readonly roomsData: {
        readonly join: Readonly<
          Record<string, { readonly timeline: { readonly events: readonly MatrixEventData[] } }>
        >;
        readonly invite: Readonly<Record<string, unknown>>;
      };
    };
  };
  readonly Filter: { fromJson(user: string, id: string, definition: object): unknown };
}

export interface MatrixEventData {
  readonly type: string;
  readonly sender: string;
  readonly event_id: string;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface MatrixClient {
  readonly http: {
    authedRequest(method: string, path: string, query: object): Promise<MatrixSyncData>;
  };
  whoami(): Promise<{ readonly user_id: string }>;
  getVersions(): Promise<{ readonly versions: readonly string[] }>;
  sendEvent(
    room: string,
    type: string,
    content: object,
    transaction: string,
  ): Promise<{ readonly event_id: string }>;
  sendTyping(room: string, isTyping: boolean, milliseconds: number): Promise<unknown>;
  joinRoom(room: string): Promise<{ readonly roomId: string }>;
  getJoinedRoomMembers(room: string): Promise<{ readonly joined: Readonly<Record<string, unknown>> }>;
  fetchRoomEvent(room: string, event: string): Promise<MatrixEventData>;
  getStateEvent(room: string, type: string, key: string): Promise<Readonly<Record<string, unknown>>>;
  getMediaConfig(isAuthenticated: boolean): Promise<Readonly<Record<string, number>>>;
  uploadContent(content: Uint8Array, options: object): Promise<{ readonly content_uri: string }>;
  mxcUrlToHttp(
    url: string,
    width: undefined,
    height: undefined,
    method: undefined,
    isDirect: boolean,
    isRedirect: boolean,
    isAuthenticated: boolean,
  ): string | null;
  createMessagesRequest(
    room: string,
    from: string | null,
    limit: number,
    direction: 'b',
  ): Promise<{ readonly chunk: readonly MatrixEventData[] }>;
}

/** A package that is CommonJS. */
export function loadClient<Package>(name: string): Package {
  return require(name) as Package;
}

export async function loadMatrixSdk(): Promise<MatrixSdk> {
  const sdk = (await import(`${folder}matrix-js-sdk/lib/index.js`)) as MatrixSdk;
  const { getLogger } = loadClient<LogLevel>('loglevel');
  // It tells of each message.
  getLogger('matrix').setLevel('silent');
  return sdk;
}

interface LogLevel {
  getLogger(name: string): { setLevel(level: string): void };
}
