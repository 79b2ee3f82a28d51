// Measures how late an event loop is:   node event-loop-delay.mjs own|none|control SECONDS FEWEST MANAGER
// FEWEST: a smaller number of delays in 400 ms says nothing.
// MANAGER is native/manager.c's program: it tells the time at random moments, and the delay is how old that is when the
// loop comes to it. First nothing else runs, then 1 ms of work begins 3 ms after the last has ended, as messages would.
// "own" is what the gateway has for systemd: its announcements at their highest rate, the watchdog's feeder with its
// stall watch, ten times as often as under the shipped units, and the watch of signals. "none" has nothing of it.
// "control" blocks the loop for 2 ms, 50 times a second: what the measurement must see.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [contender, seconds, fewest, manager] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-bench-'));
const socket = join(folder, 'notify');
const child = spawn(manager, [socket], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
let delays = null;
child.stdio[3].on('data', (chunk) => {
  const now = process.hrtime.bigint();
  // The writer's pieces come whole: each is written at once.
  for (let at = 0; at < chunk.length; at += 8) delays?.push(Number(now - chunk.readBigUInt64LE(at)) / 1e3);
});
// Its socket is there before it first says what time it is.
await once(child.stdio[3], 'data');
process.env.NOTIFY_SOCKET = socket;

/** The gateway's own, as src/gateway/service.ts puts them together. */
async function supervised() {
  const { Notifier } = await import('../../dist/lifecycle/effects/notifier.js');
  const { SideWork } = await import('../../dist/gateway/supervisor/side-work.js');
  const { StatusReporter } = await import('../../dist/gateway/supervisor/status-reporter.js');
  const { StoreProbe } = await import('../../dist/gateway/supervisor/probes.js');
  const { WatchdogFeeder } = await import('../../dist/lifecycle/effects/watchdog-feeder.js');
  const { watchSignals } = await import('../../dist/systemd/signals.js');
  const { watchedSignals } = await import('../../dist/systemd/signals.js');
  const complain = (text) => {
    throw new Error(text);
  };
  const log = { crit: complain, err: complain, warning: complain, notice: complain, info: complain };
  let answered = 0;
  const store = {
    counts() {
      answered += 1;
      const counts = { sessions: 1, queued: 0, running: 0, replied: answered, delivered: 0, dead: 0 };
      return Promise.resolve({ ...counts, undelivered: 0 });
    },
    probe: () => Promise.resolve(),
  };
  const report = ({ type }) => {
    if (type !== 'stall-changed') complain(type);
  };
  const notifier = new Notifier(report);
  const ready = { state: 'ready', readyFor: 0, stalled: [], trouble: null, reloadRefused: null };
  const status = new StatusReporter(
    notifier,
    (work) => ({ ...ready, work }),
    () => undefined,
    new SideWork(log),
  );
  await status.follow(store);
  const probe = new StoreProbe(store);
  const watchdog = new WatchdogFeeder({
    microseconds: 3_000_000n,
    notifier,
    report,
    blockedLoopEntry: (blocked) => [['MESSAGE', blocked]],
    begin: () => probe.begin(),
    parts: () => [probe.progress()],
  });
  const heard = [];
  const watch = watchSignals(watchedSignals, ({ signal, senderPid }) => heard.push(`${signal} ${senderPid}`));
  // The gateway tells it of each change; the line changes each time.
  const changes = setInterval(() => status.changed(), 10);
  return {
    changed: () => status.changed(),
    async end() {
      process.kill(process.pid, 'SIGUSR2');
      while (heard.length === 0) await new Promise(setImmediate);
      if (heard.join() !== `SIGUSR2 ${process.pid}`) throw new Error(`The watch of signals heard ${heard}`);
      clearInterval(changes);
      status.close();
      watchdog.close();
      notifier.close();
      watch.close();
    },
  };
}

function blockFor(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

function control() {
  const timer = setInterval(blockFor, 20, 2);
  return { changed: () => undefined, end: () => clearInterval(timer) };
}

const nothing = { changed: () => undefined, end: () => undefined };

/** Percentiles of each 400 ms, and the median of these: one hiccup of the machine is not what is asked for. */
async function measure() {
  const windows = [];
  for (let at = 0; at < Number(seconds); at += 0.4) {
    delays = [];
    await new Promise((resolve) => setTimeout(resolve, 400));
    const sorted = delays.sort((a, b) => a - b);
    if (sorted.length < Number(fewest))
      throw new Error(`Only ${sorted.length} delays were measured in 400 ms`);
    windows.push(sorted);
  }
  delays = null;
  const percentile = (share) => {
    const each = windows.map((sorted) => sorted[Math.floor(sorted.length * share)]);
    return each.sort((a, b) => a - b)[Math.floor(each.length / 2)];
  };
  return { p50: percentile(0.5), p99: percentile(0.99) };
}

const beside = contender === 'own' ? await supervised() : contender === 'control' ? control() : nothing;
// Lets the new code compile and settle.
await new Promise((resolve) => setTimeout(resolve, 300));
const idle = await measure();
let load = setTimeout(function work() {
  blockFor(1);
  beside.changed();
  load = setTimeout(work, 3);
}, 3);
const loaded = await measure();
clearTimeout(load);
await beside.end();

let said = '';
child.stdout.on('data', (chunk) => {
  said += chunk;
});
child.stdin.end();
await once(child, 'close');
rmSync(folder, { recursive: true });
const { status, watchdog, other } = JSON.parse(said);
// A status line a second and a ping a second, for twice the time.
const least = contender === 'own' ? Math.floor(2 * Number(seconds)) : 0;
const most = contender === 'own' ? Number.POSITIVE_INFINITY : 0;
for (const count of [status, watchdog]) {
  if (count < least || count > most || other !== 0) throw new Error(`The manager was told ${said}`);
}
process.stdout.write(
  `${JSON.stringify({ 'idle, p50': idle.p50, 'idle, p99': idle.p99, 'loaded, p50': loaded.p50, 'loaded, p99': loaded.p99 })}\n`,
);
