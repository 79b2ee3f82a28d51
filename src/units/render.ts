import { barrierTimeoutMs, longestStop, type StopTimes } from '../lifecycle/timeouts.js';
import { type Scope, unitName } from '../manager/service-manager.js';
import {
  choicesLine,
  commandLine,
  comment,
  directive,
  environmentFilePath,
  escapeSpecifiers,
  parseUnit,
  quoteWord,
  seal,
  type UnitChoices,
  type UnitLine,
  unitText,
} from './unit-text.js';
import { unitUser } from './unit-user.js';

/**
 * The first systemd that knows a directive, where that is later than 229 (systemd’s NEWS, and "Added in version" of
 * its manual pages). systemd ignores what it doesn't know with a warning at each load, so such a directive is left out.
 */
const since: Readonly<Record<string, number>> = {
  StartLimitIntervalSec: 230,
  MemoryMax: 231,
  MemoryHigh: 231,
  MemoryDenyWriteExecute: 231,
  ReadOnlyPaths: 231,
  ReadWritePaths: 231,
  InaccessiblePaths: 231,
  RestrictRealtime: 231,
  PrivateUsers: 232,
  ProtectControlGroups: 232,
  ProtectKernelModules: 232,
  ProtectKernelTunables: 232,
  RemoveIPC: 232,
  BindPaths: 233,
  BindReadOnlyPaths: 233,
  MountAPIVFS: 233,
  RestrictNamespaces: 233,
  CacheDirectory: 235,
  CacheDirectoryMode: 235,
  ConfigurationDirectory: 235,
  ConfigurationDirectoryMode: 235,
  IPAddressAllow: 235,
  IPAddressDeny: 235,
  KeyringMode: 235,
  LockPersonality: 235,
  LogsDirectory: 235,
  LogsDirectoryMode: 235,
  RuntimeDirectoryPreserve: 235,
  StateDirectory: 235,
  StateDirectoryMode: 235,
  UnsetEnvironment: 235,
  LogExtraFields: 236,
  TemporaryFileSystem: 238,
  PrivateMounts: 239,
  LogRateLimitBurst: 240,
  LogRateLimitIntervalSec: 240,
  WatchdogSignal: 240,
  ProtectHostname: 242,
  RestrictSUIDSGID: 242,
  ExecCondition: 243,
  OOMPolicy: 243,
  TimeoutAbortSec: 243,
  TimeoutCleanSec: 244,
  ProtectKernelLogs: 244,
  LogNamespace: 245,
  ProtectClock: 245,
  CoredumpFilter: 246,
  LoadCredential: 247,
  ManagedOOMMemoryPressure: 247,
  ManagedOOMSwap: 247,
  ProcSubset: 247,
  ProtectProc: 247,
  SetCredential: 247,
  SystemCallLog: 247,
  ExecPaths: 248,
  ManagedOOMPreference: 248,
  NoExecPaths: 248,
  PrivateIPC: 248,
  SocketBindAllow: 249,
  SocketBindDeny: 249,
  ExecSearchPath: 250,
  ExitType: 250,
  LoadCredentialEncrypted: 250,
  RestrictFileSystems: 250,
  RestrictNetworkInterfaces: 250,
  SetCredentialEncrypted: 250,
  LogFilterPatterns: 253,
  OpenFile: 253,
  ReloadSignal: 253,
  FileDescriptorStorePreserve: 254,
  ImportCredential: 254,
  MemoryKSM: 254,
  MemoryPressureThresholdSec: 254,
  MemoryPressureWatch: 254,
  RestartMaxDelaySec: 254,
  RestartMode: 254,
  RestartSteps: 254,
  SurviveFinalKillSignal: 255,
  MemoryZSwapWriteback: 256,
  PrivatePIDs: 257,
};

