import { type DoctorFacts, gatewayCommand } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

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
  if (warnings.length > 0) return [say('warning', warnings.join('; '))];
  return [say('ok', file === null ? 'No file: defaults and environment' : file)];
}
