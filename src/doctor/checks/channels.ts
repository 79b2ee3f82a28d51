import type { ChannelFacts, RetriedFacts, WaitingHost } from '../../channels/control/facts.js';
import { counted } from '../../text/counted.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { type DoctorFacts, gatewayCommand } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

/** A channel that is still connecting after so long is worth a look, in ms. */
const usualConnectMs = 60_000;

/** So many failed attempts at one reply are more than a hiccup of its receiver. */
const tellingAttempts = 3;

/** Checks that messages come by each channel of the configuration. */
export function checkChannels(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'channels');
  const { gateway } = facts;
  if (gateway.outcome === 'absent') return [say('not-applicable', 'The gateway is not running')];
  const channels = gateway.outcome === 'told' ? gateway.facts.channels : undefined;
  if (channels === undefined) return [say('unknown', 'The gateway doesn’t say.')];
  if (channels.length === 0) return [say('not-applicable', 'The configuration has none')];
  const found = channels.flatMap((channel) => checkChannel(facts, channel) ?? []);
  if (found.length > 0) return found;
  return [say('ok', `Up: ${channels.map(({ name, isolated }) => `${name}${placeOf(isolated)}`).join(', ')}`)];
}

/** Gives null if there is nothing to say of it. */
function checkChannel(
  facts: DoctorFacts,
  { name, isolated, state, since, reason }: ChannelFacts,
): Finding | null {
  const say = findings('running', 'channels');
  const forMs = Math.max(0, facts.at - since);
  if (state === 'up' || (state === 'starting' && forMs < usualConnectMs)) return null;
  const why = reason === null ? '.' : `: ${reason}`;
  const text = `The channel "${name}"${placeOf(isolated)} is ${state}, for ${formatTimeSpan(forMs)} by now${why}`;
  const how = mend(
    state === 'down'
      ? 'Mend that; the gateway tries it again by itself. See its records:'
      : 'See its records:',
    gatewayCommand(facts, 'logs --priority warning'),
  );
  return say(state === 'down' ? 'problem' : 'warning', text, how);
}

/** It is shown where messages come by, as its process can be looked at by itself. */
function placeOf(isolated = false): string {
  return isolated ? ' (isolated)' : '';
}

/** Checks that replies get to their receivers. */
export function checkDeliveries(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'deliveries');
  const { gateway } = facts;
  if (gateway.outcome === 'absent') return [say('not-applicable', 'The gateway is not running')];
  if (gateway.outcome !== 'told') return [say('unknown', 'The gateway doesn’t say.')];
  const { waitingHosts, work } = gateway.facts;
  const retried = gateway.facts.retriedReplies ?? [];
  const hosts = waitingHosts.map((host) =>
    checkHost(
      facts,
      host,
      retried.find(({ origin }) => origin === host.origin),
    ),
  );
  const others = retried.filter(
    ({ origin, attempts }) =>
      attempts >= tellingAttempts && waitingHosts.every((host) => host.origin !== origin),
  );
  const found = [...hosts, ...others.map((replies) => checkRetried(facts, replies))];
  if (found.length > 0) return found;
  if (work === null) return [say('unknown', 'The gateway doesn’t say.')];
  const waiting =
    work.undelivered === 0 ? 'No reply waits' : `${counted(work.undelivered, 'reply', 'replies')} to deliver`;
  const again = retried.reduce((sum, { replies }) => sum + replies, 0);
  return [say('ok', again === 0 ? waiting : `${waiting}, ${again} of them tried again`)];
}

function checkHost(
  facts: DoctorFacts,
  { origin, state, failures, until }: WaitingHost,
  retried: RetriedFacts | undefined,
): Finding {
  const say = findings('running', 'deliveries');
  const next =
    until === null ? 'one is tried now' : `the next try in ${formatTimeSpan(Math.max(0, until - facts.at))}`;
  if (state === 'held') {
    return say('warning', `${origin} has asked for time (Retry-After): its replies wait, ${next}.`);
  }
  const why = retried === undefined ? '.' : `: ${retried.reason}`;
  const text = `${failures} attempts to deliver to ${origin} failed in a row, and its replies wait, ${next}${why}`;
  return say('problem', text, receiverMend(facts));
}

function checkRetried(
  facts: DoctorFacts,
  { origin, replies, attempts, since, reason }: RetriedFacts,
): Finding {
  const say = findings('running', 'deliveries');
  const span = formatTimeSpan(Math.max(0, facts.at - since));
  const text = `${counted(replies, 'reply', 'replies')} to ${origin} can’t be delivered for ${span} by now, after up to ${attempts} attempts: ${reason}`;
  return say('problem', text, receiverMend(facts));
}

function receiverMend(facts: DoctorFacts) {
  return mend(
    'Mend the receiver; the replies follow by themselves. See each attempt:',
    gatewayCommand(facts, 'logs --priority warning'),
  );
}
