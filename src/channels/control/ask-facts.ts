import { IdentityError } from '../../linux/owner.js';
import { errorMessage } from '../../text/failure-text.js';
import { LineSplitter } from '../../text/lines.js';
import { connectToGateway, ForeignPeerError } from './connection.js';
import type { GatewayFacts } from './facts.js';

/** Time for a gateway to tell its facts: one that hangs is shown as that, and doesn't hang the caller. */
const defaultTimeoutMs = 3_000;

/** Longest answer that is read, in characters. */
const longestAnswer = 4 * 1024 * 1024;

/** The outcome of asking a gateway for its facts. */
export type FactsAnswer =
  | { readonly outcome: 'told'; readonly facts: GatewayFacts }
  /** Nobody listens there. */
  | { readonly outcome: 'absent'; readonly reason: string }
  /** This user may not ask. */
  | { readonly outcome: 'forbidden'; readonly reason: string }
  /** Somebody is there, who doesn't answer, or not this question. */
  | { readonly outcome: 'unanswered'; readonly reason: string };

/** Asks the gateway at the control socket for its facts; never takes longer than the timeout. */
export function askFacts(path: string, timeoutMs = defaultTimeoutMs): Promise<FactsAnswer> {
  return new Promise((resolve) => {
    const socket = connectToGateway(path, () => socket.write(`${JSON.stringify({ request: 'facts' })}\n`));
    const splitter = new LineSplitter(longestAnswer);
    const settle = (answer: FactsAnswer) => {
      resolve(answer);
      socket.destroy();
    };
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () =>
      settle({
        outcome: 'unanswered',
        reason: `the gateway did not answer at ${path} within ${timeoutMs} ms; it may hang`,
      }),
    );
    socket.on('data', (chunk: string) => {
      try {
        for (const line of splitter.push(chunk)) {
          const event = JSON.parse(line) as Readonly<Record<string, unknown>>;
          if (event['event'] === 'facts') {
            settle({ outcome: 'told', facts: event['facts'] as GatewayFacts });
          } else if (event['event'] === 'refused') {
            settle(refusal(String(event['reason'])));
          }
        }
      } catch (error) {
        settle({
          outcome: 'unanswered',
          reason: `no answer that is known: ${errorMessage(error)}`,
        });
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES' || error.code === 'EPERM') {
        settle({ outcome: 'forbidden', reason: `this user may not ask the gateway at ${path}` });
      } else if (error instanceof ForeignPeerError || error instanceof IdentityError) {
        settle({ outcome: 'absent', reason: error.message });
      } else {
        settle({
          outcome: 'absent',
          reason: `no gateway answers at ${path} (${error.code ?? error.message})`,
        });
      }
    });
    socket.on('close', () => settle({ outcome: 'unanswered', reason: `the gateway at ${path} hung up` }));
  });
}

function refusal(reason: string): FactsAnswer {
  if (reason.startsWith('only the user')) return { outcome: 'forbidden', reason };
  // The words of the gateways that did not tell their facts yet.
  if (reason.startsWith('no request that is known')) {
    return {
      outcome: 'unanswered',
      reason:
        'the gateway that runs is of an earlier version, which does not tell its facts; a restart mends that',
    };
  }
  return { outcome: 'unanswered', reason: `the gateway refused: ${reason}` };
}
