import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { parseRetryAfter } from '../../gateway/delivery/schedule.js';
import { NoRegularFileError, openRegularFile } from '../../linux/files.js';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import { formatTimeSpan, parseTimeSpan } from '../../text/time-span.js';
import { commandStatus } from '../command.js';
import { printable, Spinner, terminalOf, textFor, versionedLine } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { askGateway, type MemberNames, problemText, refused } from './access.js';
import { heldReason } from './agents.js';
import { type GatewayAnswer, type GatewayClient, UnansweredPostError, UnreachableError } from './http.js';
import { messageForm } from './message-form.js';
import { replyFileLines, type ShownReply } from './messages.js';
import { UnprovenError } from './proven-connection.js';

const defaultSession = 'cli';
const defaultWait = '5min';
/** Longest wait of one request for the reply, in seconds; a gateway may allow less. */
const longestPollSeconds = 30;
/** From one request to the next at least, in milliseconds, where the gateway answers sooner. */
const shortestPollMs = 500;
/** Time between two looks at what a message waits for, in milliseconds. */
const lookIntervalMs = 3_000;
/** Longest silence beyond the wait that was asked for, in milliseconds: a gateway that hangs gives no answer. */
const minSilenceMs = 10_000;

/** Reads Retry-After as milliseconds; a proxy may write either form (RFC 9110, section 10.2.3). */
function retryAfterOf({ headers }: GatewayAnswer): number {
  return parseRetryAfter(headers['retry-after'], Date.now()) ?? 0;
}

/** A message as it is posted. */
export interface MessageToPost {
  readonly text: string;
  readonly reply_to?: { readonly channel: string; readonly to: string };
}

/** Time that a gateway has to come back, in milliseconds: its unit is started anew by then. */
const longestAwayMs = 10_000;

/**
 * Posts until the gateway has taken it or refused it: while its store is out of order it answers 503. If it goes away
 * behind the request, the same key lets it be posted again. Throws an UnansweredPostError if nobody answers that.
 */
export async function postMessage(
  client: GatewayClient,
  session: string,
  message: MessageToPost,
  deadline: number,
  files: readonly string[] = [],
): Promise<GatewayAnswer> {
  const headers = { 'Idempotency-Key': randomUUID() };
  const path = `/v1/sessions/${encodeURIComponent(session)}/messages`;
  let unanswered: UnreachableError | null = null;
  let giveUpAt = deadline;
  for (;;) {
    const silenceMs = Math.max(minSilenceMs, deadline - performance.now());
    let answer: GatewayAnswer;
    try {
      answer =
        files.length === 0
          ? await client.post(path, message, headers, silenceMs)
          : await client.postForm(path, messageForm(message, files), headers, silenceMs);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (unanswered === null) {
        if (!error.wasSent) throw error;
        unanswered = error;
        giveUpAt = Math.min(deadline, performance.now() + longestAwayMs);
      }
      if (performance.now() + shortestPollMs > giveUpAt) throw new UnansweredPostError(unanswered, session);
      await pause(shortestPollMs);
      continue;
    }
    const retryAfter = Math.max(retryAfterOf(answer), 1_000);
    if (answer.status !== 503 || performance.now() + retryAfter > deadline) return answer;
    await pause(retryAfter);
  }
}

interface Outcome {
  /** The message as the gateway tells it. */
  readonly answer: GatewayAnswer;
  /** The message whose turn answers it: itself, or the one whose turn it became part of. */
  readonly turn: GatewayAnswer;
}

function isSettled({ body }: GatewayAnswer): boolean {
  return ['replied', 'delivered', 'dead', 'cancelled'].includes(String(body?.['state']));
}

async function awaitReply(
  client: GatewayClient,
  id: string,
  deadline: number,
  signal: AbortSignal,
): Promise<Outcome> {
  for (;;) {
    const asked = performance.now();
    const isLast = asked >= deadline;
    const left = Math.max(0, (deadline - asked) / 1_000);
    const seconds = Math.min(longestPollSeconds, Math.ceil(left));
    const outcome = await ask(client, id, seconds, signal);
    const { answer, turn } = outcome;
    if (isLast || answer.status !== 200 || turn.status !== 200 || isSettled(turn)) return outcome;
    // A gateway that stops ends polls early, and says when to ask the next one; one may also let nobody wait.
    const wait = Math.max(retryAfterOf(answer), asked + shortestPollMs - performance.now());
    // Until the very end, so that what comes then is told of. Node.js drops what is less than a millisecond.
    await pause(Math.ceil(Math.max(0, Math.min(wait, deadline - performance.now()))), undefined, { signal });
  }
}

