import { tokenForms } from '../../channels/token-forms.js';
import { type DotEnv, emptyDotEnv, MissingVariableError, parseDotEnv } from './dot-env.js';
import {
  type Account,
  accountsOf,
  type ChatPlatform,
  chatPlatforms,
  defaultAccount,
  isChatPlatform,
  variableOf,
} from './openclaw-accounts.js';
import { OpenClawPaired } from './openclaw-paired.js';
import { OpenClawSecrets } from './openclaw-secrets.js';
import { parseJson5 } from './parse-files.js';
import { encryptedRooms, noSuchChannel, passwordAlone } from './reasons.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import {
  apiRootOf,
  peopleForms,
  peopleOf,
  peopleValues,
  personOf,
  type TakenSecret,
  Takeover,
} from './takeover.js';
import { emptyTree, flagOf, isTree, listOf, type Tree, textOf, treeAt, valueAt } from './tree.js';

/** Largest of its files, in bytes. */
const largestBytes = 1_048_576;

/** Takes over from a directory of OpenClaw, `~/.openclaw`. Throws a SourceError if nothing can be told from it. */
export function takeOpenClaw(directory: SourceDirectory): Takeover {
  return new OpenClawReader(directory).read();
}

class OpenClawReader {
  readonly #directory: SourceDirectory;
  readonly #takeover = new Takeover();
  readonly #settings: Tree;
  readonly #environment: DotEnv;
  readonly #secrets: OpenClawSecrets;
  readonly #paired: OpenClawPaired;

  constructor(directory: SourceDirectory) {
    this.#directory = directory;
    const text = directory.read('openclaw.json', largestBytes);
    if (text === null) {
      throw new SourceError(`${directory.path} has no openclaw.json: it is no directory of OpenClaw`);
    }
    this.#settings = parseJson5(text, `${directory.path}/openclaw.json`);
    const environment = directory.read('.env', largestBytes);
    const file = environment === null ? emptyDotEnv : parseDotEnv(environment);
    this.#environment = { ...file, variables: new Map([...ownVariables(this.#settings), ...file.variables]) };
    this.#secrets = new OpenClawSecrets(directory, this.#settings, this.#environment);
    this.#paired = new OpenClawPaired(directory, this.#takeover);
  }

