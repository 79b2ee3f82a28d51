import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { parseTimeSpan } from '../config/values.js';
import { commandStatus } from './commands.js';
import { askGateway, refused } from './gateway-access.js';
import type { Answer, GatewayClient } from './gateway-client.js';
import { type ParsedCommand, UsageError } from './usage.js';

const defaultSession = 'cli';
const defaultWait = '5min';
/** How long one request for the reply waits, in seconds; a gateway may allow less. */
const longestPoll = 30;
/** Posts until the gateway has taken it or refused it: while its store is out of order it answers 503. */
async function post(
  client: GatewayClient,
  session: string,
  message: string,
  deadline: number,
): Promise<Answer> {
  const headers = { 'Idempotency-Key': randomUUID() };
  for (;;) {
    const answer = await client.post(
      `/v1/sessions/${encodeURIComponent(session)}/messages`,
      { text: message },
      headers,
    );
    const retryAfter = Number(answer.headers['retry-after'] ?? 1) * 1_000;
    if (answer.status !== 503 || performance.now() + retryAfter > deadline) return answer;
    await pause(retryAfter);
  }
}

function isSettled(state: unknown): boolean {
  return state === 'replied' || state === 'delivered' || state === 'dead' || state === 'cancelled';
}

async function awaitReply(client: GatewayClient, id: string, deadline: number): Promise<Answer> {
  for (;;) {
    const left = Math.max(0, (deadline - performance.now()) / 1_000);
    const seconds = Math.min(longestPoll, Math.ceil(left));
    const answer = await client.get(`/v1/messages/${id}?wait=${seconds}`);
    if (answer.status !== 200 || isSettled(answer.body?.['state'])) return answer;
    // A gateway that stops ends polls early, and says when to ask the next one.
    const retryAfter = Number(answer.headers['retry-after'] ?? 0) * 1_000;
    if (performance.now() + retryAfter >= deadline) return answer;
    await pause(retryAfter);
  }
}

/** Prints the end of a message that is settled, or that it isn't. */
function finish(answer: Answer, id: string, asJson: boolean): number {
  const { body } = answer;
  if (asJson) process.stdout.write(`${JSON.stringify(body)}\n`);
  if (body?.['state'] === 'dead') {
    process.stderr.write(`sd-gateway: message ${id} is dead: ${String(body['error'])}\n`);
    return commandStatus.failure;
  }
  if (body?.['state'] === 'cancelled') {
    process.stderr.write(`sd-gateway: message ${id} was cancelled.\n`);
    return commandStatus.failure;
  }
  if (!isSettled(body?.['state'])) {
    process.stderr.write(
      `sd-gateway: no reply yet; message ${id} goes on, and its reply can be read at /v1/messages/${id}.\n`,
    );
    return commandStatus.restart;
  }
  const reply = body?.['reply'] as { readonly text?: unknown } | null;
  if (!asJson) process.stdout.write(`${String(reply?.text ?? '')}\n`);
  return commandStatus.success;
}

/** Sends a message, waits for its reply and prints it. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const wait = parseTimeSpan(parsed.values['wait'] ?? defaultWait);
  if (wait === null) throw new UsageError('--wait needs a time such as "30s" or "5min"', parsed.command.name);
  const [operand = ''] = parsed.operands;
  const message = operand === '-' ? await text(process.stdin) : operand;
  const deadline = performance.now() + wait;
  const session = parsed.values['session'] ?? defaultSession;
  return askGateway(parsed, async (client) => {
    const answer = await post(client, session, message, deadline);
    if (answer.status === 401) return null;
    if (answer.status !== 202) return refused(answer, 'the message');
    return report(client, answer, deadline, parsed.flags.has('json'));
  });
}

/** Waits for the reply to what was accepted, and prints it. */
async function report(
  client: GatewayClient,
  accepted: Answer,
  deadline: number,
  asJson: boolean,
): Promise<number> {
  const id = String(accepted.body?.['id']);
  const answer = await awaitReply(client, id, deadline);
  return answer.status === 200 ? finish(answer, id, asJson) : refused(answer, 'to tell of the message');
}