async function ask(
  client: GatewayClient,
  id: string,
  seconds: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const read = () => client.get(`/v1/messages/${id}?wait=${seconds}`, seconds * 1_000 + minSilenceMs, signal);
  const answer = await read();
  if (answer.body?.['state'] !== 'collected') return { answer, turn: answer };
  const turn = await client.get(`/v1/messages/${answer.body['collected_in']}`, minSilenceMs, signal);
  // It may have come to its end in between: then its reply is part of what is known of the message.
  return { answer: isSettled(turn) ? await read() : answer, turn };
}

/**
 * Prints the end of a message that is settled, or that it isn't.
 * @param held why its turn does not begin; null: nothing is known to keep it
 */
function finish({ answer, turn }: Outcome, messageId: string, asJson: boolean, held: string | null): number {
  const id = printable(messageId);
  if (asJson) process.stdout.write(versionedLine(answer.body));
  const part =
    turn === answer
      ? ''
      : `, with message ${printable(String(turn.body?.['id']))}, whose turn it was part of`;
  switch (turn.body?.['state']) {
    case 'dead':
      process.stderr.write(
        `sd-gateway: message ${id} is dead${part}: ${printable(String(turn.body['error']))}\n`,
      );
      return commandStatus.failure;
    case 'cancelled':
      process.stderr.write(`sd-gateway: message ${id} was cancelled${part}.\n`);
      return commandStatus.failure;
  }
  if (!isSettled(turn)) {
    process.stderr.write(
      `sd-gateway: no reply yet; message ${id} ${held === null ? 'goes on' : `waits, as ${printable(held)}`}. To read its reply later: ${ownCommand(`show ${id}`)}\n`,
    );
    return commandStatus.restart;
  }
  const reply = turn.body?.['reply'] as ShownReply | null | undefined;
  if (!asJson) process.stdout.write(`${textFor(String(reply?.text ?? ''), process.stdout)}\n`);
  for (const line of replyFileLines(String(turn.body?.['id']), reply ?? {})) {
    process.stderr.write(`sd-gateway: ${printable(line)}\n`);
  }
  return commandStatus.success;
}

/** Sends a message, waits for its reply and prints it. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const wait = parseTimeSpan(parsed.values['wait'] ?? defaultWait);
  if (wait === null) throw new UsageError('--wait needs a time such as "30s" or "5min"', parsed.command.name);
  const files = parsed.lists['file'] ?? [];
  const [operand = ''] = parsed.operands;
  if (parsed.operands.length + files.length === 0) {
    throw new UsageError('TEXT or --file is missing', parsed.command.name);
  }
  const replyTo = replyTargetOf(parsed.values['to']);
  if (replyTo === null) throw new UsageError('--to needs CHANNEL:ADDRESS', parsed.command.name);
  const text = operand === '-' ? decoded(await buffer(process.stdin)) : operand;
  if (text === null) {
    process.stderr.write('sd-gateway: standard input is no UTF-8 (iconv makes it so). Nothing was sent.\n');
    return commandStatus.failure;
  }
  const message = { text, ...replyTo };
  const deadline = performance.now() + wait;
  const session = parsed.values['session'] ?? defaultSession;
  const unreadable = unreadableOf(files);
  if (unreadable !== null) {
    process.stderr.write(`sd-gateway: ${printable(unreadable)}. Nothing was sent.\n`);
    return commandStatus.failure;
  }
  return askGateway(parsed, async (client) => {
    const answer = await postMessage(client, session, message, deadline, files);
    if (answer.status === 401) return null;
    if (answer.status !== 202) {
      return refused(answer, 'the message', namesOf(files, message.reply_to));
    }
    return report(client, answer, deadline, parsed);
  });
}

/** Null: the bytes are no UTF-8. */
function decoded(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : null;
}

