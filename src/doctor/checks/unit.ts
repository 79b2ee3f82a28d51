import { basename } from 'node:path';
import { describeQueuedStart, startsUnit } from '../../manager/queued-job.js';
import { isBetweenStarts } from '../../manager/service-manager.js';
import { describeObstacle } from '../../units/start-obstacles.js';
import { unitUser } from '../../units/unit-user.js';
import { type DoctorFacts, gatewayCommand, systemctl, type UnitFacts, unitOf } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

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
    case 'not-found':
      return [
        say(
          'problem',
          `The unit file of ${unit.name} is gone: the gateway still runs, and nothing would start it again.`,
          mend('Write it anew:', gatewayCommand(facts, 'install')),
        ),
      ];
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
  const named = complaints.value.map((line) => /^(\/.*?\.(?:conf|service)):\d+:/.exec(line)?.[1]);
  const files = [...new Set(named.filter((file) => file !== undefined))];
  return valid(
    'warning',
    `systemd-analyze verify complains: ${complaints.value.join('; ')}`,
    mend(
      `Mend the lines in ${files.length === 0 ? properties['FragmentPath'] : files.join(' and ')}, then:`,
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

function restartsOf({ properties }: UnitFacts): number {
  return Number(properties['NRestarts'] ?? 0);
}

function formatTimes(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** A gateway that ends again and again seldom stays up for so long, in ms. */
const loopUptimeMs = 60_000;

/** True for a start that follows a failure: Result= is "success" again by then. A single restart may have been asked for. */
function isInLoop(unit: UnitFacts): boolean {
  const { ActiveState, ActiveEnterTimestampMonotonic = '' } = unit.properties;
  const restarts = restartsOf(unit);
  if (ActiveState === 'activating') return restarts > 0;
  const since = Number(ActiveEnterTimestampMonotonic) / 1_000;
  return ActiveState === 'active' && restarts > 1 && since > 0 && unit.askedAt - since < loopUptimeMs;
}

function checkState(facts: DoctorFacts, unit: UnitFacts): Finding {
  const { properties, name } = unit;
  const state = findings('unit', 'state');
  const { ActiveState, SubState, Result } = properties;
  const logs = mend('See why:', gatewayCommand(facts, 'logs'));
  const { FreezerState = 'running' } = properties;
  // systemd 252 keeps the state over an automatic restart; what answers is not frozen.
  if (/^(freezing|frozen)/.test(FreezerState) && facts.gateway.outcome !== 'told') {
    return state(
      'problem',
      `The unit is frozen (FreezerState=${FreezerState}): nothing of it runs.`,
      ActiveState === 'deactivating'
        ? mend(
            'Have it killed; systemd does so after TimeoutStopSec=:',
            systemctl(facts, `kill --signal=KILL ${name}`),
          )
        : mend('Have it go on:', systemctl(facts, `thaw ${name}`)),
    );
  }
  if (ActiveState === 'failed') {
    return state(
      'problem',
      `The unit has failed (${Result}).`,
      mend(
        `See why ("${gatewayCommand(facts, 'logs')}") and mend it; then forget the failure and start it again:`,
        `${systemctl(facts, `reset-failed ${name}`)} && ${systemctl(facts, `start ${name}`)}`,
        {
          kind: 'reset-failed',
          unit: name,
        },
      ),
    );
  }
  if (ActiveState === 'activating' && isBetweenStarts(SubState ?? '')) {
    return state(
      'problem',
      Result === 'success'
        ? 'It has ended without a job that stops it; systemd is about to start it again.'
        : `The last start has failed (${Result}); systemd is about to start it again.`,
      logs,
    );
  }
  if (ActiveState === 'deactivating' && Result !== 'success') {
    return state('problem', `The unit is about to fail (${Result}).`, logs);
  }
  // The gateway waits for what is missing outside of it, and serves nobody until then (`start.wait`). It was asked later.
  const { gateway } = facts;
  const texts = [gateway.outcome === 'told' ? gateway.facts.status : null, properties['StatusText'] ?? null];
  const reason = texts.map((text) => /^Starting: waiting (.*)/s.exec(text ?? '')?.[1]).find((text) => text);
  if (ActiveState === 'activating' && reason !== undefined) {
    return state(
      'problem',
      `The start waits, and nobody is served: ${reason}`,
      mend(
        'Mend that; the start goes on by itself. If you change the configuration for it:',
        gatewayCommand(facts, 'restart'),
      ),
    );
  }
  if (isInLoop(unit)) {
    const up = ActiveState === 'active' ? 'it has just come up' : 'it is not up yet';
    return state(
      'problem',
      `systemd has started it again by itself ${formatTimes(restartsOf(unit))}, and ${up}.`,
      logs,
    );
  }
  if (ActiveState === 'inactive' && Result === 'exec-condition') {
    return state(
      'problem',
      'systemd skipped the last start: a command of ExecCondition= ended with an exit status other than 0.',
      mend('See which; mend what it asks for, or remove it:', systemctl(facts, `cat ${name}`)),
    );
  }
  if (ActiveState === 'inactive' && unit.job !== null && startsUnit(unit.job)) {
    return state(
      'warning',
      describeQueuedStart(unit.job),
      mend('See all jobs:', systemctl(facts, 'list-jobs --after')),
    );
  }
  return state('ok', `${ActiveState} (${SubState})`);
}

function isUp({ ActiveState }: UnitFacts['properties']): boolean {
  return ActiveState === 'active' || ActiveState === 'reloading';
}

/** Checks the lines of the unit's files and drop-ins that keep it from starting. */
function checkSettings(facts: DoctorFacts, { obstacles, properties, name }: UnitFacts): readonly Finding[] {
  const settings = findings('unit', 'settings');
  if (obstacles.length === 0) {
    const dropIns = properties['DropInPaths'] ?? '';
    const text = dropIns === '' ? 'The unit has no drop-in' : `Drop-ins apply: ${dropIns}`;
    return [settings('ok', `${text}; none of its files is missing`)];
  }
  const how = mend(
    `Mend that line, then "${systemctl(facts, 'daemon-reload')}". See the unit with its drop-ins:`,
    systemctl(facts, `cat ${name}`),
  );
  // systemd goes by the files as it has read them: a start could still succeed.
  const verdict = properties['NeedDaemonReload'] === 'yes' && isUp(properties) ? 'warning' : 'problem';
  return obstacles.map((obstacle) => settings(verdict, describeObstacle(obstacle), how));
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
          `See the difference with "${gatewayCommand(facts, 'install --dry-run')}", then:`,
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
  if (unit === null && facts.gateway.outcome === 'told')
    return [say('not-applicable', 'There is none; the gateway runs in the foreground')];
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
    ...checkSettings(facts, unit),
    checkState(facts, unit),
  ];
}

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
        : say('not-applicable', 'The unit has no User=: it runs as root'),
    ];
  }
  const { name, exists, dropIn } = unit.user.value;
  if (name === 'root' || name === '0') {
    return [
      say(
        'warning',
        'The unit runs as root, and with it what its agents run.',
        mend('Set User= in [Service] to a user of its own:', systemctl(facts, `edit ${unit.name}`)),
      ),
    ];
  }
  if (exists) return [say('ok', name)];
  if (dropIn !== null) {
    return [
      say(
        'problem',
        `The user ${name} does not exist, and systemd can’t start the unit as it (status=217/USER): ${dropIn.file}:${dropIn.line} has ${dropIn.text}`,
        mend(
          `Make it ("useradd --system ${name}"), or mend that line, then:`,
          `${systemctl(facts, 'daemon-reload')} && ${gatewayCommand(facts, 'start')}`,
        ),
      ),
    ];
  }
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

