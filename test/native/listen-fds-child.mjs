// Started with descriptors passed; prints what listenFds says of them, and whether they are closed on exec. Does so
// once for its own environment, or for each of those in its argument (JSON).
import { readFileSync } from 'node:fs';
import { listenFds } from '../../dist/systemd/listen-fds.js';

function closedOnExec(fd) {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  return (Number.parseInt(flags[1], 8) & 0o2000000) !== 0;
}

function report(options) {
  try {
    return listenFds(options).map(({ fd, name }) => ({ fd, name, closedOnExec: closedOnExec(fd) }));
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

function answer(environment) {
  Object.assign(process.env, environment);
  // LISTEN_PID must name this process, which its parent can't know before it has started it.
  if (process.env.LISTEN_PID === 'self') process.env.LISTEN_PID = String(process.pid);
  const first = report({ unsetEnvironment: true });
  const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
  return { first, left, second: report() };
}

const environments = process.argv[2];
const answers = environments === undefined ? answer({}) : JSON.parse(environments).map(answer);
process.stdout.write(JSON.stringify(answers));
