import { tokenForms } from '../../channels/token-forms.js';
import { type DotEnv, emptyDotEnv, MissingVariableError, parseDotEnv } from './dot-env.js';
import { PlatformSettings } from './hermes-settings.js';
import { mailboxOf } from './mailbox.js';
import { pairedPeople } from './paired-people.js';
import { parseYaml } from './parse-files.js';
import { encryptedRooms, noSuchChannel, passwordAlone } from './reasons.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import {
  apiRootOf,
  isKnownPlatform,
  type KnownPlatform,
  knownPlatforms,
  peopleOf,
  peopleValues,
  personOf,
  type TakenSecret,
  Takeover,
} from './takeover.js';
import { flagOf, isTree, listOf, type Tree, textOf, treeAt, valueAt } from './tree.js';

/** Largest of its files, in bytes: the time that a parser of YAML takes grows with the square of it. */
const largestBytes = 262_144;

/** Platforms of Hermes that no channel here is of. */
const otherPlatforms: ReadonlySet<string> = new Set(
  'whatsapp whatsapp_cloud signal mattermost homeassistant sms dingtalk feishu wecom wecom_callback weixin bluebubbles qqbot yuanbao relay msgraph_webhook google_chat teams line ntfy irc simplex photon raft buzz'.split(
    ' ',
  ),
);

/** The beginnings of the variables of a platform, where they are not its name. */
const variablePrefixes: readonly (readonly [prefix: string, platform: string])[] = [
  ...knownPlatforms.map((name) => [`${name.toUpperCase()}_`, name] as const),
  ...[...otherPlatforms].map((name) => [`${name.toUpperCase()}_`, name] as const),
  ['TWILIO_', 'sms'],
  ['HASS_', 'homeassistant'],
  ['QQ_', 'qqbot'],
];

const folders: readonly (readonly [name: string, reason: string])[] = [
  ['cron', 'the other gateway ran it: a timer of systemd can "sd-gateway send"'],
  ['skills', 'it is the agent’s'],
  ['hooks', 'they are programs of the other gateway, and are not run'],
  ['profiles', 'each is a directory of its own: name it to take it over'],
  ['gateway.json', 'it is of an old version; Hermes itself moves it into config.yaml'],
];

/** Takes over from a directory of Hermes, `~/.hermes`. Throws a SourceError if nothing can be told from it. */
export function takeHermes(directory: SourceDirectory): Takeover {
  return new HermesReader(directory).read();
}

class HermesReader {
  readonly #directory: SourceDirectory;
  readonly #takeover = new Takeover();
  readonly #environment: DotEnv;
  readonly #settings: Tree;
  /** Variables that were taken, or left with a reason. */
  readonly #seen = new Set<string>();

  constructor(directory: SourceDirectory) {
    this.#directory = directory;
    const environment = directory.read('.env', largestBytes);
    const settings = directory.read('config.yaml', largestBytes);
    if (environment === null && settings === null) {
      throw new SourceError(`${directory.path} has no config.yaml and no .env: it is no directory of Hermes`);
    }
    this.#environment = environment === null ? emptyDotEnv : parseDotEnv(environment);
    this.#settings = settings === null ? {} : parseYaml(settings, `${directory.path}/config.yaml`);
  }

