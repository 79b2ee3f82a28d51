import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError, type LoadedConfiguration } from '../../config/load.js';
import { storeOf as storeAt } from '../../doctor/facts/unit.js';
import { unitOf } from '../../doctor/facts.js';
import { isHealthy } from '../../doctor/finding.js';
import { history } from '../../doctor/history.js';
import { asOwnerOf } from '../../linux/owner.js';
import { mayReadJournal, readJournal, type UnitOfRecords } from '../../manager/journal.js';
import { ServiceManager } from '../../manager/service-manager.js';
import type { OfflineStore } from '../../store/store-kind.js';
import { errorMessage } from '../../text/failure-text.js';
import { driftHere } from '../../units/drift.js';
import { shippedUnit } from '../../units/plan.js';
import { programVersion } from '../../version.js';
import {
  configurationAt,
  type GatewayLocation,
  instanceOf,
  locateGateway,
  scopeOf,
} from '../client/locate.js';
import { look } from '../doctor.js';
import { logsMatches } from '../logs/request.js';
import { findUnit, type Target } from '../operate/find.js';
import type { UnitState } from '../operate/unit.js';
import { gather } from '../status/gather.js';
import { reportView } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import type { Redaction } from './redact.js';
import { redactedConfiguration } from './redact-configuration.js';
import { journalLine } from './redact-journal.js';
import { UnitRedaction } from './redact-unit.js';

/** A file of the archive. */
export interface Part {
  readonly file: string;
  /** One line for a person. */
  readonly contents: string;
  /** Rejects if it can't be had; the reason goes into the manifest. */
  readonly text: () => Promise<string>;
}

/** The newest records of the journal, at most. */
const mostRecords = 1_000;

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** All that goes into the archive. Each part is gathered by itself, so that one that fails leaves the others. */
export function partsOf(parsed: ParsedCommand, redaction: Redaction): readonly Part[] {
  const target: Target = { scope: scopeOf(parsed), instance: instanceOf(parsed) };
  const units = new UnitRedaction(redaction, [shippedUnit('system'), shippedUnit('user')]);
  return [
    {
      file: 'versions.json',
      contents: 'versions of the program, Node.js, systemd, the kernel, the distribution and SQLite',
      text: async () => json(await versions(parsed, redaction)),
    },
    {
      file: 'status.json',
      contents: 'what "status" shows',
      text: async () => json(redaction.value(await status(target, parsed)) as object),
    },
    {
      file: 'doctor.json',
      contents: 'the findings of "doctor"',
      text: async () => json(redaction.value(await doctor(parsed, target)) as object),
    },
    {
      file: 'configuration.toml',
      contents: 'the configuration in force, with numbers, times and choices',
      text: async () => {
        const { configuration, warnings } = configurationAt(await locateGateway(parsed));
        const notes = warnings.map((warning) => `# ${redaction.text(warning)}\n`).join('');
        return `${notes}${redactedConfiguration(configuration, redaction)}`;
      },
    },
    {
      file: 'unit.txt',
      contents: 'the unit and its drop-ins',
      text: async () => unitFiles(await loadedUnit(target, parsed), redaction, units),
    },
    {
      file: 'drift.txt',
      contents: 'how the unit differs from the one that this version writes',
      text: async () => drift(await loadedUnit(target, parsed), target, redaction, units),
    },
    {
      file: 'runs.json',
      contents: 'the last starts and stops, from the record of runs',
      text: async () => json({ runs: redaction.value(await runs(parsed)) }),
    },
    {
      file: 'journal.jsonl',
      contents: `the newest records of the unit in the journal, ${mostRecords} at most`,
      text: async () => journal(await loadedUnit(target, parsed), redaction),
    },
    {
      file: 'store.json',
      contents: 'counts of the store, and the sizes of its files',
      text: async () => json(reportView(await store(parsed))),
    },
  ];
}

/** ID and version of os-release(5); null: there is no such file. */
function distribution(): string | null {
  if (!existsSync('/etc/os-release')) return null;
  const text = readFileSync('/etc/os-release', 'utf8');
  const of = (name: string) => new RegExp(`^${name}="?([A-Za-z0-9._-]+)"?$`, 'm').exec(text)?.[1] ?? null;
  return [of('ID'), of('VERSION_ID')].filter((part) => part !== null).join(' ');
}

async function versions(parsed: ParsedCommand, redaction: Redaction): Promise<object> {
  return {
    program: programVersion(),
    node: process.versions.node,
    systemd: await orReason(new ServiceManager(scopeOf(parsed)).version(), redaction),
    kernel: /^[\d.]+/.exec(release())?.[0] ?? null,
    distribution: distribution(),
    store: await orReason(engineOf(parsed), redaction),
    machine: { arch: arch(), processors: availableParallelism(), memory_bytes: totalmem() },
  };
}