/** User managers could not do these from the start (NEWS of 245 and 251); before that they fail the start. */
const sinceInUserManagers: Readonly<Record<string, number>> = {
  PrivateUsers: 245,
  BindPaths: 251,
  BindReadOnlyPaths: 251,
  CapabilityBoundingSet: 251,
  MountAPIVFS: 251,
  PrivateDevices: 251,
  PrivateIPC: 251,
  PrivateTmp: 251,
  ProtectClock: 251,
  ProtectHome: 251,
  ProtectKernelLogs: 251,
  ProtectKernelModules: 251,
  ProtectKernelTunables: 251,
  TemporaryFileSystem: 251,
};

/** `Type=notify-reload`: the manager sends the signal, and waits for the answer (systemd.service(5)). */
export const notifyReloadVersion = 253;

/** The first version of systemd whose manager of that scope knows the directive; 0 for those that were always there. */
export function firstVersion(directive: string, scope: Scope): number {
  const known = since[directive] ?? 0;
  return scope === 'system' ? known : Math.max(known, sinceInUserManagers[directive] ?? 0);
}

/** All that a unit is made from. */
export interface UnitPlan {
  readonly scope: Scope;
  /** The instance; null for the one without a name. */
  readonly instance: string | null;
  /** Such as 252. */
  readonly systemdVersion: number;
  readonly choices: UnitChoices;
  /** `dist/cli/main.js` of this package; an absolute path. */
  readonly program: string;
  /** `$PATH` for the gateway and its agents. */
  readonly searchPath: string;
  /** The environment file where none was chosen; it need not be there. */
  readonly defaultEnvironmentFile: string;
  /** A directory of the store that is outside of the unit's own; null: there is none. */
  readonly storeDirectory: string | null;
  /** The configuration's time spans, in milliseconds. */
  readonly stop: StopTimes;
}

/** A directive that this systemd doesn't know. */
export interface OmittedDirective {
  readonly directive: string;
  /** The first version of systemd that does. */
  readonly since: number;
}

export interface RenderedUnit {
  readonly text: string;
  readonly omitted: readonly OmittedDirective[];
}

/** Directives with the name of the gateway, to which that of the instance is added. */
const ownNames: ReadonlySet<string> = new Set([
  'User',
  'StateDirectory',
  'RuntimeDirectory',
  'CacheDirectory',
  'LogsDirectory',
]);

/** The shipped unit for one instance: with a name, a description, a user and directories of its own. */
export function forInstance(lines: readonly UnitLine[], instance: string): UnitLine[] {
  return lines.map((line) => {
    if (line.kind !== 'directive') return line;
    if (line.name === 'Description') return directive(line.name, `${line.value}, instance ${instance}`);
    if (line.name === 'ExecStart') return directive(line.name, `${line.value} --instance ${instance}`);
    if (ownNames.has(line.name)) {
      return directive(line.name, line.value.replace(/^sd-gateway(?=\/|$)/, `$&-${instance}`));
    }
    return line;
  });
}

/** True if a directive stands directly below the line, so that a comment there is about it, too. */
function isDirective(line: UnitLine | undefined): boolean {
  return line?.kind === 'directive';
}

function isComment(line: UnitLine | undefined): boolean {
  return line?.kind === 'other' && line.text.trim() !== '';
}

/**
 * Puts other lines in the place of a directive and of its further values. The comment above it goes with it, unless it
 * is kept, or `kept-if-shared` and there is another directive directly below.
 */
function replace(
  lines: readonly UnitLine[],
  name: string,
  replacement: readonly UnitLine[],
  commentAbove: 'kept' | 'removed' | 'kept-if-shared',
): UnitLine[] {
  const output: UnitLine[] = [];
  let replaced = false;
  for (const [index, line] of lines.entries()) {
    if (line.kind !== 'directive' || line.name !== name) {
      output.push(line);
      continue;
    }
    const shared = isDirective(lines[index + 1]);
    if (commentAbove === 'removed' || (commentAbove === 'kept-if-shared' && !shared)) {
      while (isComment(output.at(-1))) output.pop();
    }
    if (!replaced) output.push(...replacement);
    replaced = true;
  }
  return output;
}

/** A time for a directive: whole seconds, never less than it takes. */
function seconds(milliseconds: number): string {
  return String(Math.ceil(milliseconds / 1_000));
}

