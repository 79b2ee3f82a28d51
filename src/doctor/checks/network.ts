import { isManager, type PortHolder } from '../../channels/http/server/port-holder.js';
import { type DoctorFacts, systemctl, type UnitFacts, unitOf } from '../facts.js';
import { type Finding, findings, type Mend, mend } from '../finding.js';

export function checkPort({ configuration, port, ...facts }: DoctorFacts): readonly Finding[] {
  const say = findings('network', 'port');
  if (!configuration.known) return [say('unknown', 'Where to listen is not known.')];
  const { port: wanted, listen, problems } = configuration.value;
  if (problems.length > 0)
    return [say('unknown', 'Where to listen is not known: the configuration can’t be used')];
  if (wanted === null || port === null)
    return [say('not-applicable', `http.listen is ${listen}, which takes no port`)];
  if (!port.known) return [say('unknown', port.why)];
  const { holders, mainPids, elsewhere } = port.value;
  const unit = unitOf({ configuration, port, ...facts });
  if (elsewhere.length > 0) return [say('problem', describeElsewhere(elsewhere), reachable(facts, unit))];
  const main = Number(unit?.properties['MainPID'] ?? 0);
  const told = facts.gateway.outcome === 'told' ? facts.gateway.facts : null;
  // Nobody but root sees the gateway's descriptors: it says itself what it has.
  const own = told?.listening.some((url) => url.endsWith(`:${wanted}`)) === true;
  if (holders.length === 0) {
    if (own) return [say('ok', `The gateway listens on ${listen}`)];
    return main > 0
      ? [say('unknown', `Who listens on ${listen} can’t be seen by this user, or nobody does.`)]
      : [say('ok', `${listen} is free, as far as this user can see`)];
  }
  // A socket that is kept over restarts is the manager's too; under a wrapper the gateway is not the main process.
  const others = holders.filter((holder) => !isOwnManager(holder, facts));
  // Another user's manager keeps the socket of the process that is meant.
  const other = others.find((holder) => !isManager(holder)) ?? others[0];
  const listens = holders.some(({ pid }) => pid === main || pid === told?.pid || mainPids.includes(pid));
  if (listens || (other === undefined && own)) return [say('ok', `The gateway listens on ${listen}`)];
  if (other === undefined) return [say('ok', `systemd holds ${listen}, for a socket unit or the gateway`)];
  return [
    say(
      'problem',
      `${listen} is taken by ${other.name} (PID ${other.pid}).`,
      mend(
        'Stop that process, or set http.listen to another port. To see what it is:',
        `ps -fp ${other.pid}`,
      ),
    ),
  ];
}

function describeElsewhere(addresses: readonly string[]): string {
  return `The gateway listens on ${addresses.join(', ')} in a network namespace of its own, where no client of this machine reaches it.`;
}

function reachable(facts: Pick<DoctorFacts, 'scope' | 'uid'>, unit: UnitFacts | null): Mend {
  if (unit === null) return mend('Run it in the network namespace of its clients.');
  return mend(
    'Set PrivateNetwork=no in [Service] (and no NetworkNamespacePath=), or use the socket unit, whose address systemd binds:',
    systemctl(facts, `edit ${unit.name}`),
  );
}

function isOwnManager(holder: PortHolder, { scope }: Pick<DoctorFacts, 'scope'>): boolean {
  return holder.pid === 1 || (scope === 'user' && isManager(holder));
}
