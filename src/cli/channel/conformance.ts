import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Capability, InboundFile } from '../../channels/command/protocol.js';
import { openBelow } from '../../linux/open-below.js';
import { errorMessage } from '../../text/failure-text.js';
import { ProgramRun, type ProgramRunOptions } from './program-run.js';

/** Checks a channel's program against docs/channels/protocol.md: it is killed, paused and told what it does not know. */

export interface ConformanceOptions extends ProgramRunOptions {
  /** A chat that test messages may be sent to; null: nothing is sent. */
  readonly to: string | null;
  /** Longest wait for somebody to write to the channel, in milliseconds; 0: nobody is waited for. */
  readonly waitMs: number;
  /** Asks somebody to do something now. */
  readonly ask: (text: string) => void;
}

export interface ConformanceCheck {
  readonly name: string;
  readonly verdict: 'ok' | 'failed' | 'warning' | 'skipped';
  readonly text: string;
}

/** Longest waits, in milliseconds: for "ready", for any answer, and for the end once its input has ended. */
const readyMs = 30_000;
const answerMs = 10_000;
const sendMs = 30_000;
const endMs = 1_000;
/** The program stands still for so long. */
const pauseMs = 300;

const sendAnswers = ['sent', 'not_sent', 'unknown'] as const;

type Result = Omit<ConformanceCheck, 'name'>;

const ok = (text: string): Result => ({ verdict: 'ok', text });
const failed = (text: string): Result => ({ verdict: 'failed', text });
const skipped = (text: string): Result => ({ verdict: 'skipped', text });

/** Runs all checks, in their order; gives the results as they come. Rejects if the program can't be started. */
export async function* conformance(options: ConformanceOptions): AsyncGenerator<ConformanceCheck> {
  const kit = new Kit(options);
  const checks: readonly (readonly [name: string, check: () => Promise<Result>])[] = [
    ['start', () => kit.start()],
    ['health', () => kit.health()],
    ['unknown lines', () => kit.unknownLines()],
    ['pause', () => kit.pause()],
    ['send', () => kit.send()],
    ['send again', () => kit.sendAgain()],
    ['reconcile', () => kit.reconcile()],
    ['killed while it sends', () => kit.killedWhileSending()],
    ['killed before a message is stored', () => kit.killedBeforeStored()],
    ['stop and end', () => kit.stopAndEnd()],
    ['lines', async () => kit.lines()],
  ];
  try {
    for (const [name, check] of checks) {
      const result = await check();
      yield { name, ...result };
      // Nothing else can be said of it.
      if (name === 'start' && result.verdict === 'failed') return;
    }
  } finally {
    await kit.close();
  }
}

class Kit {
  readonly #options: ConformanceOptions;
  readonly #prefix = `test_${randomUUID()}`;
  readonly #mistakes: string[] = [];
  #run: ProgramRun | null = null;
  #capabilities: readonly string[] = [];
  #sends = 0;
  /** The id of a send that has arrived. */
  #sentId: string | null = null;

  constructor(options: ConformanceOptions) {
    this.#options = options;
  }

