import { type DoctorFacts, gatewayCommand, systemctl, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';
import { parseSpan, span } from './time-span.js';

export function checkWatchdog(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('running', 'watchdog');
  const { WatchdogUSec, WatchdogTimestampMonotonic, ActiveState } = unit.properties;
  const every = parseSpan(WatchdogUSec);
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
        `Every ${span(every)}; it was held back ${stalls.length} times, last: ${last.text}`,
        mend('See what went before:', gatewayCommand(facts, 'logs --priority warning')),
      ),
    ];
  }
  if (ActiveState !== 'active') return [say('ok', `Every ${span(every)}; the gateway is not running`)];
  const fed = Number(WatchdogTimestampMonotonic ?? 0) / 1_000;
  const since = unit.askedAt - fed;
  if (fed > 0 && since > every / 2 + 1_000) {
    return [
      say(
        'problem',
        `Every ${span(every)}; the last sign of life was ${span(since)} ago: the gateway hangs.`,
        mend('See at what:', systemctl(facts, `status ${unit.name}`)),
      ),
    ];
  }
  return [say('ok', `Every ${span(every)}; the last sign of life was ${span(Math.max(0, since))} ago`)];
}
