import type { EmailChannelConfiguration } from '../../config/channel-table.js';
import { readMailServer } from '../../config/mail-server.js';
import { newId } from '../../store/ids.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { KeptHealth } from '../kept-health.js';
import { readChannelSecret } from '../secret.js';
import { ImapSource } from './imap-source.js';
import { LmtpSource } from './lmtp-source.js';
import { MailIntake } from './mail-intake.js';
import type { MailSource } from './mail-source.js';
import { readAddress } from './mailbox.js';
import { loadMailComposer, loadMailparser } from './optional-packages.js';
import { SmtpSender } from './smtp-sender.js';
import { readCertificates } from './tls-options.js';

/** Longest wait for an answer of the server that takes replies, in milliseconds. RFC 5321 asks for more after a mail. */
const smtpTimeoutMs = 120_000;

/** Mails: in from a mailbox or from the mail server of this machine, out by SMTP. */
export class EmailChannel implements Channel {
  readonly name: string;
  readonly replySender: SmtpSender;
  readonly #source: MailSource;
  readonly #context: ChannelContext;
  readonly #health: KeptHealth;
  #isClosed = false;

  constructor(configuration: EmailChannelConfiguration, context: ChannelContext) {
    const { name, host } = context;
    const {
      address,
      display_name: displayName,
      message_limit: messageLimitBytes,
      ca_file: caFile,
    } = configuration;
    this.name = name;
    this.#context = context;
    this.#health = new KeptHealth(context);
    const password = readChannelSecret({ name, ...configuration }, host.credentialsDirectory);
    const ca = caFile === null ? null : readCertificates(caFile, `channels.${name}.ca_file`);
    const { domain = '' } = readAddress(address) ?? {};
    const smtp = readMailServer(configuration.smtp);
    this.replySender = new SmtpSender({
      context,
      own: { address, domain, displayName: displayName ?? '' },
      client: { server: smtp, password, ca, timeoutMs: smtpTimeoutMs, ownDomain: domain },
      messageLimitBytes,
      retryForMs: configuration.retry_for,
    });
    const intake = new MailIntake({ context, configuration });
    if (configuration.imap === null) {
      this.#source = new LmtpSource({
        context,
        path: configuration.lmtp ?? '',
        messageLimitBytes,
        take: async (mail) => void (await intake.take(mail)),
      });
      return;
    }
    if (password === null)
      throw new Error(`channels.${name}.token_file is to name the file with the password`);
    this.#source = new ImapSource({
      context,
      server: readMailServer(configuration.imap),
      password,
      ca,
      moveTo: configuration.move_to,
      checkIntervalMs: configuration.check_interval,
      messageLimitBytes,
      take: (mail, checkpoint) => intake.take(mail, checkpoint),
      enter: (state, reason) => this.#enter(state, reason),
      proven: () => this.#health.proven(),
    });
  }

  async start(): Promise<void> {
    await Promise.all([loadMailparser(), loadMailComposer()]);
    await this.#source.start();
    // A mailbox that another gateway has is not up.
    if (this.#source instanceof LmtpSource) this.#enter('up');
  }

  stopAccepting(): void {
    this.#source.stopAccepting();
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    await this.#source.close(timeoutMs);
    this.#enter('closed');
  }

  health(): ChannelHealth {
    return this.#health.now;
  }

  async say({ address, options = {} }: ChannelAddress, text: string): Promise<void> {
    await this.replySender.say({ address, options }, text, newId());
  }

  #enter(state: ChannelHealth['state'], reason: string | null = null): void {
    if (this.#isClosed && state !== 'closed') return;
    const isChanged = this.#health.enter(state, reason);
    if (isChanged && state === 'up') this.#context.log.info(`The channel ${this.name} takes mails now.`);
    if (isChanged && state === 'down') {
      this.#context.log.warning(`The channel ${this.name} is down: ${reason}. It connects again.`);
    }
  }
}