  async start(): Promise<Result> {
    const began = performance.now();
    const run = await ProgramRun.start(this.#options, null);
    this.#run = run;
    const ready = await run.hears(['ready'], readyMs);
    if (ready === null) return failed(this.#silence(run, '"ready"', readyMs));
    if (ready.protocol !== 1) return failed(`it speaks version ${ready.protocol} of the protocol, not 1`);
    this.#capabilities = ready.capabilities;
    const named = ready.capabilities.length === 0 ? 'none' : ready.capabilities.join(', ');
    return ok(`ready after ${Math.round(performance.now() - began)} ms; capabilities: ${named}`);
  }

  health(): Promise<Result> {
    return this.#asksHealth('h1', () => undefined, 'it answers');
  }

  unknownLines(): Promise<Result> {
    const tell = (run: ProgramRun) => {
      run.write('{"type":"from-a-later-version","id":"x","further":[1]}\n');
      run.write('{"type":"health","id":"h2","from-a-later-version":true}\n');
    };
    return this.#asksHealth('h2', tell, 'it ignores types and members of a later version');
  }

  async pause(): Promise<Result> {
    const run = this.#running();
    run.signal('SIGSTOP');
    await pause(pauseMs);
    const goOn = () => run.signal('SIGCONT');
    return this.#asksHealth('h3', goOn, 'it goes on after SIGSTOP and SIGCONT');
  }

  async send(): Promise<Result> {
    const { to } = this.#options;
    if (to === null) return skipped('--to names a chat that test messages may be sent to');
    const id = this.#newId();
    const answer = await this.#sendNow(id, to);
    if (answer === null) return failed(this.#silence(this.#running(), 'an answer to "send"', sendMs));
    if (answer.type !== 'sent') return failed(`the answer is "${answer.type}": ${answer.reason}`);
    this.#sentId = id;
    return ok('the platform has it');
  }

  async sendAgain(): Promise<Result> {
    const { to } = this.#options;
    const id = this.#sentId;
    if (!this.#can('idempotent')) return skipped('it is not "idempotent"');
    if (id === null || to === null) return skipped('nothing was sent');
    const before = this.#sends;
    const run = this.#running();
    run.tell({
      type: 'send',
      id: `${id}`,
      to,
      text: textOf(before),
      part: 1,
      parts: 1,
      attempt: 2,
      files: [],
    });
    await pause(pauseMs);
    return ok(`look at ${to}: the message "${textOf(before)}" must be there once`);
  }

  async reconcile(): Promise<Result> {
    const { to } = this.#options;
    if (!this.#can('reconcile')) return skipped('it can not "reconcile"');
    if (to === null) return skipped('--to names a chat that test messages may be sent to');
    const run = this.#running();
    const never = this.#newId();
    run.tell({ type: 'reconcile', id: never, to });
    const none = await run.hears(sendAnswers, sendMs, ({ id }) => id === never);
    if (none === null) return failed(this.#silence(run, 'an answer to "reconcile"', sendMs));
    if (none.type === 'sent') return failed('it says "sent" of an id that was never sent');
    if (this.#sentId === null) return ok(`"${none.type}" of an id that was never sent`);
    // Another run: it must not know by its own memory alone.
    await this.#startAnew();
    const there = await this.#reconciles(this.#sentId, to);
    if (there === 'sent') return ok('it knows what was sent, also after a start');
    return failed(
      `of a message that was sent it says ${there === null ? 'nothing' : `"${there}"`} after a start`,
    );
  }

  async killedWhileSending(): Promise<Result> {
    const { to } = this.#options;
    if (to === null) return skipped('--to names a chat that test messages may be sent to');
    const id = this.#newId();
    const run = this.#running();
    run.tell({ type: 'send', id, to, text: textOf(this.#sends), part: 1, parts: 1, attempt: 1, files: [] });
    await run.kill();
    await this.#startAnew();
    if (!this.#can('reconcile')) return ok('it starts again; the send is in doubt');
    const what = await this.#reconciles(id, to);
    if (what === null) return failed(this.#silence(this.#running(), 'an answer to "reconcile"', sendMs));
    return ok(`it starts again, and says "${what}" of the send`);
  }

  async killedBeforeStored(): Promise<Result> {
    const { waitMs, ask } = this.#options;
    if (waitMs === 0) return skipped('--wait gives somebody time to write to the channel');
    ask(`Write a message to the channel within ${Math.round(waitMs / 1_000)} s.`);
    const first = await this.#running().hears(['inbound'], waitMs);
    if (first === null) return skipped(`nothing came within ${Math.round(waitMs / 1_000)} s`);
    await this.#running().kill();
    await this.#startAnew();
    const isSame = ({ id, chat }: { readonly id: string; readonly chat: string }) =>
      id === first.id && chat === first.chat;
    const again = await this.#running().hears(['inbound'], waitMs, isSame);
    if (again === null) {
      const text = 'the message did not come again: what is not on disk is lost when the program dies';
      return { verdict: 'warning', text };
    }
    const file = this.#unreadableFile(again.attachments);
    if (file !== null) return failed(file);
    this.#running().tell({ type: 'stored', id: again.id });
    await pause(pauseMs);
    return ok('the message came again, under its id');
  }

  /** Null: the gateway would get each. */
  #unreadableFile(files: readonly InboundFile[] = []): string | null {
    for (const { path } of files) {
      try {
        closeSync(openBelow(this.#options.host.directory, path));
      } catch (error) {
        return `a file of the message can't be read below the program's directory: ${errorMessage(error)}`;
      }
    }
    return null;
  }

  async stopAndEnd(): Promise<Result> {
    const run = this.#running();
    run.tell({ type: 'stop' });
    const answers = await this.#asksHealth('h4', () => undefined, '');
    if (answers.verdict === 'failed') return failed(`after "stop", ${answers.text}`);
    const began = performance.now();
    const how = await run.end(endMs);
    const tookMs = Math.round(performance.now() - began);
    if (how.startsWith('exited with status 0')) return ok(`it ends with its input, after ${tookMs} ms`);
    return failed(`after the end of its input, it ${how}`);
  }

  lines(): Result {
    this.#collect();
    const [first] = this.#mistakes;
    if (first === undefined) return ok('each was one of the protocol');
    return failed(`${this.#mistakes.length} were left out; the first: ${first}`);
  }

  async close(): Promise<void> {
    await this.#run?.kill();
  }

  #running(): ProgramRun {
    if (this.#run === null) throw new Error('The program was not started.');
    return this.#run;
  }

  async #startAnew(): Promise<void> {
    this.#collect();
    await this.#run?.kill();
    this.#run = await ProgramRun.start(this.#options, null);
    await this.#run.hears(['ready'], readyMs);
  }

  #collect(): void {
    this.#mistakes.push(...(this.#run?.mistakes.splice(0) ?? []));
  }

  #can(capability: Capability): boolean {
    return this.#capabilities.includes(capability);
  }

  #newId(): string {
    this.#sends += 1;
    return `${this.#prefix}.${this.#sends}`;
  }

  #sendNow(id: string, to: string) {
    const run = this.#running();
    run.tell({ type: 'send', id, to, text: textOf(this.#sends), part: 1, parts: 1, attempt: 1, files: [] });
    return run.hears(sendAnswers, sendMs, (answer) => answer.id === id);
  }

  /** Gives the type of the answer; null: there is none. */
  async #reconciles(id: string, to: string): Promise<string | null> {
    const run = this.#running();
    run.tell({ type: 'reconcile', id, to });
    const answer = await run.hears(sendAnswers, sendMs, (each) => each.id === id);
    return answer?.type ?? null;
  }

  async #asksHealth(id: string, before: (run: ProgramRun) => void, said: string): Promise<Result> {
    const run = this.#running();
    before(run);
    run.tell({ type: 'health', id });
    const answer = await run.hears(['healthy', 'unhealthy'], answerMs, (each) => each.id === id);
    if (answer === null) return failed(this.#silence(run, 'an answer to "health"', answerMs));
    return answer.type === 'healthy' ? ok(said) : ok(`${said}: its platform is away (${answer.reason})`);
  }

  #silence(run: ProgramRun, what: string, timeoutMs: number): string {
    const [mistake] = run.mistakes;
    const instead =
      mistake === undefined ? '' : `; instead a line came that the protocol does not know: ${mistake}`;
    return run.how === null
      ? `${what} did not come within ${timeoutMs / 1_000} s${instead}`
      : `it ${run.how}${instead}`;
  }
}

/** The text of the nth test message. */
function textOf(number: number): string {
  return `sd-gateway channel test ${number}`;
}
