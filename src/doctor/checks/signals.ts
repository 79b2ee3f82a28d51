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

/** Checks that a stop reaches the gateway, and leaves its agents to it. Signals are numbers (signal(7)). */
export function checkKill(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('unit', 'kill');
  const { KillMode = 'mixed', KillSignal = '15' } = unit.properties;
  const edit = systemctl(facts, `edit ${unit.name}`);
  if (KillSignal === '9') {
    return [
      say(
        'problem',
        'KillSignal=SIGKILL: each stop cuts the running turns off, and they run again.',
        mend('Set KillSignal=SIGTERM in [Service]:', edit),
      ),
    ];
  }
  if (KillMode === 'mixed') return [say('ok', 'A stop is for the gateway alone (KillMode=mixed)')];
  const effect =
    KillMode === 'control-group'
      ? 'a stop also ends the agents at once, instead of letting their turns end'
      : 'a stop may leave processes of agents behind';
  return [say('warning', `KillMode=${KillMode}: ${effect}.`, mend('Set KillMode=mixed in [Service]:', edit))];
}
