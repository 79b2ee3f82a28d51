import type { CommandChannelConfiguration } from '../../config/channel-table.js';
import { endsWithin } from '../../lifecycle/effects/waits.js';
import { newId } from '../../store/ids.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { KeptHealth } from '../kept-health.js';
import { ProgramRestarts } from '../program-restarts.js';
import { RemoteFiles } from '../remote-files.js';
import { readChannelSecret } from '../secret.js';
import { deletionOf } from '../stored-messages.js';
import { StoreRetries } from '../until-stored.js';
import { CommandSender } from './command-sender.js';
import { HandedFiles } from './handed-files.js';
import { inboundFileOf } from './inbound-files.js';
import { cursorKey, Inbox } from './inbox.js';
import { ProgramLink } from './program-link.js';
import type { DeletedLine, InboundLine } from './protocol.js';

/** Longest wait at the end for messages to get to the disk, in milliseconds. */
const storeTimeoutMs = 750;

/** A program that speaks the lines of docs/channels/protocol.md. One that ends is started again after a while. */
export class CommandChannel implements Channel {
  readonly name: string;
  readonly replySender: CommandSender;
  readonly #configuration: CommandChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #inbox: Inbox;
  readonly #complaints: Complaints;
  readonly #files: HandedFiles;
  readonly #inboundFiles: RemoteFiles;
  readonly #health: KeptHealth;
  #link: ProgramLink | null = null;
  /** A program that is to be ready, or to have ended before that. */
  #opening: Promise<unknown> = Promise.resolve();
  readonly #restarts: ProgramRestarts;
  #state: 'open' | 'stopping' | 'closed' = 'open';

  constructor(configuration: CommandChannelConfiguration, context: ChannelContext) {
    const { clock } = context;
    this.name = context.name;
    this.#configuration = configuration;
    this.#context = context;
    this.#inbox = new Inbox(context);
    this.#complaints = new Complaints(context);
    this.#health = new KeptHealth(context);
    this.#restarts = new ProgramRestarts({
      context,
      health: this.#health,
      isOpen: () => this.#isOpen(),
      open: () => this.#open(),
    });
    this.#inboundFiles = new RemoteFiles(context, new StoreRetries(context));
    this.#files = new HandedFiles(context.host.directory, (file) => context.openFile(file));
    this.replySender = new CommandSender({
      name: this.name,
      link: () => this.#link,
      files: this.#files,
      now: () => clock.now(),
      timeoutMs: configuration.timeout,
      retryForMs: configuration.retry_for,
      unknown: configuration.unknown,
    });
  }

  async start(): Promise<void> {
    await this.#open();
  }

  stopAccepting(): void {
    if (this.#state === 'open') this.#state = 'stopping';
    this.#restarts.cancel();
    this.#link?.tell({ type: 'stop' });
  }

  async close(): Promise<void> {
    this.stopAccepting();
    this.#state = 'closed';
    await this.#settled();
    await this.#opening;
    this.#link?.close();
    await this.#link?.ended;
    await this.#settled();
    this.#enter('closed');
  }

  health(): ChannelHealth {
    return this.#health.now;
  }

  async say({ address: to }: ChannelAddress, text: string): Promise<void> {
    const link = this.#link;
    if (link === null) throw new Error('the program of the channel does not run');
    const order = {
      type: 'send',
      id: `say_${newId()}`,
      to,
      text,
      part: 1,
      parts: 1,
      attempt: 1,
      files: [],
    } as const;
    const end = await link.order(order, this.#configuration.timeout, this.#context.signal);
    if (end.type !== 'sent')
      throw new Error('reason' in end ? end.reason : `the program's answer is "${end.type}"`);
  }

  /** Awaits that all arrived messages are on disk. They are acknowledged while the program can still be told. */
  async #settled(): Promise<void> {
    await endsWithin(this.#context.clock, storeTimeoutMs, this.#inbox.idle());
  }

  async #open(): Promise<void> {
    const { command, env, health_interval: healthIntervalMs } = this.#configuration;
    const { host, clock, log, signal } = this.#context;
    // The messages of the program before are on disk, with the cursor behind them.
    await this.#settled();
    const secret = readChannelSecret({ name: this.name, ...this.#configuration }, host.credentialsDirectory);
    const cursor = await this.#context.checkpoint(cursorKey);
    if (!this.#isOpen()) return;
    await this.#files.clear();
    let trouble: string | null = null;
    const tellHealth = () => {
      if (trouble === null) this.#enter('up');
      else this.#enter('down', `the program says: ${trouble}`);
    };
    const opening = ProgramLink.open({
      context: { host, clock, signal },
      command,
      env,
      start: { channel: this.name, secret, cursor },
      healthIntervalMs,
      inbound: (line, link) =>
        line.type === 'deleted' ? this.#takeBack(line, link) : this.#take(line, link),
      health: (told) => {
        trouble = told;
        if (told === null) this.#health.proven();
        if (this.#link !== null) tellHealth();
      },
      complain: (kind, text) =>
        this.#complaints.note(kind, `The channel ${this.name} left out a line of its program: ${text}.`),
    });
    this.#opening = opening.catch(() => undefined);
    const link = await opening;
    this.#link = link;
    if (!this.#isOpen()) link.tell({ type: 'stop' });
    log.info(`The program of the channel ${this.name} is ready (PID ${link.pid}).`);
    tellHealth();
    const readyAt = clock.now();
    void link.ended.then((how) => {
      this.#link = null;
      this.#restarts.ended(readyAt, `the program ${how}`);
    });
  }

  /** It may have changed while something was awaited. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  async #take(line: InboundLine, link: ProgramLink): Promise<void> {
    const { id, chat, person, name = null, text, to, metadata, group, cursor } = line;
    const { addressed = false, origin = 'written', attachments = [] } = line;
    const refuse = (reason: string) => link.tell({ type: 'refused', id, reason });
    const guarantee = this.replySender.guarantee(link);
    const { directory } = this.#context.host;
    const received = await this.#inboundFiles.fetchedWith(
      {
        conversation: chat,
        text,
        person: { id: person, name },
        isGroup: group ?? null,
        isAddressed: addressed,
        origin,
        id,
        replyTo: { address: to ?? chat },
        ...(metadata === undefined ? {} : { metadata }),
        replyIdempotent: guarantee.idempotent,
        replyUnknown: guarantee.unknown,
      },
      attachments.map((file) =>
        inboundFileOf(directory, file, (text) =>
          this.#complaints.note('file', `The channel ${this.name} can't read a file of a message: ${text}.`),
        ),
      ),
    );
    // The channel has ended: the message is not acknowledged, and comes again.
    if (received === null) return;
    await this.#inbox.add({
      cursor,
      received,
      settled: ({ outcome }) => {
        if (outcome === 'not-allowed') refuse('not_allowed');
        else link.tell({ type: 'stored', id });
      },
      refused: refuse,
    });
  }

  async #takeBack({ id, chat, cursor }: DeletedLine, link: ProgramLink): Promise<void> {
    await this.#inbox.add({
      cursor,
      received: deletionOf(chat, id),
      settled: () => link.tell({ type: 'stored', id }),
      refused: (reason) => link.tell({ type: 'refused', id, reason }),
    });
  }

  #enter(state: ChannelHealth['state'], reason: string | null = null): void {
    if (this.#health.enter(state, reason) && state === 'down' && this.#link !== null) {
      this.#context.log.warning(`The channel ${this.name} is down: ${reason}.`);
    }
  }
}
