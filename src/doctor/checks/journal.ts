import { asRoot, type DoctorFacts, systemctl, unitOf } from '../facts.js';
import { type Finding, findings, type Mend, mend } from '../finding.js';

/** Why the journal shows none of the unit's records, or not all, and what to do. */
interface MissingRecords {
  readonly why: string;
  readonly mend: Mend | null;
  /** True if nobody can read them there, and not only this user. */
  readonly forAll: boolean;
}

/** The nearest reason; null if nothing keeps the records from this user. */
export function missingRecords(facts: DoctorFacts): MissingRecords | null {
  const unit = unitOf(facts);
  const { StandardError = '', StandardOutput = '' } = unit?.properties ?? {};
  const [setting, target] =
    StandardError === 'inherit' ? ['StandardOutput', StandardOutput] : ['StandardError', StandardError];
  if (unit !== null && /^(append|file|truncate|null|tty)/.test(target)) {
    return {
      why: `The gateway’s records go where ${setting}=${target} says, not to the journal`,
      mend: mend('See which file says so, and leave it out there:', systemctl(facts, `cat ${unit.name}`)),
      forAll: true,
    };
  }
  if (!facts.journal.known) return { why: facts.journal.why, mend: null, forAll: false };
  switch (facts.journal.value.mayRead) {
    case true:
      return null;
    case false:
      return {
        why: 'This user may not read the system’s journal',
        mend: mend(
          'Join the group systemd-journal and log in again:',
          `sudo usermod --append --groups systemd-journal ${facts.user}`,
        ),
        forAll: false,
      };
    case null:
      return {
        why: 'There is no journal: journald keeps nothing, or does not run',
        mend: null,
        forAll: false,
      };
  }
}

/** Tells where the unit's records are. */
function checkRecords(facts: DoctorFacts): readonly Finding[] {
  const unit = unitOf(facts);
  if (unit?.properties['LoadState'] !== 'loaded') return [];
  const say = findings('journal', 'records');
  const stopped = facts.journald.known ? facts.journald.value.stopped : null;
  if (stopped !== null) {
    const how = mend('Start it:', asRoot(facts, stopped.command));
    return [say('problem', `${stopped.reason}.`.replace(/^j/, 'J'), how)];
  }
  const missing = missingRecords(facts);
  if (missing !== null) return [say(missing.forAll ? 'warning' : 'unknown', missing.why, missing.mend)];
  const { LogNamespace = '' } = unit.properties;
  return [
    say(
      'ok',
      LogNamespace === ''
        ? 'This user may read them'
        : `They are in the journal of LogNamespace=${LogNamespace}: journalctl --namespace=${LogNamespace}`,
    ),
  ];
}

export function checkJournal(facts: DoctorFacts): readonly Finding[] {
  const say = findings('journal', 'persistence');
  const { journald, journal } = facts;
  const found: Finding[] = [...checkRecords(facts)];
  if (!journald.known) found.push(say('unknown', journald.why));
  else {
    const { storage, persistentDirectory, rateLimitBurst, rateLimitInterval } = journald.value;
    if (storage === 'none') {
      found.push(
        say(
          'problem',
          'Storage=none: journald keeps nothing.',
          mend(
            'Set Storage=persistent in /etc/systemd/journald.conf, then:',
            asRoot(facts, 'systemctl restart systemd-journald'),
          ),
        ),
      );
    } else if (storage === 'volatile' || (storage === 'auto' && !persistentDirectory)) {
      found.push(
        say(
          'warning',
          `Storage=${storage}${storage === 'auto' ? ' without /var/log/journal' : ''}: the journal is lost at each boot, and with it why the gateway ended.`,
          storage === 'auto'
            ? mend(
                'Make the directory, then "journalctl --flush":',
                asRoot(facts, 'mkdir --parents /var/log/journal'),
              )
            : mend(
                'Set Storage=persistent in /etc/systemd/journald.conf, then:',
                asRoot(facts, 'systemctl restart systemd-journald'),
              ),
        ),
      );
    } else found.push(say('ok', `Storage=${storage}: the journal outlives a boot`));
    const limits = findings('journal', 'rate limit');
    const suppressed = journal.known ? journal.value.suppressed : [];
    const last = suppressed.at(-1);
    const isOff = rateLimitBurst === '0' || rateLimitInterval === '0';
    const limit = `${rateLimitBurst ?? '10000'} records in ${rateLimitInterval ?? '30s'}`;
    const mayRead = journal.known && journal.value.mayRead === true;
    found.push(
      last === undefined
        ? isOff
          ? limits('ok', 'journald has none')
          : mayRead
            ? limits('ok', `${limit}; no record was dropped`)
            : limits('unknown', `${limit}; this user may not see if records were dropped`)
        : limits(
            'warning',
            `journald has dropped records: ${last}`,
            mend('Set log.level to "notice", or LogRateLimitBurst= in [Service]'),
          ),
    );
  }
  return found;
}
