/**
 * For the tests of services: a service manager's notification socket that records what it is told, answers barriers and
 * keeps descriptors. No systemd is needed. Imported as `@sd-gateway/systemd/testing`.
 *
 * @packageDocumentation
 */
import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { ArgumentError } from '../linux/errors.js';
import { failure, native } from '../linux/native.js';
import { showValue } from '../systemd/arguments.js';
import { checkFunction, readFields } from './read-arguments.js';

/** One message, as the manager gets it. */
export interface FakeMessage {
  /** All of it, such as "READY=1\nSTATUS=serving". */
  readonly text: string;
  /** The assignments by name; of several with one name the last. */
  readonly fields: Readonly<Record<string, string>>;
  /** The sender, as the kernel vouches for it. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Number of descriptors that came with it. */
  readonly descriptors: number;
}

export interface FakeManagerOptions {
  /** `WatchdogSec=`, in µs, for `environment`. */
  readonly watchdogMicroseconds?: bigint;
  /** `FileDescriptorStoreMax=`; by default 512. */
  readonly fdStoreMax?: number;
  /** false: barriers wait for `answerBarriers()`, as with a manager that is busy. */
  readonly answersBarriers?: boolean;
}

const againErrno = 11;
/** Node.js tells of nothing that comes in on such a socket. */
const pollMs = 2;
let made = 0;

function parse(text: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const end = line.indexOf('=');
    if (end > 0) fields[line.slice(0, end)] = line.slice(end + 1);
  }
  return fields;
}

/**
 * A manager of one service, in this process.
 *
 * @see sd_notify(3)
 */
export class FakeManager {
  /** For `NOTIFY_SOCKET`. */
  readonly address: string;
  /** Variables that a unit's process is given, to be added to a child's environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #socket: number;
  readonly #fdStoreMax: number;
  readonly #answersBarriers: boolean;
  readonly #messages: FakeMessage[] = [];
  readonly #barriers: number[] = [];
  readonly #stored = new Map<string, number[]>();
  readonly #timer: NodeJS.Timeout;
  #read = 0;
  #isOpen = true;

  constructor({ watchdogMicroseconds, fdStoreMax = 512, answersBarriers = true }: FakeManagerOptions) {
    made += 1;
    this.address = `@sd-gateway-fake-manager-${process.pid}-${made}-${Date.now()}`;
    this.#fdStoreMax = fdStoreMax;
    this.#answersBarriers = answersBarriers;
    this.environment = {
      NOTIFY_SOCKET: this.address,
      FDSTORE: String(fdStoreMax),
      INVOCATION_ID: randomUUID().replaceAll('-', ''),
      ...(watchdogMicroseconds === undefined ? {} : { WATCHDOG_USEC: String(watchdogMicroseconds) }),
    };
    this.#socket = native().datagram_bind(this.address);
    if (this.#socket < 0) {
      throw new Error(
        `A fake manager needs Linux: its socket can't be made: ${failure(this.#socket).message}`,
      );
    }
    this.#timer = setInterval(() => this.#takeIn(), pollMs);
    this.#timer.unref();
  }

  /** All messages up to now but barriers, the oldest first; those that this process has just sent among them. */
  get messages(): readonly FakeMessage[] {
    this.#takeIn();
    return this.#messages;
  }

  /** The descriptors in the store by their names. They stay the manager's. */
  get stored(): ReadonlyMap<string, readonly number[]> {
    this.#takeIn();
    return this.#stored;
  }

  /** Number of barriers that wait for an answer. */
  get waitingBarriers(): number {
    this.#takeIn();
    return this.#barriers.length;
  }

