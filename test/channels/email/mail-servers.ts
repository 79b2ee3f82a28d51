import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const postfix = process.env['POSTFIX'] ?? '/usr/sbin/postfix';
const dovecot = process.env['DOVECOT'] ?? '/usr/sbin/dovecot';

/** They start as root alone. */
export const hasMailServers = existsSync(postfix) && existsSync(dovecot) && process.getuid?.() === 0;

/** The domain of the mailboxes, and the server's name in Authentication-Results. */
export const domain = 'example.test';
export const authservId = 'mx.example.test';
export const password = 'sésame-open';

/** Ports of the loopback that nobody has now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resolves once somebody listens there. */
async function listening(address: { readonly port: number } | { readonly path: string }): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', ...address });
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

/** Postfix and Dovecot in a folder of their own, with ports of the loopback. */
export class MailServers {
  readonly folder: string;
  readonly #running = new Map<string, ChildProcess>();
  #ports: readonly number[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  get smtpPort(): number {
    return this.#ports[0] ?? 0;
  }

  get smtpsPort(): number {
    return this.#ports[1] ?? 0;
  }

  get imapsPort(): number {
    return this.#ports[2] ?? 0;
  }

  /** The certificate that both have, which is its own authority. */
  get certificate(): string {
    return join(this.folder, 'cert.pem');
  }

  /** A directory in which Postfix may use each socket. */
  get lmtpDirectory(): string {
    return join(this.folder, 'lmtp');
  }

  async start(): Promise<void> {
    this.#ports = await freePorts(3);
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
    this.#running.set('dovecot', spawn(dovecot, ['-F', '-c', config], { stdio: 'ignore' }));
    await Promise.all([
      listening({ port: this.imapsPort }),
      listening({ path: join(this.folder, 'run/lmtp') }),
    ]);
  }

  async startPostfix(): Promise<void> {
    const config = join(this.folder, 'postfix');
    this.#running.set('postfix', spawn(postfix, ['-c', config, 'start-fg'], { stdio: 'ignore' }));
    await Promise.all([listening({ port: this.smtpPort }), listening({ port: this.smtpsPort })]);
  }

  /** Ends a server in the middle of whatever it does, with all that it has started. */
  async kill(name: 'postfix' | 'dovecot'): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    const master = this.#master(name);
    // Stopped, it starts nothing more.
    if (master !== null) signal(master, 'SIGSTOP');
    const all = [
      ...(master === null ? [] : [master, ...descendants(master)]),
      ...(child?.pid === undefined ? [] : [child.pid]),
    ];
    for (const pid of all) signal(pid, 'SIGKILL');
    // A socket of one that still runs would keep the next server from its name.
    while (all.some(isRunning)) await delay(5);
  }

  /** The servers' own records, for a test that fails. */
  log(): string {
    return ['dovecot.log', 'postfix.log']
      .map((name) => join(this.folder, name))
      .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
      .join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([this.kill('postfix'), this.kill('dovecot')]);
  }

  #master(name: 'postfix' | 'dovecot'): number | null {
    const file = join(this.folder, name === 'postfix' ? 'queue/pid/master.pid' : 'run/master.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : 0;
    return Number.isInteger(pid) && pid > 1 && isRunning(pid) ? pid : null;
  }

  #writeDovecot(): void {
    const at = this.folder;
    for (const name of ['run', 'mail']) mkdirSync(join(at, name), { mode: 0o755 });
    execFileSync('chown', ['nobody:nogroup', join(at, 'mail')]);
    writeFileSync(
      join(at, 'dovecot.conf'),
      `base_dir = ${at}/run
state_dir = ${at}/run
log_path = ${at}/dovecot.log
protocols = imap lmtp
mail_location = maildir:${at}/mail/%u
first_valid_uid = 1
ssl = required
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
    port = 0
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = ${this.imapsPort}
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
    for (const name of ['postfix', 'queue', 'data', 'lmtp']) mkdirSync(join(at, name), { mode: 0o755 });
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
`,
    );
    const services = [
      `127.0.0.1:${this.smtpPort} inet n - n - - smtpd`,
      `127.0.0.1:${this.smtpsPort} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes`,
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
