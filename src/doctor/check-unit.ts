import { type DoctorFacts, gatewayCommand, systemctl, type UnitFacts } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

const say = findings('unit', 'unit file');

function checkPresence(facts: DoctorFacts, unit: UnitFacts): readonly Finding[] {
  const { LoadState, FragmentPath, LoadError, UnitFileState } = unit.properties;
  switch (LoadState) {
    case 'masked':
      return [
        say(
          'problem',
          `${unit.name} is masked: it can’t be started.`,
          mend('Unmask it:', systemctl(facts, `unmask ${unit.name}`)),
        ),
      ];
    case 'loaded':
      return [say('ok', `${FragmentPath}${UnitFileState === '' ? '' : ` (${UnitFileState})`}`)];
    default:
      return [
        say(
          'problem',
          `${unit.name} can’t be loaded (${LoadState})${LoadError === '' || LoadError === undefined ? '' : `: ${LoadError}`}`,
          mend('See what is wrong with it:', systemctl(facts, `status ${unit.name}`)),
        ),
      ];
  }
}

function checkValidity(facts: DoctorFacts, { complaints, properties, name }: UnitFacts): Finding {
  const valid = findings('unit', 'validity');
  if (!complaints.known)
    return valid('unknown', `systemd-analyze verify could not be asked: ${complaints.why}`);
  if (complaints.value.length === 0) return valid('ok', 'systemd-analyze verify has no complaint');
  return valid(
    'warning',
    `systemd-analyze verify complains: ${complaints.value.join('; ')}`,
    mend(
      `Mend the lines in ${properties['FragmentPath']}, then:`,
      systemctl(facts, `daemon-reload && systemctl restart ${name}`),
    ),
  );
}

function checkReload(facts: DoctorFacts, { properties }: UnitFacts): Finding {
  const reload = findings('unit', 'in force');
  if (properties['NeedDaemonReload'] !== 'yes') return reload('ok', 'What is in the files is in force');
  return reload(
    'warning',
    'The unit’s file or drop-ins were changed and are not in force yet.',
    mend('Have systemd read them:', systemctl(facts, 'daemon-reload'), { kind: 'daemon-reload' }),
  );
}

function checkState(facts: DoctorFacts, { properties, name }: UnitFacts): Finding {
  const state = findings('unit', 'state');
  const { ActiveState, SubState, Result } = properties;
  if (ActiveState === 'failed') {
    return state(
      'problem',
      `The unit has failed (${Result}).`,
      mend(
        'See why with the logs; then forget the failure and start it again:',
        gatewayCommand(facts, 'logs'),
        {
          kind: 'reset-failed',
          unit: name,
        },
      ),
    );
  }
  if (ActiveState === 'activating' && SubState === 'auto-restart') {
    return state(
      'problem',
      `The last start has failed (${Result}); systemd is about to start it again.`,
      mend('See why:', gatewayCommand(facts, 'logs')),
    );
  }
  return state('ok', `${ActiveState} (${SubState})`);
}

function checkDrift(facts: DoctorFacts, { drift, name }: UnitFacts): Finding {
  const say = findings('unit', 'drift');
  if (drift === null) return say('not-applicable', 'The unit was not written by "sd-gateway install"');
  const { state, reason } = drift;
  switch (state) {
    case 'none':
      return say('ok', 'The unit is as this version of sd-gateway writes it');
    case 'drifted':
      return say(
        'warning',
        'The unit differs from what this version of sd-gateway would write.',
        mend(
          'See the difference with "sd-gateway install --dry-run", then:',
          gatewayCommand(facts, 'install'),
        ),
      );
    case 'edited':
      return say(
        'warning',
        'The unit was edited since it was installed: an update will leave it alone.',
        mend('Keep your settings in a drop-in instead:', systemctl(facts, `edit ${name}`)),
      );
    case 'undecided':
      return say(
        'unknown',
        `Whether it is what this version would write can’t be said: ${reason ?? 'no reason was given'}`,
      );
    default:
      return say('not-applicable', 'The unit was not written by "sd-gateway install"');
  }
}

export function checkUnit(facts: DoctorFacts): readonly Finding[] {
  if (!facts.unit.known) return [say('unknown', `The unit can’t be looked at: ${facts.unit.why}`)];
  const unit = facts.unit.value;
  if (unit === null) {
    return [
      say(
        'problem',
        `The ${facts.scope} manager has no unit for it.`,
        mend('Install one:', gatewayCommand(facts, 'install')),
      ),
    ];
  }
  const presence = checkPresence(facts, unit);
  if (unit.properties['LoadState'] !== 'loaded') return presence;
  return [
    ...presence,
    checkValidity(facts, unit),
    checkReload(facts, unit),
    checkDrift(facts, unit),
    checkState(facts, unit),
  ];
}
