import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { control, NoGatewayError } from '../../channels/control/control-client.js';
import { type FileLock, tryLock } from '../../linux/file-lock.js';
import { NoRegularFileError } from '../../linux/files.js';
import { processName } from '../../linux/process.js';
import type { Log } from '../../log/log.js';
import { serviceOf } from '../../systemd/evidence.js';
import { ownCommand } from '../../text/own-command.js';
import { InUseError, RefusedStart } from './failed-start.js';

export interface DirectoryLocksOptions {
  readonly stateDirectory: string;
  readonly runtimeDirectory: string;
  /** Its file; null if there is none on this machine. */
  readonly database: string | null;
  /** True if a gateway that has them is to be stopped. */
  readonly takeover: boolean;
  /** Rejects if this gateway could not start in the place of the process: then that goes on. */
  readonly beforeTakeover: (holderPid: number | null) => Promise<void>;
  readonly log: Log;
  /** Told what the start waits for. */
  readonly step: (step: string) => void;
  /** Aborted when the start is cancelled. */
  readonly signal: AbortSignal;
}

/** From the end of the other gateway's answers to the end of its process. */
const endTimeoutMs = 10_000;
const endPauseMs = 50;

/**
 * Locks the gateway's directories and its database, so that no other gateway uses them. No crash leaves a kernel lock
 * behind. With a takeover the gateway that has them is asked to stop, as by "sd-gateway stop", and waited for.
 *
 * @throws InUseError that says who has what; RefusedStart if who has it can't be asked to stop, or won't
 */
export async function lockDirectories(options: DirectoryLocksOptions): Promise<() => void> {
  const { stateDirectory, runtimeDirectory, database, takeover } = options;
  const held: Extract<FileLock, { locked: true }>[] = [];
  const release = () => {
    for (const lock of held.splice(0).reverse()) lock.release();
  };
  let asked = false;
  try {
    for (const [what, path] of [
      [`state directory ${stateDirectory}`, join(stateDirectory, 'lock')],
      ...(database === null ? [] : [[`database ${database}`, `${database}.lock`] as const]),
      // The control socket of another gateway must not be taken away.
      ...(runtimeDirectory === stateDirectory
        ? []
        : [[`runtime directory ${runtimeDirectory}`, join(runtimeDirectory, 'lock')] as const]),
    ] as const) {
      let lock = tryLockOf(what, path);
      if (!lock.locked && takeover) {
        if (!asked) await stopHolder(options, what, lock.holderPid);
        asked = true;
        lock = await awaitLock(path, options.signal);
      }
      if (!lock.locked) throw inUse(what, lock.holderPid, takeover);
      held.push(lock);
    }
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** Has the error of a system call name the setting, and keep its code. */
function tryLockOf(what: string, path: string): FileLock {
  try {
    return tryLock(path);
  } catch (error) {
    if (error instanceof NoRegularFileError) {
      throw new RefusedStart(`${path} ${error.message}: move it away. Nothing was changed.`, {
        cause: error,
      });
    }
    if (!what.startsWith('database ') || !(error instanceof Error)) throw error;
    error.message = `The ${what} (store.path) can't be used: ${error.message}. "${ownCommand('check-config')}" says if the unit may write there`;
    throw error;
  }
}

async function stopHolder(
  { runtimeDirectory, log, step, beforeTakeover }: DirectoryLocksOptions,
  what: string,
  holderPid: number | null,
): Promise<void> {
  await beforeTakeover(holderPid);
  const holder = describe(holderPid);
  log.notice(`Taking over from ${holder}, which has the ${what}: it is asked to stop.`);
  let refused: string | null = null;
  try {
    await control(join(runtimeDirectory, 'control.sock'), 'stop', (event) => {
      if (event.event === 'refused') refused = event.reason;
      if (event.event === 'status') step(`taking over from ${holder}: ${event.text}`);
    });
  } catch (error) {
    if (!(error instanceof NoGatewayError)) throw error;
    throw new RefusedStart(
      `The ${what} is in use by ${holder}, and ${error.message}, so that it can’t be asked to stop. Stop it first.`,
      { cause: error },
    );
  }
  if (refused !== null) throw new RefusedStart(`${holder} refuses to stop: ${refused}`);
}

async function awaitLock(path: string, signal: AbortSignal): Promise<FileLock> {
  const deadline = performance.now() + endTimeoutMs;
  for (;;) {
    const lock = tryLock(path);
    if (lock.locked || signal.aborted || performance.now() > deadline) return lock;
    await pause(endPauseMs);
  }
}

function inUse(what: string, holderPid: number | null, takeover: boolean): Error {
  const holder = describe(holderPid);
  const advice = takeover
    ? 'It was asked to stop, and something has it again; a unit is to be stopped with "systemctl stop".'
    : 'Stop that gateway first, start this one with --takeover if it is no unit’s, or with --instance NAME for directories of its own.';
  const text = `The ${what} is in use by ${holder}. ${advice}`;
  // Asked again and again, two gateways would take turns.
  return takeover ? new RefusedStart(text) : new InUseError(text);
}

/** "sd-gateway.service (node, PID 123)", with what is known of it. */
function describe(pid: number | null): string {
  if (pid === null) return 'another process';
  const name = processName(pid);
  const unit = serviceOf(pid);
  const of = `PID ${pid}${name === null ? '' : `, ${name}`}`;
  return unit === null ? `the process with ${of}` : `${unit} (${of})`;
}
