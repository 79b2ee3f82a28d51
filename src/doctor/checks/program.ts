import { shellCommand } from '../../text/shell-words.js';
import { openingAdvice } from '../../units/runner.js';
import { type AgentAccess, asRoot, type DoctorFacts, gatewayCommand } from '../facts.js';
import { type Finding, findings, type Mend, mend } from '../finding.js';

/** package.json: engines. */
const oldest = [20, 19] as const;

export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

export function checkNode({ node }: DoctorFacts): readonly Finding[] {
  const say = findings('program', 'Node.js');
  if (!node.known) {
    return [
      say(
        'problem',
        `The unit’s Node.js can’t be run: ${node.why}`,
        mend('Install Node.js 20.19 or later, or name it by its absolute path in ExecStart='),
      ),
    ];
  }
  const { file, version, modules, addon, sqlite } = node.value;
  const rebuild = mend('Build it for this Node.js, in the directory of the package:', 'npm rebuild');
  const found: Finding[] = [
    isSupportedNode(version)
      ? say('ok', `${version} (${file}), ABI ${modules}`)
      : say('problem', `${version} (${file}) is older than 20.19.`, mend('Install Node.js 20.19 or later')),
  ];
  for (const [name, trouble] of [
    ['addon', addon],
    ['SQLite module', sqlite],
  ] as const) {
    const part = findings('program', name);
    found.push(
      trouble === null
        ? part('ok', 'It loads in the unit’s Node.js')
        : part('problem', `It can’t be loaded in ${version} (ABI ${modules}): ${trouble}`, rebuild),
    );
  }
  return found;
}

/** Advice where a path is closed to the gateway's user. */
function opening(facts: DoctorFacts, denied: string, bits: 'o+r' | 'o+x', subject: string): Mend {
  const { text, command } = openingAdvice(denied, bits, subject);
  return mend(text, command === null ? null : asRoot(facts, shellCommand(command)));
}

export function checkConfiguration(facts: DoctorFacts): readonly Finding[] {
  const say = findings('program', 'configuration');
  const { configuration } = facts;
  if (!configuration.known) return [say('unknown', `It can’t be read: ${configuration.why}`)];
  const { file, problems, warnings } = configuration.value;
  if (problems.length > 0) {
    return [
      say(
        'problem',
        problems.join('; '),
        mend('Mend it, then look again:', gatewayCommand(facts, 'check-config')),
      ),
    ];
  }
  const denied = facts.access.known ? facts.access.value.configuration : null;
  if (denied !== null && facts.access.known) {
    return [
      say(
        'problem',
        `${file} can’t be read by the user ${facts.access.value.user}, who runs the gateway: ${denied} doesn’t let them.`,
        opening(facts, denied, denied === file ? 'o+r' : 'o+x', 'the file'),
      ),
    ];
  }
  if (warnings.length > 0) return [say('warning', warnings.join('; '))];
  return [say('ok', file === null ? 'No file: defaults and environment' : file)];
}

/** Checks that each agent's program is there, that the gateway's user may run it, and what a trial of it has shown. */
export function checkAgent(facts: DoctorFacts): readonly Finding[] {
  const say = findings('program', 'agent');
  if (!facts.access.known) return [say('unknown', `It can’t be looked at: ${facts.access.why}`)];
  const { agents, user } = facts.access.value;
  return agents.flatMap((agent) => checkOneAgent(facts, agent, user));
}

function checkOneAgent(
  facts: DoctorFacts,
  { name: agent, program, findings: tried }: AgentAccess,
  user: string,
): readonly Finding[] {
  const say = findings('program', agent === 'default' ? 'agent' : `agent ${agent}`);
  const trial = tried.map(({ verdict, text, mend: advice, command }) =>
    say(verdict, text, advice === null ? null : mend(advice, command && shellCommand(command))),
  );
  if (program === null) {
    return trial.length > 0 ? trial : [say('not-applicable', 'It needs no program of its own')];
  }
  const { name, path, denied, hidden } = program;
  if (path === null) {
    return [
      say(
        'problem',
        `The agent’s program ${name} is not there, or not in the PATH that the unit gives: no message can be answered.`,
        mend('Install it, or name it by its absolute path:', gatewayCommand(facts, 'check-config')),
      ),
    ];
  }
  if (hidden !== undefined) {
    return [
      say(
        'problem',
        `The unit’s ${hidden} hides ${path} from the gateway: no message can be answered.`,
        mend('Put the program below /opt or /usr/local, and name it there'),
      ),
    ];
  }
  if (denied === null) return [say('ok', path), ...trial];
  return [
    say(
      'problem',
      `The user ${user}, who runs the gateway, can’t run ${path}: ${denied} doesn’t let them. No message can be answered.`,
      opening(facts, denied, 'o+x', 'the program'),
    ),
  ];
}
