import type { SlackChannelConfiguration } from '../../config/channel-table.js';
import type { ChannelContext } from '../channel.js';
import { readChannelSecret } from '../secret.js';
import { tokenForms } from '../token-forms.js';
import { secretPlace } from '../trouble.js';
import type { SlackTokens } from './slack-api.js';
import type { SlackPlaces } from './trouble.js';

type Settings = Pick<
  SlackChannelConfiguration,
  | 'mode'
  | 'token_file'
  | 'token_credential'
  | 'app_token_file'
  | 'app_token_credential'
  | 'signing_secret_file'
  | 'signing_secret_credential'
>;

/** The secrets of one app. They are read anew each time, and stand in no error. */
export class SlackSecrets {
  readonly #settings: Settings;
  readonly #context: Pick<ChannelContext, 'name' | 'host'>;

  constructor(settings: Settings, context: Pick<ChannelContext, 'name' | 'host'>) {
    this.#settings = settings;
    this.#context = context;
  }

  /** Throws an error that says what is wrong with one. */
  tokens(): SlackTokens {
    const { mode, token_file, token_credential, app_token_file, app_token_credential } = this.#settings;
    const bot = this.#read('token', token_file, token_credential, tokenForms.slackBot, '"xoxb-"');
    if (mode !== 'socket') return { bot, app: null };
    const app = this.#read('app_token', app_token_file, app_token_credential, tokenForms.slackApp, '"xapp-"');
    return { bot, app };
  }

  signingSecret(): string {
    const { signing_secret_file: file, signing_secret_credential: credential } = this.#settings;
    return this.#read('signing_secret', file, credential, tokenForms.slackSigning, 'hex digits');
  }

  get botPlace(): SlackPlaces {
    const { token_file: file, token_credential: credential } = this.#settings;
    return { tokenPlace: secretPlace(file, credential), prefix: 'xoxb-' };
  }

  get appPlace(): SlackPlaces {
    const { app_token_file: file, app_token_credential: credential } = this.#settings;
    return { tokenPlace: secretPlace(file, credential), prefix: 'xapp-' };
  }

  #read(key: string, file: string | null, credential: string | null, form: RegExp, begins: string): string {
    const { name, host } = this.#context;
    const settings = { name, key, token_file: file, token_credential: credential };
    const secret = readChannelSecret(settings, host.credentialsDirectory);
    if (secret === null) throw new Error(`channels.${name} needs ${key}_file or ${key}_credential`);
    if (form.test(secret)) return secret;
    throw new Error(
      `the secret of channels.${name}.${key}_${file === null ? 'credential' : 'file'} is not what Slack gives: that begins with ${begins}, and the file has nothing else in it (docs/channels/slack.md)`,
    );
  }
}
