import { basename } from 'node:path';
import { describeReaders } from '../../store/store-log.js';
import { asRoot, type DoctorFacts, type FileFacts, gatewayCommand, systemctl, unitOf } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

/** "0600" */
export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** A path as a shell takes it. */
export function quoted(path: string): string {
  return /^[\w/.:@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function changeMode(
  facts: DoctorFacts,
  { path, uid, isDirectory }: FileFacts,
  mode: number,
  text = 'Close it to others:',
) {
  const command = `chmod ${mode.toString(8)} ${quoted(path)}`;
  return mend(
    text,
    facts.uid === uid ? command : asRoot(facts, command),
    facts.uid === 0 || facts.uid === uid ? { kind: 'chmod', path, mode, isDirectory } : null,
  );
}

/** Looks for the gateway's own among several directories of a kind. */
export function checkPlaces(facts: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'directories');
  const { problems, state, runtime, configuration } = facts.places;
  if (problems.length === 0) return [say('ok', [...new Set([state, runtime, configuration])].join(', '))];
  const unit = unitOf(facts);
  return [
    say(
      'problem',
      problems.join('; '),
      unit === null ? null : mend('See which of its files name them:', systemctl(facts, `cat ${unit.name}`)),
    ),
  ];
}

interface Owner {
  readonly name: string;
  readonly uid: number;
}

/** The user that the unit of the system names; null: it names none that is there, and its directory has to tell. */
function userOfUnit(facts: DoctorFacts): Owner | null {
  const user = unitOf(facts)?.user;
  if (user?.known !== true || user.value === null) return null;
  const { name, uid } = user.value;
  return uid === null ? null : { name, uid };
}

function describeUser({ name, uid }: Owner): string {
  return `the unit’s user ${name} (${uid})`;
}

/** The secret that opens the gateway: only its user may read it, and only they or root may own it. */
export function checkToken(facts: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'token');
  const { token, stateDirectory } = facts.data;
  if (!token.known) return [say('unknown', `It can’t be looked at: ${token.why}`)];
  if (token.value === null)
    return [
      say('not-applicable', 'There is none yet; the first start makes it, unless a credential is given'),
    ];
  const { path, mode, uid, isFile, sizeBytes } = token.value;
  if (!isFile) {
    return [
      say(
        'problem',
        `${path} is no regular file: the gateway refuses to start with it, and the commands to read it.`,
        mend(
          'Put the token itself there, or give it to the unit as a credential (LoadCredential=); else the next start makes a new one. To see what it is:',
          asRoot(facts, `ls -ld ${quoted(path)}`),
        ),
      ),
    ];
  }
  if (sizeBytes === 0) {
    return [
      say(
        'problem',
        `${path} is empty: the gateway refuses to start with it.`,
        mend('Remove it, and the next start makes a new one:', asRoot(facts, `rm ${quoted(path)}`)),
      ),
    ];
  }
  if ((mode & 0o077) !== 0) {
    return [
      say(
        'problem',
        `${path} is open to other users (mode ${octal(mode)}): the gateway refuses to start with it. Who could read it may have it; removing it makes the next start make a new one.`,
        changeMode(facts, token.value, 0o600),
      ),
    ];
  }
  const ofDirectory = stateDirectory.known ? (stateDirectory.value?.uid ?? null) : null;
  const owner = userOfUnit(facts);
  const uidOfOwner = owner?.uid ?? ofDirectory;
  if (uidOfOwner !== null && uid !== uidOfOwner && uid !== 0) {
    const whose = owner === null ? `its directory to user ${ofDirectory}` : `not to ${describeUser(owner)}`;
    return [
      say(
        'problem',
        `${path} belongs to user ${uid}, ${whose}.`,
        mend(
          'Give it to the gateway’s user:',
          asRoot(facts, `chown ${owner?.name ?? uidOfOwner} ${quoted(path)}`),
        ),
      ),
    ];
  }
  return [say('ok', `${path}, mode ${octal(mode)}`)];
}

