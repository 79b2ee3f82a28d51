import type { ConnectionFacts } from '../../channels/http/server/connections.js';
import type { RunRecord } from '../../store/open-store.js';
import { counted } from '../../text/counted.js';
import { formatExactTimeSpan, parseTimeSpanProperty } from '../../text/time-span.js';
import {
  type ConfigurationFacts,
  type DoctorFacts,
  gatewayCommand,
  type HistoryEvent,
  systemctl,
  type UnitFacts,
  unitOf,
} from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';
import { history } from '../history.js';
import { missingRecords } from './journal.js';

/** Durations of the last starts until READY=1, in ms. */
export function startDurations(events: readonly HistoryEvent[]): readonly number[] {
  return events.flatMap((event) => {
    if (event.kind !== 'started') return [];
    const begin = events.findLast(
      ({ kind, invocation, at }) => kind === 'starting' && invocation === event.invocation && at <= event.at,
    );
    return begin === undefined ? [] : [event.at - begin.at];
  });
}

function checkStart(facts: DoctorFacts, limit: number | null, unit: string): Finding {
  const say = findings('running', 'time to ready');
  const events = facts.journal.known ? facts.journal.value.events : [];
  const durations = startDurations(events).slice(-10);
  const missing = missingRecords(facts);
  if (durations.length === 0 && missing !== null) return say('unknown', missing.why);
  if (durations.length === 0 || limit === null) return say('not-applicable', 'No start is in the journal');
  // A start that waits lengthens its limit (EXTEND_TIMEOUT_USEC=): what came to its end beyond the limit was in no danger.
  const bounded = durations.filter((duration) => duration <= limit);
  if (bounded.length === 0) {
    return say('ok', `The last starts waited, and lengthened TimeoutStartSec=${formatExactTimeSpan(limit)}`);
  }
  const longest = Math.max(...bounded);
  const text = `at most ${formatExactTimeSpan(longest)} in the last ${bounded.length === 1 ? 'start' : `${bounded.length} starts`}; TimeoutStartSec=${formatExactTimeSpan(limit)}`;
  return longest > limit / 2
    ? say(
        'warning',
        `${text}: more than half of it.`,
        mend('Set a longer TimeoutStartSec= in [Service]:', systemctl(facts, `edit ${unit}`)),
      )
    : say('ok', text);
}

/**
 * Counts the runs that were ready, and that systemd ended as their stop took too long. One that has a record of its stop
 * came to its end: RuntimeMaxSec= has the same result.
 */
function cutOffStops(events: readonly HistoryEvent[], runs: readonly RunRecord[]): number {
  const whole = runs.filter(({ stop }) => stop !== null).map(({ invocationId }) => invocationId);
  const ready = events
    .filter(({ kind, invocation }) => kind === 'started' && !whole.includes(invocation))
    .map(({ invocation }) => invocation);
  return events.filter(
    ({ kind, text, invocation }) =>
      kind === 'failed' && text.includes("'timeout'") && invocation !== null && ready.includes(invocation),
  ).length;
}

function checkStop(facts: DoctorFacts, limit: number | null, unit: UnitFacts): Finding {
  const say = findings('running', 'time to stop');
  if (limit === null) return say('unknown', 'TimeoutStopSec= is not known');
  const drain = facts.configuration.known ? facts.configuration.value.drain : null;
  const edit = systemctl(facts, `edit ${unit.name}`);
  const drains = facts.journal.known ? facts.journal.value.drains.slice(-10) : [];
  // RuntimeMaxSec= has the same result, and cuts nothing off.
  const hasEnd = (unit.properties['RuntimeMaxUSec'] ?? 'infinity') !== 'infinity';
  const cutOff =
    hasEnd || !facts.journal.known
      ? 0
      : cutOffStops(facts.journal.value.events, facts.runs.known ? facts.runs.value : []);
  if (cutOff > 0) {
    return say(
      'warning',
      `${cutOff} of the last ${counted(drains.length + cutOff, 'stop')} took longer than TimeoutStopSec=${formatExactTimeSpan(limit)}, and systemd cut the running turns off by SIGKILL.`,
      mend('See what went before, and look at the check "kill":', gatewayCommand(facts, 'logs --lines 200')),
    );
  }
  if (drain !== null && drain >= limit) {
    return say(
      'warning',
      `stop.drain (${formatExactTimeSpan(drain)}) is not covered by TimeoutStopSec=${formatExactTimeSpan(limit)}: the gateway asks for more time at each stop, but a daemon-reload meanwhile has systemd 252 forget that, and kill it.`,
      mend(
        `Set TimeoutStopSec=${Math.ceil(drain / 1_000) + 30} in [Service], or a shorter stop.drain:`,
        edit,
      ),
    );
  }
  const missing = missingRecords(facts);
  if (drains.length === 0 && missing !== null) return say('unknown', missing.why);
  const longest = Math.max(0, ...drains);
  const text =
    drains.length === 0
      ? `No stop is in the journal; TimeoutStopSec=${formatExactTimeSpan(limit)}`
      : `at most ${formatExactTimeSpan(longest)} in the last ${drains.length === 1 ? 'stop' : `${drains.length} stops`}; TimeoutStopSec=${formatExactTimeSpan(limit)}`;
  return longest > limit
    ? say('warning', `Draining took ${text}.`, mend('Set a longer TimeoutStopSec= in [Service]:', edit))
    : say('ok', text);
}