/** The command line's words for members of the body. */
function namesOf(files: readonly string[], replyTo: MessageToPost['reply_to']): MemberNames {
  return {
    ...Object.fromEntries(files.map((path, index) => [`attachments/${index}`, `the file ${path}`])),
    ...(replyTo !== undefined && {
      'reply_to/channel': `the channel "${replyTo.channel}" of --to`,
      'reply_to/to': `the address "${replyTo.to}" of --to`,
    }),
  };
}

/** Null: there is no channel, or no address. */
function replyTargetOf(words: string | undefined): Pick<MessageToPost, 'reply_to'> | null {
  if (words === undefined) return {};
  const [, channel, to] = /^([^:]+):(.+)$/s.exec(words) ?? [];
  return channel === undefined || to === undefined ? null : { reply_to: { channel, to } };
}

/** Says which file can't be read, and why; null: all can. */
export function unreadableOf(files: readonly string[]): string | null {
  for (const path of files) {
    try {
      closeSync(openRegularFile(path, 'links-followed'));
    } catch (error) {
      return error instanceof NoRegularFileError ? `${path} ${error.message}` : errorMessage(error);
    }
  }
  return null;
}

/** Waits for the reply to an accepted message, and prints it. Ctrl-C ends the wait, not the message. */
async function report(
  client: GatewayClient,
  accepted: GatewayAnswer,
  deadline: number,
  parsed: ParsedCommand,
): Promise<number> {
  const id = String(accepted.body?.['id']);
  const asJson = parsed.flags.has('json');
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  const session = String(accepted.body?.['session']);
  const stopShowing = showWait(parsed, id, () => heldReason(client, session, interrupted.signal));
  process.once('SIGINT', interrupt);
  try {
    const outcome = await awaitReply(client, id, deadline, interrupted.signal);
    stopShowing();
    const unusable = [outcome.answer, outcome.turn].find(({ status }) => status !== 200);
    if (unusable === undefined) {
      const isQueued = outcome.turn.body?.['state'] === 'queued';
      return finish(outcome, id, asJson, isQueued ? await heldReason(client, session) : null);
    }
    // Such as a token that may post, and not read.
    return leave(accepted, `its reply can’t be waited for: ${problemText(unusable)}`, asJson);
  } catch (error) {
    stopShowing();
    const { aborted } = interrupted.signal;
    if (!aborted && !(error instanceof UnreachableError || error instanceof UnprovenError)) throw error;
    return leave(accepted, aborted ? 'no longer waiting for the reply' : (error as Error).message, asJson);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** Tells the id of an accepted message whose reply is not waited for: who sends it again without it doubles it. */
function leave({ body }: GatewayAnswer, why: string, asJson: boolean): number {
  const id = printable(String(body?.['id']));
  if (asJson) process.stdout.write(versionedLine(body));
  const reason = printable(why).replace(/\.$/, '');
  process.stderr.write(
    `sd-gateway: the message is accepted as ${id}; ${reason}. To read its reply later: ${ownCommand(`show ${id}`)}\n`,
  );
  return commandStatus.restart;
}

/** Shows on a terminal that the command waits, for how long by now, and what for. Gives what ends that. */
function showWait(parsed: ParsedCommand, id: string, heldNow: () => Promise<string | null>): () => void {
  const terminal = terminalOf(parsed, process.stderr);
  // Elsewhere a log would have a line of it for each message.
  if (!terminal.isTerminal) return () => undefined;
  const spinner = new Spinner(process.stderr, terminal);
  const began = performance.now();
  let held: string | null = null;
  const look = () => {
    // The reply itself is asked for beside this, and says what is wrong with the gateway.
    void heldNow().then(
      (reason) => {
        held = reason;
      },
      () => undefined,
    );
  };
  const show = () => {
    const elapsedMs = performance.now() - began;
    const time = elapsedMs < 1_000 ? '' : ` (${formatTimeSpan(elapsedMs)})`;
    spinner.show(`Waiting for the reply to ${id}${time}${held === null ? '' : `: ${held}`}`);
  };
  show();
  const timers = [setInterval(show, 1_000), setInterval(look, lookIntervalMs)];
  return () => {
    for (const timer of timers) clearInterval(timer);
    spinner.stop();
  };
}
