import type { DoctorFacts } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

/** The oldest systemd that the units are written for. */
const oldest = 247;

export function checkManager({ manager, scope, user }: DoctorFacts): readonly Finding[] {
  const say = findings('systemd', 'service manager');
  const { booted, version, unreachable } = manager;
  if (!booted) {
    return [
      say(
        'problem',
        'systemd is not the init system here, so that no unit can run.',
        mend('Run the gateway in the foreground: sd-gateway run'),
      ),
    ];
  }
  if (unreachable !== null) {
    return [
      say(
        'problem',
        `The ${scope} manager can’t be asked: ${unreachable}`,
        scope === 'user'
          ? mend(
              'Log in as this user (not by su or sudo), or let its manager run always:',
              `loginctl enable-linger ${user}`,
            )
          : null,
      ),
    ];
  }
  if (version === null) return [say('unknown', 'systemctl doesn’t say its version.')];
  if (version < oldest) {
    return [
      say(
        'warning',
        `systemd ${version} is older than ${oldest}, the oldest that the units are written for.`,
      ),
    ];
  }
  return [say('ok', `systemd ${version}, and the ${scope} manager answers`)];
}