/** A link that the start of another unit than one with DynamicUser= fails on. */
function checkLeftoverLink(facts: DoctorFacts): readonly Finding[] {
  const { leftoverLink } = facts.data;
  const unit = unitOf(facts);
  if (leftoverLink === null || unit === null || unit.properties['DynamicUser'] === 'yes') return [];
  return [
    findings('data', 'link')(
      'problem',
      `${leftoverLink} is a link that a unit with DynamicUser= has left: systemd can’t make the runtime directory there (status=233/RUNTIME_DIRECTORY).`,
      mend('Remove it:', asRoot(facts, `rm ${quoted(leftoverLink)}`)),
    ),
  ];
}

/** Names of the gateway's own files in the state directory, beside those of its database. */
const ownNames = ['token', 'webhook-secret', 'lock', 'last-words.json', 'fatal-signal', 'agents'];

/** True for what the gateway itself writes: a copy that somebody keeps beside it may be theirs. */
function isOwn({ store }: DoctorFacts['data'], path: string): boolean {
  const database = store.known && store.value !== null ? store.value.name : null;
  return (
    ownNames.includes(basename(path)) ||
    ['', '-wal', '-shm', '-seal', '-ballast'].some((suffix) => path === `${database}${suffix}`)
  );
}

/** Without it the gateway looks for its state below its user's home, which a user of a service has none of. */
function checkStateSetting(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (facts.scope !== 'system' || unit === null || unit.properties['StateDirectory'] !== '') return [];
  return [
    findings('data', 'state directory')(
      'problem',
      `${unit.name} has no StateDirectory=, so that systemd makes no directory for messages and token.`,
      mend(
        `Set StateDirectory=${unit.name.replace(/\.service$/, '').replace('@', '-')} in [Service]:`,
        systemctl(facts, `edit ${unit.name}`),
      ),
    ),
  ];
}

/** The setting that keeps a directory closed, where each start of the unit opens it to others again; else null. */
function modeOfUnit(facts: DoctorFacts, property: 'StateDirectory' | 'RuntimeDirectory') {
  const unit = unitOf(facts);
  if (unit === null || (unit.properties[property] ?? '') === '') return null;
  const mode = Number.parseInt(unit.properties[`${property}Mode`] ?? '0700', 8);
  if ((mode & 0o077) === 0) return null;
  return mend(
    `Set ${property}Mode=0700 in [Service], as each start gives it mode ${octal(mode)}; then restart the gateway:`,
    systemctl(facts, `edit ${unit.name}`),
  );
}

export function checkDirectories(facts: DoctorFacts): readonly Finding[] {
  const { stateDirectory, runtimeDirectory, entries } = facts.data;
  const found: Finding[] = [...checkLeftoverLink(facts), ...checkStateSetting(facts)];
  for (const [name, directory, property] of [
    ['state directory', stateDirectory, 'StateDirectory'],
    ['runtime directory', runtimeDirectory, 'RuntimeDirectory'],
  ] as const) {
    const say = findings('data', name);
    if (!directory.known) found.push(say('unknown', `It can’t be looked at: ${directory.why}`));
    else if (directory.value === null)
      found.push(say('not-applicable', 'There is none yet; the start makes it'));
    else if ((directory.value.mode & 0o700) !== 0o700) {
      const { path, mode } = directory.value;
      found.push(
        say(
          'problem',
          `${path} is closed to its own user (mode ${octal(mode)}): the gateway can’t use what is in it.`,
          changeMode(facts, directory.value, 0o700, 'Open it to its user:'),
        ),
      );
    } else if ((directory.value.mode & 0o077) !== 0) {
      const { path, mode } = directory.value;
      found.push(
        say(
          'warning',
          `${path} is open to other users (mode ${octal(mode)}).`,
          modeOfUnit(facts, property) ?? changeMode(facts, directory.value, 0o700),
        ),
      );
    } else found.push(say('ok', `${directory.value.path}, mode ${octal(directory.value.mode)}`));
  }
  const say = findings('data', 'owners');
  if (!entries.known || !stateDirectory.known || stateDirectory.value === null) return found;
  const { path } = stateDirectory.value;
  const owner = userOfUnit(facts);
  if (owner !== null && stateDirectory.value.uid !== owner.uid) {
    found.push(
      say(
        'problem',
        `${path} belongs to user ${stateDirectory.value.uid}, not to ${describeUser(owner)}: the gateway may not be able to write there.`,
        mend(
          'Give it and all in it to the gateway’s user:',
          asRoot(facts, `chown --recursive ${owner.name}: ${quoted(path)}`),
        ),
      ),
    );
    return found;
  }
  const { uid } = stateDirectory.value;
  const others = entries.value.filter((entry) => entry.uid !== uid && isOwn(facts.data, entry.path));
  if (others.length > 0) {
    found.push(
      say(
        'problem',
        `${path} belongs to user ${uid}, but ${others.map((entry) => `${entry.path} to user ${entry.uid}`).join(', ')}: the gateway may not be able to write there.`,
        mend('Give it to the gateway’s user:', asRoot(facts, `chown --recursive ${uid} ${quoted(path)}`)),
      ),
    );
  }
  return found;
}

