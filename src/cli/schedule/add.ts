import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import type { z } from 'zod';
import { messageBody, sessionName } from '../../channels/http/request-schema.js';
import { writeAtomically } from '../../linux/files.js';
import { asOwnerOf } from '../../linux/owner.js';
import { ServiceManagerError } from '../../manager/service-manager.js';
import { shippedUnit } from '../../units/plan.js';
import { isScheduleName, scheduleService, scheduleTimer, scheduleUnits } from '../../units/schedule-units.js';
import { commandStatus } from '../command.js';
import { commandFor } from '../operate/find.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { CalendarError, nextElapses } from './calendar.js';
import type { Definition } from './files.js';
import { placeOf, ScheduleError } from './place.js';
import { removeSchedule } from './remove.js';

/** The number of elapses that are shown. */
const shownElapses = 5;

export interface Added {
  readonly name: string;
  readonly timer: string;
  /** The step that is left to do; null: none. */
  readonly warning: string | null;
  /** Seconds since the Unix epoch. */
  readonly next: readonly number[];
}

function replyTo(target: string | undefined): object {
  if (target === undefined) return {};
  if (/^https?:\/\//i.test(target)) return { reply_to: { url: target } };
  const [, channel, to] = /^([^:]+):(.+)$/s.exec(target) ?? [];
  return { reply_to: { channel: channel ?? '', to: to ?? '' } };
}

/** Reads the command line. Throws a UsageError. */
async function requestOf({ command, operands, values }: ParsedCommand) {
  const refuse = (message: string): never => {
    throw new UsageError(message, command.name);
  };
  const valid = <Type>(type: z.ZodType<Type>, value: unknown, what: string): Type => {
    const result = type.safeParse(value);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    const where = issue?.path[0] === 'reply_to' ? '--reply-to' : what;
    return refuse(`${where} ${issue?.message ?? 'can’t be used'}`);
  };
  const [, name, operand] = operands;
  const { session, 'on-calendar': calendar, 'reply-to': target } = values;
  if (name === undefined) return refuse('add needs NAME and TEXT');
  if (!isScheduleName(name)) {
    return refuse(`"${name}" is no name of a schedule: it takes 1 to 64 of letters, digits, "_" and "-"`);
  }
  if (operand === undefined) return refuse('add needs TEXT');
  if (calendar === undefined) return refuse('add needs --on-calendar, such as "Mon..Fri 08:00"');
  if (session === undefined) return refuse('add needs --session');
  if (target !== undefined && !/^[^:]+:./.test(target))
    return refuse('--reply-to needs CHANNEL:ADDRESS or a URL');
  const text = operand === '-' ? await textOf(process.stdin) : operand;
  if (text.trim() === '') return refuse('TEXT is empty');
  return {
    name,
    calendar,
    session: valid(sessionName, session, '--session'),
    message: valid(messageBody, { text, ...replyTo(target) }, 'TEXT'),
  };
}

async function elapses(calendar: string): Promise<readonly number[]> {
  try {
    return await nextElapses(calendar, shownElapses);
  } catch (error) {
    if (!(error instanceof CalendarError)) throw error;
    throw new ScheduleError(
      commandStatus.usage,
      `--on-calendar: ${error.message}. Such expressions are in systemd.time(7), "Calendar Events"`,
    );
  }
}

/** Writes the units and the file of a schedule, and starts its timer; takes all back if that fails. */
export async function add(parsed: ParsedCommand): Promise<Added> {
  const { name, calendar, session, message } = await requestOf(parsed);
  const place = await placeOf(parsed, true);
  const { manager, scope, instance, units, files } = place;
  const next = await elapses(calendar);
  const { timer, service } = scheduleUnits(instance, name);
  const plan = { ...place.plan, name, calendar };
  const texts = { [timer]: scheduleTimer(plan), [service]: scheduleService(shippedUnit(scope), plan) };
  const remove = commandFor(`schedule remove ${name}`, { scope, instance }, true);
  const taken = [timer, service].map((unit) => join(units, unit)).find(existsSync);
  const duplicate = (what: string) =>
    new ScheduleError(
      commandStatus.failure,
      `there is a schedule ${name} already (${what}); remove it first: ${remove}`,
    );
  if (taken !== undefined) throw duplicate(taken);
  const state = place.plan.directories.state;
  if (!existsSync(state)) {
    throw new ScheduleError(
      commandStatus.failure,
      `${state} is not there yet: the first start of the gateway makes it: ${commandFor('start', { scope, instance }, true)}`,
    );
  }
  const since = Math.floor(Date.now() / 1_000);
  const definition: Definition = { id: randomUUID(), calendar, since, session, message };
  try {
    files.add(name, definition);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw duplicate('its file is there');
    throw error;
  }
  try {
    for (const [unit, text] of Object.entries(texts)) writeAtomically(join(units, unit), text, 0o644);
    await manager.daemonReload();
    await manager.enable(timer);
    await manager.enable(service);
    const { status, stderr } = await manager.act('start', timer);
    if (status !== 0) throw new ServiceManagerError(`systemctl start ${timer}`, stderr.trim(), status);
  } catch (error) {
    await removeSchedule(place, name);
    throw error;
  }
  return { name, timer, next, warning: tokenWarning(state, service) };
}

/** The service reads the token as the gateway's user: a credential of another unit is closed to it. */
function tokenWarning(state: string, service: string): string | null {
  if (asOwnerOf(state, (directory) => existsSync(join(directory, 'token')))) return null;
  return `there is no token in ${state}: give ${service} the credential of the gateway's unit, by a drop-in with its LoadCredential=token:…`;
}