  read(): Takeover {
    for (const account of accountsOf(this.#settings, this.#environment)) this.#take(account);
    this.#leaveRest();
    return this.#takeover;
  }

  #take(account: Account): void {
    const { platform, place, settings, id } = account;
    if (flagOf(valueAt(settings, 'enabled')) === false) {
      this.#takeover.leave(place, 'it is switched off there');
      return;
    }
    const seen = new Set(['enabled', 'name', 'defaultAccount']);
    const value = (key: string) => {
      seen.add(key);
      return valueAt(settings, key);
    };
    try {
      const found = this.#secretsOf(account, value);
      if (found === null) {
        const hasPassword = platform === 'matrix' && this.#ofMatrix(account, value, 'password') !== null;
        this.#takeover.leave(
          place,
          hasPassword ? passwordAlone : 'it has no token there, or not all that it needs',
        );
        return;
      }
      const special = platform === 'telegram' ? this.#apiRoot(place, value) : {};
      const people = this.#people(account, value);
      for (const key of Object.keys(settings)) {
        if (!seen.has(key)) this.#takeover.leaveByName(`${place}.${key}`, key);
      }
      this.#takeover.add(place, {
        name: id === defaultAccount ? platform : `${platform}-${nameOf(id)}`,
        values: { type: platform, ...found.values, ...special, ...people },
        secrets: found.secrets,
      });
    } catch (error) {
      if (!(error instanceof MissingVariableError) && !(error instanceof SourceError)) throw error;
      this.#takeover.leave(place, error.message);
    }
  }

  #secretsOf(
    account: Account,
    value: (key: string) => unknown,
  ): { readonly values: Tree; readonly secrets: readonly TakenSecret[] } | null {
    const { platform } = account;
    const secret = (key: TakenSecret['key'], written: unknown, name: string | null, form: RegExp) => {
      const variable = name === null ? null : variableOf(account, name, this.#environment);
      const text = this.#secrets.secretOf(written) ?? variable;
      if (text === null) return null;
      if (!form.test(text)) throw new SourceError('its token is not what the platform gives');
      return { key, text };
    };
    if (platform === 'matrix') {
      const token = secret('token_file', value('accessToken'), 'ACCESS_TOKEN', tokenForms.matrix);
      return token === null ? null : { values: this.#homeserver(account, value), secrets: [token] };
    }
    if (platform !== 'slack') {
      const file = value('tokenFile');
      const written = value(platform === 'telegram' ? 'botToken' : 'token');
      const named = textOf(file) ?? '';
      const text = named === '' ? written : this.#directory.readSecretFile(named);
      const token = secret('token_file', text, 'BOT_TOKEN', tokenForms[platform]);
      return token === null ? null : { values: {}, secrets: [token] };
    }
    const bot = secret('token_file', value('botToken'), 'BOT_TOKEN', tokenForms.slackBot);
    const app = secret('app_token_file', value('appToken'), 'APP_TOKEN', tokenForms.slackApp);
    const signing = secret('signing_secret_file', value('signingSecret'), null, tokenForms.slackSigning);
    const isPosted = textOf(value('mode')) === 'http';
    const other = isPosted ? signing : app;
    if (bot === null || other === null) return null;
    return { values: isPosted ? { mode: 'events' } : {}, secrets: [bot, other] };
  }

  #homeserver(account: Account, value: (key: string) => unknown): Tree {
    const { place } = account;
    if (flagOf(value('encryption')) === true) this.#takeover.leave(`${place}.encryption`, encryptedRooms);
    // The token tells both.
    value('userId');
    value('deviceId');
    const join = textOf(value('autoJoin'));
    if (join === 'allowlist') {
      this.#takeover.leave(
        `${place}.autoJoin`,
        'there is no list of rooms here: no invitation is accepted until invites says so',
      );
    }
    value('autoJoinAllowlist');
    const invites = join === 'always' ? 'all' : join === 'off' || join === 'allowlist' ? 'none' : null;
    return {
      homeserver: this.#ofMatrix(account, value, 'homeserver') ?? '',
      ...(invites !== null && { invites }),
    };
  }

  /** A setting of an account of Matrix, which may be a variable. */
  #ofMatrix(
    account: Account,
    value: (key: string) => unknown,
    key: 'homeserver' | 'password',
  ): string | null {
    const name = key.toUpperCase();
    return this.#secrets.secretOf(value(key)) ?? variableOf(account, name, this.#environment);
  }

  #apiRoot(place: string, value: (key: string) => unknown): Tree {
    const written = textOf(value('apiRoot'));
    if (written === null) return emptyTree;
    const root = apiRootOf(written);
    if (root === null) {
      this.#takeover.leave(`${place}.apiRoot`, 'it is not the root of a Bot API server alone');
    }
    return root === null ? emptyTree : { api_root: root };
  }

  #people({ platform, place, id, settings }: Account, value: (key: string) => unknown): Tree {
    const takeover = this.#takeover;
    const direct = treeAt(settings, 'dm');
    value('dm');
    const policy = textOf(value('dmPolicy')) ?? textOf(valueAt(direct, 'policy')) ?? 'pairing';
    const from = valueAt(settings, 'allowFrom') ?? valueAt(direct, 'allowFrom');
    value('allowFrom');
    const listed = peopleOf(
      takeover,
      platform,
      `${place}.allowFrom`,
      this.#withGroups(platform, listOf(from)),
    );
    const paired =
      policy === 'open'
        ? []
        : peopleOf(
            takeover,
            platform,
            `${place}: the people who were paired`,
            this.#paired.peopleOf(platform, id),
          );
    const isOff = policy === 'disabled' || flagOf(valueAt(direct, 'enabled')) === false;
    if (isOff)
      takeover.leave(`${place}: private messages`, 'they are off there, and nobody is taken over for that');
    const others = this.#groupPeople(platform, place, value).filter(
      (person) => !listed.includes(person) && !paired.includes(person),
    );
    if (others.length > 0) {
      takeover.leave(
        `${place}.groupAllowFrom`,
        'people may write in private and in groups alike here: allow those who may do both',
      );
    }
    // "*" counts with the policy "open" alone.
    const allow = isOff ? [] : [...listed, ...paired].filter((person) => person !== '*' || policy === 'open');
    return peopleValues({
      allow: [...new Set(allow)],
      owners: isOff ? [] : this.#owners(platform),
      pairing: policy === 'pairing',
      groups: this.#groups(platform, place, value),
    });
  }

  #groupPeople(platform: ChatPlatform, place: string, value: (key: string) => unknown): readonly string[] {
    const entries = this.#withGroups(platform, listOf(value('groupAllowFrom')));
    return peopleOf(this.#takeover, platform, `${place}.groupAllowFrom`, entries);
  }

  /** The people who may also decide, of every platform; one without its platform's name is of any that has such ids. */
  #owners(platform: ChatPlatform): readonly string[] {
    return listOf(valueAt(treeAt(this.#settings, 'commands'), 'ownerAllowFrom')).flatMap((entry) => {
      const [, other] = /^([a-z]+):/i.exec(entry) ?? [];
      if (other !== undefined && !peopleForms[platform].prefix.test(entry)) return [];
      const person = personOf(platform, entry);
      return person === null || person === '*' ? [] : [person];
    });
  }

  /** Puts the members in the places of groups of people. */
  #withGroups(platform: ChatPlatform, entries: readonly string[]): readonly string[] {
    return entries.flatMap((entry) => {
      if (!entry.startsWith('accessGroup:')) return [entry];
      const group = treeAt(this.#settings, 'accessGroups', entry.slice('accessGroup:'.length));
      return textOf(valueAt(group, 'type')) === 'message.senders'
        ? listOf(valueAt(treeAt(group, 'members'), platform))
        : [entry];
    });
  }

  #groups(
    platform: ChatPlatform,
    place: string,
    value: (key: string) => unknown,
  ): 'mention' | 'all' | 'none' {
    const { groups: keys } = chatPlatforms[platform];
    const key = keys.find((each) => value(each) !== undefined) ?? keys[0];
    const written = value(key);
    const groups = Object.values(isTree(written) ? written : emptyTree).filter(isTree);
    const shared = valueAt(treeAt(this.#settings, 'channels', 'defaults'), 'groupPolicy');
    const policy = textOf(value('groupPolicy')) ?? textOf(shared) ?? 'allowlist';
    if (policy === 'disabled' || (policy === 'allowlist' && groups.length === 0)) return 'none';
    if (groups.length > 0) this.#takeover.leaveByName(`${place}.${key}`, key);
    const mention = [value('requireMention'), ...groups.map((group) => valueAt(group, 'requireMention'))];
    const told = mention.map(flagOf).filter((flag) => flag !== null);
    return told.length > 0 && told.every((flag) => !flag) ? 'all' : 'mention';
  }

  #leaveRest(): void {
    const takeover = this.#takeover;
    for (const key of Object.keys(treeAt(this.#settings, 'channels'))) {
      if (isChatPlatform(key)) continue;
      if (key === 'defaults' || key === 'modelByChannel') takeover.leaveByName(`channels.${key}`, key);
      else takeover.leave(`channels.${key}`, key === '$include' ? otherFile : noSuchChannel);
    }
    for (const key of Object.keys(this.#settings)) {
      const isTaken = ['channels', 'env', 'secrets', 'accessGroups', 'meta', 'wizard', '$schema'].includes(
        key,
      );
      if (key === '$include') takeover.leave(key, otherFile);
      else if (key === 'commands') this.#leaveCommands();
      else if (!isTaken) takeover.leave(key, topReason(key));
    }
    for (const line of this.#environment.unreadLines) {
      takeover.leave(`.env, line ${line}`, 'it is no NAME=value, or a quote is not closed');
    }
  }

  #leaveCommands(): void {
    for (const key of Object.keys(treeAt(this.#settings, 'commands'))) {
      if (key !== 'ownerAllowFrom') this.#takeover.leaveByName(`commands.${key}`, key);
    }
  }
}

const otherFile = 'other files are not read: put it into openclaw.json itself';

/** Variables that stand in the configuration. */
function ownVariables(settings: Tree): ReadonlyMap<string, string> {
  const {
    vars: _,
    shellEnv: __,
    ...own
  } = treeAt(settings, 'env') as Tree & Record<'vars' | 'shellEnv', unknown>;
  const entries = Object.entries({ ...own, ...treeAt(settings, 'env', 'vars') });
  return new Map(entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

function topReason(key: string): string {
  if (/^(?:agents|models|auth|tools|skills|plugins|browser|memory|mcp|acp|bindings|identity)$/.test(key))
    return 'it is the agent’s, which keeps it';
  if (/^(?:cron|hooks|automations?)$/.test(key))
    return 'the other gateway ran it: a timer of systemd can "sd-gateway send"';
  if (key === 'session') return 'each chat and each thread is a session here';
  return /^(?:tts|talk|audio|voice)/.test(key) ? 'there is no voice here' : 'there is no such setting here';
}

/** A part of a channel's name. */
function nameOf(account: string): string {
  return account.toLowerCase().replace(/[^a-z0-9_-]/g, '-');
}