  read(): Takeover {
    for (const platform of knownPlatforms) {
      const settings = this.#platform(platform);
      if (settings !== null) this.#take(platform, settings);
    }
    this.#leaveSettings();
    this.#leaveVariables();
    for (const [name, reason] of folders) if (this.#directory.has(name)) this.#takeover.leave(name, reason);
    return this.#takeover;
  }

  /** The settings of a platform in the configuration and the environment; null: there are none. */
  #platform(platform: KnownPlatform): PlatformSettings | null {
    const blocks = [
      treeAt(this.#settings, platform),
      treeAt(this.#settings, 'platforms', platform),
      treeAt(this.#settings, 'gateway', platform),
      treeAt(this.#settings, 'gateway', 'platforms', platform),
    ].flatMap((block) => [block, treeAt(block, 'extra')]);
    const prefix = `${platform.toUpperCase()}_`;
    const isThere =
      blocks.some((block) => Object.keys(block).length > 0) ||
      [...this.#environment.variables.keys()].some((name) => name.startsWith(prefix));
    if (!isThere) return null;
    return new PlatformSettings(platform, blocks, this.#environment, this.#seen);
  }

  #take(platform: KnownPlatform, settings: PlatformSettings): void {
    const takeover = this.#takeover;
    if (settings.flag('enabled', null) === false) {
      takeover.leave(platform, 'it is switched off there');
      settings.leaveRest(null);
      return;
    }
    try {
      const secrets = secretsOf(platform, settings, takeover);
      if (secrets === null) {
        const hasPassword = platform === 'matrix' && settings.text('password', 'PASSWORD') !== null;
        takeover.leave(platform, hasPassword ? passwordAlone : 'it has no token there');
        settings.leaveRest(takeover);
        return;
      }
      const special = this.#special(platform, settings);
      const people = this.#people(platform, settings);
      settings.leaveRest(takeover);
      takeover.add(platform, {
        name: platform,
        values: { type: platform, ...special, ...people },
        secrets,
      });
    } catch (error) {
      if (!(error instanceof MissingVariableError) && !(error instanceof SourceError)) throw error;
      takeover.leave(platform, error.message);
      settings.leaveRest(takeover);
    }
  }

  #special(platform: KnownPlatform, settings: PlatformSettings): Readonly<Record<string, unknown>> {
    if (platform === 'email') return mailbox(settings, this.#takeover);
    if (platform === 'matrix') return homeserver(settings, this.#takeover);
    if (platform !== 'telegram') return {};
    const written = settings.text('base_url', null);
    if (written === null) return {};
    const root = apiRootOf(written);
    if (root === null)
      this.#takeover.leave('telegram.base_url', 'it is not the root of a Bot API server alone');
    return root === null ? {} : { api_root: root };
  }

  #people(platform: KnownPlatform, settings: PlatformSettings): Readonly<Record<string, unknown>> {
    const takeover = this.#takeover;
    const own = settings.list('allow_from', 'ALLOWED_USERS');
    const listed = platform === 'matrix' && own.length === 0 ? settings.list('allowed_users', null) : own;
    const everybody =
      settings.flag('allow_all_users', 'ALLOW_ALL_USERS') === true || this.#global('GATEWAY_ALLOW_ALL_USERS');
    const shared = listOf(this.#variable('GATEWAY_ALLOWED_USERS') ?? '');
    const allow = [
      ...(everybody ? ['*'] : []),
      ...peopleOf(takeover, platform, `${platform}: the list of its people`, listed),
      // They are of all platforms, so those of others are no mistake.
      ...shared.flatMap((entry) => personOf(platform, entry) ?? []),
      ...peopleOf(takeover, platform, `${platform}: the people who were paired`, this.#paired(platform)),
    ];
    const admins = settings.list('allow_admin_from', null);
    const owners = peopleOf(takeover, platform, `${platform}.allow_admin_from`, admins).filter(
      (person) => person !== '*',
    );
    if (platform === 'email') return peopleValues({ allow: [...new Set(allow)], owners });
    const mention = settings.flag('require_mention', 'REQUIRE_MENTION');
    const policy = settings.text('group_policy', null);
    const stranger =
      settings.text('unauthorized_dm_behavior', null) ??
      textOf(valueAt(this.#settings, 'unauthorized_dm_behavior')) ??
      textOf(valueAt(treeAt(this.#settings, 'gateway'), 'unauthorized_dm_behavior'));
    const direct = settings.text('dm_policy', null);
    if (direct === 'open') {
      takeover.leave(
        `${platform}.dm_policy`,
        'allow = ["*"] lets everybody write: set it yourself if it is meant',
      );
    }
    return peopleValues({
      allow: [...new Set(allow)],
      owners,
      pairing: stranger !== 'ignore' && direct !== 'allowlist' && direct !== 'disabled',
      groups: policy === 'disabled' ? 'none' : mention === false ? 'all' : 'mention',
    });
  }

  /** Ids from both places that Hermes has had for them. */
  #paired(platform: KnownPlatform): readonly string[] {
    const names = ['platforms/pairing', 'pairing'].map((folder) => `${folder}/${platform}-approved.json`);
    return pairedPeople(this.#directory, this.#takeover, names, Object.keys);
  }

  #variable(name: string): string | null {
    this.#seen.add(name);
    return this.#environment.variables.get(name) ?? null;
  }

  #global(name: string): boolean {
    return flagOf(this.#variable(name)) === true;
  }

  #leaveSettings(): void {
    const names = (tree: Tree, place: string) => {
      for (const [key, value] of Object.entries(tree)) {
        if (isKnownPlatform(key)) continue;
        const path = place === '' ? key : `${place}.${key}`;
        if (otherPlatforms.has(key)) this.#takeover.leave(path, noSuchChannel);
        else if (key === 'platforms' && isTree(value)) names(value, path);
        else if (key === 'gateway' && place === '' && isTree(value)) names(value, path);
        else if (key !== 'unauthorized_dm_behavior') this.#takeover.leave(path, topReason(key));
      }
    };
    names(this.#settings, '');
  }

  #leaveVariables(): void {
    for (const line of this.#environment.unreadLines) {
      this.#takeover.leave(`.env, line ${line}`, 'it is no NAME=value, or a quote is not closed');
    }
    for (const name of this.#environment.variables.keys()) {
      if (this.#seen.has(name)) continue;
      const platform = variablePrefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
      if (platform !== undefined && !isKnownPlatform(platform)) this.#takeover.leave(name, noSuchChannel);
      else if (/^(?:GATEWAY|WEBHOOK|API_SERVER)_/.test(name)) this.#takeover.leaveByName(name, name);
    }
    // The rest are keys of models and tools: the agent reads them itself.
  }
}

/** Settings of the gateway have a reason of their own; all others are the agent's. */
function topReason(key: string): string {
  if (/^(?:webhook|api_server|session|group_sessions|delivery|streaming|systemd|multiplex|filter)/.test(key))
    return 'there is no such setting here';
  if (key === 'cron') return 'the other gateway ran it: a timer of systemd can "sd-gateway send"';
  return /^(?:tts|stt|voice)/.test(key) ? 'there is no voice here' : 'it is the agent’s, if it is anybody’s';
}

/** Null: it has none. Throws a SourceError that says what is wrong with one. */
function secretsOf(
  platform: KnownPlatform,
  settings: PlatformSettings,
  takeover: Takeover,
): readonly TakenSecret[] | null {
  switch (platform) {
    case 'telegram':
    case 'discord': {
      const token = settings.text('token', 'BOT_TOKEN');
      return token === null ? null : [secretOf('token_file', token, tokenForms[platform])];
    }
    case 'slack': {
      const [bot, ...others] = listOf(settings.text('token', 'BOT_TOKEN'));
      const app = settings.text('app_token', 'APP_TOKEN');
      if (bot === undefined || app === null) return null;
      if (others.length > 0)
        takeover.leave('slack: the tokens of further workspaces', 'each needs a table of its own');
      return [
        secretOf('token_file', bot, tokenForms.slackBot),
        secretOf('app_token_file', app, tokenForms.slackApp),
      ];
    }
    case 'matrix': {
      const token = settings.text('token', 'ACCESS_TOKEN') ?? settings.text('access_token', null);
      return token === null ? null : [secretOf('token_file', token, tokenForms.matrix)];
    }
    case 'email': {
      const password = settings.text('password', 'PASSWORD');
      return password === null ? null : [secretOf('token_file', password, /^[^\p{Cc}]+$/u)];
    }
  }
}

function secretOf(key: TakenSecret['key'], text: string, form: RegExp): TakenSecret {
  if (!form.test(text)) throw new SourceError('its token is not what the platform gives');
  return { key, text };
}

function homeserver(settings: PlatformSettings, takeover: Takeover): Readonly<Record<string, unknown>> {
  const mode = settings.text('e2ee_mode', 'E2EE_MODE');
  const isEncrypted =
    mode === null ? settings.flag('encryption', 'ENCRYPTION') === true : !/^off$/i.test(mode);
  settings.flag('encryption', 'ENCRYPTION');
  if (isEncrypted) takeover.leave('matrix: encryption', encryptedRooms);
  // The token tells both.
  settings.text('user_id', 'USER_ID');
  settings.text('device_id', 'DEVICE_ID');
  return { homeserver: settings.text('homeserver', 'HOMESERVER') ?? '' };
}

function mailbox(settings: PlatformSettings, takeover: Takeover): Readonly<Record<string, unknown>> {
  return mailboxOf(
    {
      address: settings.text('address', 'ADDRESS') ?? '',
      imapHost: settings.text('imap_host', 'IMAP_HOST') ?? '',
      imapPort: settings.text('imap_port', 'IMAP_PORT'),
      smtpHost: settings.text('smtp_host', 'SMTP_HOST') ?? '',
      smtpPort: settings.text('smtp_port', 'SMTP_PORT'),
    },
    takeover,
  );
}
