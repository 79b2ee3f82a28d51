import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../config/load.js';
import { type ServiceManager, unitName } from '../manager/service-manager.js';
import { errorMessage } from '../text/failure-text.js';
import { dropInsOf, linkTarget, packagedUnit, unitDirectory } from './load-path.js';
import { planUnit, shippedUnit, type UnitTarget } from './plan.js';
import { renderUnit } from './render.js';
import { judge, readChoices, withoutHash } from './unit-text.js';

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** The shortest edit of one list of lines into the other, by their longest common subsequence. */
function editsOf(from: readonly string[], to: readonly string[]): Edit[] {
  // common[i][j]: the length of what from[i…] and to[j…] have in common.
  const common = Array.from({ length: from.length + 1 }, () => new Uint32Array(to.length + 1));
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = from.length - 1; i >= 0; i--) {
    const row = common[i] ?? new Uint32Array();
    for (let j = to.length - 1; j >= 0; j--)
      row[j] = from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      edits.push({ sign: ' ', line: from[i] ?? '' });
      i++;
      j++;
    } else if (i < from.length && (j === to.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ sign: '-', line: from[i++] ?? '' });
    } else {
      edits.push({ sign: '+', line: to[j++] ?? '' });
    }
  }
  return edits;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

const context = 3;

/** The unified difference of two texts, as `diff --unified` writes it; empty when they are alike. */
export function unifiedDifference(
  from: { readonly name: string; readonly text: string },
  to: { readonly name: string; readonly text: string },
): string {
  const edits = editsOf(linesOf(from.text), linesOf(to.text));
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - context), index + context + 1).some(({ sign }) => sign !== ' '),
  );
  const output: string[] = [];
  let [fromLine, toLine] = [1, 1];
  for (let index = 0; index < edits.length; ) {
    if (near[index] !== true) {
      fromLine++;
      toLine++;
      index++;
      continue;
    }
    const first = index;
    while (near[index] === true) index++;
    const hunk = edits.slice(first, index);
    const [fromCount, toCount] = ['+', '-'].map((other) => hunk.filter(({ sign }) => sign !== other).length);
    output.push(`@@ -${range(fromLine, fromCount ?? 0)} +${range(toLine, toCount ?? 0)} @@`);
    output.push(...hunk.map(({ sign, line }) => `${sign}${line}`));
    fromLine += fromCount ?? 0;
    toLine += toCount ?? 0;
  }
  return output.length === 0 ? '' : `--- ${from.name}\n+++ ${to.name}\n${output.join('\n')}\n`;
}

/** First line and number of lines of a hunk; one without lines names the line before it. */
function range(first: number, count: number): string {
  return `${count === 0 ? first - 1 : first},${count}`;
}

export type DriftState =
  /** The file is what this version would write. */
  | 'none'
  /** Written by install, of another version, systemd or configuration. */
  | 'drifted'
  /** Written by install and edited since. */
  | 'edited'
  /** At the place where install writes, by something else; a link (such as a mask) among them. */
  | 'foreign'
  /** Not where install writes, but the manager finds one elsewhere: a package's. */
  | 'packaged'
  /** Written by install; what it should be can't be said, for the `reason`. */
  | 'undecided'
  | 'not-installed';

export interface UnitDrift {
  readonly state: DriftState;
  /** The unit file; where it would be when there is none. */
  readonly path: string;
  /** From what is there to what this version would write; empty when alike, or not for us to write. */
  readonly difference: string;
  /** Files that add to the unit, in the order in which they apply. */
  readonly dropIns: readonly string[];
  /** The reason if it is undecided; else null. */
  readonly reason: string | null;
}

/** A unit file that is installed. */
export interface InstalledUnit {
  readonly path: string;
  /** The file's text; null if there is no file. */
  readonly text: string | null;
  /** The target of a link in the unit's place; null if there is no link. */
  readonly link: string | null;
}

/** Reads the file where install writes it. Throws what the file system says, except that there is none. */
export function readInstalled(target: UnitTarget): InstalledUnit {
  const path = join(unitDirectory(target), unitName(target.instance));
  const link = linkTarget(path);
  if (link !== null || !existsSync(path)) return { path, text: null, link };
  return { path, text: readFileSync(path, 'utf8'), link };
}

/** Compares the installed unit of an instance with what this version would write with the same choices. */
export function unitDrift(target: UnitTarget): UnitDrift {
  const unit = unitName(target.instance);
  const { path, text, link } = readInstalled(target);
  const dropIns = dropInsOf(target, unit);
  const found = (state: DriftState, difference = '', reason: string | null = null): UnitDrift => ({
    state,
    path,
    difference,
    dropIns,
    reason,
  });
  if (link !== null) return found('foreign');
  if (text === null) {
    const elsewhere = packagedUnit(target, unit);
    return elsewhere === null ? found('not-installed') : { ...found('packaged'), path: elsewhere };
  }
  const installed = readChoices(text);
  // A Node.js that is gone would be replaced by the one that runs here.
  const choices =
    installed === null || existsSync(installed.node) ? installed : { ...installed, node: process.execPath };
  const ownership = judge(text);
  if (ownership === 'foreign' || choices === null)
    return found(ownership === 'edited' ? 'edited' : 'foreign');
  let wanted: string;
  try {
    wanted = renderUnit(shippedUnit(target.scope), planUnit(target, choices)).text;
  } catch (error) {
    const isExpected =
      error instanceof ConfigurationError || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    const reason = errorMessage(error);
    return found(ownership === 'edited' ? 'edited' : 'undecided', '', reason);
  }
  const difference = unifiedDifference(
    { name: `${path} (as it is)`, text: withoutHash(text) },
    { name: `${path} (as this version writes it)`, text: withoutHash(wanted) },
  );
  if (ownership === 'edited') return found('edited', difference);
  return found(text === wanted ? 'none' : 'drifted', difference);
}

export type Drift = Pick<UnitDrift, 'state' | 'difference' | 'reason'>;

/**
 * Compares the installed unit with what this version would write for this person; null for an instance of a template,
 * which install doesn’t write. A file that this user may not read leaves it undecided.
 */
export async function driftHere(
  manager: ServiceManager,
  name: string,
  instance: string | null,
): Promise<Drift | null> {
  if (name !== unitName(instance)) return null;
  const systemdVersion = await manager.version();
  try {
    return unitDrift({
      scope: manager.scope,
      instance,
      home: homedir(),
      environment: process.env,
      systemdVersion,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return { state: 'undecided', difference: '', reason: (error as Error).message };
  }
}
