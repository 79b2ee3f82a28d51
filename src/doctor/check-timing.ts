import { type DoctorFacts, type HistoryEvent, systemctl, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';
import { parseSpan, span } from './time-span.js';

/** How long the last starts took until READY=1, in ms. */
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
  if (!facts.journal.known) return say('unknown', facts.journal.why);
  const durations = startDurations(facts.journal.value.events).slice(-10);
  if (durations.length === 0 || limit === null) return say('not-applicable', 'No start is in the journal');
  const longest = Math.max(...durations);
  const text = `at most ${span(longest)} in the last ${durations.length === 1 ? 'start' : `${durations.length} starts`}; TimeoutStartSec=${span(limit)}`;
  return longest > limit / 2
    ? say(
        'warning',
        `${text}: more than half of it.`,
        mend('Set a longer TimeoutStartSec= in [Service]:', systemctl(facts, `edit ${unit}`)),
      )
    : say('ok', text);
}

function checkStop(facts: DoctorFacts, limit: number | null, unit: string): Finding {
  const say = findings('running', 'time to stop');
  if (limit === null) return say('unknown', 'TimeoutStopSec= is not known');
  const drain = facts.configuration.known ? facts.configuration.value.drain : null;
  const edit = systemctl(facts, `edit ${unit}`);
  if (drain !== null && drain >= limit) {
    return say(
      'warning',
      `stop.drain (${span(drain)}) is not covered by TimeoutStopSec=${span(limit)}: the gateway asks for more time at each stop, but a daemon-reload meanwhile has systemd 252 forget that, and kill it.`,
      mend(
        `Set TimeoutStopSec=${Math.ceil(drain / 1_000) + 30} in [Service], or a shorter stop.drain:`,
        edit,
      ),
    );
  }
  const drains = facts.journal.known ? facts.journal.value.drains.slice(-10) : [];
  const longest = Math.max(0, ...drains);
  const text =
    drains.length === 0
      ? `No stop is in the journal; TimeoutStopSec=${span(limit)}`
      : `at most ${span(longest)} in the last ${drains.length === 1 ? 'stop' : `${drains.length} stops`}; TimeoutStopSec=${span(limit)}`;
  return longest > limit
    ? say('warning', `Draining took ${text}.`, mend('Set a longer TimeoutStopSec= in [Service]:', edit))
    : say('ok', text);
}

export function checkTiming(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  return [
    checkStart(facts, parseSpan(unit.properties['TimeoutStartUSec']), unit.name),
    checkStop(facts, parseSpan(unit.properties['TimeoutStopUSec']), unit.name),
  ];
}
