import { ConfigurationError } from '../../config/load.js';
import { ProgramError } from '../../manager/program.js';
import { ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { lineOf } from '../../units/start-obstacles.js';
import { UnitValueError } from '../../units/unit-text.js';
import { userExists } from '../../units/unit-user.js';
import { lostDatabase, turnOfThisCommand, withinTurnLines } from '../client/control.js';
import { controlSocketOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { obstaclesTo } from '../operate/failure-report.js';
import { whyNoManager } from '../operate/find.js';
import { startProblems } from '../operate/start-problems.js';
import { readUnit } from '../operate/unit.js';
import type { JobProgress } from '../operate/wait.js';
import { printable, reportLine, Spinner, type Terminal, terminalOf } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import { findInstallFacts, type InstallFacts } from './facts.js';
import { Installation, InstallError, type InstallOutcome } from './perform.js';
import {
  changesUnit,
  describeStep,
  differenceOf,
  type InstallStep,
  installSteps,
  objections,
  ownCommand,
  warningsOf,
} from './preflight.js';
import { type InstallRequest, readInstallRequest } from './request.js';

/** Speaks to a person, or in JSON to a program. */
interface Voice {
  readonly request: InstallRequest;
  readonly terminal: Terminal;
  /** Shows how far the start is; where there is no terminal, only what somebody may have to do. */
  readonly showProgress: (progress: JobProgress | null) => void;
  /** Progress; not for a program. */
  readonly say: (text: string) => void;
  warn(text: string): void;
  /** Ends with a reason. */
  refuse(status: number, reason: string): number;
}

function voiceOf(request: InstallRequest, parsed: ParsedCommand): Voice {
  const spinner = new Spinner(process.stderr, terminalOf(parsed, process.stderr));
  return {
    request,
    terminal: terminalOf(parsed),
    showProgress: (progress) => {
      if (progress === null) spinner.stop();
      else if (!request.json && (progress.isNews || process.stderr.isTTY === true))
        spinner.show(progress.text, progress.isNews);
    },
    say: (text) => {
      if (!request.json) process.stdout.write(`${printable(text)}\n`);
    },
    warn: (text) => {
      if (!request.json) process.stderr.write(`sd-gateway: ${printable(text)}\n`);
    },
    refuse: (status, reason) => {
      if (request.json) process.stdout.write(reportLine({ installed: false, reason }));
      process.stderr.write(`sd-gateway: ${printable(reason)}\n`);
      return status;
    },
  };
}

/** The difference with its lines coloured. */
function paintDifference(difference: string, terminal: Terminal): string {
  return difference
    .split('\n')
    .map((line) => {
      if (/^(---|\+\+\+) /.test(line)) return terminal.paint('bold', line);
      if (line.startsWith('+')) return terminal.paint('green', line);
      if (line.startsWith('-')) return terminal.paint('red', line);
      return line.startsWith('@@') ? terminal.paint('cyan', line) : line;
    })
    .join('\n');
}

/** Says what keeps this process from installing anything; null if nothing does. */
async function obstacle(request: InstallRequest): Promise<readonly [status: number, reason: string] | null> {
  const changes = !request.print && !request.dryRun;
  if (changes && request.scope === 'system' && process.getuid?.() !== 0) {
    return [
      commandStatus.noPermission,
      'only root can install a unit of the system: use sudo, or leave --system out for one of your own',
    ];
  }
  if (request.asksManager) {
    const reason = await whyNoManager(request.scope);
    if (reason !== null) return [commandStatus.unavailable, reason];
  }
  if (request.runAs !== null && !(await userExists(request.runAs))) {
    return [
      commandStatus.failure,
      `there is no user ${request.runAs}; make one with "useradd --system ${request.runAs}", or leave --run-as out`,
    ];
  }
  return null;
}

/** The facts for a program that reads them. */
function outcomeForPrograms(
  facts: InstallFacts,
  steps: readonly InstallStep[],
  outcome: InstallOutcome | null,
): object {
  const { unit, target, installed, rendered, dropIns, files, user, choices } = facts;
  const done = outcome?.done ?? [];
  return {
    installed: outcome !== null,
    unit: facts.awaitsUser ?? unit,
    path: installed.path,
    scope: target.scope,
    instance: target.instance,
    systemdVersion: target.systemdVersion,
    user: choices.runAs ?? user?.name ?? null,
    changed: changesUnit(facts),
    difference: differenceOf(facts),
    omitted: rendered.omitted,
    dropIns,
    configurationFile: files.configuration,
    environmentFile: files.environment,
    steps: outcome === null ? steps.map(({ kind }) => kind) : done,
    warnings: [...warningsOf(facts), ...(outcome?.warnings ?? [])],
    ...(outcome === null
      ? {}
      : {
          enabled: done.includes('enable') || facts.state?.enabled === 'enabled',
          linger: facts.linger === null ? null : facts.linger.enabled || done.includes('linger'),
          startFailure: outcome.startFailure,
        }),
  };
}

function showDifference(facts: InstallFacts, voice: Voice): void {
  const difference = differenceOf(facts);
  if (difference !== '') voice.say(paintDifference(difference.trimEnd(), voice.terminal));
}

/** Prints the findings before anything is done. */
function showFindings(facts: InstallFacts, voice: Voice): void {
  const { request } = voice;
  showDifference(facts, voice);
  for (const name of ['configurationFile', 'environmentFile', 'runAs'] as const) {
    const kept = facts.choices[name];
    if (kept !== null && request[name] === null) voice.say(`As installed before: ${optionOf[name]} ${kept}`);
  }
  if (facts.dropIns.length > 0) voice.say(`Drop-ins that apply besides: ${facts.dropIns.join(', ')}`);
  for (const warning of warningsOf(facts)) voice.warn(warning);
}

const optionOf = {
  configurationFile: '--config',
  environmentFile: '--environment-file',
  runAs: '--run-as',
} as const;

/** Suggests the next step. */
function showNext(facts: InstallFacts, outcome: InstallOutcome, voice: Voice): void {
  const isRunning = facts.state?.active === 'active';
  const changed = changesUnit(facts);
  if (outcome.done.length === 0) voice.say(`${facts.installed.path} is as it should be`);
  if (outcome.done.includes('start') || outcome.done.includes('restart')) return;
  if (!isRunning) voice.say(`Start it with: ${ownCommand(facts, 'start')}`);
  else if (changed) voice.say(`It runs as before until: ${ownCommand(facts, 'restart')}`);
}

async function turnOfThisInstall({ target, unit }: InstallFacts) {
  const { scope } = target;
  return turnOfThisCommand(controlSocketOf(target, await readUnit(new ServiceManager(scope), unit)));
}

/** Drop-ins stay in force beside the unit that is written anew, and could keep it from coming back. So does a lost database. */
async function dropInObstacles({ target, unit }: InstallFacts): Promise<readonly string[]> {
  const found = await readUnit(new ServiceManager(target.scope), unit);
  const lost = await lostDatabase(controlSocketOf(target, found));
  if (lost !== null) return [lost];
  const isTheirUser = lineOf(found.dropIns, 'User') !== null;
  return obstaclesTo({ ...found, path: null, user: isTheirUser ? found.user : null }, target);
}

async function install(
  request: InstallRequest,
  voice: Voice,
  parsed: ParsedCommand,
  isLast: boolean,
): Promise<number> {
  const facts = await findInstallFacts(request);
  if (request.print) {
    process.stdout.write(facts.rendered.text);
    for (const text of [...objections(facts), ...warningsOf(facts)]) voice.warn(text);
    return commandStatus.success;
  }
  const steps = installSteps(facts, request);
  const against = objections(facts);
  if (against.length > 0 && !request.force) {
    // The difference shows what an overwrite of an edit by hand would undo.
    if (facts.ownership === 'edited') showDifference(facts, voice);
    return voice.refuse(
      commandStatus.failure,
      `${against.join('\nsd-gateway: ')}\nsd-gateway: nothing was changed; --force installs it all the same`,
    );
  }
  showFindings(facts, voice);
  if (request.dryRun) {
    if (steps.length === 0) voice.say(`Nothing to do: ${facts.installed.path} is as it should be`);
    for (const step of steps) voice.say(`Would ${describeStep(step, facts)}`);
    if (request.json) process.stdout.write(reportLine(outcomeForPrograms(facts, steps, null)));
    return commandStatus.success;
  }
  if (steps.some(({ kind }) => kind === 'restart')) {
    const turn = await turnOfThisInstall(facts);
    if (turn !== null)
      return voice.refuse(commandStatus.noPermission, withinTurnLines('restart', turn).join('\n'));
    const problems = [
      ...(await dropInObstacles(facts)),
      ...(await startProblems(parsed, { isUnitNew: true, runAs: request.runAs })),
    ];
    if (problems.length > 0) {
      const reasons = problems.map((problem) => `  ${problem}`).join('\n');
      return voice.refuse(
        commandStatus.configuration,
        `the gateway would not come back from the restart; nothing was changed:\n${reasons}`,
      );
    }
  }
  const outcome = await new Installation(facts, request, voice.say, voice.showProgress).perform(steps);
  for (const warning of outcome.warnings) voice.warn(warning);
  if (request.json) process.stdout.write(reportLine(outcomeForPrograms(facts, steps, outcome)));
  if (outcome.startFailure !== null) {
    voice.warn(outcome.startFailure);
    return commandStatus.failure;
  }
  if (isLast) showNext(facts, outcome, voice);
  return commandStatus.success;
}

/**
 * Writes the unit of this machine, and enables it.
 * @param isLast false: who calls it starts the unit, and no next step is named
 */
export async function run(parsed: ParsedCommand, isLast = true): Promise<number> {
  const request = readInstallRequest(parsed);
  const voice = voiceOf(request, parsed);
  try {
    const found = await obstacle(request);
    return found === null ? await install(request, voice, parsed, isLast) : voice.refuse(...found);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      if (request.json) process.stdout.write(reportLine({ installed: false, problems: error.problems }));
      throw error;
    }
    const isExpected =
      error instanceof InstallError ||
      error instanceof ServiceManagerError ||
      error instanceof ProgramError ||
      error instanceof UnitValueError ||
      (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    return voice.refuse(commandStatus.failure, errorMessage(error));
  }
}
