import type { IncomingHttpHeaders } from 'node:http';
import type { WebhookChannelConfiguration } from '../../config/channel-table.js';
import { AttachmentLimitError } from '../../store/new-attachments.js';
import type { AcceptOutcome } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import { withTraceparent } from '../../text/trace-context.js';
import type { Channel, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import type { HookAnswer, HookRefusal, HookRequest } from '../hooks.js';
import { KeptHealth } from '../kept-health.js';
import { readChannelSecret } from '../secret.js';
import { isWanted, readEvent, type WebhookEvent } from './event.js';
import { hasSignature, readWebhookSecrets, type SignatureProblem, signatureProblem } from './signatures.js';
import { type ComposedMessage, MessageComposer } from './webhook-message.js';

/** Time for which secrets that were read are used, in milliseconds. */
const secretsKeptMs = 1_000;

/** Takes signed requests of a platform, and makes messages of them. */
export class WebhookChannel implements Channel {
  readonly name: string;
  readonly #table: WebhookChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #composer: MessageComposer;
  readonly #complaints: Complaints;
  #secrets: readonly Buffer[] = [];
  #secretsReadAt = 0;
  readonly #health: KeptHealth;

  constructor(table: WebhookChannelConfiguration, context: ChannelContext) {
    this.name = context.name;
    this.#table = table;
    this.#context = context;
    this.#composer = new MessageComposer(table);
    this.#complaints = new Complaints(context);
    this.#health = new KeptHealth(context);
  }

  async start(): Promise<void> {
    this.#readSecrets();
    this.#context.hook.serve({
      limitBytes: this.#table.body_limit,
      check: (headers, client) => this.#check(headers, client),
      handle: (request) => this.#handle(request),
    });
    this.#health.enter('up');
  }

  /** A request that still comes is taken: it is on disk before it is acknowledged, and the next start runs it. */
  stopAccepting(): void {}

  async close(): Promise<void> {
    this.#health.enter('closed');
  }

  health(): ChannelHealth {
    return this.#health.now;
  }

  #check(headers: IncomingHttpHeaders, client: string | null): HookRefusal | null {
    return hasSignature(this.#table.scheme, headers) ? null : this.#refuse('no-signature', client);
  }

  async #handle(request: HookRequest): Promise<HookAnswer> {
    const { scheme, only } = this.#table;
    const problem = signatureProblem(scheme, request, this.#currentSecrets(), this.#context.clock.now());
    if (problem !== null) return this.#refuse(problem, request.client);
    const event = readEvent(scheme, request);
    if (event.payload === null) {
      this.#complaints.note(
        'unreadable',
        `A request to the channel ${this.name} with the right signature is no JSON: ${event.id}. It is kept as it came.`,
      );
    } else if (!this.#isWanted(event, only)) {
      return { outcome: 'taken', body: { state: 'ignored', event: event.type } };
    }
    return this.#take(event, request.headers['traceparent']);
  }

  /** GitHub sends a ping when a webhook is made, which nobody has to answer. */
  #isWanted({ type }: WebhookEvent, only: readonly string[]): boolean {
    if (this.#table.scheme === 'github' && type === 'ping') return only.includes(type);
    return isWanted(type, only);
  }

  async #take(event: WebhookEvent, trace: HookRequest['headers'][string]): Promise<HookAnswer> {
    const { message, file } = this.#composer.compose(event);
    const metadata = withTraceparent(message.metadata ?? {}, trace);
    const files = this.#context.newFiles();
    try {
      if (file !== null) await this.#addFile(files, file);
      const [outcome] = await this.#context.accept([{ ...message, metadata, attachments: files.list }]);
      return { outcome: 'taken', body: this.#viewOf(outcome) };
    } catch (error) {
      await files.discard();
      throw error;
    }
  }

  /** The message goes on without a file that is beyond the limits. */
  async #addFile(
    files: ReturnType<ChannelContext['newFiles']>,
    { name, mediaType, content }: NonNullable<ComposedMessage['file']>,
  ): Promise<void> {
    try {
      await files.add({ name, mediaType }, [content]);
    } catch (error) {
      if (!(error instanceof AttachmentLimitError)) throw error;
      this.#complaints.note(
        'file',
        `A message of the channel ${this.name} has no payload: its file ${errorMessage(error)}.`,
      );
    }
  }

  #viewOf(outcome: AcceptOutcome | undefined): { readonly state: string; readonly message_id?: string } {
    switch (outcome?.outcome) {
      case 'accepted':
      case 'repeated':
        return { state: outcome.outcome, message_id: outcome.message.id };
      case 'full':
        this.#complaints.note(
          'full',
          `A message of the channel ${this.name} was set aside as dead: ${outcome.waiting} wait already (dispatch.${outcome.limit}_queue). See "${ownCommand('dead')}".`,
        );
        return { state: 'dead' };
      default:
        return { state: 'repeated' };
    }
  }

  #refuse(problem: SignatureProblem, client: string | null): HookRefusal {
    const from = client ?? 'a Unix socket';
    const { scheme } = this.#table;
    switch (problem) {
      case 'no-signature':
      case 'wrong-signature':
        this.#complaints.note(
          'signature',
          `Refused a request to the channel ${this.name}, the last from ${from}: it has ${problem === 'no-signature' ? 'no' : 'a wrong'} signature of the scheme ${scheme}. If the platform has sent it, give both sides the same secret (${this.#secretSetting()}).`,
        );
        return { outcome: 'unauthorized', detail: 'The signature is missing or wrong.' };
      case 'wrong-time':
        this.#complaints.note(
          'time',
          `Refused a request to the channel ${this.name}, the last from ${from}: its signature is right, and its time more than 5 min off. Set this machine's clock, or somebody has sent an old request again.`,
        );
        return { outcome: 'unauthorized', detail: 'The time of the signature is more than 5 minutes off.' };
    }
  }

  #secretSetting(): string {
    return `channels.${this.name}.${this.#table.token_credential === null ? 'token_file' : 'token_credential'}`;
  }

  /** A changed file counts a second later, without a reload. One that can't be read changes nothing. */
  #currentSecrets(): readonly Buffer[] {
    if (this.#context.clock.now() - this.#secretsReadAt < secretsKeptMs) return this.#secrets;
    try {
      this.#readSecrets();
    } catch (error) {
      this.#secretsReadAt = this.#context.clock.now();
      this.#complaints.note(
        'secret',
        `The secrets of the channel ${this.name} could not be read again: ${errorMessage(error)}. Those that were read before count.`,
      );
    }
    return this.#secrets;
  }

  #readSecrets(): void {
    const { host, clock } = this.#context;
    const secret = readChannelSecret({ name: this.name, ...this.#table }, host.credentialsDirectory);
    if (secret === null) {
      throw new Error(
        `the channel has no secret: name a file with it in channels.${this.name}.token_file, or a credential of the unit in channels.${this.name}.token_credential`,
      );
    }
    this.#secrets = readWebhookSecrets(this.#table.scheme, secret, this.#secretSetting());
    this.#secretsReadAt = clock.now();
  }
}
