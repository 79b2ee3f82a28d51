import { asRoot, type DoctorFacts } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

export function checkJournal(facts: DoctorFacts): readonly Finding[] {
  const say = findings('journal', 'persistence');
  const { journald, journal } = facts;
  const found: Finding[] = [];
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
    found.push(
      last === undefined
        ? limits(
            journal.known ? 'ok' : 'unknown',
            rateLimitBurst === '0' || rateLimitInterval === '0'
              ? 'journald has none'
              : `${rateLimitBurst ?? '10000'} records in ${rateLimitInterval ?? '30s'}; no record was dropped`,
          )
        : limits(
            'warning',
            `journald has dropped records: ${last}`,
            mend('Set log.level to "notice", or LogRateLimitBurst= in [Service]'),
          ),
    );
  }
  return found;
}
