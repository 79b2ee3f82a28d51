import { join } from 'node:path';
import { isLeftBehind } from '../../agents/process-tree.js';
import { type TurnProcess, turnOf, turnVariable } from '../../agents/turn-processes.js';
import { ControlServer } from '../../channels/control/control-server.js';
import type { CallerTurn, GatewayFacts } from '../../channels/control/facts.js';
import { longestSocketPath } from '../../config/values.js';
import type { Sender } from '../../lifecycle/stop-cause.js';
import { type PeerCredentials, processName, readAncestry } from '../../linux/process.js';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import type { GatewayEvents } from '../events.js';
import { RefusedStart } from './failed-start.js';

/** Reports that a client of the control socket can ask for. */
export interface ControlReports {
  status(): string;
  facts(): Promise<Omit<GatewayFacts, 'callerTurn'>>;
  /** Has `listener` called with each new status line. */
  followStatus(listener: (text: string) => void): void;
}

export interface ControlOptions {
  readonly runtimeDirectory: string;
  readonly unit: string | null;
  readonly log: Log;
  readonly events: Pick<GatewayEvents, 'stopRequested' | 'reloadRequested'>;
  readonly reports: ControlReports;
  /** Processes of the turns that run now. */
  readonly turnProcesses: ReadonlySet<TurnProcess>;
}

/** Opens the control socket. From now on status lines go to those who wait there for the end. */
export async function openControl(options: ControlOptions): Promise<ControlServer> {
  const { runtimeDirectory, unit, log, events, reports, turnProcesses } = options;
  const path = join(runtimeDirectory, 'control.sock');
  // Node.js, up to 20 at least, would bind what is left of the path once the rest is cut off.
  if (Buffer.byteLength(path) > longestSocketPath) {
    throw new RefusedStart(
      `The path of the control socket, ${path}, is longer than the ${longestSocketPath} bytes that a Unix socket’s may have. Give the instance a shorter name, or name a directory with a shorter path in RUNTIME_DIRECTORY or XDG_RUNTIME_DIR.`,
    );
  }
  const turnOfCaller = (peer: PeerCredentials) => callerTurn(peer, turnProcesses, log);
  const control = await ControlServer.listen({
    path,
    log,
    unit,
    stop: (peer) => events.stopRequested('planned-stop', senderOf(peer)),
    restart: (peer) => events.stopRequested('restart', senderOf(peer)),
    reload: (peer) => events.reloadRequested(senderOf(peer)),
    status: () => reports.status(),
    facts: async (peer) => ({ ...(await reports.facts()), callerTurn: await turnOfCaller(peer) }),
    turnOf: turnOfCaller,
  });
  reports.followStatus((text) => control.announce(text));
  return control;
}

/** The running turn that one of the processes is part of; null as below. They are read only if a turn runs. */
export async function turnOfProcesses(
  processes: () => Promise<readonly number[]>,
  running: ReadonlySet<TurnProcess>,
  log: Log,
): Promise<CallerTurn | null> {
  if (running.size === 0) return null;
  for (const pid of await processes()) {
    const turn = await callerTurn({ pid }, running, log);
    if (turn !== null) return turn;
  }
  return null;
}

function first(running: ReadonlySet<TurnProcess>): TurnProcess | null {
  const [turn = null] = running;
  return turn;
}

function senderOf({ pid, uid }: PeerCredentials): Sender {
  return { pid, uid, comm: processName(pid), isSupervisor: false };
}

/**
 * The running turn that a caller is part of; null if there is none, or if it can't be found out.
 * The caller may have gone, or hide from this process: its order is obeyed then, and stops that cut a turn off are
 * counted.
 */
async function callerTurn(
  { pid }: Pick<PeerCredentials, 'pid'>,
  running: ReadonlySet<TurnProcess>,
  log: Log,
): Promise<CallerTurn | null> {
  if (running.size === 0) return null;
  try {
    const ancestry = await readAncestry(pid, turnVariable);
    // Nothing tells which turn has left it.
    const turn = turnOf(ancestry, running) ?? (isLeftBehind(ancestry) ? first(running) : null);
    return turn && { turnId: turn.turnId, messageId: turn.messageId, session: turn.session };
  } catch (error) {
    const reason = errorMessage(error);
    log.warning(`Whether process ${pid} is part of a running turn can’t be told: ${reason}`, {
      SD_GATEWAY_SENDER_PID: pid,
    });
    return null;
  }
}
