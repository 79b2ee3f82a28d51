import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../../cli/foreground.js';
import { Namespace } from '../../support/namespace.js';
import { hasIrcServer, IrcPerson, IrcServer } from './irc-server.js';

const program = fileURLToPath(new URL('../../../examples/irc.py', import.meta.url));

test.skipIf(!hasIrcServer)(
  'IRC, with a server that is killed and comes back',
  { timeout: 60_000 },
  async () => {
    const place = new Place();
    onTestFinished(() => place.remove());
    const namespace = await Namespace.open();
    onTestFinished(() => namespace.close());
    chmodSync(place.directory, 0o755);
    const server = new IrcServer(namespace, join(place.directory, 'ngircd.conf'));
    onTestFinished(() => server.kill());
    const port = await server.portOutside();
    mkdirSync(join(place.directory, 'etc'));
    const command = ['/usr/bin/python3', program, '127.0.0.1', String(port), 'gateway', '#dev'];
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      `[channels.irc]\ntype = "command"\ncommand = ${JSON.stringify(command)}\nallow = ["ada"]\n`,
    );
    await server.start();
    const gateway = await place.start();
    await gateway.says('The program of the channel irc is ready');
    // The kit has ids of its own.
    const kit = [...command.slice(0, 4), 'kit', '#dev'];
    const tested = await place.run(['channel', 'test', '--to', '#dev', '--', ...kit]);
    expect(tested.stdout).not.toMatch(/^failed/m);
    expect(tested.status).toBe(0);

    const ada = new IrcPerson(server, 'ada');
    await ada.joins('#dev');
    ada.says('PRIVMSG #dev :not for it', `PRIVMSG #dev :gateway: ${'long words '.repeat(38)}`);
    await ada.hears(/:gateway!.* PRIVMSG #dev :ada: long words long/);
    ada.says('PRIVMSG gateway :in private');
    await ada.hears(/:gateway!.* PRIVMSG ada :in private/);
    const eve = new IrcPerson(server, 'eve');
    await eve.hears(' 001 ');
    eve.says('PRIVMSG gateway :let me in');
    await gateway.says('The person \\"eve\\" asks to write');
    await eve.hears(
      / PRIVMSG eve :You may not write to me yet\. Give this code to the operator: \w{4}-\w{4}/,
    );

    await server.kill();
    await gateway.says(
      'The channel irc is down: the program exited with status 1; standard error ends: 127.0.0.1 closed',
    );
    await server.start();
    await gateway.says('The channel irc is up again');
    const again = new IrcPerson(server, 'ada');
    await again.hears(' 001 ');
    again.says('PRIVMSG gateway :still there?');
    await again.hears(/:gateway!.* PRIVMSG ada :still there\?/);
    for (const person of [ada, eve, again]) person.leaves();
    gateway.child.kill('SIGTERM');
    const { status } = await gateway.end;
    // Nobody here is a supervisor: an orderly stop is a failure all the same.
    expect(status).toBe(1);
  },
);
