import type { ChannelCheckpoint, ChannelContext, Received } from '../channel.js';
import { type RemoteFileSource, RemoteFiles } from '../remote-files.js';
import { deletionOf, StoredMessages } from '../stored-messages.js';
import { StoreRetries } from '../until-stored.js';
import type { DirectChannels } from './direct-channels.js';
import { deletionSchema } from './message-schema.js';
import {
  type DiscordMessage,
  type HostedFile,
  type MessageFacts,
  readDiscordMessage,
} from './read-message.js';

export interface MessageIntakeOptions {
  readonly context: Pick<
    ChannelContext,
    'receive' | 'keeps' | 'newFiles' | 'clock' | 'log' | 'signal' | 'name'
  >;
  readonly botId: string;
  readonly directs: DirectChannels;
  /** Gives the bytes of a file. Throws a DownloadError. */
  readonly download: (file: HostedFile) => AsyncIterable<Uint8Array>;
  readonly unknown: Received['replyUnknown'];
}

/** A message as Discord gives it. */
export interface GivenMessage extends Pick<MessageFacts, 'guildId'> {
  readonly value: unknown;
  readonly kind: 'new' | 'edit' | 'deletion';
}

/** Puts messages on disk in their order, with the position behind them. */
export class MessageIntake {
  readonly #options: MessageIntakeOptions;
  readonly #stored: StoredMessages;
  readonly #files: RemoteFiles;

  constructor(options: MessageIntakeOptions) {
    this.#options = options;
    const retries = new StoreRetries(options.context);
    this.#stored = new StoredMessages(options.context, retries);
    this.#files = new RemoteFiles(options.context, retries);
  }

  /**
   * Resolves with true once all are on disk, with the position behind the last one. False: the channel ended first, and
   * that position is not on disk.
   *
   * @param checkpoint undefined: it does not move
   */
  async take(messages: readonly GivenMessage[], checkpoint?: ChannelCheckpoint): Promise<boolean> {
    let waiting: Received[] = [];
    for (const given of messages) {
      if (given.kind === 'deletion') {
        waiting.push(...deletionsIn(given.value));
        continue;
      }
      const message = this.#read(given);
      if (message === null) continue;
      const received = this.#received(message);
      if (!message.isGroup && message.person !== null && !(await this.#noteDirect(received))) return false;
      if (message.files.length === 0) {
        waiting.push(received);
        continue;
      }
      // Earlier messages need not wait for a download.
      if (waiting.length > 0 && !(await this.#stored.put(waiting, undefined))) return false;
      const whole = await this.#files.fetchedWith(received, message.files.map(this.#source));
      if (whole === null) return false;
      waiting = [whole];
    }
    if (waiting.length === 0 && checkpoint === undefined) return true;
    return this.#stored.put(waiting, checkpoint);
  }

  /** Null: it is left out. */
  #read({ value, kind, guildId }: GivenMessage): DiscordMessage | null {
    const { botId, context } = this.#options;
    return readDiscordMessage(value, {
      botId,
      isEdit: kind === 'edit',
      now: context.clock.now(),
      ...(guildId === undefined ? {} : { guildId }),
    });
  }

  /** Strangers' conversations are not kept. */
  async #noteDirect(received: Received): Promise<boolean> {
    const { context, directs } = this.#options;
    return this.#stored.untilStored(async () => {
      if (await context.keeps(received)) await directs.note(received.conversation);
    });
  }

  #received(message: DiscordMessage): Received {
    const { channelId, id, text, person, isGroup, isAddressed, origin, metadata, defect } = message;
    return {
      conversation: channelId,
      id: id === '' ? null : id,
      text,
      metadata,
      person,
      isGroup,
      isAddressed,
      origin,
      replyTo: person === null ? null : { address: channelId, options: isGroup ? { message_id: id } : {} },
      // A send is known by its nonce, and can be read back.
      replyIdempotent: true,
      replyUnknown: this.#options.unknown ?? null,
      ...(defect === null ? {} : { defect: { kind: 'unreadable' as const, ...defect } }),
    };
  }

  readonly #source = (file: HostedFile): RemoteFileSource => ({
    name: file.name,
    mediaType: file.mediaType,
    download: () => this.#options.download(file),
  });
}

function deletionsIn(value: unknown): readonly Received[] {
  const deleted = deletionSchema.safeParse(value);
  if (!deleted.success) return [];
  const { channel_id: conversation, id, ids } = deleted.data;
  return [...(id === undefined ? [] : [id]), ...ids].map((each) => deletionOf(conversation, each));
}
