import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mayMakeNamespaces, Namespace } from '../../support/namespace.js';

const postfix = process.env['POSTFIX'] ?? '/usr/sbin/postfix';
const dovecot = process.env['DOVECOT'] ?? '/usr/sbin/dovecot';

/** They start as root alone. */
export const hasMailServers = existsSync(postfix) && existsSync(dovecot) && mayMakeNamespaces();

/** The domain of the mailboxes, and the server's name in Authentication-Results. */
export const domain = 'example.test';
export const authservId = 'mx.example.test';
export const password = 'sésame-open';

/** Ports of the servers, in their network. */
export const ports = { smtp: 25, imap: 143, smtps: 465, imaps: 993 } as const;

/** Room for the queue, and for the mailboxes: it can be filled. */
const roomMebibytes = 24;

/** Resolves once somebody listens there. */
async function listening(path: string): Promise<void> {
  for (;;) {
    const socket = connect(path);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended.
    return '';
  }
}

function isRunning(pid: number): boolean {
  const state = /\) (\S)/.exec(textOf(`/proc/${pid}/stat`))?.[1];
  return state !== undefined && state !== 'Z';
}

function descendants(pid: number): readonly number[] {
  const text = textOf(`/proc/${pid}/task/${pid}/children`).trim();
  return (text === '' ? [] : text.split(' ').map(Number)).flatMap((each) => [each, ...descendants(each)]);
}

type ServerName = 'postfix' | 'dovecot';

/** Postfix and Dovecot in a folder and a network of their own. */
export class MailServers {
  readonly folder: string;
  readonly #running = new Map<string, ChildProcess>();
  #namespace: Namespace | null = null;
  #ports: Readonly<Record<keyof typeof ports, number>> = { smtp: 0, imap: 0, smtps: 0, imaps: 0 };

  constructor(folder: string) {
    this.folder = folder;
  }

  get namespace(): Namespace {
    if (this.#namespace === null) throw new Error('The mail servers have not been started.');
    return this.#namespace;
  }

  /** Ports outside that lead to those of the servers. */
  get ports(): Readonly<Record<keyof typeof ports, number>> {
    return this.#ports;
  }

  /** The file system of the mailboxes, and that of the queue, in the namespace. */
  get disks() {
    return { dovecot: join(this.folder, 'mail'), postfix: join(this.folder, 'queue') } as const;
  }

  /** The mailbox, as it is seen from outside. */
  mailbox(user: string): string {
    return this.namespace.path(join(this.disks.dovecot, `${user}@${domain}`));
  }

  /** The certificate that both have, which is its own authority. */
  get certificate(): string {
    return join(this.folder, 'cert.pem');
  }

  /** The socket at which Dovecot takes mails. */
  get dovecotLmtp(): string {
    return join(this.folder, 'run/lmtp');
  }

  /** A directory in which Postfix may use each socket. */
  get lmtpDirectory(): string {
    return join(this.folder, 'lmtp');
  }

  async start(): Promise<void> {
    const namespace = await Namespace.open();
    this.#namespace = namespace;
    for (const disk of Object.values(this.disks)) namespace.mount(disk, roomMebibytes);
    const leads = Object.entries(ports).map(async ([name, port]) => [name, await namespace.portTo(port)]);
    this.#ports = Object.fromEntries(await Promise.all(leads)) as typeof this.ports;
    // Both read files as the users that they become.
    chmodSync(this.folder, 0o755);
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${this.folder}/key.pem -out ${this.certificate} -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    this.#writeDovecot();
    this.#writePostfix();
    await Promise.all([this.startDovecot(), this.startPostfix()]);
  }

  async startDovecot(): Promise<void> {
    const config = join(this.folder, 'dovecot.conf');
    await this.#start('dovecot', [dovecot, '-F', '-c', config], () =>
      Promise.all([
        this.namespace.listening(ports.imap),
        this.namespace.listening(ports.imaps),
        listening(this.dovecotLmtp),
      ]),
    );
  }

