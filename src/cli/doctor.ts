import { resolve } from 'node:path';
import { applyFix, examine, type Mended } from '../doctor/examine.js';
import { type DoctorFacts, unitOf } from '../doctor/facts.js';
import { type Finding, type FindingVerdict, type Fix, findings, isHealthy } from '../doctor/finding.js';
import { type DoctorTarget, gather } from '../doctor/gather.js';
import { history } from '../doctor/history.js';
import { counted } from '../text/counted.js';
import { instanceOf, scopeOf } from './client/locate.js';
import { commandStatus } from './command.js';
import { startProblems } from './operate/start-problems.js';
import { printable, reportLine, type Style, type Terminal, terminalOf } from './terminal.js';
import type { ParsedCommand } from './usage.js';

const labels: Readonly<Record<FindingVerdict, readonly [label: string, style: Style]>> = {
  ok: ['ok', 'green'],
  warning: ['warning', 'yellow'],
  problem: ['problem', 'red'],
  'not-applicable': ['–', 'dim'],
  unknown: ['unknown', 'yellow'],
};
const labelWidth = 9;

function findingLines({ verdict, check, text, mend }: Finding, terminal: Terminal): string[] {
  const [label, style] = labels[verdict];
  const lines = [
    `  ${terminal.paint(style, label.padEnd(labelWidth))}${terminal.paint('bold', check)}: ${printable(text)}`,
  ];
  if (mend !== null) {
    const command = mend.command === null ? '' : ` ${terminal.paint('bold', printable(mend.command))}`;
    lines.push(`  ${' '.repeat(labelWidth)}→ ${printable(mend.text)}${command}`);
  }
  return lines;
}

/** True for a unit whose gateway answers already, and has not told systemd that it is ready. */
function isStarting(facts: DoctorFacts): boolean {
  return unitOf(facts)?.properties['ActiveState'] === 'activating';
}

/** A gateway that is down or not ready yet answers nobody, however sound all else is. */
function isRunning(facts: DoctorFacts): boolean {
  return facts.gateway.outcome !== 'absent' && !isStarting(facts);
}

function report(facts: DoctorFacts, found: readonly Finding[], terminal: Terminal): string {
  const lines: string[] = [];
  let group = '';
  for (const finding of found) {
    if (finding.group !== group) {
      group = finding.group;
      lines.push(terminal.paint('bold', group));
    }
    lines.push(...findingLines(finding, terminal));
    if (finding.check === 'last starts and stops') {
      for (const { at, text } of history(facts)) {
        const time = new Date(at).toLocaleString('sv-SE');
        lines.push(`  ${' '.repeat(labelWidth)}${terminal.paint('dim', time)} ${printable(text)}`);
      }
    }
  }
  const count = (verdict: FindingVerdict) => found.filter((finding) => finding.verdict === verdict).length;
  const healthy = isHealthy(found);
  const isThere = isRunning(facts);
  const word = !healthy
    ? 'Not healthy'
    : isThere
      ? 'Healthy'
      : `Nothing wrong, but the gateway is ${isStarting(facts) ? 'still starting' : 'not running'}`;
  const counts = `${counted(count('problem'), 'problem')}, ${counted(count('warning'), 'warning')}, ${count('unknown')} unknown`;
  lines.push('', terminal.paint(healthy ? (isThere ? 'green' : 'yellow') : 'red', `${word}: ${counts}`));
  return `${lines.join('\n')}\n`;
}

async function mendAll(found: readonly Finding[], target: DoctorTarget): Promise<readonly Mended[]> {
  const fixes = found
    .filter(({ verdict }) => verdict === 'problem' || verdict === 'warning')
    .map(({ mend }) => mend?.fix ?? null)
    .filter((fix): fix is Fix => fix !== null);
  const mended: Mended[] = [];
  for (const fix of fixes) mended.push(await applyFix(fix, target.scope));
  return mended;
}

/** Looks at everything. Nothing is healthy whose next start is known to fail: what `restart` refuses is told, too. */
export async function look(parsed: ParsedCommand, target: DoctorTarget) {
  const { configuration } = target;
  // The unit, and whoever reads the finding, have another working directory.
  const facts = await gather({
    ...target,
    configuration: configuration === null ? null : resolve(configuration),
  });
  const found = examine(facts);
  // One failure is counted once. The state of the unit alone does not say why it has failed.
  const isUp = facts.gateway.outcome === 'told';
  const isSound = !found.some(({ verdict, check }) => verdict === 'problem' && (isUp || check !== 'state'));
  const problems = isSound && unitOf(facts) !== null ? await startProblems(parsed) : [];
  const say = findings('running', 'next start');
  return { facts, found: [...found, ...problems.map((problem) => say('problem', problem.trim()))] };
}

/** Looks, with --fix mends and looks again, and says what it found. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const target: DoctorTarget = {
    scope: scopeOf(parsed),
    instance: instanceOf(parsed),
    configuration: parsed.values['config'] ?? null,
  };
  let { facts, found } = await look(parsed, target);
  let mended: readonly Mended[] = [];
  if (parsed.flags.has('fix')) {
    mended = await mendAll(found, target);
    if (mended.length > 0) {
      ({ facts, found } = await look(parsed, target));
    }
  }
  if (parsed.flags.has('json')) {
    const unit = unitOf(facts)?.name ?? null;
    process.stdout.write(
      reportLine({
        healthy: isHealthy(found) && isRunning(facts),
        running: isRunning(facts),
        unit,
        scope: target.scope,
        mended,
        findings: found,
        history: history(facts),
      }),
    );
  } else {
    for (const { done, text } of mended)
      process.stdout.write(`${done ? 'Mended' : 'Not mended'}: ${printable(text)}\n`);
    if (parsed.flags.has('fix') && mended.length === 0)
      process.stdout.write('There is nothing to mend by itself.\n');
    process.stdout.write(report(facts, found, terminalOf(parsed)));
  }
  return isHealthy(found) ? commandStatus.success : commandStatus.failure;
}
