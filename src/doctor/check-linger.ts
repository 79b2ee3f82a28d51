import type { DoctorFacts } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

export function checkLinger({ linger, user }: DoctorFacts): readonly Finding[] {
  const say = findings('systemd', 'linger');
  if (linger === null) return [say('not-applicable', 'A unit of the system manager needs no linger.')];
  if (!linger.known) return [say('unknown', `Whether ${user} lingers can’t be said: ${linger.why}`)];
  if (linger.value) return [say('ok', `${user} lingers: the unit runs without a log-in`)];
  return [
    say(
      'warning',
      `${user} doesn’t linger: the gateway ends with the last log-out, and doesn’t start at boot.`,
      // With the name: without it logind looks for a session, which a shell by su or from cron has not.
      mend('Let the user manager run always:', `loginctl enable-linger ${user}`, {
        kind: 'enable-linger',
        user,
      }),
    ),
  ];
}
