import type { ChannelContext } from '../channel.js';

/** A message of a thread can be deleted so long, in milliseconds. */
const threadedMs = 7 * 86_400_000;
/** A room is told again after that. */
const toldMs = 30 * 86_400_000;

/** Keeps for after a restart what single events and rooms do not tell. */
export class NotedEvents {
  readonly #records: ChannelContext['records'];
  readonly #threaded: string;
  readonly #encrypted: string;

  constructor({ name, records }: Pick<ChannelContext, 'name' | 'records'>) {
    this.#records = records;
    this.#threaded = `${name}:threaded`;
    this.#encrypted = `${name}:encrypted-room`;
  }

  /** A deletion does not say in which thread the message was. */
  async noteThread(eventId: string, threadId: string): Promise<void> {
    const record = { kind: this.#threaded, key: eventId, value: threadId, expiresInMs: threadedMs };
    await this.#records.putRecord(record);
  }

  async threadOf(eventId: string): Promise<string | null> {
    const record = await this.#records.record(this.#threaded, eventId);
    return typeof record?.value === 'string' ? record.value : null;
  }

  /** False: the people of the encrypted room were told already that it can't be read. */
  async isNewEncrypted(roomId: string): Promise<boolean> {
    if ((await this.#records.record(this.#encrypted, roomId)) !== null) return false;
    await this.#records.putRecord({
      kind: this.#encrypted,
      key: roomId,
      value: true,
      expiresInMs: toldMs,
    });
    return true;
  }
}
