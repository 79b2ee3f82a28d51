import { ProgramError } from '../../manager/program.js';
import { ServiceManagerError } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { UnitValueError } from '../../units/unit-text.js';
import { commandStatus } from '../command.js';
import { formatTime } from '../status/report.js';
import { printable, reportLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import { add } from './add.js';
import { type ListedSchedule, list } from './list.js';
import { placeOf, ScheduleError } from './place.js';
import { post } from './post.js';
import { removeSchedule } from './remove.js';

const actions = ['list', 'add', 'remove', 'post'] as const;

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.map(printable).join('\n')}\n`);
}

function linesOf({ name, session, calendar, next, last, waiting, result, state, trouble }: ListedSchedule) {
  const time = (at: number | null) => (at === null ? '–' : formatTime(at));
  const backlog = waiting === null || waiting === 0 ? '' : `, ${waiting} waiting`;
  return [
    `${name}: ${calendar ?? '?'}, session ${session ?? '?'}${state === 'active' ? '' : `, timer ${state}`}`,
    `  next ${time(next)}, last ${time(last)}: ${result ?? 'not run since the boot'}${backlog}`,
    ...(trouble === null ? [] : [`  ${trouble}`]),
  ];
}

async function perform(parsed: ParsedCommand): Promise<number> {
  const asJson = parsed.flags.has('json');
  const action = actionOf(parsed, actions, 'list');
  const [, name] = parsed.operands;
  switch (action) {
    case 'post':
      return post(parsed);
    case 'add': {
      const { next, ...added } = await add(parsed);
      if (added.warning !== null) process.stderr.write(`sd-gateway: ${printable(added.warning)}\n`);
      const times = next.map((time) => time * 1_000);
      if (asJson) {
        process.stdout.write(
          reportLine({ ...added, next: times.map((time) => new Date(time).toISOString()) }),
        );
      } else say(`Added ${added.timer}; it posts at`, ...times.map((time) => `  ${formatTime(time)}`));
      return commandStatus.success;
    }
    case 'remove': {
      if (name === undefined) throw new UsageError('remove needs NAME', parsed.command.name);
      const removed = await removeSchedule(await placeOf(parsed, true), name);
      if (removed.length === 0)
        throw new ScheduleError(commandStatus.failure, `there is no schedule ${name}`);
      if (asJson) process.stdout.write(reportLine({ name, removed }));
      else say(...removed.map((path) => `Removed ${path}`));
      return commandStatus.success;
    }
    case 'list': {
      const found = await list(await placeOf(parsed, false));
      const shown = found.map(({ next, last, ...rest }) => ({
        ...rest,
        next: next === null ? null : new Date(next).toISOString(),
        last: last === null ? null : new Date(last).toISOString(),
      }));
      if (asJson) process.stdout.write(reportLine({ schedules: shown }));
      else say(...(found.length === 0 ? ['There is no schedule'] : found.flatMap(linesOf)));
      return commandStatus.success;
    }
  }
}

/** Adds, lists or removes schedules, or posts what is due of one. */
export async function schedule(parsed: ParsedCommand): Promise<number> {
  try {
    return await perform(parsed);
  } catch (error) {
    const isExpected =
      error instanceof ScheduleError ||
      error instanceof ServiceManagerError ||
      error instanceof ProgramError ||
      error instanceof UnitValueError ||
      (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    process.stderr.write(`sd-gateway: ${printable(errorMessage(error))}\n`);
    return error instanceof ScheduleError ? error.status : commandStatus.failure;
  }
}
