import { basename } from 'node:path';
import { type DoctorFacts, systemctl, unitOf } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

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
