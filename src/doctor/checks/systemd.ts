import { ownCommand } from '../../text/own-command.js';
import { type DoctorFacts, systemctl } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

/** The oldest systemd that the units are written for. */
const oldest = 247;

/** True for a gateway in the foreground, of a user whose manager doesn’t run: no unit of it can have the gateway. */
function needsNoManager({ manager, scope, gateway }: DoctorFacts): boolean {
  return (
    scope === 'user' &&
    manager.unreachable !== null &&
    gateway.outcome === 'told' &&
    gateway.facts.unit === null
  );
}

export function checkManager(facts: DoctorFacts): readonly Finding[] {
  const { manager, scope, user, gateway } = facts;
  const say = findings('systemd', 'service manager');
  const { booted, version, unreachable } = manager;
  if (!booted && gateway.outcome === 'told') {
    return [say('not-applicable', 'systemd is not the init system here; the gateway runs in the foreground')];
  }
  if (!booted) {
    return [
      say(
        'warning',
        'systemd is not the init system here, as in a container: no unit can run.',
        mend(`Run the gateway in the foreground: ${ownCommand('run')}`),
      ),
    ];
  }
  if (needsNoManager(facts)) {
    return [say('not-applicable', 'The user manager doesn’t run; the gateway runs in the foreground')];
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

export function checkLinger(facts: DoctorFacts): readonly Finding[] {
  const { linger, user } = facts;
  const say = findings('systemd', 'linger');
  if (needsNoManager(facts)) return [say('not-applicable', 'The gateway runs in the foreground')];
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

/** Variables that change what the gateway does, whatever its unit and its configuration say. */
const telling = /^(SD_GATEWAY_|NODE_|UV_|LD_|MALLOC_)/;

/** Checks the environment that the manager gives to all of its units. */
export function checkEnvironment(facts: DoctorFacts): readonly Finding[] {
  const { managerEnvironment, manager } = facts;
  if (!manager.booted) return [];
  const say = findings('systemd', 'environment');
  if (!managerEnvironment.known) return [say('unknown', `It can’t be seen: ${managerEnvironment.why}`)];
  const names = Object.keys(managerEnvironment.value).filter((name) => telling.test(name));
  if (names.length === 0) return [say('ok', 'The manager sets nothing that changes the gateway')];
  return [
    say(
      'warning',
      `The manager sets ${names.join(', ')} for all of its units, the gateway’s too; the gateway’s own variables go before its configuration file.`,
      mend(
        'Unless that is meant, and then restart the gateway:',
        systemctl(facts, `unset-environment ${names.join(' ')}`),
      ),
    ),
  ];
}