/** The time that `docker stop`, `podman stop` and Compose give by default, in ms. */
const containerStopTimeoutMs = 10_000;

/** In a container nobody tells the time that a stop may take. */
function checkContainerStop({ supervisor, drain }: ConfigurationFacts): readonly Finding[] {
  const say = findings('running', 'time to stop');
  const given = `"docker stop" gives ${formatExactTimeSpan(containerStopTimeoutMs)} by default`;
  const text = `stop.drain is ${formatExactTimeSpan(drain)}, and ${given}`;
  const found =
    drain < containerStopTimeoutMs
      ? say('ok', text)
      : say(
          'warning',
          `${text}: a longer turn ends by SIGKILL then, and the next start runs it again.`,
          mend(
            'Give it more time (Compose: stop_grace_period, Kubernetes: terminationGracePeriodSeconds), or set a shorter stop.drain:',
            `docker run --stop-timeout ${Math.ceil(drain / 1_000) + 30}`,
          ),
        );
  if (supervisor === 'container') return [found];
  return [
    found,
    findings('running', 'supervisor')(
      'warning',
      'The gateway is PID 1, as in a container, and takes the SIGTERM of the container’s runtime for a kill by somebody else.',
      mend('Set supervisor = "container" in the configuration, and restart the gateway.'),
    ),
  ];
}

export function checkTiming(facts: DoctorFacts): readonly Finding[] {
  const { configuration, gateway } = facts;
  if (configuration.known) {
    const isFirst = gateway.outcome === 'told' && gateway.facts.pid === 1;
    if (isFirst || configuration.value.supervisor === 'container')
      return checkContainerStop(configuration.value);
  }
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  return [
    checkStart(facts, parseTimeSpanProperty(unit.properties['TimeoutStartUSec']), unit.name),
    checkStop(facts, parseTimeSpanProperty(unit.properties['TimeoutStopUSec']), unit),
  ];
}

export function checkWatchdog(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('running', 'watchdog');
  const { WatchdogUSec, WatchdogTimestampMonotonic, ActiveState } = unit.properties;
  const every = parseTimeSpanProperty(WatchdogUSec);
  const isNone = every === null || every === 0 || every === Number.POSITIVE_INFINITY;
  if (isNone && ActiveState !== 'active') {
    return [say('not-applicable', 'systemd tells it of a running unit only')];
  }
  if (every === null || every === 0 || every === Number.POSITIVE_INFINITY) {
    return [
      say(
        'warning',
        'The unit has none: a gateway that hangs stays as it is.',
        mend('Set WatchdogSec=30 in [Service]:', systemctl(facts, `edit ${unit.name}`)),
      ),
    ];
  }
  const stalls = facts.journal.known ? facts.journal.value.events.filter(({ kind }) => kind === 'stall') : [];
  const last = stalls.at(-1);
  if (last !== undefined) {
    return [
      say(
        'warning',
        `Every ${formatExactTimeSpan(every)}; it was held back ${stalls.length} times, last: ${last.text}`,
        mend('See what went before:', gatewayCommand(facts, 'logs --priority warning')),
      ),
    ];
  }
  if (ActiveState !== 'active')
    return [say('ok', `Every ${formatExactTimeSpan(every)}; the gateway is not running`)];
  const fed = Number(WatchdogTimestampMonotonic ?? 0) / 1_000;
  const since = unit.askedAt - fed;
  if (fed > 0 && since > every / 2 + 1_000) {
    return [
      say(
        'problem',
        `Every ${formatExactTimeSpan(every)}; the last sign of life was ${formatExactTimeSpan(since)} ago: the gateway hangs.`,
        mend('See at what:', systemctl(facts, `status ${unit.name}`)),
      ),
    ];
  }
  return [
    say(
      'ok',
      `Every ${formatExactTimeSpan(every)}; the last sign of life was ${formatExactTimeSpan(Math.max(0, since))} ago`,
    ),
  ];
}