/** Below it a store can’t be trusted to take what comes; in bytes. */
const tight = 50 * 1024 ** 2;

/** Files of the database that the gateway, which is their owner, may not read and write. Root may. */
function closedFiles(facts: DoctorFacts, database: string): readonly Finding[] {
  const { entries } = facts.data;
  if (!entries.known) return [];
  const names = ['', '-wal', '-shm', '-seal', '-ballast'].map((suffix) => `${database}${suffix}`);
  const say = findings('data', 'store');
  return entries.value
    .filter(({ path, mode, uid, isFile }) => {
      return names.includes(path) && isFile && uid !== 0 && (mode & 0o600) !== 0o600;
    })
    .map((file) =>
      say(
        'problem',
        `${file.path} is closed to its own user (mode ${octal(file.mode)}): the gateway can’t start with it.`,
        changeMode(facts, file, 0o600, 'Open it to its user:'),
      ),
    );
}

export function checkStore(facts: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'store');
  const { store } = facts.data;
  if (!store.known) return [say('unknown', `It can’t be looked at: ${store.why}`)];
  if (store.value === null) return [say('not-applicable', 'There is none yet; the first start makes it')];
  const { name, lost, integrity } = store.value;
  const closed = closedFiles(facts, name);
  if (closed.length > 0) return closed;
  if (lost !== undefined) return [say('problem', lost)];
  if (!integrity.known) return [say('unknown', `${name} could not be checked: ${integrity.why}`)];
  if (integrity.value.refused !== undefined) return [say('problem', integrity.value.refused)];
  if (integrity.value.errors.length === 0) return [say('ok', `${name}: quick_check finds nothing wrong`)];
  return [
    say(
      'problem',
      `${name} is damaged: ${integrity.value.errors.join('; ')}`,
      mend(
        `Look at the disk; then restore a backup, or stop the gateway and salvage what can be read (${gatewayCommand(facts, 'store recover')}):`,
        gatewayCommand(facts, 'stop'),
      ),
    ),
  ];
}

/** Checks that nobody keeps the write-ahead log from being emptied. */
export function checkStoreLog({ data: { store }, uid }: DoctorFacts): readonly Finding[] {
  const say = findings('data', 'store log');
  if (!store.known) return [say('unknown', `It can’t be looked at: ${store.why}`)];
  if (store.value === null) return [say('not-applicable', 'There is no store yet')];
  const { name, log } = store.value;
  if (!log.known) return [say('unknown', `It can’t be looked at: ${log.why}`)];
  if (log.value === null) return [say('not-applicable', 'This kind of store has none')];
  const { sizeBytes, isLong, readers } = log.value;
  const size = `${Math.ceil(sizeBytes / 1024 ** 2)} MiB`;
  if (!isLong) return [say('ok', `${size} beside the database`)];
  const pids = readers.map(({ pid }) => pid).join(',');
  return [
    say(
      'warning',
      `The write-ahead log has grown to ${size}, kept from being emptied by ${describeReaders(readers)}.`,
      mend(
        'End what reads, and the log is emptied. To see what it is:',
        pids === '' ? asRoot({ uid }, `fuser --verbose ${quoted(`${name}-shm`)}`) : `ps -f --pid ${pids}`,
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
