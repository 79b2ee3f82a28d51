import { describe, expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const unit = 'sd-gateway.service';

/** Secrets, texts and names, by the place in which each is planted. */
const planted = {
  operatorToken: 'operatortoken-9f2c71aa',
  clientToken: 'clienttoken77a1',
  hookSecret: 'hooksecret0123456789abcdefghij',
  botToken: '123456789:AAbottoken_of-the-file_0123456789ab',
  botCredential: 'credentialtoken-5519',
  dropInVariable: 'dropinvalue-3141',
  environmentFile: 'environmentfile-2718',
  agentVariable: 'agentvariable-1618',
  agentArgument: 'agentargument-5772',
  urlQuery: 'urlquery-8314',
  urlHost: 'receiver-of-zoe.example',
  messageText: 'Quarterly salaries of Zoe: "überraschend" <b>high</b>',
  replyText: 'replytext-of-the-agent-1380',
  errorText: 'standarderrortext-6022',
  metadata: 'metadatavalue-9109',
  session: 'zoe.session-4411',
  sender: '70412345678',
  person: 'Zoe Quux',
  attachment: 'salary-list-of-zoe.pdf',
  comment: 'comment-of-the-operator-1602',
  description: 'descriptionsecret-1054',
  configurationComment: 'configurationcomment-8854',
  journalLine: 'journalline-4135',
  home: 'zoehome',
} as const;

/** The forms that a text may take in a file of JSON, a URL or an encoding. */
function formsOf(text: string): readonly string[] {
  const base64 = Buffer.from(text).toString('base64').replace(/=+$/, '');
  const escaped = JSON.stringify(text).slice(1, -1);
  const ascii = [...text]
    .map((character) =>
      character > '~' ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : character,
    )
    .join('');
  return [
    text,
    escaped,
    ascii,
    JSON.stringify(escaped).slice(1, -1),
    text.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('"', '\\u0022'),
    encodeURIComponent(text),
    base64,
    base64.slice(0, -2),
    Buffer.from(text).toString('base64url'),
    Buffer.from(text).toString('hex'),
    [...text].reverse().join(''),
  ];
}

const configuration = `
# ${planted.configurationComment}
[agent]
type = "command"
command = ["/bin/sh", "-c", "echo ${planted.errorText} >&2; cat >/dev/null; echo ${planted.replyText}", "${planted.agentArgument}"]
[agents.other]
type = "http"
url = "https://${planted.urlHost}/turn?key=${planted.urlQuery}"
[channels.zoe-hook]
type = "webhook"
scheme = "github"
token_file = "/home/${planted.home}/hook.secret"
[channels.bot]
type = "telegram"
token_credential = "bot"
api_root = "http://127.0.0.1:9"
allow = ["${planted.sender}"]
[delivery]
allow = ["127.0.0.0/8"]
[log]
level = "debug"
bodies = true
`;

async function plant(machine: Machine): Promise<void> {
  await makeShippedUser(machine);
  const write = async (path: string, text: string, mode = '644') => {
    await machine.writeFile(path, text);
    await machine.check(['chmod', mode, path]);
  };
  await write('/etc/sd-gateway/sd-gateway.toml', configuration);
  await write('/etc/sd-gateway/sd-gateway.env', `AGENT_KEY=${planted.environmentFile}\n`);
  await write('/etc/sd-gateway/token', planted.operatorToken, '600');
  await write('/etc/sd-gateway/bot', planted.botToken, '600');
  await write(`/home/${planted.home}/hook.secret`, planted.hookSecret, '600');
  await write(
    `/etc/systemd/system/${unit}.d/zoe.conf`,
    [
      `# ${planted.comment}`,
      '[Unit]',
      `Description=Gateway of ${planted.person} ${planted.description}`,
      '[Service]',
      `Environment="API_KEY=${planted.dropInVariable}" AGENT=${planted.agentVariable}`,
      'LoadCredential=token:/etc/sd-gateway/token',
      'LoadCredential=bot:/etc/sd-gateway/bot',
      `SetCredential=other:${planted.botCredential}`,
      `ExecStartPre=-/bin/sh -c "echo ${planted.journalLine} ${planted.person}"`,
      '',
    ].join('\n'),
  );
}

/** Writes an archive, and gives its files by name. */
async function filesOf(
  machine: Machine,
  archive: string,
  user?: { readonly name: string; readonly uid: number },
): Promise<{ readonly said: string; readonly files: Readonly<Record<string, string>> }> {
  const as = user === undefined ? {} : { user };
  const said = await machine.check(['sd-gateway', 'diagnostics', '--system', '--output', archive], as);
  const directory = `${archive}.d`;
  await machine.check(['mkdir', directory]);
  await machine.check(['tar', '-xzf', archive, '-C', directory, '--strip-components=1']);
  const names = (await machine.check(['ls', directory])).trim().split('\n');
  const files: Record<string, string> = {};
  for (const name of names) files[name] = await machine.check(['cat', `${directory}/${name}`]);
  return { said, files };
}

describeOnMachine('sd-gateway diagnostics', (machine) => {
  const http = (method: string, path: string, body: unknown) =>
    machine().check([
      'curl',
      '--silent',
      '--fail-with-body',
      '--request',
      method,
      '--header',
      `Authorization: Bearer ${planted.operatorToken}`,
      '--header',
      'Content-Type: application/json',
      '--data',
      JSON.stringify(body),
      `http://127.0.0.1:8733${path}`,
    ]);

  /** The names of the secrets that a file holds in some form. */
  const leaksIn = (files: Readonly<Record<string, string>>): readonly string[] =>
    Object.entries(files).flatMap(([file, text]) =>
      Object.entries(planted)
        .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
        .map(([name]) => `${name} in ${file}`),
    );

  describe('of a gateway with secrets everywhere', () => {
    it('holds none of them, and says what happened', async () => {
      await plant(machine());
      await machine().check(['sd-gateway', 'install', '--now'], { timeout: 80_000 });
      await machine().writeFile(`/root/${planted.attachment}`, planted.messageText);
      await machine().check([
        'sd-gateway',
        'send',
        '--session',
        planted.session,
        '--file',
        `/root/${planted.attachment}`,
        planted.messageText,
      ]);
      const { id } = JSON.parse(
        await http('POST', `/v1/sessions/${planted.session}/messages`, {
          text: planted.messageText,
          sender: planted.person,
          metadata: { key: planted.metadata },
          reply_to: { url: `http://127.0.0.1:9/hook?token=${planted.urlQuery}` },
        }),
      ) as { readonly id: string };
      await expect
        .poll(() => machine().check(['sd-gateway', 'show', id]), { timeout: 30_000 })
        .toContain(planted.replyText);
      await machine().check([
        'systemd-cat',
        '--identifier=sd-gateway',
        'echo',
        `Stopping: ${planted.journalLine}`,
      ]);
      // The plants are there to be found.
      const journal = JSON.stringify(await machine().journal(`--unit=${unit}`));
      for (const name of ['messageText', 'replyText', 'errorText', 'journalLine', 'session'] as const)
        expect(journal).toContain(JSON.stringify(planted[name]).slice(1, -1));

      const { said, files } = await filesOf(machine(), '/root/running.tar.gz');
      expect(leaksIn(files)).toEqual([]);
      expect(leaksIn({ said })).toEqual([]);
      expect(Object.keys(files).sort()).toEqual([
        'README.txt',
        'configuration.toml',
        'doctor.json',
        'drift.txt',
        'journal.jsonl',
        'manifest.json',
        'runs.json',
        'status.json',
        'store.json',
        'unit.txt',
        'versions.json',
      ]);
      expect(JSON.parse(files['status.json'] ?? '')).toMatchObject({
        verdict: 'running',
        unit: { name: unit, active_state: 'active', sub_state: 'running' },
      });
      expect(files['unit.txt']).toContain('\nProtectSystem=strict\n');
      expect(files['unit.txt']).toContain('\nEnvironment=… …\n');
      expect(files['configuration.toml']).toContain('[agent]\ntype = "command"\n');
      expect(files['configuration.toml']).toContain('[log]\nlevel = "debug"\nbodies = true\n');
      expect(files['journal.jsonl']).toMatch(/"kind":"ready",.*"MESSAGE":"Ready after \d+ ms/);
      expect(JSON.parse(files['store.json'] ?? '')).toMatchObject({
        engine: expect.stringMatching(/^SQLite 3\./),
        counts: { sessions: 1 },
      });
      expect(await machine().check(['stat', '--format=%a', '/root/running.tar.gz'])).toBe('600\n');
    });

    it('goes on without the gateway, its configuration and the rights to the journal', async () => {
      await machine().check(['systemctl', 'stop', unit]);
      await machine().writeFile('/etc/sd-gateway/sd-gateway.toml', `lisen = "${planted.agentArgument}"\n[`);
      const stopped = await filesOf(machine(), '/root/stopped.tar.gz');
      expect(leaksIn(stopped.files)).toEqual([]);
      expect(stopped.said).toContain('configuration.toml is missing: /etc/sd-gateway/sd-gateway.toml:2:');
      expect(JSON.parse(stopped.files['runs.json'] ?? '')).toMatchObject({
        runs: [{ stop: { cause: 'planned-stop', description: expect.stringContaining('planned stop') } }],
      });
      expect(JSON.parse(stopped.files['status.json'] ?? '')).toMatchObject({ verdict: 'stopped' });

      const anna = await machine().addUser('anna', 1_601);
      const other = await filesOf(machine(), '/tmp/anna.tar.gz', anna);
      expect(leaksIn(other.files)).toEqual([]);
      expect(other.said).toContain('journal.jsonl is missing: this user may not read the journal\n');
      expect(other.files['README.txt']).toContain(
        'journal.jsonl is missing: this user may not read the journal',
      );
      expect(other.files['unit.txt']).toContain('ProtectSystem=strict');
    });

    it('overwrites no file, and follows no link', async () => {
      await machine().check(['ln', '-s', '/root/elsewhere', '/root/link.tar.gz']);
      for (const path of ['/root/running.tar.gz', '/root/link.tar.gz']) {
        const { status, stderr } = await machine().run(['sd-gateway', 'diagnostics', '--output', path]);
        expect(stderr).toBe(
          `sd-gateway: ${path} is there already, and stays: name another file with --output\n`,
        );
        expect(status).toBe(1);
      }
      expect((await machine().run(['test', '-e', '/root/elsewhere'])).status).toBe(1);
    });
  });
});
