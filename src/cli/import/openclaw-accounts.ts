import type { DotEnv } from './dot-env.js';
import type { KnownPlatform } from './takeover.js';
import { emptyTree, isTree, listOf, type Tree, treeAt, valueAt } from './tree.js';

export type ChatPlatform = Exclude<KnownPlatform, 'email'>;

/** Names that OpenClaw gives to settings of a platform. */
interface PlatformNames {
  /** Any of them makes an account. */
  readonly tokens: readonly string[];
  /** The end of the variable of the same. */
  readonly variable: string;
  readonly groups: readonly [string, ...string[]];
  /** Settings that a named account does not have from the platform. */
  readonly own: readonly string[];
}

export const chatPlatforms: Readonly<Record<ChatPlatform, PlatformNames>> = {
  telegram: { tokens: ['botToken', 'tokenFile'], variable: 'BOT_TOKEN', groups: ['groups'], own: [] },
  discord: { tokens: ['token', 'tokenFile'], variable: 'BOT_TOKEN', groups: ['guilds'], own: [] },
  slack: { tokens: ['botToken'], variable: 'BOT_TOKEN', groups: ['channels'], own: [] },
  matrix: {
    tokens: ['accessToken', 'password'],
    variable: 'ACCESS_TOKEN',
    // The second one is of older versions.
    groups: ['groups', 'rooms'],
    own: ['accessToken', 'password', 'userId', 'deviceId'],
  },
};

export function isChatPlatform(name: string): name is ChatPlatform {
  return Object.hasOwn(chatPlatforms, name);
}

/** The account that has no name of its own. */
export const defaultAccount = 'default';

/** One bot. Its settings are those of the platform with its own over them. */
export interface Account {
  readonly platform: ChatPlatform;
  readonly id: string;
  /** In the configuration there. */
  readonly place: string;
  readonly settings: Tree;
}

/** All accounts of a configuration, platform by platform. */
export function accountsOf(settings: Tree, environment: DotEnv): readonly Account[] {
  const platforms = Object.keys(chatPlatforms) as readonly ChatPlatform[];
  return platforms.flatMap((platform) => accountsOfPlatform(platform, settings, environment));
}

function accountsOfPlatform(platform: ChatPlatform, settings: Tree, environment: DotEnv): readonly Account[] {
  const channels = treeAt(settings, 'channels');
  const { accounts: _, ...base } = treeAt(channels, platform) as Tree & { readonly accounts?: unknown };
  const place = `channels.${platform}`;
  const { own: ownKeys } = chatPlatforms[platform];
  const shared = Object.fromEntries(Object.entries(base).filter(([key]) => !ownKeys.includes(key)));
  const named = Object.entries(treeAt(channels, platform, 'accounts'));
  const accounts = named.map(([id, account]): Account => {
    const own = isTree(account) ? withinBase(account, base) : emptyTree;
    const outer = id === defaultAccount ? base : shared;
    return { platform, id, place: `${place}.accounts.${id}`, settings: { ...outer, ...own } };
  });
  const hasDefault = accounts.some(({ id }) => id === defaultAccount);
  const hasToken = hasTokenOf(platform, base, environment);
  if (hasDefault || (named.length > 0 && !hasToken)) return accounts;
  const isThere = isTree(valueAt(channels, platform)) || hasToken;
  if (!isThere) return accounts;
  return [{ platform, id: defaultAccount, place, settings: base }, ...accounts];
}

function hasTokenOf(platform: ChatPlatform, settings: Tree, { variables }: DotEnv): boolean {
  const { tokens, variable } = chatPlatforms[platform];
  return (
    tokens.some((key) => valueAt(settings, key) !== undefined) ||
    variables.has(`${platform.toUpperCase()}_${variable}`)
  );
}

/** An account does not let everybody write where the platform's own list names people. */
function withinBase(account: Tree, base: Tree): Tree {
  const outer = valueAt(base, 'allowFrom');
  const own = valueAt(account, 'allowFrom');
  if (outer === undefined || own === undefined || listOf(outer).includes('*')) return account;
  return { ...account, allowFrom: listOf(own).filter((entry) => entry !== '*') };
}

/** The variable of an account, by the end of its name. Those of named accounts are of Matrix alone. Null: it is not set. */
export function variableOf(
  { platform, id }: Pick<Account, 'platform' | 'id'>,
  name: string,
  { variables }: DotEnv,
): string | null {
  const prefix = platform.toUpperCase();
  const plain = () => variables.get(`${prefix}_${name}`) || null;
  if (id === defaultAccount) return plain();
  if (platform !== 'matrix') return null;
  const account = id
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]/gu, (character) => `_X${character.codePointAt(0)?.toString(16)}_`);
  const scoped = variables.get(`${prefix}_${account.toUpperCase()}_${name}`) || null;
  return scoped ?? (name === 'HOMESERVER' ? plain() : null);
}
