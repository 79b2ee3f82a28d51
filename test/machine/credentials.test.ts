import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const unit = 'sd-gateway.service';

async function dropIn(machine: Machine, lines: readonly string[]): Promise<void> {
  await machine.writeFile(
    `/etc/systemd/system/${unit}.d/credentials.conf`,
    ['[Service]', ...lines, ''].join('\n'),
  );
  await machine.check(['systemctl', 'daemon-reload']);
}

/** Starts the unit, sends with the token, and stops it; gives the reply. */
async function askedWith(machine: Machine, token: string): Promise<string> {
  await machine.check(['systemctl', 'start', unit]);
  const reply = await machine.check(['sd-gateway', 'send', 'hello'], {
    environment: { SD_GATEWAY_TOKEN: token },
  });
  await machine.check(['systemctl', 'stop', unit]);
  return reply;
}

describeOnMachine('the token as a credential', (machine) => {
  it('is taken from LoadCredential=, SetCredential= and SetCredentialEncrypted=, and not shown anywhere', async () => {
    await machine().check(['cp', `/usr/lib/sd-gateway/systemd/${unit}`, '/etc/systemd/system/']);
    await makeShippedUser(machine());

    await machine().writeFile('/etc/sd-gateway/secret-token', 'loaded-token-31415926\n');
    await machine().check(['chmod', '600', '/etc/sd-gateway/secret-token']);
    await dropIn(machine(), ['LoadCredential=token:/etc/sd-gateway/secret-token']);
    expect(await askedWith(machine(), 'loaded-token-31415926')).toBe('hello\n');

    await dropIn(machine(), ['SetCredential=token:set-token-27182818']);
    expect(await askedWith(machine(), 'set-token-27182818')).toBe('hello\n');

    await machine().check(['systemd-creds', 'setup']);
    const encrypted = await machine().check(
      ['systemd-creds', 'encrypt', '--name=token', '--pretty', '-', '-'],
      {
        input: 'encrypted-token-16180339',
      },
    );
    await dropIn(machine(), [encrypted.trimEnd()]);
    await machine().writeFile(
      '/etc/sd-gateway/sd-gateway.toml',
      '[agent]\ntype = "command"\ncommand = ["/bin/sh", "-c", "cat >/dev/null; cat /proc/self/environ | tr \'\\\\0\' \'\\\\n\'; ls -l /proc/self/fd"]\n[log]\nlevel = "debug"\n',
    );
    const seen = await askedWith(machine(), 'encrypted-token-16180339');
    // The command's own descriptors: three of its own, and the directory that ls reads.
    expect(seen).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_|LISTEN_|CREDENTIALS_DIRECTORY|token/i);
    expect(seen.split('\n').filter((line) => line.includes(' -> '))).toHaveLength(4);

    // The unit file's own text of SetCredential= is the manager's to keep; the gateway names no token.
    const journal = await machine().journal(`--unit=${unit}`);
    expect(journal.length).toBeGreaterThan(10);
    expect(JSON.stringify(journal)).not.toMatch(/loaded-token|set-token|encrypted-token/);
    // With a credential no file is made.
    const files = await machine().check(['ls', '/var/lib/sd-gateway']);
    expect(files.split('\n')).not.toContain('token');
  });

  it('is told to be one where it is missing or wrong', async () => {
    await machine().check(['systemctl', 'start', unit]);
    // Root reads it where systemd keeps it.
    expect((await machine().run(['sd-gateway', 'send', 'hello'])).status).toBe(0);
    const user = await machine().addUser('alice', 1_201);
    const missing = await machine().run(['sd-gateway', 'send', 'hello'], { user });
    expect(missing.status).not.toBe(0);
    // She has no gateway, and may not read the credential.
    expect(missing.stderr).toContain('"sudo sd-gateway send …"');
    const wrong = await machine().run(['sd-gateway', 'send', 'hello'], {
      environment: { SD_GATEWAY_TOKEN: 'wrong' },
    });
    expect(wrong.status).toBe(77);
    expect(wrong.stderr).toContain('does not accept the token in SD_GATEWAY_TOKEN');
    await machine().check(['systemctl', 'stop', unit]);
  });

  it('lies in files of mode 0600 in directories of mode 0700, where it is no credential', async () => {
    await machine().check(['rm', '-r', `/etc/systemd/system/${unit}.d`, '/etc/sd-gateway/sd-gateway.toml']);
    await machine().check(['systemctl', 'daemon-reload']);
    await machine().check(['systemctl', 'start', unit]);
    expect(await machine().check(['sd-gateway', 'send', 'hello'])).toBe('hello\n');
    const open = await machine().check([
      'find',
      '/var/lib/sd-gateway',
      '/run/sd-gateway/',
      '-type',
      'f,d,s',
      '-perm',
      '/077',
      '-print',
    ]);
    expect(open).toBe('');
    expect(await machine().check(['ls', '/var/lib/sd-gateway'])).toContain('token\n');
    await machine().check(['systemctl', 'stop', unit]);
  });
});
