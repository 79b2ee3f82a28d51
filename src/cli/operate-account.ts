import { type Action, explainFailure, type Failure, failureLines, triesAgain } from './operate-failure.js';
import type { Target } from './operate-find.js';
import { reasonsSince } from './operate-journal.js';
import { obstaclesTo } from './operate-obstacles.js';
import type { UnitFacts } from './operate-unit.js';
import { formatMicroseconds } from './status-words.js';

/** A failure as it is told to a person. */
export interface Account {
  readonly lines: readonly string[];
  /** The command's exit status. */
  readonly status: number;
}

export interface FailedAction {
  readonly action: Action;
  readonly target: Target;
  /** When the order was given, in ms since the Unix epoch; what the journal has since then is about it. */
  readonly began: number;
  /** The invocation that ran before it. */
  readonly invocationBefore: string | null;
}

/** Why, what the journal says of it, whether systemd tries again, and what to do next. */
export async function accountOf(
  { action, target, began, invocationBefore }: FailedAction,
  failure: Failure,
  after: UnitFacts | null,
): Promise<Account> {
  let told = failure;
  const said: string[] = [];
  if (failure.journal && after !== null) {
    const { records, trouble, startLimit } = await reasonsSince(after, began, invocationBefore);
    for (const { identifier, message } of records) {
      for (const line of message.split('\n').slice(0, 8)) said.push(`  ${identifier}: ${line}`);
    }
    if (startLimit && action !== 'stop') {
      told = explainFailure(action, null, { ...after, result: 'start-limit-hit' }, target);
    }
    const obstacles = action === 'start' || action === 'restart' ? await obstaclesTo(after, target) : [];
    if (obstacles.length > 0) told = { ...told, next: startLimit ? [...obstacles, ...told.next] : obstacles };
    if (trouble !== null) said.push(`  (${trouble})`);
    if (triesAgain(after)) {
      const delay =
        after.restartDelay === null
          ? ''
          : `, ${formatMicroseconds(after.restartDelay * 1_000)} after each end`;
      said.push(`  systemd starts it again by itself (Restart=${after.restart}${delay}).`);
    }
  }
  const [first = '', ...next] = failureLines(told);
  return { lines: [first, ...said, ...next], status: told.status };
}
