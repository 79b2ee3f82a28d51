import type { Socket } from 'node:net';
import { GatheredBytes } from '../../text/gathered-bytes.js';
import type { ChannelContext } from '../channel.js';
import { InputEndedError, LmtpInput } from './lmtp-input.js';

/** A mail as it arrived. */
export interface ArrivedMail {
  /** All of it; of one that is too large, its first 64 KiB. */
  readonly bytes: Buffer;
  readonly sizeBytes: number;
  /** The envelope's sender, without brackets; empty for a report of a server. Null: the field Return-Path has it. */
  readonly returnPath: string | null;
}

export interface LmtpSessionOptions {
  readonly clock: ChannelContext['clock'];
  /** The name in the greeting. */
  readonly hostName: string;
  /** Mails that are larger are cut. */
  readonly messageLimitBytes: number;
  /** The memory for mails of all connections. */
  readonly memory: LmtpMemory;
  /** Resolves once the mail is on disk. Rejects if it is not: the server keeps it, and comes again. */
  readonly take: (mail: ArrivedMail) => Promise<void>;
  readonly isStopping: () => boolean;
  /** Says why a mail was not taken. */
  readonly failed: (error: unknown) => LmtpAnswer;
}

/** Bytes of mails on their way, of all connections together. */
export interface LmtpMemory {
  usedBytes: number;
  readonly limitBytes: number;
}

/** Code, enhanced code (RFC 3463) and text. */
export type LmtpAnswer = `${number} ${number}.${number}.${number} ${string}`;

/** Longest silence within a command or a mail, in milliseconds (RFC 5321, section 4.5.3.2.7). */
const silenceMs = 300_000;
const longestCommandBytes = 2_048;
const mostRecipients = 100;
const mostMistakes = 20;
/** Bytes that are kept of a mail that is too large. */
export const keptOfLargeBytes = 64 * 1024;

/** Speaks LMTP (RFC 2033) with one client, to its end. It never rejects. */
export async function serveLmtp(socket: Socket, options: LmtpSessionOptions): Promise<void> {
  try {
    await new LmtpSession(socket, options).run();
  } catch (error) {
    if (!(error instanceof InputEndedError) && !socket.destroyed) socket.destroy();
  } finally {
    socket.end();
  }
}

class LmtpSession {
  readonly #socket: Socket;
  readonly #options: LmtpSessionOptions;
  readonly #input: LmtpInput;
  #isGreeted = false;
  #sender: string | null = null;
  #recipients: string[] = [];
  #mistakes = 0;

  constructor(socket: Socket, options: LmtpSessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#input = new LmtpInput(socket);
  }

