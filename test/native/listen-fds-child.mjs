// Started with descriptors passed; prints what listenFds says of them, and whether they are closed on exec.
import { readFileSync } from 'node:fs';
import { listenFds } from '../../dist/systemd/listen-fds.js';

// LISTEN_PID must name this process, which its parent can't know before it has started it.
if (process.env.LISTEN_PID === 'self') process.env.LISTEN_PID = String(process.pid);

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

const first = report({ unsetEnvironment: true });
const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
process.stdout.write(JSON.stringify({ first, left, second: report() }));
