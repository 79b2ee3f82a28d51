import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeAtomically } from '../../linux/files.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { ServiceManager } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { makeUsers, userExists } from '../../units/unit-user.js';
import { verifyUnit } from '../../units/verify.js';
import { explainFailure } from '../operate/failure.js';
import { failureReport } from '../operate/failure-report.js';
import { readUnit } from '../operate/unit.js';
import { type JobProgress, jobProgress, performJob } from '../operate/wait.js';
import { askYesNo } from '../terminal.js';
import type { InstallFacts, NewFile } from './facts.js';
import { type InstallStep, systemctl } from './preflight.js';
import type { InstallRequest } from './request.js';
import type { OwnUser } from './user.js';

/** The unit could not be installed; what was there before still is. */
export class InstallError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InstallError';
  }
}

/** The outcome of an install. */
export interface InstallOutcome {
  readonly done: readonly InstallStep['kind'][];
  /** Steps that failed without being a reason not to install, each with a next step. */
  readonly warnings: readonly string[];
  /** The reason why the unit did not start; null if it did, or nobody asked for that. */
  readonly startFailure: string | null;
}

type Say = (text: string) => void;

/** Null: nothing is waited for any more. */
type ShowProgress = (progress: JobProgress | null) => void;

/** Carries out the steps; takes back what it has done when one fails that the unit can’t do without. */
export class Installation {
  readonly #facts: InstallFacts;
  readonly #request: InstallRequest;
  readonly #manager: ServiceManager;
  readonly #say: Say;
  readonly #showProgress: ShowProgress;
  /** Takes back, the last first. */
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #done: InstallStep['kind'][] = [];
  readonly #warnings: string[] = [];
  #startFailure: string | null = null;

  constructor(facts: InstallFacts, request: InstallRequest, say: Say, showProgress: ShowProgress) {
    this.#facts = facts;
    this.#request = request;
    this.#manager = new ServiceManager(facts.target.scope);
    this.#say = say;
    this.#showProgress = showProgress;
  }

  /** Rejects with an InstallError, a ServiceManagerError, a ProgramError, or an error of the file system. */
  async perform(steps: readonly InstallStep[]): Promise<InstallOutcome> {
    try {
      if (this.#facts.awaitsUser === null) await this.#verify();
      for (const step of steps) if (await this.#perform(step)) this.#done.push(step.kind);
    } catch (error) {
      for (const undo of this.#undo.reverse()) await undo();
      throw error;
    }
    return { done: this.#done, warnings: this.#warnings, startFailure: this.#startFailure };
  }

  /** Before anything is written: a broken unit never gets to where the manager looks. */
  async #verify(): Promise<void> {
    const { unit, target, rendered } = this.#facts;
    const { problems, warnings } = await verifyUnit(
      this.#manager,
      target.systemdVersion,
      unit,
      rendered.text,
    );
    this.#warnings.push(...warnings);
    if (problems.length > 0) {
      throw new InstallError(
        `systemd-analyze refuses the unit, and nothing was changed:\n${problems.map((line) => `  ${line}`).join('\n')}`,
      );
    }
  }

  /** True if it was done. */
  async #perform(step: InstallStep): Promise<boolean> {
    const { unit } = this.#facts;
    switch (step.kind) {
      case 'user':
        await this.#makeUser(step.user);
        return true;
      case 'leftover-link':
        rmSync(step.path);
        this.#say(`Removed ${step.path}, a link that a unit with DynamicUser= has left`);
        return true;
      case 'configuration':
        this.#writeConfiguration(step.file);
        return true;
      case 'unit':
        this.#writeUnit(step.file, step.former);
        return true;
      case 'daemon-reload':
        await this.#reload();
        return true;
      case 'enable':
        await this.#manager.enable(unit);
        this.#undo.push(() => this.#manager.disable(unit));
        this.#say(`Enabled ${unit}`);
        return true;
      case 'catalog':
        return this.#writeCatalog(step.file);
      case 'linger':
        return this.#offerLinger(step.user);
      case 'start':
      case 'restart':
        // The unit is sound; a gateway that doesn't start is no reason to take it away.
        this.#undo.length = 0;
        return this.#start(step.kind);
    }
  }

  /** A user that was made stays, whatever fails afterwards: files may be theirs. */
  async #makeUser({ name, exists, path, declaration }: OwnUser): Promise<void> {
    if (declaration !== null) {
      const isNew = !existsSync(path);
      this.#makeDirectory(dirname(path));
      writeAtomically(path, declaration, 0o644);
      if (isNew) this.#undo.push(() => rmSync(path, { force: true }));
      this.#say(`Wrote ${path}, which declares the user ${name}`);
    }
    if (exists) return;
    const complaint = await makeUsers(path).catch((error: unknown) => {
      if (error instanceof ProgramError) return error.message;
      throw error;
    });
    if (!(await userExists(name))) {
      throw new InstallError(
        `systemd-sysusers made no user ${name} of ${path}${complaint === null ? '' : ` (${complaint})`}; make one with "useradd --system ${name}", then install again`,
      );
    }
    this.#say(`Made the user ${name}`);
  }

  #makeDirectory(directory: string): void {
    if (existsSync(directory)) return;
    mkdirSync(directory, { recursive: true });
    // Whatever the umask is.
    chmodSync(directory, this.#facts.target.scope === 'system' ? 0o755 : 0o700);
  }

  #writeConfiguration(file: NewFile): void {
    this.#makeDirectory(dirname(file.path));
    writeAtomically(file.path, file.text, file.mode);
    this.#undo.push(() => rmSync(file.path, { force: true }));
    this.#say(`Wrote ${file.path}, a configuration to begin with`);
  }

