import { bare, type OwnWords } from './own-words.js';

/** Stands for what was left out. */
export const leftOut = '…';

/** Parts of paths that machines have in common. Another part may be the name of a person, or of their project. */
const knownParts: ReadonlySet<string> = new Set(
  (
    'bin boot cache cli conf.d config control control.sock credentials dev dist etc gateway.db home http.sock journal lib ' +
    'lib64 local lock log main.js node node_modules null opt private proc root run sbin sd-gateway sd-gateway.env ' +
    'sd-gateway.service sd-gateway.socket sd-gateway.toml self sh share shm srv state stderr stdin stdout sys system ' +
    'systemd tmp token user usr var webhook-secret .cache .config .local'
  ).split(' '),
);

/** Names of processes that may end a gateway. */
const knownProcesses: ReadonlySet<string> = new Set(
  (
    '(systemd) bash conmon containerd-shim containerd-shim-runc-v2 cron dash docker-init dockerd fish htop init kill ' +
    'killall kubelet login node npm pkill podman pm2 python3 reboot runc sd-gateway sh shutdown sshd su sudo supervisord ' +
    'systemctl systemd systemd-shutdow timeout tini tmux top zsh'
  ).split(' '),
);

/** Short numbers, times, sizes and versions. A longer number may be the id of a person. */
const harmless =
  /^(?:[+-]?\d{1,4}(?:[.,]\d{1,3})?(?:%|[a-zµ]{1,3}|[KMGT]i?B?|B)?|\d{1,3}(?:\.\d{1,3}){1,2}|\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?|\d\d?:\d\d(?::\d\d(?:\.\d+)?)?|UTC|SIG[A-Z]{2,6}|sd-gateway|Node\.js|yes|no|true|false|null|127\.0\.0\.1|localhost)$/;

/** An address of this machine's own. */
const ownAddress = /^(?:https?:\/\/)?(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):\d{1,5}\/?$/;

/** Lines of a program that the gateway runs: all of them is that program's. */
const foreignLine = /^(agent|channel): /;
/** The gateway repeats what a program has written. */
const foreignEnd = /(standard error ends:).*$/s;

/** Leaves out of a text what the program has not said itself. */
export class Redaction {
  readonly #words: OwnWords;
  readonly #labels = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(words: OwnWords) {
    this.#words = words;
  }

  /** The same label for the same name, such as "session-2", so that records can be told apart. */
  label(kind: string, name: string): string {
    const key = `${kind} ${name}`;
    const known = this.#labels.get(key);
    if (known !== undefined) return known;
    const number = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, number);
    this.#labels.set(key, `${kind}-${number}`);
    return `${kind}-${number}`;
  }

  process(name: string): string {
    return knownProcesses.has(name) ? name : leftOut;
  }

  /** Keeps the parts of a path that all machines have. */
  path(path: string): string {
    const parts = path.split('/').map((part) => {
      if (part === '' || part === '.' || part === '..' || part === '~' || knownParts.has(part)) return part;
      return this.unitName(part) ?? leftOut;
    });
    return parts.join('/').replace(/…(?:\/…)+/g, leftOut);
  }

  /** A unit's name without that of its instance; null: it is no unit of a gateway. */
  unitName(word: string): string | null {
    const [, separator, type] =
      /^sd-gateway([-@:.].*)?\.(service|socket|timer|slice)(?:\.d)?$/.exec(word) ?? [];
    if (type === undefined) return null;
    return separator === undefined ? word : `sd-gateway-${leftOut}.${type}`;
  }

  text(text: string): string {
    if (this.#words.isLiteral(text)) return text;
    return text
      .replace(foreignEnd, `$1 ${leftOut}`)
      .split('\n')
      .map((line) => this.#line(line))
      .join('\n');
  }

  #line(line: string): string {
    const foreign = foreignLine.exec(line);
    if (foreign !== null) return `${foreign[0]}${leftOut}`;
    const words = line.split(/\s+/).filter((word) => word !== '');
    const bares = words.map(bare);
    const plain = bares.map((word) => this.#plain(word));
    const isOwn = bares.map((word, at) => {
      if (plain[at] !== null) return false;
      const before = at > 0 && plain[at - 1] === null && this.#words.hasPair(bares[at - 1] ?? '', word);
      const after =
        at + 1 < bares.length && plain[at + 1] === null && this.#words.hasPair(word, bares[at + 1] ?? '');
      return before || after;
    });
    const shown = words.map((word, at) => {
      const own = bares[at] ?? '';
      const other = plain[at] ?? null;
      if (other !== null) return framed(word, own, other);
      if (/^[…–-]+$/.test(word)) return word;
      // Its neighbour may have been put in, and begin with a word of the program.
      const follows = at > 0 && this.#words.hasPair(null, own);
      const precedes = at + 1 < words.length && this.#words.hasPair(own, null);
      return isOwn[at] === true || follows || precedes ? framed(word, own, own) : leftOut;
    });
    return shown.join(' ').replace(/…(?: …)+/g, leftOut);
  }

  /** The shown form of a word that needs no neighbour; null: it needs one. */
  #plain(word: string): string | null {
    if (harmless.test(word) || ownAddress.test(word)) return word;
    const [, scheme] = /^([a-z][a-z0-9+.-]{1,9}):\/\//i.exec(word) ?? [];
    if (scheme !== undefined)
      return ['http', 'https', 'ws', 'wss'].includes(scheme) ? `${scheme}://${leftOut}` : leftOut;
    const [, path, place = ''] = /^([~/].*?)((?::\d{1,6}){0,2})$/.exec(word) ?? [];
    if (path !== undefined) return `${this.path(path)}${place}`;
    return this.unitName(word);
  }

  /** A value of a report, member by member. Names of members are the program's own. */
  value(value: unknown, member = ''): unknown {
    if (Array.isArray(value)) return value.map((item) => this.value(item, member));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [
          /^[a-z][a-z0-9_]{0,40}$/.test(name) ? name : leftOut,
          this.value(inner, name),
        ]),
      );
    }
    if (typeof value !== 'string') return value;
    if (member === 'comm' || member === 'command') return this.process(value);
    // systemd, the kernel and the gateway's start make them.
    const isId = ['invocation_id', 'boot_id'].includes(member) && /^[0-9a-f-]{32,36}$/.test(value);
    return isId ? value : this.text(value);
  }
}

/** The punctuation around a word stays. */
function framed(word: string, own: string, shown: string): string {
  const at = word.indexOf(own);
  const before = word.slice(0, at).replace(/[^"“‘'([{]/g, '');
  const after = word.slice(at + own.length).replace(/[^"”’')\]},.;:!?]/g, '');
  return `${before}${shown}${after}`;
}