  /**
   * Waits for the next message that was not given before.
   *
   * @param isWanted others are skipped
   * @throws `ArgumentError` for what isn't a function, and an Error once the manager is closed
   * @see sd_notify(3)
   */
  async next(isWanted: (message: FakeMessage) => boolean = () => true): Promise<FakeMessage> {
    checkFunction('isWanted', isWanted);
    while (this.#isOpen) {
      this.#takeIn();
      for (; this.#read < this.#messages.length; ) {
        const message = this.#messages[this.#read++];
        if (message !== undefined && isWanted(message)) return message;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    throw new Error('The fake manager was closed while a message was waited for');
  }

  /**
   * Answers the barriers that wait.
   *
   * @see sd_notify_barrier(3)
   */
  answerBarriers(): void {
    this.#takeIn();
    for (const fd of this.#barriers.splice(0)) closeSync(fd);
  }

  /**
   * Closes the socket and all descriptors. Idempotent.
   *
   * @see close(2)
   */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#timer);
    for (const fd of this.#barriers.splice(0)) closeSync(fd);
    for (const fds of this.#stored.values()) for (const fd of fds) closeSync(fd);
    this.#stored.clear();
    closeSync(this.#socket);
  }

  #takeIn(): void {
    while (this.#isOpen) {
      const received = native().datagram_receive(this.#socket);
      if (received === -againErrno) return;
      if (typeof received === 'number') {
        throw new Error(`A fake manager can't read its socket: ${failure(received).message}`);
      }
      const [text, pid, uid, gid, ...descriptors] = received;
      this.#receive(
        { text, fields: parse(text), pid, uid, gid, descriptors: descriptors.length },
        descriptors,
      );
    }
  }

  #receive(message: FakeMessage, descriptors: readonly number[]): void {
    const { BARRIER, FDSTORE, FDSTOREREMOVE, FDNAME = 'stored' } = message.fields;
    if (BARRIER === '1') {
      this.#barriers.push(...descriptors);
      if (this.#answersBarriers) for (const fd of this.#barriers.splice(0)) closeSync(fd);
      return;
    }
    this.#messages.push(message);
    if (FDSTORE === '1') {
      this.#store(FDNAME, descriptors);
      return;
    }
    for (const fd of descriptors) closeSync(fd);
    if (FDSTOREREMOVE !== '1') return;
    for (const fd of this.#stored.get(FDNAME) ?? []) closeSync(fd);
    this.#stored.delete(FDNAME);
  }

  /** As the manager does: what has no room is closed without a word. */
  #store(name: string, descriptors: readonly number[]): void {
    let room = this.#fdStoreMax;
    for (const fds of this.#stored.values()) room -= fds.length;
    const kept = descriptors.slice(0, Math.max(0, room));
    for (const fd of descriptors.slice(kept.length)) closeSync(fd);
    if (kept.length > 0) this.#stored.set(name, [...(this.#stored.get(name) ?? []), ...kept]);
  }
}

/**
 * Makes a service manager for a test. Set `process.env.NOTIFY_SOCKET` to its `address`, or start a child with its
 * `environment`. The address is read from the process's own environment, which `process.env` is in the main thread only.
 *
 * @param options `watchdogMicroseconds` in µs, `fdStoreMax`, `answersBarriers`
 * @throws `ArgumentError` for wrong options, and an Error where there is no Linux
 * @see sd_notify(3), `NOTIFY_SOCKET`
 */
export function fakeManager(options: FakeManagerOptions = {}): FakeManager {
  const given = readFields('options', options, ['watchdogMicroseconds', 'fdStoreMax', 'answersBarriers']);
  const { watchdogMicroseconds = 1n, fdStoreMax = 0, answersBarriers = true } = given;
  if (!(typeof watchdogMicroseconds === 'bigint' && watchdogMicroseconds > 0n)) {
    throw new ArgumentError(
      'watchdogMicroseconds',
      `${showValue(watchdogMicroseconds)} is no time in µs, as a bigint`,
    );
  }
  if (!(Number.isInteger(fdStoreMax) && fdStoreMax >= 0)) {
    throw new ArgumentError('fdStoreMax', `${showValue(fdStoreMax)} is no number of descriptors`);
  }
  if (typeof answersBarriers !== 'boolean') {
    throw new ArgumentError('answersBarriers', `${showValue(answersBarriers)} is neither true nor false`);
  }
  return new FakeManager(given);
}
