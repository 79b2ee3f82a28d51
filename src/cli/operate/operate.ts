import { NoGatewayError } from '../../channels/control/control-client.js';
import { messageIds } from '../../log/fields.js';
import { fieldOf } from '../../manager/journal.js';
import { describeStopped, stoppedJournald } from '../../manager/journald.js';
import { ProgramError } from '../../manager/program.js';
import { readQueuedJob, startsUnit } from '../../manager/queued-job.js';
import { type ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { formatTimeSpan } from '../../text/time-span.js';
import {
  answers,
  askStatus,
  lostDatabase,
  order,
  restartNeededLines,
  turnOfThisCommand,
  withinTurnLines,
} from '../client/control.js';
import { controlSocketOf, instanceOf, namedByDirectory, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { printable, Spinner, terminalOf } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import {
  elsewhereLines,
  explainFailure,
  explainStop,
  losesDatabase,
  noAnswerLines,
  nothingToStartLines,
  notServing,
  type OperationAction,
  type OperationFailure,
  whyUnusable,
} from './failure.js';
import { failureReport } from './failure-report.js';
import {
  commandFor,
  type Found,
  findUnit,
  type ManagerTrouble,
  managerTrouble,
  systemctlFor,
  type Target,
} from './find.js';
import { lastRecord } from './journal.js';
import { restartObjections } from './start-problems.js';
import { readUnit, type UnitState } from './unit.js';
import {
  awaitIdle,
  describeWork,
  doing,
  idleTimeoutOf,
  jobProgress,
  notSaidYet,
  performJob,
  reloadOutcome,
  unitWhenServing,
  workOf,
} from './wait.js';

function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

function complain(...lines: readonly string[]): void {
  process.stderr.write(`sd-gateway: ${lines.map(printable).join('\n')}\n`);
}

/** One run of start, stop, restart or reload. */
class Operation {
  readonly #parsed: ParsedCommand;
  readonly #action: OperationAction;
  readonly #target: Target;
  readonly #spinner: Spinner;
  /** When the order was given; what the journal has since then is about it. */
  #began = Date.now();
  /** The invocation that ran before. */
  #invocationBefore: string | null = null;

  constructor(parsed: ParsedCommand, action: OperationAction) {
    this.#parsed = parsed;
    this.#action = action;
    this.#target = { scope: scopeOf(parsed), instance: instanceOf(parsed) };
    this.#spinner = new Spinner(process.stderr, terminalOf(parsed, process.stderr));
  }

  async run(): Promise<number> {
    const timeout = idleTimeoutOf(this.#parsed);
    const found: Found = namedByDirectory() ? { kind: 'none', trouble: null } : await findUnit(this.#target);
    if (found.kind !== 'unit') return this.#withoutUnit(found, timeout);
    const unusable = whyUnusable(found.unit, this.#target);
    // A masked unit can still be stopped.
    if (unusable !== null && this.#action !== 'stop') return this.#fail(unusable, null);
    return this.#throughSystemd(found.manager, found.unit, timeout);
  }

  async #withoutUnit(found: Exclude<Found, { kind: 'unit' }>, timeout: number | null): Promise<number> {
    const socket = controlSocketOf(this.#target, null);
    if (this.#action !== 'start' && (found.kind === 'none' || (await answers(socket)))) {
      return this.#throughSocket(socket, found.kind === 'none' ? found.trouble : null, timeout);
    }
    if (found.kind === 'elsewhere') {
      complain(...elsewhereLines(this.#action, found.unit, this.#target, found.trouble));
      return commandStatus.noUnit;
    }
    complain(...nothingToStartLines(this.#target, found.trouble));
    return found.trouble === null ? commandStatus.noUnit : commandStatus.unavailable;
  }

  /** A gateway in the foreground, or one that systemd can't be asked about. */
  async #throughSocket(
    socket: string,
    trouble: ManagerTrouble | null,
    timeout: number | null,
  ): Promise<number> {
    if (this.#action === 'start') throw new Error('A start has no control socket to go through.');
    try {
      // The gateway refuses such an order by itself, but never gets it from a turn that waits for its own end.
      const refused = this.#parsed.flags.has('when-idle') ? await this.#refusedWithinTurn(socket) : null;
      if (refused !== null) return refused;
      const lost = this.#action === 'restart' ? await lostDatabase(socket) : null;
      if (lost !== null) {
        complain(`${lost.replace(/\.+$/, '')}. Nothing was restarted.`);
        return commandStatus.failure;
      }
      const idle = await this.#whenIdle(socket, () => askStatus(socket), timeout);
      return idle ?? (await this.#order(socket, this.#action));
    } catch (error) {
      if (!(error instanceof NoGatewayError)) throw error;
      if (error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'EACCES') {
        complain(
          `this user may not ask the gateway at ${socket}; ask as the user that it runs as, or as root.`,
        );
        return commandStatus.noPermission;
      }
      complain(...noAnswerLines(error.message, this.#target, trouble, !namedByDirectory()));
      return commandStatus.unavailable;
    }
  }

  /** A gateway in the foreground beside a unit that is down. */
  async #orderBeside(socket: string, action: Exclude<OperationAction, 'start'>): Promise<number> {
    try {
      return await this.#order(socket, action);
    } catch (error) {
      if (!(error instanceof NoGatewayError)) throw error;
      complain(`${error.message}.`);
      return commandStatus.unavailable;
    }
  }

  async #order(socket: string, action: Exclude<OperationAction, 'start'>): Promise<number> {
    // The connection would keep the process; what it would still say is not wanted any more.
    const interrupt = () => {
      this.#spinner.stop();
      complain(`no longer waiting; the gateway goes on with the ${action}.`);
      process.exit(commandStatus.interrupted);
    };
    process.once('SIGINT', interrupt);
    try {
      const status = await order(socket, action, this.#spinner);
      if (action === 'reload' && status === commandStatus.success) await this.#warnOfRestart(socket);
      return status;
    } finally {
      process.off('SIGINT', interrupt);
    }
  }

  async #warnOfRestart(socket: string): Promise<void> {
    const lines = await restartNeededLines(socket, commandFor('restart', this.#target, true));
    if (lines.length > 0) complain(...lines);
  }

  async #throughSystemd(manager: ServiceManager, unit: UnitState, timeout: number | null): Promise<number> {
    const isUp = unit.activeState === 'active' || unit.activeState === 'reloading';
    const isDown = unit.activeState === 'inactive' || unit.activeState === 'failed';
    if (unit.needsDaemonReload && this.#action !== 'stop') {
      complain(
        `the file of ${unit.name} has changed since systemd read it; for it to count: ${systemctlFor('daemon-reload', unit.scope)}`,
      );
    }
    if (this.#action === 'start' && isUp) {
      if (!unit.awaitsReady) return this.#settled(manager, unit, unit);
      say(`${unit.name} runs already${status(unit)}`);
      return commandStatus.success;
    }
    const cancelled =
      this.#action === 'stop' && isDown && unit.hasJob ? await this.#cancelStart(manager, unit) : null;
    if (cancelled !== null) return cancelled;
    if ((this.#action === 'stop' && isDown) || (this.#action === 'reload' && !isUp)) {
      // The unit and a gateway in the foreground can't run at the same time with the same directories.
      const socket = controlSocketOf(this.#target, unit);
      if (isDown && (await answers(socket))) return this.#orderBeside(socket, this.#action);
      if (this.#action === 'stop') {
        say(
          `${unit.name} is not running${unit.activeState === 'failed' ? ' (it has failed; see the status)' : ''}`,
        );
        return commandStatus.success;
      }
      const isStarting = unit.activeState === 'activating';
      complain(
        `${unit.name} is not running (${unit.activeState}); it reads its configuration when it starts.`,
        isStarting
          ? `  Have it start anew: ${commandFor('restart', this.#target, true)}`
          : `  Start it: ${commandFor('start', this.#target, true)}`,
      );
      return commandStatus.notRunning;
    }
    const socket = controlSocketOf(this.#target, unit);
    const refused = await this.#refusedWithinTurn(socket);
    if (refused !== null) return refused;
    if (isUp && this.#action === 'restart') {
      const refused = await this.#refusedRestart(socket, unit);
      if (refused !== null) return refused;
    }
    if (isUp) {
      const statusText = async () => (await readUnit(manager, unit.name)).statusText;
      const idle = await this.#whenIdle(socket, statusText, timeout);
      if (idle !== null) return idle;
      // The wait may have been long.
      const waits = this.#parsed.flags.has('when-idle');
      const refused = waits ? await this.#refusedRestart(socket, unit) : null;
      if (refused !== null) return refused;
    }
    return this.#job(manager, unit);
  }

  /** A restart stops no gateway that would not come back. Null: go on; else the exit status. */
  async #refusedRestart(socket: string, unit: UnitState): Promise<number | null> {
    const lost = await lostDatabase(socket);
    if (lost !== null) return this.#fail(losesDatabase(lost, unit), null);
    const lines = await restartObjections(this.#parsed, unit);
    if (lines.length === 0) return null;
    complain(...lines);
    return commandStatus.configuration;
  }

  /** A turn that stops its own gateway would be run again, and stop it again. Null: go on; else the exit status. */
  async #refusedWithinTurn(socket: string): Promise<number | null> {
    if (this.#action !== 'stop' && this.#action !== 'restart') return null;
    const turn = await turnOfThisCommand(socket);
    if (turn === null) return null;
    complain(...withinTurnLines(this.#action, turn));
    return commandStatus.noPermission;
  }

  /** Waits for idleness where that was asked for. Null: go on; else the exit status. */
  async #whenIdle(
    socket: string,
    statusText: () => Promise<string | null>,
    timeout: number | null,
  ): Promise<number | null> {
    if (!this.#parsed.flags.has('when-idle')) return null;
    const stop = new AbortController();
    const interrupt = () => stop.abort();
    process.once('SIGINT', interrupt);
    try {
      const idle = await awaitIdle({
        ask: () => workOf(socket, statusText),
        onProgress: (text) => this.#spinner.show(text),
        timeout,
        signal: stop.signal,
      });
      this.#spinner.stop();
      if (idle.outcome === 'idle') return null;
      if (idle.outcome === 'interrupted') {
        complain('interrupted; nothing was restarted.');
        return commandStatus.interrupted;
      }
      complain(
        `not idle within ${formatTimeSpan(timeout ?? 0)}: ${describeWork(idle.work)}. Nothing was restarted.`,
      );
      return commandStatus.restart;
    } finally {
      process.off('SIGINT', interrupt);
      this.#spinner.stop();
    }
  }

  /** A start that waits for other units is cancelled by a stop, as by "systemctl stop". Null: there is none. */
  async #cancelStart(manager: ServiceManager, unit: UnitState): Promise<number | null> {
    const job = await readQueuedJob(manager, unit.name);
    if (job === null || !startsUnit(job)) return null;
    const { status: exit, stderr } = await manager.act('stop', unit.name);
    if (exit !== 0) {
      const after = await readUnit(manager, unit.name);
      return this.#fail(explainFailure('stop', stderr.trim(), after, this.#target), after);
    }
    say(`${unit.name} was about to start; that ${job.type} job is cancelled`);
    return commandStatus.success;
  }

  async #job(manager: ServiceManager, before: UnitState): Promise<number> {
    const { name } = before;
    this.#began = Date.now();
    this.#invocationBefore = before.invocationId;
    this.#spinner.show(`${doing[this.#action]} ${name}`);
    const outcome = await performJob(manager, this.#action, name, (unit) => {
      const progress = jobProgress(unit, before, doing[this.#action]);
      if (progress !== null) this.#spinner.show(progress.text, progress.isNews);
    });
    if (outcome.outcome === 'interrupted') {
      this.#spinner.stop();
      complain(
        `no longer waiting; systemd goes on with the ${this.#action} of ${name}.`,
        `  See how it is: ${commandFor('status', this.#target, false)}`,
      );
      return commandStatus.interrupted;
    }
    const { status: exit, stderr } = outcome.result;
    const after = await readUnit(manager, name);
    if (exit !== 0) {
      this.#spinner.stop();
      return this.#fail(explainFailure(this.#action, stderr.trim(), after, this.#target), after);
    }
    const warnings = notSaidYet(stderr);
    if (warnings !== '') complain(warnings);
    return this.#settled(manager, before, after);
  }

  /** The job is done; what is the unit now? */
  async #settled(manager: ServiceManager, before: UnitState, after: UnitState): Promise<number> {
    const { name } = after;
    switch (this.#action) {
      case 'stop': {
        this.#spinner.stop();
        const failure = explainStop(before, after, this.#target);
        if (failure !== null) return this.#fail(failure, after);
        const drained = await lastRecord(after, [messageIds.drainFinished, messageIds.putBack], {
          from: this.#began,
        });
        const how = drained === null ? null : fieldOf(drained, 'MESSAGE');
        say(`${name} has stopped${how === null ? '' : `: ${how}`}`);
        return commandStatus.success;
      }
      case 'reload': {
        const reload = await reloadOutcome(manager, name, this.#began);
        this.#spinner.stop();
        if (reload.outcome === 'done') {
          say(`${name} has read its configuration again`);
          await this.#warnOfRestart(controlSocketOf(this.#target, after));
          return commandStatus.success;
        }
        if (reload.outcome === 'refused') {
          complain(reload.reason, `  See what is wrong: ${commandFor('check-config', this.#target, false)}`);
          return commandStatus.configuration;
        }
        return this.#fail(explainFailure('reload', null, reload.unit, this.#target), after);
      }
      default: {
        const now = await unitWhenServing(manager, after, controlSocketOf(this.#target, after));
        this.#spinner.stop();
        if (now === null) return this.#fail(notServing(after, this.#target), after);
        if (now.activeState === 'active' || now.activeState === 'reloading') {
          say(`${name} ${this.#action === 'start' ? 'serves' : 'serves again'}${status(now)}`);
          const journald = await stoppedJournald(now.logNamespace);
          if (journald !== null) complain(describeStopped(journald));
          return commandStatus.success;
        }
        return this.#fail(explainFailure(this.#action, null, now, this.#target), now);
      }
    }
  }

  /** Prints why, with what the journal says. */
  async #fail(failure: OperationFailure, after: UnitState | null): Promise<number> {
    const failed = {
      action: this.#action,
      target: this.#target,
      began: this.#began,
      invocationBefore: this.#invocationBefore,
    };
    const { lines, status } = await failureReport(failed, failure, after);
    complain(...lines);
    return status;
  }
}

function status(unit: UnitState): string {
  return unit.statusText === null ? '' : `: ${unit.statusText}`;
}

/** Starts, stops, restarts or reloads the unit or, where there is none, a gateway in the foreground. */
async function operate(parsed: ParsedCommand, action: OperationAction): Promise<number> {
  try {
    return await new Operation(parsed, action).run();
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof ServiceManagerError)) throw error;
    const { text, next } = managerTrouble(scopeOf(parsed), error);
    complain(`${text}.`, ...(next === null ? [] : [`  ${next}`]));
    return commandStatus.unavailable;
  }
}

/** The commands that change the state of the unit. */
export const operations: Readonly<Record<OperationAction, (parsed: ParsedCommand) => Promise<number>>> = {
  start: (parsed) => operate(parsed, 'start'),
  stop: (parsed) => operate(parsed, 'stop'),
  restart: (parsed) => operate(parsed, 'restart'),
  reload: (parsed) => operate(parsed, 'reload'),
};
