import { type DoctorFacts, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

export function checkPort({ configuration, port, ...facts }: DoctorFacts): readonly Finding[] {
  const say = findings('network', 'port');
  if (!configuration.known) return [say('unknown', 'Where to listen is not known.')];
  const { port: wanted, listen } = configuration.value;
  if (wanted === null || port === null) return [say('not-applicable', `It listens on ${listen}`)];
  if (!port.known) return [say('unknown', port.why)];
  const { holder } = port.value;
  const unit = unitOf({ configuration, port, ...facts });
  const main = Number(unit?.properties['MainPID'] ?? 0);
  if (holder === null) {
    return main > 0
      ? [say('unknown', `Who listens on ${listen} can’t be seen by this user, or nobody does.`)]
      : [say('ok', `${listen} is free, as far as this user can see`)];
  }
  // A socket that is kept over restarts is the manager's too.
  const { gateway } = facts;
  const serves =
    gateway.outcome === 'told' && gateway.facts.listening.some((url) => url.endsWith(`:${wanted}`));
  if (holder.pid === main || (holder.pid === 1 && serves))
    return [say('ok', `The gateway listens on ${listen}`)];
  if (holder.pid === 1) return [say('ok', `systemd holds ${listen}, for a socket unit or the gateway`)];
  return [
    say(
      'problem',
      `${listen} is taken by ${holder.name} (PID ${holder.pid}).`,
      mend(
        'Stop that process, or set http.listen to another port. To see what it is:',
        `ps -fp ${holder.pid}`,
      ),
    ),
  ];
}
