import { type DoctorFacts, gatewayCommand } from './facts.js';
import { type Finding, findings, mend } from './finding.js';

/** Below it a store can’t be trusted to take what comes; in bytes. */
const tight = 50 * 1024 ** 2;

export function checkStore(facts: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'store');
  const { database, integrity } = facts.data;
  if (!database.known) return [say('unknown', `It can’t be looked at: ${database.why}`)];
  if (database.value === null) return [say('not-applicable', 'There is none yet; the first start makes it')];
  if (!integrity.known)
    return [say('unknown', `${database.value.path} could not be checked: ${integrity.why}`)];
  if (integrity.value === null) return [say('not-applicable', 'There is nothing in it yet')];
  if (integrity.value.errors.length === 0)
    return [say('ok', `${database.value.path}: quick_check finds nothing wrong`)];
  return [
    say(
      'problem',
      `${database.value.path} is damaged: ${integrity.value.errors.join('; ')}`,
      mend(
        'Look at the disk; then restore a backup, or stop the gateway and salvage what can be read (sd-gateway store recover):',
        gatewayCommand(facts, 'stop'),
      ),
    ),
  ];
}

export function checkDisk({ data }: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'disk');
  if (!data.disk.known) return [say('unknown', `It can’t be looked at: ${data.disk.why}`)];
  const { path, freeBytes, totalBytes, freeInodes, totalInodes } = data.disk.value;
  const free = `${Math.floor(freeBytes / 1024 ** 2)} MiB free`;
  const room = mend(
    'Make room there, or move the state directory:',
    `du --one-file-system --human-readable --max-depth=2 ${path}`,
  );
  if (freeBytes < tight)
    return [say('problem', `${free} for ${path}: messages are about to be refused.`, room)];
  if (totalInodes > 0 && freeInodes < 100) {
    return [say('problem', `${freeInodes} inodes are free for ${path}: no new file can be made soon.`, room)];
  }
  if (freeBytes < totalBytes * 0.05 || (totalInodes > 0 && freeInodes < totalInodes * 0.05)) {
    return [say('warning', `The disk of ${path} is over 95 % full (${free}, ${freeInodes} inodes).`, room)];
  }
  return [say('ok', `${free} for ${path}`)];
}
