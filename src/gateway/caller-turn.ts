import { type TurnProcess, turnOf, turnVariable } from '../agents/turn-processes.js';
import type { CallerTurn } from '../channels/control/facts.js';
import { readAncestry } from '../linux/proc.js';
import type { PeerCredentials } from '../linux/process.js';
import type { Log } from '../log/log.js';

/**
 * The running turn that a caller of the control socket is part of; null: none, or that can't be told. The caller may have
 * gone, or hide from this process: its order is obeyed then, and stops that cut a turn off are counted.
 */
export async function callerTurn(
  { pid }: PeerCredentials,
  running: ReadonlySet<TurnProcess>,
  log: Log,
): Promise<CallerTurn | null> {
  if (running.size === 0) return null;
  try {
    const turn = turnOf(await readAncestry(pid, turnVariable), running);
    return turn && { turnId: turn.turnId, messageId: turn.messageId, session: turn.session };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warning(`Whether process ${pid} is part of a running turn can’t be told: ${reason}`, {
      SD_GATEWAY_SENDER_PID: pid,
    });
    return null;
  }
}