const shells = ['sh', 'bash', 'dash', 'zsh', 'fish', 'ksh', 'busybox'];
const launchers = [
  'npm',
  'npx',
  'yarn',
  'pnpm',
  'bun',
  'nvm',
  'fnm',
  'volta',
  'asdf',
  'mise',
  'sudo',
  'su',
  'runuser',
  'doas',
  'nohup',
  'timeout',
  'script',
  'flock',
  'setsid',
  'pm2',
  'nodemon',
  'forever',
  'screen',
  'tmux',
  'strace',
];
/** These become the program that they run. */
const replacing = [
  'env',
  'nice',
  'ionice',
  'chrt',
  'taskset',
  'setpriv',
  'stdbuf',
  'numactl',
  'chpst',
  'exec',
];

/** The program that stays between systemd and the gateway; null: the gateway is the main process. */
export function wrapperIn(command: readonly string[]): string | null {
  for (const [index, word] of command.entries()) {
    const name = basename(word);
    if (shells.includes(name)) {
      const rest = command.slice(index + 1);
      // "sh -c 'exec …'": the shell becomes the gateway. A script may do so or not: the running gateway tells.
      const at = rest.findIndex((option) => /^-\w*c$/.test(option));
      const script = rest
        .slice(at + 1)
        .join(' ')
        .replace(/^["']/, '');
      return at >= 0 && /(^|[;&]\s*)exec\s+[^;&|]*$/.test(script) ? null : name;
    }
    if (launchers.includes(name)) return name;
    if (name === 'sd-gateway' || name === 'node' || name === 'main.js' || /^node\d*$/.test(name)) return null;
    if (replacing.includes(name) || word.startsWith('-') || word.includes('=')) continue;
    return null;
  }
  return null;
}

export function checkCommand(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('unit', 'main process');
  const how = mend(
    'Start the gateway itself in ExecStart= (its Node.js by an absolute path), or put "exec" before it in the script:',
    systemctl(facts, `edit ${unit.name}`),
  );
  const seen = facts.journal.known ? facts.journal.value.supervision : null;
  if (seen === 'wrapper') {
    return [
      say(
        'problem',
        'Another process stands between systemd and the running gateway: MAINPID is not the gateway.',
        how,
      ),
    ];
  }
  const wrapper = wrapperIn(unit.command);
  if (wrapper !== null && seen !== 'unit') {
    return [
      say(
        'problem',
        `ExecStart= runs the gateway through ${wrapper}: systemd signals and hears ${wrapper}, not the gateway.`,
        how,
      ),
    ];
  }
  return [
    say(
      'ok',
      seen === 'unit' ? 'The gateway is the unit’s main process' : 'ExecStart= runs the gateway itself',
    ),
  ];
}