async function status(target: Target, { flags }: ParsedCommand): Promise<object> {
  const report = await gather(target, flags.has('user') || flags.has('system'));
  // The difference has a file of its own.
  const { drift: found } = report;
  return reportView({ ...report, drift: found === null ? null : { ...found, difference: '' } });
}

async function doctor(parsed: ParsedCommand, target: Target): Promise<object> {
  const { facts, found } = await look(parsed, { ...target, configuration: parsed.values['config'] ?? null });
  return reportView({
    healthy: isHealthy(found),
    unit: unitOf(facts)?.name ?? null,
    findings: found,
    history: history(facts),
  });
}

/** The unit that is in force, as "status" shows it. Throws an Error if there is none. */
async function loadedUnit(target: Target, { flags }: ParsedCommand): Promise<UnitState> {
  const found = await findUnit(target);
  const isNamed = flags.has('user') || flags.has('system');
  if (found.kind === 'unit' || (found.kind === 'elsewhere' && !isNamed)) return found.unit;
  throw new Error(found.trouble?.text ?? 'there is no unit of this gateway');
}

function unitFiles({ path, dropIns }: UnitState, redaction: Redaction, units: UnitRedaction): string {
  const files = [path, ...dropIns].filter((file) => file !== null);
  return files
    .map((file) => `# ${redaction.path(file)}\n${units.text(readFileSync(file, 'utf8'))}`)
    .join('\n');
}

async function drift(
  { scope, name }: UnitState,
  { instance }: Target,
  redaction: Redaction,
  units: UnitRedaction,
): Promise<string> {
  const found = await driftHere(new ServiceManager(scope), name, instance);
  if (found === null)
    return `# ${redaction.text('an instance of a template, which install does not write')}\n`;
  const { state, reason, difference } = found;
  const why = reason === null ? '' : `: ${redaction.text(reason)}`;
  return `# ${state}${why}\n${difference === '' ? '' : units.difference(difference)}`;
}

/** Null: it can't be used, which its own part of the archive says. */
function loadedOrNull(location: GatewayLocation): LoadedConfiguration | null {
  try {
    return configurationAt(location);
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

async function storeOf(
  parsed: ParsedCommand,
): Promise<{ readonly store: OfflineStore; readonly state: string }> {
  const location = await locateGateway(parsed);
  const { state } = location.directories;
  const found = storeAt(loadedOrNull(location), state);
  if (!found.known) throw new Error(found.why);
  return { store: found.value, state };
}

async function engineOf(parsed: ParsedCommand): Promise<string | null> {
  return (await (await storeOf(parsed)).store.describe?.())?.engine ?? null;
}

/** The reason in the place of what can't be had. */
async function orReason<Fact>(fact: Promise<Fact>, redaction: Redaction): Promise<Fact | string> {
  try {
    return await fact;
  } catch (error) {
    return redaction.text(`not known: ${errorMessage(error)}`);
  }
}

async function runs(parsed: ParsedCommand): Promise<readonly unknown[]> {
  const { store: found } = await storeOf(parsed);
  return ((await found.runs()) ?? []).map((run) => reportView(run));
}

async function store(parsed: ParsedCommand): Promise<object> {
  const { store: found, state } = await storeOf(parsed);
  const description = (await found.describe?.()) ?? null;
  return { ...description, files: asOwnerOf(state, filesIn) };
}

const ownFile =
  /^(?:gateway\.db(?:-wal|-shm)?|token|webhook-secret|lock|control\.sock|last-words\.json|fatal-signal)$/;

/** The gateway's files by their names, and the number of other entries, which may be of agents and people. */
function filesIn(directory: string): object {
  const names = readdirSync(directory);
  const own = names.filter((name) => ownFile.test(name));
  return {
    own: own.map((name) => {
      const { size, mode } = lstatSync(join(directory, name));
      return { name, sizeBytes: size, mode: (mode & 0o7777).toString(8).padStart(4, '0') };
    }),
    others: names.length - own.length,
  };
}

async function journal(unit: UnitState, redaction: Redaction): Promise<string> {
  const of: UnitOfRecords = { scope: unit.scope, name: unit.name, logNamespace: unit.logNamespace };
  const lines: string[] = [];
  const matches = logsMatches(of, { invocation: null, session: null, message: null, priority: null });
  const records = readJournal({ matches, namespace: unit.logNamespace, lines: mostRecords, reverse: true });
  for await (const record of records) lines.push(journalLine(record, redaction));
  if (lines.length === 0 && mayReadJournal(of) === false)
    throw new Error('this user may not read the journal');
  return lines.reverse().join('');
}
