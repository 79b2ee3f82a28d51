import { runProgram } from '../../manager/program.js';
import type { Elapses } from './due.js';

/** systemd does not take the expression; the message says why. */
export class CalendarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CalendarError';
  }
}

/** Times in what `systemd-analyze calendar` prints, in seconds since the Unix epoch. */
export function elapsesIn(text: string): readonly number[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.flatMap((line, at) => {
    if (!/^(?:Next elapse|Iter(?:\.|ation) #\d+):/.test(line)) return [];
    // In another time zone than UTC the next line has it.
    const told = lines[at + 1]?.startsWith('(in UTC):') === true ? (lines[at + 1] ?? '') : line;
    const [, date, time] = /(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC$/.exec(told) ?? [];
    return date === undefined ? [] : [Date.parse(`${date}T${time}Z`) / 1_000];
  });
}

async function ask(calendar: string, from: number | null, count: number): Promise<readonly number[]> {
  const base = from === null ? [] : [`--base-time=@${from}`];
  const words = ['calendar', `--iterations=${count}`, ...base, '--', calendar];
  const { status, stdout, stderr } = await runProgram('systemd-analyze', words);
  if (status !== 0) throw new CalendarError(stderr.trim() || `systemd-analyze ended with ${status}`);
  return elapsesIn(stdout);
}

/** The next elapses. Throws a CalendarError, also if there is none, or a ProgramError. */
export async function nextElapses(calendar: string, count: number): Promise<readonly number[]> {
  const found = await ask(calendar, null, count);
  if (found.length === 0) throw new CalendarError(`${JSON.stringify(calendar)} never comes again`);
  return found;
}

const mostAtOnce = 500;
/** Spans in which the newest elapse is looked for, in seconds. */
const spans = [60, 3_600, 86_400, 32 * 86_400, 367 * 86_400];

/** Asks systemd for the elapses of the calendar. Rejects with a CalendarError or a ProgramError. */
export function elapsesOf(calendar: string): Elapses {
  const between = async (from: number, until: number): Promise<readonly number[]> => {
    const all: number[] = [];
    for (let base = from; base < until; ) {
      const found = await ask(calendar, base, mostAtOnce);
      const due = found.filter((time) => time > base && time <= until);
      all.push(...due);
      if (due.length < mostAtOnce) break;
      base = due.at(-1) ?? until;
    }
    return all;
  };
  return {
    between,
    newest: async (from, until) => {
      for (const span of spans) {
        const base = Math.max(from, until - span);
        const found = await between(base, until);
        if (found.length > 0 || base === from) return found.at(-1) ?? null;
      }
      return (await between(from, until)).at(-1) ?? null;
    },
  };
}
