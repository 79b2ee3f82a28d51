import { type DoctorFacts, systemctl, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

/** Whether what the gateway tells systemd (sd_notify(3)) is heard. */
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