  #writeUnit(file: NewFile, former: string | null): void {
    const { path, link } = this.#facts.installed;
    // A link is replaced, not what it leads to: rename(2) follows none.
    writeAtomically(path, file.text, file.mode);
    this.#undo.push(async () => {
      if (former === null) rmSync(path, { force: true });
      else writeAtomically(path, former, file.mode);
      if (link !== null) symlinkSync(link, path);
      await this.#manager.daemonReload();
    });
    this.#say(`${former === null ? 'Wrote' : 'Updated'} ${path}`);
  }

  /** Has the manager read the unit, and makes sure that it took this one. */
  async #reload(): Promise<void> {
    const { unit, installed, target } = this.#facts;
    await this.#manager.daemonReload();
    const { LoadState, LoadError, FragmentPath } = await this.#manager.show(unit, [
      'LoadState',
      'LoadError',
      'FragmentPath',
    ]);
    const { XDG_CONFIG_HOME } = target.environment;
    if (LoadState === 'not-found' && target.scope === 'user' && XDG_CONFIG_HOME !== undefined) {
      throw new InstallError(
        `your service manager doesn’t look for units in ${dirname(installed.path)}: its XDG_CONFIG_HOME is another one ("systemctl --user show-environment"); unset it here, or set it there by environment.d(5)`,
      );
    }
    if (LoadState !== 'loaded') {
      throw new InstallError(`systemd can’t load ${unit} (${LoadState}): ${LoadError ?? 'no reason given'}`);
    }
    if (FragmentPath !== installed.path) {
      throw new InstallError(
        `systemd takes ${unit} from ${FragmentPath}, not from ${installed.path}; remove that one, or see "${systemctl(this.#facts, 'cat')}"`,
      );
    }
  }

  async #writeCatalog(file: NewFile): Promise<boolean> {
    try {
      writeAtomically(file.path, file.text, file.mode);
    } catch (error) {
      this.#warnings.push(`"journalctl -x" will not explain the gateway’s records: ${errorMessage(error)}`);
      return false;
    }
    const { status, stderr } = await runProgram('journalctl', ['--update-catalog'], { timeout: 60_000 });
    if (status !== 0) this.#warnings.push(`journalctl --update-catalog failed: ${stderr.trim()}`);
    else this.#say(`Wrote ${file.path}: "journalctl -x" explains the gateway’s records`);
    return status === 0;
  }

  async #offerLinger(user: string): Promise<boolean> {
    const reason = `Without linger the gateway ends when ${user} logs out, and doesn’t start at boot.`;
    const agreed = this.#request.yes || (await askYesNo(`${reason} Enable linger for ${user}?`));
    if (agreed !== true) {
      this.#warnings.push(`${reason} "loginctl enable-linger ${user}" enables it.`);
      return false;
    }
    // Whoever is asked for a password may take their time.
    const timeout = process.stdin.isTTY === true ? null : 60_000;
    const { status, stderr } = await runProgram('loginctl', ['enable-linger', user], { timeout });
    if (status !== 0) {
      this.#warnings.push(
        `Linger could not be enabled (${stderr.trim()}). ${reason} An administrator enables it with "loginctl enable-linger ${user}".`,
      );
      return false;
    }
    this.#say(`Enabled linger for ${user}: the gateway runs without a session, and from the boot on`);
    return true;
  }

  async #start(verb: 'start' | 'restart'): Promise<boolean> {
    const { target, awaitsUser } = this.#facts;
    const unit = awaitsUser ?? this.#facts.unit;
    const before = await readUnit(this.#manager, unit);
    const { invocationId } = before;
    const began = Date.now();
    const doing = verb === 'start' ? 'Starting' : 'Restarting';
    const job = await performJob(this.#manager, verb, unit, (now) => {
      const progress = jobProgress(now, before, doing);
      if (progress !== null) this.#showProgress(progress);
    });
    this.#showProgress(null);
    if (job.outcome === 'interrupted') {
      this.#startFailure = `no longer waiting; ${unit} is installed, and systemd goes on with its ${verb}.`;
      return false;
    }
    const { status, stderr } = job.result;
    if (status === 0) {
      this.#say(`${verb === 'start' ? 'Started' : 'Restarted'} ${unit}`);
      return true;
    }
    const after = await readUnit(this.#manager, unit);
    const failure = explainFailure(verb, stderr.trim(), after, target);
    const failed = { action: verb, target, began, invocationBefore: invocationId } as const;
    const { lines } = await failureReport(failed, failure, after);
    this.#startFailure = [`${unit} is installed, but does not run.`, ...lines].join('\n');
    return false;
  }
}