function stopTimeout(stop: StopTimes): UnitLine[] {
  const { drainTimeoutMs, killDelayMs, storeWait } = stop;
  return [
    comment(
      `stop.drain ${drainTimeoutMs / 1_000} s, agent.kill_delay ${killDelayMs / 1_000} s, ${storeWait.key} ${storeWait.waitMs / 1_000} s, closing and the barrier.`,
    ),
    directive('TimeoutStopSec', seconds(longestStop(stop) + barrierTimeoutMs)),
  ];
}

function command(plan: UnitPlan): UnitLine[] {
  const { choices, instance, program, searchPath, defaultEnvironmentFile } = plan;
  const config = choices.configurationFile === null ? [] : ['--config', choices.configurationFile];
  const named = instance === null ? [] : ['--instance', instance];
  const environmentFile =
    choices.environmentFile === null
      ? // "-": it need not be there.
        `-${environmentFilePath(defaultEnvironmentFile)}`
      : environmentFilePath(choices.environmentFile);
  return [
    directive('ExecStart', commandLine(choices.node, [program, 'run', ...config, ...named])),
    // Without it a line on standard error is that of "node".
    directive('SyslogIdentifier', 'sd-gateway'),
    directive('Environment', quoteWord(`PATH=${searchPath}`)),
    directive('EnvironmentFile', environmentFile),
  ];
}

/** User= takes no quotes. */
function user({ choices, instance }: UnitPlan): UnitLine[] {
  return [directive('User', escapeSpecifiers(choices.runAs ?? unitUser(instance)))];
}

function leaveOutUnknown(
  lines: readonly UnitLine[],
  { scope, systemdVersion }: UnitPlan,
): { readonly lines: UnitLine[]; readonly omitted: readonly OmittedDirective[] } {
  const names = new Set(lines.flatMap((line) => (line.kind === 'directive' ? [line.name] : [])));
  const omitted = [...names]
    .map((name) => ({ directive: name, since: firstVersion(name, scope) }))
    .filter(({ since }) => since > systemdVersion);
  return {
    lines: omitted.reduce<UnitLine[]>(
      (rest, { directive: name }) => replace(rest, name, [], 'kept-if-shared'),
      [...lines],
    ),
    omitted,
  };
}

/** A unit for this machine, from the unit that is shipped for the scope. */
export function renderUnit(shipped: string, plan: UnitPlan): RenderedUnit {
  const { scope, instance, systemdVersion, choices } = plan;
  let lines = parseUnit(shipped);
  if (instance !== null) lines = forInstance(lines, instance);
  lines = replace(lines, 'ExecStart', command(plan), 'kept');
  lines = replace(lines, 'TimeoutStopSec', stopTimeout(plan.stop), 'removed');
  if (systemdVersion >= notifyReloadVersion) {
    lines = replace(lines, 'Type', [directive('Type', 'notify-reload')], 'kept');
    lines = replace(lines, 'ExecReload', [], 'removed');
  }
  lines = replace(lines, 'User', user(plan), choices.runAs === null ? 'kept' : 'removed');
  if (choices.runAs !== null) {
    // Such a user may come from a directory service, which answers later.
    lines = replace(lines, 'RestartPreventExitStatus', [directive('RestartPreventExitStatus', '78')], 'kept');
  }
  if (plan.storeDirectory !== null) {
    const writable = directive('ReadWritePaths', quoteWord(plan.storeDirectory));
    lines = replace(lines, 'ProtectSystem', [directive('ProtectSystem', 'strict'), writable], 'kept');
  }
  const known = leaveOutUnknown(lines, plan);
  const edit = `systemctl ${scope === 'user' ? '--user ' : ''}edit ${unitName(instance)}`;
  const head = [
    comment(`To change something use a drop-in, which is kept: ${edit}`).text,
    choicesLine(choices),
  ];
  return { text: seal(`${head.join('\n')}\n${unitText(known.lines)}`), omitted: known.omitted };
}
