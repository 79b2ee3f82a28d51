import { resolve } from 'node:path';
import type { Scope } from '../../manager/service-manager.js';
import { instanceOf, scopeOf } from '../client/locate.js';
import { type ParsedCommand, UsageError } from '../usage.js';

/** An install as the command line asks for it. */
export interface InstallRequest {
  readonly scope: Scope;
  readonly instance: string | null;
  /** Absolute; null: not named. */
  readonly configurationFile: string | null;
  /** Absolute; null: not named. */
  readonly environmentFile: string | null;
  readonly runAs: string | null;
  readonly print: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly enable: boolean;
  readonly now: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  /** Printing needs no service manager, only its version. */
  readonly asksManager: boolean;
}

function absolute(path: string | undefined): string | null {
  return path === undefined ? null : resolve(path);
}

/** A name for a unit’s directories: systemd separates those by colons. Throws a UsageError. */
export function unitInstanceOf(parsed: ParsedCommand): string | null {
  const instance = instanceOf(parsed);
  if (instance?.includes(':') === true) {
    throw new UsageError(
      `"${instance}" can’t be the instance of a unit: ":" separates the directories of one`,
      parsed.command.name,
    );
  }
  return instance;
}

/** Reads the command line. Throws a UsageError. */
export function readInstallRequest(parsed: ParsedCommand): InstallRequest {
  const { values, flags, command } = parsed;
  const scope = scopeOf(parsed);
  const runAs = values['run-as'] ?? null;
  const refuse = (message: string): never => {
    throw new UsageError(message, command.name);
  };
  if (runAs !== null && scope === 'user') {
    refuse('--run-as is for a unit of the system (--system); one of a user runs as that user');
  }
  if (runAs === 'root' || runAs === '0') {
    refuse(
      '--run-as root: the gateway needs nothing that only root may do; leave --run-as out for a user of its own',
    );
  }
  if (flags.has('print') && flags.has('dry-run')) refuse('--print and --dry-run exclude each other');
  if (flags.has('print') && flags.has('json')) refuse('--print prints the unit, which is not JSON');
  return {
    scope,
    instance: unitInstanceOf(parsed),
    configurationFile: absolute(values['config']),
    environmentFile: absolute(values['environment-file']),
    runAs,
    print: flags.has('print'),
    dryRun: flags.has('dry-run'),
    force: flags.has('force'),
    enable: !flags.has('no-enable'),
    now: flags.has('now'),
    yes: flags.has('yes'),
    json: flags.has('json'),
    asksManager: !flags.has('print'),
  };
}
