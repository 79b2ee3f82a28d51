import { constants } from 'node:os';
import { type DoctorFacts, systemctl, unitOf } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

/** Checks that systemd hears the gateway's notifications (sd_notify(3)). */
export function checkNotify(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('unit', 'notification');
  const { Type = '', NotifyAccess = '' } = unit.properties;
  const edit = systemctl(facts, `edit ${unit.name}`);
  if (Type !== 'notify' && Type !== 'notify-reload') {
    return [
      say(
        'problem',
        `Type=${Type}: systemd takes the gateway for ready before it serves, and hears nothing of its reloads and stops.`,
        mend('Set Type=notify and NotifyAccess=main in [Service]:', edit),
      ),
    ];
  }
  if (NotifyAccess === 'none') {
    return [
      say(
        'problem',
        'NotifyAccess=none: systemd drops what the gateway tells it.',
        mend('Set NotifyAccess=main in [Service]:', edit),
      ),
    ];
  }
  if (NotifyAccess === 'all' || NotifyAccess === 'exec') {
    return [
      say(
        'warning',
        `NotifyAccess=${NotifyAccess}: other processes of the unit, such as a command agent, may speak for the gateway.`,
        mend('Set NotifyAccess=main in [Service]:', edit),
      ),
    ];
  }
  return [say('ok', `Type=${Type}, NotifyAccess=${NotifyAccess}`)];
}

/** Signals that the gateway takes as a stop: it lets its turns end. */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/** Says what comes of a stop by another signal, by its number; null: the gateway stops by it. */
function effectOfStop(setting: string, number: string): string | null {
  const [name = number] =
    Object.entries(constants.signals).find(([, value]) => value === Number(number)) ?? [];
  if (stopSignals.includes(name)) return null;
  const text = `${setting}=${name}`;
  if (name === 'SIGHUP') {
    return `${text}: the gateway reloads its configuration by it, and each stop lasts until systemd cuts the running turns off by SIGKILL.`;
  }
  return `${text}: it is no stop for the gateway; each stop cuts the running turns off, and they run again.`;
}

/** Checks that a stop reaches the gateway, and leaves its agents to it. Signals are numbers (signal(7)). */
export function checkKill(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('unit', 'kill');
  const { KillMode = 'mixed', KillSignal = '15', RestartKillSignal = KillSignal } = unit.properties;
  const edit = systemctl(facts, `edit ${unit.name}`);
  const byStop = effectOfStop('KillSignal', KillSignal);
  if (byStop !== null) return [say('problem', byStop, mend('Set KillSignal=SIGTERM in [Service]:', edit))];
  const byRestart = effectOfStop('RestartKillSignal', RestartKillSignal);
  if (byRestart !== null) {
    return [say('problem', byRestart, mend('Set RestartKillSignal=SIGTERM in [Service]:', edit))];
  }
  if (KillMode === 'mixed') return [say('ok', 'A stop is for the gateway alone (KillMode=mixed)')];
  const effect =
    KillMode === 'control-group'
      ? 'a stop also ends the agents at once, instead of letting their turns end'
      : 'a stop may leave processes of agents behind';
  return [say('warning', `KillMode=${KillMode}: ${effect}.`, mend('Set KillMode=mixed in [Service]:', edit))];
}
