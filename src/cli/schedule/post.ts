import { uptime } from 'node:os';
import { join } from 'node:path';
import { askFacts } from '../../channels/control/ask-facts.js';
import { postStatus } from '../../units/schedule-units.js';
import { askGateway, refused } from '../client/access.js';
import type { GatewayClient } from '../client/http.js';
import { directoriesOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { elapsesOf } from './calendar.js';
import { type Progress, withDue } from './due.js';
import { type Definition, ScheduleFiles } from './files.js';
import { ScheduleError } from './place.js';

/** When the timer started this service, in seconds: systemd.exec(5), since 252. Else the start of this process. */
function startedAt(): number {
  const triggered = Number(process.env['TRIGGER_TIMER_REALTIME_USEC'] ?? 0) / 1_000_000;
  return Math.floor(triggered > 0 ? triggered : performance.timeOrigin / 1_000);
}

/** Posts one elapse; null: the token is not the gateway's. */
async function postOne(
  client: GatewayClient,
  { id, session, message }: Definition,
  elapse: number,
): Promise<number | null> {
  const key = `schedule-${id}-${elapse}`;
  const path = `/v1/sessions/${encodeURIComponent(session)}/messages`;
  const answer = await client.post(path, message, { 'Idempotency-Key': key });
  if (answer.status === 401) return null;
  if (answer.status === 202) return commandStatus.success;
  refused(answer, 'the message');
  // A full queue, or a store out of order, is over some time.
  const isFinal =
    answer.status >= 400 && answer.status < 500 && ![408, 409, 425, 429].includes(answer.status);
  return isFinal ? postStatus.refused : postStatus.later;
}

/** Posts what is due of a schedule, one message for each elapse. The service of the schedule runs it. */
export async function post(parsed: ParsedCommand): Promise<number> {
  const [, name] = parsed.operands;
  if (name === undefined) throw new UsageError('post needs NAME', parsed.command.name);
  const { state, runtime } = directoriesOf(parsed);
  const files = new ScheduleFiles(state);
  const definition = files.read(name);
  if (definition === null) {
    throw new ScheduleError(commandStatus.configuration, `there is no schedule ${name} in ${state}`);
  }
  let progress: Progress = files.progress(name, definition);
  const look = async () => {
    const now = Math.floor(Date.now() / 1_000);
    const moment = { now, startedAt: startedAt(), bootedAt: Math.floor(now - uptime()) };
    const next = await withDue(progress, elapsesOf(definition.calendar), moment);
    if (next.last !== progress.last || next.pending.length !== progress.pending.length)
      files.record(name, next);
    progress = next;
  };
  await look();
  if (progress.pending.length === 0) {
    process.stdout.write(`Nothing of the schedule ${name} is due\n`);
    return commandStatus.success;
  }
  const answer = await askFacts(join(runtime, 'control.sock'));
  if (answer.outcome !== 'told' || answer.facts.listening.length === 0) {
    const why = answer.outcome === 'told' ? 'it does not listen yet' : answer.reason;
    process.stderr.write(
      `sd-gateway: the gateway can’t be reached (${why}); ${progress.pending.length} of ${name} wait for it\n`,
    );
    return postStatus.later;
  }
  return askGateway(parsed, async (client) => {
    for (let elapse = progress.pending[0]; elapse !== undefined; elapse = progress.pending[0]) {
      const status = await postOne(client, definition, elapse);
      if (status !== commandStatus.success) return status;
      progress = { ...progress, pending: progress.pending.slice(1) };
      files.record(name, progress);
      process.stdout.write(`Posted ${name} of ${new Date(elapse * 1_000).toISOString()}\n`);
      if (progress.pending.length === 0) await look();
    }
    return commandStatus.success;
  });
}
