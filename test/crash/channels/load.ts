import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from '../../machine/harness/machine.js';
import { agent, receiverPort } from '../gateway.js';
import { Random } from '../inside/random.mjs';
import type { ChannelKind } from '../kinds.js';
import { discordPlatform } from './discord.js';
import { imapPlatform, lmtpPlatform } from './mail.js';
import { matrixPlatform } from './matrix.js';
import { type Platform, type Row, rowOf, type ShownText } from './platform.js';
import { programPlatform } from './program.js';
import { slackPlatform } from './slack.js';
import { telegramPlatform } from './telegram.js';

/** The secret of the requests that the clients post (inside/client.mjs). */
export const hookSecret = 'secret-of-the-hook';

/**
 * A message that shows the text so far may stay beside the reply if the gateway crashes before its record: none is shown, so
 * that each double is one of the reply.
 */
const agentTable = `[agents.whole]
type = "command"
command = ["${agent}", "jsonl"]
output = "jsonl"
kill_delay = "1s"
concurrency = 16
`;

const hookTable = `[channels.hook]
type = "webhook"
scheme = "github"
token_file = "/run/tester/hook.secret"
message = "{text}"
conversation = "{session}"
reply_to = { channel = "webhook", to = "http://127.0.0.1:${receiverPort}/" }
`;

const platformKinds: readonly (readonly [
  open: (machine: Machine, row: Row) => Promise<Platform>,
  kinds: readonly ChannelKind[],
])[] = [
  [telegramPlatform, ['telegram', 'telegram-ask', 'telegram-drop']],
  [slackPlatform, ['slack', 'slack-resend', 'slack-ask', 'slack-drop']],
  [discordPlatform, ['discord', 'discord-resend', 'discord-ask', 'discord-drop']],
  [matrixPlatform, ['matrix', 'matrix-resend', 'matrix-ask', 'matrix-drop']],
  [imapPlatform, ['imap']],
  [lmtpPlatform, ['lmtp', 'lmtp-ask', 'lmtp-drop']],
];

/**
 * Messages of a person that may wait for their turns. With more a session's queue is full, or a homeserver gives no more of them
 * at once: on a slow machine all would be about that.
 */
const mostWaiting = 30;
const betweenLooksMs = 1_000;

/** Mean pause of a person between two messages, and of a platform between two faults, in milliseconds. */
const betweenMessagesMs = 1_600;
const betweenFaultsMs = 4_000;

/** People who write by channels, whose platforms misbehave, until the end. */
export class ChannelLoad {
  /** Tables for the gateway's configuration. */
  readonly tables: string;
  /** Messages that were written, by session. */
  readonly written: Record<string, number> = {};
  readonly #platforms: readonly Platform[];
  readonly #stop = new AbortController();
  #ended: ReadonlyMap<string, number> = new Map();
  #running: readonly Promise<void>[] = [];

  private constructor(platforms: readonly Platform[]) {
    this.#platforms = platforms;
    setMaxListeners(0, this.#stop.signal);
    this.tables = [
      agentTable,
      hookTable,
      ...platforms.map(
        ({ kind, table }) => `[[route]]\nchannel = "${kind}"\nagent = "whole"\n[channels.${kind}]\n${table}`,
      ),
    ].join('');
  }

  static async open(machine: Machine, seed: number): Promise<ChannelLoad> {
    const platforms = await Promise.all([
      ...(['reconcile', 'idempotent', 'resend', 'ask', 'drop'] as const).map((kind) =>
        programPlatform(machine, kind, seed),
      ),
      ...platformKinds.flatMap(([open, kinds]) => kinds.map((kind) => open(machine, rowOf(kind)))),
    ]);
    const script = 'umask 077 && printf %s "$2" >"/run/tester/$1" && chown daemon "/run/tester/$1"';
    const ofPlatforms = platforms.flatMap(({ secrets }) => Object.entries(secrets));
    const secrets = [['hook.secret', hookSecret], ...ofPlatforms];
    await Promise.all(secrets.map((secret) => machine.check(['sh', '-ec', script, 'sh', ...secret])));
    return new ChannelLoad(platforms);
  }

  get sessions(): readonly string[] {
    return this.#platforms.flatMap(({ sessions }) => sessions);
  }

  /** To be called once the channels are up. `ended`: the number of messages of each session whose turns have ended. */
  begin(seed: number, ended: () => Promise<ReadonlyMap<string, number> | null>): void {
    const seeds = new Random(seed);
    const next = () => new Random(seeds.between(0, 2 ** 32 - 1));
    const people = this.#platforms.flatMap((platform) => [
      ...platform.sessions.map((session) => this.#write(platform, session, next())),
      this.#misbehave(platform, next()),
    ]);
    this.#running = [...people, this.#look(ended, next())];
  }

  /** Nobody writes any more, and all platforms are well. */
  async end(): Promise<void> {
    this.#stop.abort();
    for (const platform of this.#platforms) platform.recover?.();
    await Promise.all(this.#running);
  }

  async close(): Promise<void> {
    await Promise.all(this.#platforms.map((platform) => platform.close()));
  }

  shown(): readonly ShownText[] {
    return this.#platforms.flatMap((platform) => platform.shown());
  }

  mistakes(): readonly string[] {
    return this.#platforms.flatMap((platform) =>
      platform.mistakes().map((mistake) => `${platform.kind}: ${mistake}`),
    );
  }

  async #write(platform: Platform, session: string, random: Random): Promise<void> {
    while (await this.#pause(betweenMessagesMs, random)) {
      if ((this.written[session] ?? 0) - (this.#ended.get(session) ?? 0) >= mostWaiting) continue;
      const number = (this.written[session] ?? 0) + 1;
      this.written[session] = number;
      platform.write(session, `message ${number} of ${session}`);
    }
  }

  async #look(ended: () => Promise<ReadonlyMap<string, number> | null>, random: Random): Promise<void> {
    while (await this.#pause(betweenLooksMs, random)) this.#ended = (await ended()) ?? this.#ended;
  }

  async #misbehave(platform: Platform, random: Random): Promise<void> {
    while (await this.#pause(betweenFaultsMs, random)) platform.misbehave(random);
  }

  /** Gives false at the end. */
  async #pause(meanMs: number, random: Random): Promise<boolean> {
    const { signal } = this.#stop;
    await pause(meanMs * (0.5 + random.next()), undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }
}
