import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { listeningUsers } from '../../channels/http/server/port-holder.js';
import { readProc } from '../../linux/process.js';
import { parseScannedProcess } from '../../linux/process-scan.js';
import { ProgramError } from '../../manager/program.js';
import { type Scope, ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { shellCommand } from '../../text/shell-words.js';
import { parseJson, parseJson5 } from './parse-files.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import { type Tree, textOf, treeAt, valueAt } from './tree.js';

export type OtherGateway = 'hermes' | 'openclaw';

/** A gateway that may poll the same bots, and the command that stops it. */
export interface RunningGateway {
  /** Says by what it was found. */
  readonly sign: string;
  readonly command: string;
}

/** Signs of a process of the other gateway, read as the owner of its directory. */
export interface OwnSigns {
  readonly owner: number;
  readonly userName: string;
  /** The process that it has written down, if it runs; null: none. */
  readonly pid: number | null;
  /** The port that it would listen at; null: none is known. */
  readonly port: number | null;
}

/** Reads the signs of the other gateway. A damaged one is none. */
export function readSigns(kind: OtherGateway, directory: SourceDirectory): OwnSigns {
  const { owner } = directory;
  const common = { owner, userName: userNameOf(owner) };
  if (kind === 'openclaw') return { ...common, pid: null, port: openClawPort(directory) };
  return { ...common, pid: hermesPid(directory), port: null };
}

function userNameOf(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    // It has no entry in passwd(5).
    return String(uid);
  }
}

function hermesPid(directory: SourceDirectory): number | null {
  const text = readOrNull(directory, 'gateway.pid')?.trim() ?? '';
  const record = /^\d+$/.test(text) ? { pid: Number(text) } : treeOrNull(text, parseJson);
  const pid = Number(textOf(valueAt(record ?? {}, 'pid')));
  if (!Number.isSafeInteger(pid) || pid < 2) return null;
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null || statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid !== directory.owner)
    return null;
  const started = textOf(valueAt(record ?? {}, 'start_time'));
  // Its number may have come to another process by now.
  const isSame = started === null || parseScannedProcess(stat)?.startTicks === Number(started);
  return isSame ? pid : null;
}

function openClawPort(directory: SourceDirectory): number {
  const settings = treeOrNull(readOrNull(directory, 'openclaw.json') ?? '', parseJson5) ?? {};
  const port = Number(textOf(valueAt(treeAt(settings, 'gateway'), 'port')) ?? '18789');
  return Number.isSafeInteger(port) ? port : 18_789;
}

function readOrNull(directory: SourceDirectory, name: string): string | null {
  try {
    return directory.read(name, 1_048_576);
  } catch (error) {
    if (error instanceof SourceError) return null;
    throw error;
  }
}

function treeOrNull(text: string, parse: (text: string, path: string) => Tree): Tree | null {
  try {
    return parse(text, '');
  } catch (error) {
    if (error instanceof SourceError) return null;
    throw error;
  }
}

/** Looks for the other gateway: a unit of the system or its owner that is up, its process, its port. Null: no sign of it. */
export async function findRunning(
  kind: OtherGateway,
  directory: string,
  signs: OwnSigns,
): Promise<RunningGateway | null> {
  const unit = unitOf(kind, directory);
  for (const scope of ['system', 'user'] as const) {
    const isOwn = scope === 'system' || process.getuid?.() === signs.owner;
    const manager = isOwn ? [] : ['--machine', `${signs.userName}@.host`];
    if (!(await isUp(scope, manager, unit))) continue;
    const options = scope === 'user' ? ['--user', ...manager] : [];
    return {
      sign: `${unit} is up`,
      command: shellCommand(['systemctl', ...options, 'disable', '--now', unit]),
    };
  }
  const stop = `${kind} gateway stop`;
  if (signs.pid !== null) return { sign: `its process ${signs.pid} runs`, command: stop };
  if (signs.port !== null && listeningUsers(signs.port, null).includes(signs.owner)) {
    return { sign: `${signs.userName} listens at its port ${signs.port}`, command: stop };
  }
  return null;
}

/** Each profile of Hermes has a unit of its own, and OpenClaw's profiles are directories with their names. */
function unitOf(kind: OtherGateway, directory: string): string {
  const name = basename(directory);
  const profile =
    kind === 'hermes'
      ? basename(dirname(directory)) === 'profiles' && name
      : /^\.openclaw-([\w-]+)$/.exec(name)?.[1];
  return profile ? `${kind}-gateway-${profile}.service` : `${kind}-gateway.service`;
}

async function isUp(scope: Scope, manager: readonly string[], unit: string): Promise<boolean> {
  try {
    const { stdout } = await new ServiceManager(scope).systemctl([...manager, 'is-active', unit]);
    return /^(?:active|activating|reloading)$/.test(stdout.trim());
  } catch (error) {
    // No such manager answers, so it runs no unit.
    if (error instanceof ProgramError || error instanceof ServiceManagerError) return false;
    throw error;
  }
}

/** The program of the other gateway, which is an agent as well; null: it is not found. */
export function findProgram(kind: OtherGateway, directory: string, path: string): string | null {
  const places = [
    ...path.split(':').filter((each) => each.startsWith('/')),
    join(dirname(directory), '.local/bin'),
    ...(kind === 'hermes'
      ? [join(directory, 'hermes-agent/venv/bin')]
      : [join(dirname(directory), '.npm-global/bin')]),
  ];
  const files = places.map((place) => join(place, kind));
  return files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? null;
}
