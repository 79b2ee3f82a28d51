// Started with descriptors passed; prints what listenFds says of them, and whether they are closed on exec. Does so
// once for its own environment, or for each of those in its argument (JSON).
import { readFileSync } from 'node:fs';
import { listenFds } from '../../dist/systemd/listen-fds.js';

function closedOnExec(fd) {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  return (Number.parseInt(flags[1], 8) & 0o2000000) !== 0;
}

function answer(environment) {
  for (const name of Object.keys(process.env)) if (name.startsWith('LISTEN_')) delete process.env[name];
  Object.assign(process.env, environment);
  // LISTEN_PID must name this process, which its parent can't know before it has started it.
  if (process.env.LISTEN_PID === 'self') process.env.LISTEN_PID = String(process.pid);
  try {
    return listenFds().map(({ fd, name }) => ({ fd, name, closedOnExec: closedOnExec(fd) }));
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

const environments = process.argv[2];
const own = Object.entries(process.env).filter(([name]) => name.startsWith('LISTEN_'));
const answers =
  environments === undefined ? answer(Object.fromEntries(own)) : JSON.parse(environments).map(answer);
process.stdout.write(JSON.stringify(answers));
