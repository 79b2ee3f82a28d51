import type { ProcessTrace } from '../linux/process.js';

/** The process that was started for a turn that runs: it leads a session and a process group of its own (setsid(2)). */
export interface TurnProcess {
  readonly pid: number;
  /** The directory of its control group; null: it has none of its own. */
  readonly controlGroup: string | null;
  readonly turnId: string;
  readonly messageId: string;
  /** The session of the message. */
  readonly session: string;
}

/** Has the turn's id in the environment of its process, and of what that starts. */
export const turnVariable = 'SD_GATEWAY_TURN';

/**
 * The running turn that a process is part of: it or an ancestor is the turn's process, in its group, session or control group,
 * or was started with its id. A daemon of a turn has no such ancestor, and its environment or control group still. A turn that has ended is
 * nobody's: a shell that it left behind belongs to whoever uses it.
 *
 * @param ancestry the process and its ancestors, the nearest first
 */
export function turnOf(
  ancestry: readonly ProcessTrace[],
  running: Iterable<TurnProcess>,
): TurnProcess | null {
  const turns = [...running];
  for (const { pid, processGroup, processSession, mark, controlGroup } of ancestry) {
    const ids = [pid, processGroup, processSession];
    const turn = turns.find(
      (each) => ids.includes(each.pid) || each.turnId === mark || isWithin(controlGroup, each.controlGroup),
    );
    if (turn !== undefined) return turn;
  }
  return null;
}

function isWithin(controlGroup: string | null, group: string | null): boolean {
  return controlGroup !== null && group !== null && `${controlGroup}/`.startsWith(`${group}/`);
}
