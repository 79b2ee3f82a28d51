import { ProgramError } from '../../manager/program.js';
import { ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { instanceOf, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { reportLine } from '../json.js';
import { commandFor, managerTrouble } from '../operate/find.js';
import { readUnit } from '../operate/unit.js';
import { printable, terminalOf } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { gather } from './gather.js';
import { statusOf, verdictOf } from './report.js';
import { statusTable } from './table.js';
import { statusText } from './text.js';

const pattern = 'sd-gateway*.service';

/** A line for each unit of the scope. */
async function showAll(parsed: ParsedCommand): Promise<number> {
  const scope = scopeOf(parsed);
  if (parsed.values['instance'] !== undefined) {
    throw new UsageError('--all and --instance exclude each other', parsed.command.name);
  }
  const manager = new ServiceManager(scope);
  try {
    const names = await manager.unitsMatching(pattern);
    const units = await Promise.all(names.map((name) => readUnit(manager, name)));
    if (parsed.flags.has('json')) process.stdout.write(reportLine({ units }));
    else if (units.length > 0) process.stdout.write(statusTable(units, Date.now(), terminalOf(parsed)));
    else {
      process.stderr.write(
        `sd-gateway: no unit ${pattern} here. To install one: ${commandFor('install', { scope, instance: null }, true)}\n`,
      );
    }
    // The worst of them; none at all is no unit.
    const statuses = units.map((unit) => statusOf(verdictOf(unit, false, true)));
    if (statuses.length === 0) return commandStatus.noUnit;
    if (statuses.includes(commandStatus.failure)) return commandStatus.failure;
    return Math.max(...statuses);
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof ServiceManagerError)) throw error;
    const { text, next } = managerTrouble(scope, error);
    process.stderr.write(`sd-gateway: ${printable(text)}.${next === null ? '' : ` ${next}`}\n`);
    return commandStatus.noUnit;
  }
}

/** Shows how the gateway is. */
export async function run(parsed: ParsedCommand): Promise<number> {
  if (parsed.flags.has('all')) return showAll(parsed);
  const target = { scope: scopeOf(parsed), instance: instanceOf(parsed) };
  const report = await gather(target, parsed.flags.has('user') || parsed.flags.has('system'));
  process.stdout.write(
    parsed.flags.has('json') ? reportLine(report) : statusText(report, terminalOf(parsed)),
  );
  return statusOf(report.verdict);
}
