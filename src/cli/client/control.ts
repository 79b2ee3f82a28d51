import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { askFacts } from '../../channels/control/ask-facts.js';
import { control, SilentGatewayError } from '../../channels/control/control-client.js';
import type { CallerTurn } from '../../channels/control/facts.js';
import type { ControlCommand, ControlEvent } from '../../channels/control/protocol.js';
import { ownCommand } from '../../text/own-command.js';
import { commandStatus } from '../command.js';
import { refusalIn, waitText } from '../operate/wait.js';
import { printable, type Spinner } from '../terminal.js';

/** A unit that restarts what it runs; a scope does not. */
function serviceUnit(unit: string | null): string | null {
  return unit?.endsWith('.service') ? unit : null;
}

/**
 * Gives an order through the control socket, shows the status line while it is carried out and, for a stop or a
 * restart, waits for the gateway's end. Gives the command's exit status; throws a NoGatewayError.
 *
 * @param spinner shows the wait on a terminal, where only the last status line stays
 */
export async function order(
  path: string,
  command: Exclude<ControlCommand, 'status'>,
  spinner: Spinner,
): Promise<number> {
  let refused: string | null = null;
  let turn: CallerTurn | null = null;
  let shown = '';
  const onEvent = (event: ControlEvent): void => {
    if (event.event === 'refused') {
      refused = event.reason;
      turn = event.turn ?? null;
    }
    if (event.event === 'accepted' && command === 'stop' && serviceUnit(event.unit) !== null) {
      const unit = printable(event.unit ?? '');
      process.stderr.write(
        `sd-gateway: the gateway runs as ${unit}, which may start it again; "systemctl stop ${unit}" (with --user for a user unit) stops it for good.\n`,
      );
    }
    if (event.event === 'status' && event.text !== shown) {
      shown = event.text;
      if (spinner.isMoving) spinner.show(waitText(event.text));
      else process.stderr.write(`${printable(event.text)}\n`);
    }
  };
  try {
    await control(path, command, onEvent);
    spinner.stop();
    if (spinner.isMoving && shown !== '') process.stderr.write(`${printable(shown)}\n`);
  } catch (error) {
    spinner.stop();
    if (!(error instanceof SilentGatewayError)) throw error;
    process.stderr.write(
      `sd-gateway: ${error.message}. If it goes on, it carries the ${command} out; else end its process.\n`,
    );
    return commandStatus.unavailable;
  }
  if (turn !== null) {
    process.stderr.write(`sd-gateway: ${withinTurnLines(command, turn).map(printable).join('\n')}\n`);
    return commandStatus.noPermission;
  }
  if (refused !== null) {
    process.stderr.write(`sd-gateway: the gateway refused: ${printable(refused)}\n`);
    return commandStatus.failure;
  }
  return command === 'reload' && refusalIn(shown) !== null
    ? commandStatus.configuration
    : commandStatus.success;
}

/**
 * Says that only the running gateway still has its database, as the file was removed or another one put in its place. Null:
 * it is there, or nobody can tell.
 */
export async function lostDatabase(socket: string): Promise<string | null> {
  const answer = await askFacts(socket);
  if (answer.outcome !== 'told' || !isAbsolute(answer.facts.database)) return null;
  const { database, trouble, pid } = answer.facts;
  try {
    statSync(database);
    if (!hasRemoved(pid, database)) return null;
    return (
      trouble ??
      `Another file was put in the place of the database ${database}, and only the gateway still has its own: see "${ownCommand('status')}" in a minute.`
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return null;
    return trouble ?? `The database ${database} was removed, and only the gateway still has it.`;
  }
}

/** True if the process has a file open that had this name and has none any more (proc(5)). False where nobody can tell. */
function hasRemoved(pid: number, path: string): boolean {
  try {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((name) => {
      try {
        return readlinkSync(join(directory, name)) === `${path} (deleted)`;
      } catch {
        // It was closed meanwhile.
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Warns of the settings that a reload left for a restart. `restart`: the command to type. */
export async function restartNeededLines(socket: string, restart: string): Promise<readonly string[]> {
  const answer = await askFacts(socket);
  const keys = answer.outcome === 'told' ? (answer.facts.restartNeeded ?? []) : [];
  if (keys.length === 0) return [];
  return [
    `these settings have changed and wait for a restart: ${keys.join(', ')}`,
    `  Restart it: ${restart}`,
  ];
}

/** The status line that the gateway at the socket gives. Throws a NoGatewayError. */
export async function askStatus(path: string): Promise<string | null> {
  let status: string | null = null;
  await control(path, 'status', (event) => {
    if (event.event === 'status') status = event.text;
  });
  return status;
}

/** True if a gateway at the socket would take this user's orders; never takes long. */
export async function answers(path: string): Promise<boolean> {
  const { outcome } = await askFacts(path);
  return outcome === 'told' || outcome === 'unanswered';
}

/**
 * The turn of the gateway at the socket that this command is part of; null: none, or nobody tells. The gateway is asked,
 * as it alone knows which turns run: an environment may be that of a turn that has ended long ago.
 */
export async function turnOfThisCommand(socket: string): Promise<CallerTurn | null> {
  const answer = await askFacts(socket);
  // One of an earlier version does not tell it.
  return answer.outcome === 'told' ? (answer.facts.callerTurn ?? null) : null;
}

/**
 * Says why it is not done, and what to do instead.
 *
 * @param action that would end the turn, such as "restart"
 */
export function withinTurnLines(
  action: string,
  { turnId, messageId, session }: CallerTurn,
): readonly string[] {
  return [
    `this command is part of a turn that the gateway runs (${turnId} of session "${session}", message ${messageId}): the ${action} would cut the turn off, and it would be run again. Nothing was done.`,
    `  End the turn first. The ${action} is carried out when it comes from outside of the turn, such as from an operator.`,
  ];
}