  async startPostfix(): Promise<void> {
    const config = join(this.folder, 'postfix');
    await this.#start('postfix', [postfix, '-c', config, 'start-fg'], () =>
      Promise.all([this.namespace.listening(ports.smtp), this.namespace.listening(ports.smtps)]),
    );
  }

  async #start(name: ServerName, command: readonly string[], up: () => Promise<unknown>): Promise<void> {
    const child = this.namespace.spawn(command);
    this.#running.set(name, child);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${name} did not start:\n${this.log().slice(-1_000)}`);
    });
    ended.catch(() => undefined);
    await Promise.race([up(), ended]);
  }

  async startServer(name: ServerName): Promise<void> {
    await (name === 'postfix' ? this.startPostfix() : this.startDovecot());
  }

  /** Ends a server in the middle of whatever it does, with all that it has started. */
  async kill(name: ServerName): Promise<void> {
    const all = this.pause(name);
    const child = this.#running.get(name);
    this.#running.delete(name);
    const isOver = child === undefined || child.exitCode !== null || child.signalCode !== null;
    // Dovecot takes one that is still a zombie for one that runs, and does not start.
    const ended = isOver ? null : once(child, 'exit');
    for (const pid of all) signal(pid, 'SIGKILL');
    await ended;
    // A socket of one that still runs would keep the next server from its name.
    while (all.some(isRunning)) await delay(5);
  }

  /** Stops a server in the middle of whatever it does. Gives its processes. */
  pause(name: ServerName): readonly number[] {
    const child = this.#running.get(name);
    const master = this.#master(name);
    // Stopped, it starts nothing more.
    if (master !== null) signal(master, 'SIGSTOP');
    const all = [
      ...(master === null ? [] : [master, ...descendants(master)]),
      ...(child?.pid === undefined ? [] : [child.pid]),
    ];
    for (const pid of all) signal(pid, 'SIGSTOP');
    return all;
  }

  goOn(processes: readonly number[]): void {
    for (const pid of processes) signal(pid, 'SIGCONT');
  }

  /** The servers' own records, for a test that fails. */
  log(): string {
    return ['dovecot.log', 'postfix.log']
      .map((name) => join(this.folder, name))
      .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
      .join('\n');
  }

  /** True: Postfix has handed all mails on. */
  isQueueEmpty(): boolean {
    const queue = this.namespace.path(this.disks.postfix);
    const files = ['maildrop', 'incoming', 'active', 'deferred'].flatMap((name) =>
      readdirSync(join(queue, name), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(queue, name, file),
      ),
    );
    // One that it had not taken as it was killed stays there, and can't be executed.
    return !files.some((file) => {
      const status = statSync(file, { throwIfNoEntry: false });
      return status?.isFile() === true && (status.mode & 0o100) !== 0;
    });
  }

  async stop(): Promise<void> {
    if (this.#namespace === null) return;
    await Promise.all([this.kill('postfix'), this.kill('dovecot')]);
    this.#namespace.close();
  }

  #master(name: ServerName): number | null {
    const files = {
      postfix: join(this.disks.postfix, 'pid/master.pid'),
      dovecot: join(this.folder, 'run/master.pid'),
    };
    const file = this.namespace.path(files[name]);
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : 0;
    return Number.isInteger(pid) && pid > 1 && isRunning(pid) ? pid : null;
  }

  #writeDovecot(): void {
    const at = this.folder;
    mkdirSync(join(at, 'run'), { mode: 0o755 });
    execFileSync('chown', ['nobody:nogroup', this.namespace.path(this.disks.dovecot)]);
    writeFileSync(
      join(at, 'dovecot.conf'),
      `base_dir = ${at}/run
state_dir = ${at}/run
log_path = ${at}/dovecot.log
protocols = imap lmtp
mail_location = maildir:${at}/mail/%u
first_valid_uid = 1
ssl = yes
disable_plaintext_auth = no
ssl_cert = <${this.certificate}
ssl_key = <${at}/key.pem
mail_fsync = never
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${at}/mail/%u allow_all_users=yes
}
service imap-login {
  chroot =
  inet_listener imap {
    address = 127.0.0.1
    port = ${ports.imap}
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = ${ports.imaps}
    ssl = yes
  }
}
service anvil {
  chroot =
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
namespace inbox {
  inbox = yes
  mailbox Done {
    auto = create
  }
}
`,
    );
  }

  #writePostfix(): void {
    const at = this.folder;
    for (const name of ['postfix', 'data', 'lmtp']) mkdirSync(join(at, name), { mode: 0o755 });
    execFileSync('chown', ['postfix', join(at, 'data')]);
    // A socket in it has its group.
    execFileSync('chown', [':postfix', this.lmtpDirectory]);
    chmodSync(this.lmtpDirectory, 0o2750);
    // A mail whose next try falls due within the scan that deferred it is skipped, and waits for five minutes: so the
    // tries are further apart than the scans.
    // The server says who a mail is from: here the domain of the envelope's sender, as SPF does.
    writeFileSync(
      join(at, 'postfix/senders'),
      `/^(.*)@(.*)$/ PREPEND Authentication-Results: ${authservId}; spf=pass smtp.mailfrom=$1@$2\n`,
    );
    writeFileSync(
      join(at, 'postfix/main.cf'),
      `compatibility_level = 3.6
queue_directory = ${at}/queue
data_directory = ${at}/data
maillog_file_prefixes = /
maillog_file = ${at}/postfix.log
mail_owner = postfix
setgid_group = postdrop
myhostname = ${authservId}
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions = check_sender_access regexp:${at}/postfix/senders
smtpd_tls_cert_file = ${this.certificate}
smtpd_tls_key_file = ${at}/key.pem
virtual_mailbox_domains = ${domain} lmtp.test
virtual_transport = lmtp:unix:${at}/run/lmtp
transport_maps = inline:{ {lmtp.test = lmtp:unix:${this.lmtpDirectory}/mail.sock} }
lmtp_destination_concurrency_failed_cohort_limit = 0
minimal_backoff_time = 2s
maximal_backoff_time = 2s
queue_run_delay = 1s
message_size_limit = 1000000
notify_classes =
`,
    );
    const services = [
      `127.0.0.1:${ports.smtp} inet n - n - - smtpd`,
      `127.0.0.1:${ports.smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes`,
      'cleanup unix n - n - 0 cleanup',
      'qmgr unix n - n 300 1 qmgr',
      'tlsmgr unix - - n 1000? 1 tlsmgr',
      'rewrite unix - - n - - trivial-rewrite',
      'bounce unix - - n - 0 bounce',
      'defer unix - - n - 0 bounce',
      'trace unix - - n - 0 bounce',
      'proxymap unix - - n - - proxymap',
      'smtp unix - - n - - smtp',
      'lmtp unix - - n - - lmtp',
      'retry unix - - n - - error',
      'error unix - - n - - error',
      'anvil unix - - n - 1 anvil',
      'scache unix - - n - 1 scache',
      'postlog unix-dgram n - n - 1 postlogd',
    ];
    writeFileSync(join(at, 'postfix/master.cf'), `${services.join('\n')}\n`);
  }
}
