import type { ChannelContext, Received } from '../channel.js';
import type { MovedChats } from '../moved-chats.js';
import { RemoteFiles } from '../remote-files.js';
import { StoredMessages } from '../stored-messages.js';
import { StoreRetries } from '../until-stored.js';
import { conversationOf, parseAddress } from './address.js';
import { type BotIdentity, type RemoteFile, readUpdate, type TelegramMessage } from './read-update.js';
import type { UpdateObject } from './update-schema.js';

export interface UpdateIntakeOptions {
  readonly context: Pick<
    ChannelContext,
    'receive' | 'keeps' | 'newFiles' | 'clock' | 'log' | 'signal' | 'name'
  >;
  readonly bot: BotIdentity;
  readonly moved: MovedChats;
  /** Gives the bytes of a file. Throws a DownloadError. */
  readonly download: (file: RemoteFile) => AsyncIterable<Uint8Array>;
  readonly unknown: Received['replyUnknown'];
}

/** The key of the checkpoint: each bot has updates of its own. */
export function offsetKey(botId: number): string {
  return `offset:${botId}`;
}

/** Puts updates on disk in their order, each with the position behind it. */
export class UpdateIntake {
  readonly #options: UpdateIntakeOptions;
  readonly #stored: StoredMessages;
  readonly #files: RemoteFiles;

  constructor(options: UpdateIntakeOptions) {
    this.#options = options;
    const retries = new StoreRetries(options.context);
    this.#stored = new StoredMessages(options.context, retries);
    this.#files = new RemoteFiles(options.context, retries);
  }

  /**
   * Resolves with true once all are on disk, with the position behind the last one. False: the channel ended first, and
   * that position is not on disk, so they must not be acknowledged.
   *
   * @param hasPosition false: they are acknowledged one by one, in any order, and have no position
   */
  async take(updates: readonly UpdateObject[], hasPosition = true): Promise<boolean> {
    let waiting: Received[] = [];
    let position: number | null = null;
    const key = offsetKey(this.#options.bot.id);
    const flush = async () => {
      const messages = waiting;
      waiting = [];
      if (messages.length === 0 && position === null) return true;
      return this.#stored.put(messages, position === null ? undefined : { key, value: position });
    };
    for (const update of updates) {
      const read = readUpdate(update, this.#options.bot);
      if (read.kind === 'moved') {
        if (!(await flush()) || !(await this.#noteMove(read.from, read.to))) return false;
      } else if (read.kind === 'message') {
        const received = this.#received(read.message);
        if (read.message.files.length === 0) waiting.push(received);
        else {
          // Earlier messages need not wait for a download.
          if (!(await flush())) return false;
          const files = read.message.files.map((file) => ({
            ...file,
            download: () => this.#options.download(file),
          }));
          const whole = await this.#files.fetchedWith(received, files);
          if (whole === null) return false;
          waiting.push(whole);
        }
      }
      if (hasPosition) position = update.update_id + 1;
    }
    return flush();
  }

  #received(message: TelegramMessage): Received {
    const { conversation, chatId, id, text, person, isGroup, isAddressed, origin, metadata, defect } =
      message;
    const { moved, unknown } = this.#options;
    const threadId = parseAddress(conversation)?.threadId ?? null;
    return {
      conversation:
        chatId === 0 ? conversation : conversationOf(Number(moved.firstId(String(chatId))), threadId),
      id,
      text,
      metadata,
      person,
      isGroup,
      isAddressed,
      origin,
      replyTo:
        chatId === 0
          ? null
          : { address: conversation, options: isGroup ? { message_id: message.messageId } : {} },
      replyIdempotent: false,
      replyUnknown: unknown ?? null,
      ...(defect === null ? {} : { defect: { kind: 'unreadable' as const, ...defect } }),
    };
  }

  #noteMove(from: number, to: number): Promise<boolean> {
    return this.#stored.untilStored(async () => {
      await this.#options.moved.note(String(from), String(to));
      this.#options.context.log.info(
        `The group ${from} of the channel ${this.#options.context.name} has the id ${to} now.`,
      );
    });
  }
}