  async run(): Promise<void> {
    await this.#answer(`220 ${this.#options.hostName} LMTP sd-gateway`);
    for (;;) {
      const command = await this.#withinSilence(this.#input.command(longestCommandBytes));
      if (this.#options.isStopping()) {
        await this.#answer('421 4.3.2 The gateway stops; come again');
        return;
      }
      if (!(await this.#carryOut(command))) return;
      if (this.#mistakes > mostMistakes) {
        await this.#answer('421 4.7.0 Too many mistakes');
        return;
      }
    }
  }

  /** Gives false if the connection is to end. */
  async #carryOut(command: string | null): Promise<boolean> {
    const [, verb = '', rest = ''] = /^([A-Za-z]{4})(?:\s+(.*))?$/s.exec(command?.trimEnd() ?? '') ?? [];
    switch (verb.toUpperCase()) {
      case 'LHLO':
        this.#isGreeted = true;
        this.#reset();
        await this.#answer(
          `250-${this.#options.hostName}`,
          '250-PIPELINING',
          '250-ENHANCEDSTATUSCODES',
          '250-8BITMIME',
          '250 SIZE',
        );
        return true;
      case 'MAIL':
        await this.#mail(rest);
        return true;
      case 'RCPT':
        await this.#recipient(rest);
        return true;
      case 'DATA':
        await this.#data();
        return true;
      case 'RSET':
        this.#reset();
        await this.#answer('250 2.0.0 Reset');
        return true;
      case 'NOOP':
        await this.#answer('250 2.0.0 Nothing done');
        return true;
      case 'VRFY':
        await this.#answer('252 2.1.5 Send a mail to see');
        return true;
      case 'QUIT':
        await this.#answer('221 2.0.0 Goodbye');
        return false;
      default:
        await this.#refuse(
          command === null ? '500 5.5.2 The line is too long' : '500 5.5.1 No command of LMTP',
        );
        return true;
    }
  }

  async #mail(rest: string): Promise<void> {
    const path = /^FROM:\s*<([^<>\s]*)>(?:\s.*)?$/i.exec(rest)?.[1];
    if (!this.#isGreeted || this.#sender !== null)
      await this.#refuse('503 5.5.1 LHLO comes first, and one MAIL');
    else if (path === undefined) await this.#refuse('501 5.5.4 MAIL FROM:<address>');
    else {
      this.#sender = path;
      await this.#answer('250 2.1.0 Sender taken');
    }
  }

  async #recipient(rest: string): Promise<void> {
    const path = /^TO:\s*<([^<>\s]+)>(?:\s.*)?$/i.exec(rest)?.[1];
    if (this.#sender === null) await this.#refuse('503 5.5.1 MAIL comes first');
    else if (path === undefined) await this.#refuse('501 5.5.4 RCPT TO:<address>');
    else if (this.#recipients.length >= mostRecipients) await this.#answer('452 4.5.3 Too many recipients');
    else {
      this.#recipients.push(path);
      await this.#answer('250 2.1.5 Recipient taken');
    }
  }

  async #data(): Promise<void> {
    const { memory, messageLimitBytes, take, failed } = this.#options;
    const [sender, recipients] = [this.#sender, this.#recipients];
    if (sender === null || recipients.length === 0) {
      await this.#refuse('503 5.5.1 No recipient was taken');
      return;
    }
    await this.#answer('354 End with a line that has a dot alone');
    this.#reset();
    const kept = new GatheredBytes();
    let keptBytes = 0;
    let sizeBytes = 0;
    let isMemoryFull = false;
    const keep = (piece: Buffer) => {
      memory.usedBytes += piece.length;
      keptBytes += piece.length;
      kept.add(piece);
    };
    const drop = () => {
      memory.usedBytes -= keptBytes;
      keptBytes = 0;
      kept.clear();
    };
    try {
      await this.#withinSilence(
        this.#input.mail((piece) => {
          sizeBytes += piece.length;
          isMemoryFull ||= memory.usedBytes + piece.length > memory.limitBytes;
          if (isMemoryFull) drop();
          else if (sizeBytes <= messageLimitBytes) keep(piece);
          else if (keptBytes > keptOfLargeBytes) {
            const begin = Buffer.from(kept.take().subarray(0, keptOfLargeBytes));
            drop();
            keep(begin);
          }
        }),
      );
      let answer: LmtpAnswer = '250 2.0.0 Taken';
      if (isMemoryFull) answer = '452 4.3.1 Too many mails are on their way; come again';
      else {
        try {
          await take({ bytes: kept.take(), sizeBytes, returnPath: sender });
        } catch (error) {
          answer = failed(error);
        }
      }
      // One answer for each recipient (RFC 2033, section 4.2).
      await this.#answer(...recipients.map(() => answer));
    } finally {
      drop();
    }
  }

  #reset(): void {
    this.#sender = null;
    this.#recipients = [];
  }

  async #refuse(answer: LmtpAnswer): Promise<void> {
    this.#mistakes += 1;
    await this.#answer(answer);
  }

  /** Resolves when the client has read enough. */
  async #answer(...lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${line}\r\n`).join('');
    if (this.#socket.destroyed || this.#socket.write(text)) return;
    await this.#withinSilence(
      new Promise<void>((resolve) => {
        this.#socket.once('drain', resolve).once('close', resolve);
      }),
    );
  }

  /** Ends the connection if the client neither sends nor reads for too long. */
  async #withinSilence<Value>(wait: Promise<Value>): Promise<Value> {
    let cancel = () => {};
    const begin = () => {
      cancel();
      cancel = this.#options.clock.after(silenceMs, () => this.#socket.destroy());
    };
    begin();
    this.#input.arrived = begin;
    try {
      return await wait;
    } finally {
      this.#input.arrived = () => {};
      cancel();
    }
  }
}
