import { expect, it } from 'vitest';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Takes every question and answers none, and writes down that it was asked. */
const silentNameServer = `import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.99', 53))
while True:
    question = server.recv(512)
    with open('/tmp/asked', 'ab') as file: file.write(question[13:20] + b'\\n')
`;

const receiver = `require('node:http').createServer((request, response) => {
  request.resume();
  require('node:fs').writeFileSync('/tmp/received', '');
  response.writeHead(204).end();
}).listen(9000, '127.0.0.1')`;

describeOnMachine('name servers that are silent', (machine) => {
  it('hold up the replies to their hosts, and no others', async () => {
    const until = (condition: string) =>
      machine().check(['sh', '-c', `until ${condition}; do sleep 0.05; done`], { timeout: 60_000 });
    await machine().writeFile('/tmp/name-server.py', silentNameServer);
    await machine().writeFile('/tmp/receiver.cjs', receiver);
    await machine().check(['systemd-run', 'python3', '/tmp/name-server.py']);
    await machine().check(['systemd-run', 'node', '/tmp/receiver.cjs']);
    await machine().check(['rm', '--force', '/etc/resolv.conf']);
    await machine().writeFile('/etc/resolv.conf', 'nameserver 127.0.0.99\noptions timeout:5 attempts:2\n');
    await machine().writeFile('/etc/hosts', '127.0.0.1 localhost answers.example\n');
    const gateway = await GatewayUnit.install(machine(), {
      name: 'lookups',
      environment: { SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]', SD_GATEWAY_STOP_DRAIN: '0s' },
    });
    await gateway.succeed('start');
    const post = async (host: string) => {
      const { status, body } = await gateway.post(host, {
        text: 'hello',
        reply_to: { url: `http://${host}.example:9000/` },
      });
      expect(status).toBe(202);
      return String(body['id']);
    };
    const silent = ['silent1', 'silent2', 'silent3', 'silent4', 'silent5', 'silent6'];
    const ids = await Promise.all(silent.map(post));
    await until('test "$(grep --text --only-matching silent[0-9] /tmp/asked | sort -u | wc -l)" -ge 2');
    await post('answers');
    await until('test -e /tmp/received');
    // Else the other one had only waited until they had ended.
    for (const id of ids) {
      const { body } = await gateway.http('GET', `/v1/messages/${id}`);
      expect(body).toMatchObject({ state: 'replied', delivery: { attempts: 1, last_error: null } });
    }
    // Pending look-ups are not waited for: each name for 10 s, and each attempt for delivery.timeout.
    const began = performance.now();
    await gateway.succeed('stop');
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
