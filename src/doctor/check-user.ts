import { unitUser } from '../units/unit-user.js';
import { type DoctorFacts, gatewayCommand, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

/** Checks that the user of the system's unit exists. */
export function checkUser(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (facts.scope !== 'system' || unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('unit', 'user');
  if (!unit.user.known) return [say('unknown', `Whether it exists can’t be said: ${unit.user.why}`)];
  if (unit.user.value === null) {
    return [
      unit.properties['DynamicUser'] === 'yes'
        ? say('ok', 'One that each start makes (DynamicUser=)')
        : say('not-applicable', 'The unit has no User='),
    ];
  }
  const { name, exists } = unit.user.value;
  if (exists) return [say('ok', name)];
  const isOwn = name === unitUser(facts.instance);
  return [
    say(
      'problem',
      `The user ${name}, as which the unit runs, does not exist: systemd can’t start it (status=217/USER).`,
      isOwn
        ? mend('Make it:', gatewayCommand(facts, 'install'))
        : mend('Make it, or have the unit run as another:', gatewayCommand(facts, 'install --run-as USER')),
    ),
  ];
}