/** A delay of the event loop that clients feel, in ms. */
const noticeableDelay = 1_000;

function boundReached({ bound, withoutToken }: ConnectionFacts): string {
  return `Connections are at their bound of ${bound}, ${withoutToken} of them without the token: those that rest are closed for new ones.`;
}

const ss = mend('Look for who opens so many, or raise LimitNOFILE=:', 'ss --processes --tcp');

/** Checks that each part of a running gateway gets on, by the gateway's own facts. */
export function checkParts(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'parts');
  const { gateway } = facts;
  const isActive = unitOf(facts)?.properties['ActiveState'] === 'active';
  switch (gateway.outcome) {
    case 'absent':
      return isActive
        ? [say('problem', gateway.reason, mend('See why:', gatewayCommand(facts, 'logs')))]
        : [say('not-applicable', 'The gateway is not running')];
    case 'forbidden':
      return [say('unknown', gateway.reason, mend('Ask as root, or as the user that it runs as.'))];
    case 'unanswered':
      return [say('problem', gateway.reason, mend('See why:', gatewayCommand(facts, 'logs')))];
    case 'told': {
      const { parts, trouble, eventLoopDelay } = gateway.facts;
      const stalled = parts.filter((part) => part.stalled).map(({ name }) => name);
      const logs = mend('See why:', gatewayCommand(facts, 'logs --priority warning'));
      if (stalled.length > 0) {
        return [say('problem', `No progress in: ${stalled.join(', ')}; the watchdog is about to act.`, logs)];
      }
      if (trouble !== null) return [say('problem', trouble, logs)];
      const held = (gateway.facts.agents ?? []).filter(({ state }) => state === 'held');
      if (held.length > 0) {
        return held.map(({ name, reason }) =>
          say('problem', `The agent "${name}" can’t be started, so its messages wait: ${reason}`, logs),
        );
      }
      if (gateway.facts.connections?.reached)
        return [say('warning', boundReached(gateway.facts.connections), ss)];
      const late = `the event loop was at most ${Math.round(eventLoopDelay.max)} ms late`;
      if (eventLoopDelay.max > noticeableDelay) {
        return [say('warning', `All get on, but ${late}.`, mend('Look for a lack of processor time.'))];
      }
      return [say('ok', `All get on (${parts.map(({ name }) => name).join(', ')}); ${late}`)];
    }
  }
}

/** Checks for messages that are dead: each waits for an operator. */
export function checkDeadLetters(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'dead letters');
  const { gateway } = facts;
  if (gateway.outcome === 'absent') return [say('not-applicable', 'The gateway is not running')];
  const work = gateway.outcome === 'told' ? gateway.facts.work : null;
  if (work === null) return [say('unknown', 'The gateway doesn’t say.')];
  if (work.dead === 0) return [say('ok', 'There is none')];
  const count = work.dead === 1 ? '1 message is dead' : `${work.dead} messages are dead`;
  return [
    say(
      'warning',
      `${count}: they were not answered, or their reply was not delivered.`,
      mend(
        'See why; "dead retry" tries them again, "dead discard" gives them up:',
        gatewayCommand(facts, 'dead'),
      ),
    ),
  ];
}

export function checkHistory(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'last starts and stops');
  const events = history(facts);
  if (events.length === 0) {
    const missing = missingRecords(facts);
    return [
      missing === null
        ? say('not-applicable', 'None is on record')
        : say('unknown', missing.why, missing.mend),
    ];
  }
  const bad = events.filter(({ kind }) => kind !== 'started' && kind !== 'stop');
  const starts = events.filter(({ kind }) => kind === 'started').length;
  const last = bad.at(-1);
  if (last !== undefined) {
    return [
      say(
        'warning',
        `${bad.length} of the last ${events.length} were failures, crashes or kills by others; the newest: ${last.text}`,
        mend('See what went before:', gatewayCommand(facts, 'logs --lines 200')),
      ),
    ];
  }
  return [
    say('ok', `${counted(starts, 'start')} and ${counted(events.length - starts, 'stop')}, all as planned`),
  ];
}
