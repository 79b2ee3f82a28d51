import { type DoctorFacts, gatewayCommand } from './facts.js';
import { type Finding, findings, mend } from './finding.js';
import { history } from './history.js';

export function checkHistory(facts: DoctorFacts): readonly Finding[] {
  const say = findings('running', 'last starts and stops');
  const events = history(facts);
  if (events.length === 0) {
    if (!facts.journal.known) return [say('unknown', facts.journal.why)];
    return facts.journal.value.mayReadAll
      ? [say('not-applicable', 'None is on record')]
      : [
          say(
            'unknown',
            'This user may not read the system’s journal.',
            mend(
              'Join the group systemd-journal and log in again:',
              `sudo usermod --append --groups systemd-journal ${facts.user}`,
            ),
          ),
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
  return [say('ok', `${starts} starts and ${events.length - starts} stops, all as planned`)];
}
