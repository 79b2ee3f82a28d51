import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { StopJobSearch } from '../../../src/gateway/supervisor/lifecycle-log.js';
import { type StopRequest, stopByJob, stopRequest } from '../../../src/lifecycle/stop-cause.js';
import { byHand, supervision, systemUnit, userUnit, wrapped } from '../../lifecycle/samples.js';
import { fakeProgram } from '../../manager/fake-program.js';

const bySystemd: StopRequest = {
  cause: 'planned-stop',
  exitStatus: 0,
  signal: 'SIGTERM',
  sender: { pid: 1, uid: 0, comm: 'systemd', isSupervisor: true },
  requestedBy: 'signal',
};
const byKill: StopRequest = {
  ...bySystemd,
  cause: 'foreign-kill',
  exitStatus: 1,
  sender: { pid: 999, uid: 0, comm: 'kill', isSupervisor: false },
};
/** The longest that a test waits for what comes at once. */
const longMs = 10_000;

/** A search of the main process of a unit, with the double that the test has put before all others. */
function searchOf(evidence = systemUnit): StopJobSearch {
  const search = new StopJobSearch(supervision(evidence), { PATH: process.env['PATH'] ?? '' });
  onTestFinished(() => search.close());
  return search;
}

/** systemctl, as far as the search asks it; `jobs` and `shown` are what it does, in JavaScript. */
function fakeSystemctl(jobs: string, shown = 'process.exit(1)'): void {
  fakeProgram('systemctl', `if (process.argv[3] === 'list-jobs') { ${jobs} } else { ${shown} }`);
}

it.each([
  ['the main process', systemUnit],
  ['what is below it', wrapped],
  ['the main process of a user unit', userUnit],
])('tells the job that stops %s', async (_what, evidence) => {
  fakeSystemctl('console.log("7 sd-gateway.service restart running")');
  const search = searchOf(evidence);
  expect(search.begin(bySystemd)).toBe(true);
  await search.settled(longMs);
  expect(search.answerTo(bySystemd)).toEqual({
    job: { type: 'restart', shutdown: null, because: null },
    words: 'restart job',
  });
});

it('asks what drew the job along where there are others, and does without where that isn’t told', async () => {
  const jobs =
    'console.log("7 sd-gateway.service stop running\\n8 stack.target stop waiting\\n9 a.service start running");';
  const because = { unit: 'stack.target', job: 'stop', dependency: 'PartOf' };
  for (const [shown, told] of [
    ['console.log("PartOf=stack.target")', because],
    ['console.error("Access denied"); process.exit(1)', null],
  ] as const) {
    fakeSystemctl(jobs, shown);
    const search = searchOf();
    search.begin(bySystemd);
    await search.settled(longMs);
    expect(search.answerTo(bySystemd).job).toEqual({ type: 'stop', shutdown: null, because: told });
  }
});

it.each([
  ['success', 'no job: systemctl kill'],
  ['timeout', 'no job: systemd’s own doing, Result=timeout'],
])('tells that there is no job, by Result=%s', async (result, words) => {
  fakeSystemctl(
    'console.log("7 other.service restart running")',
    `console.log('Result=${result}\\nSubState=stop-sigterm')`,
  );
  const search = searchOf();
  search.begin(bySystemd);
  await search.settled(longMs);
  expect(search.answerTo(bySystemd)).toEqual({ job: null, words });
});

it('takes the start job for no reason of a kill during the start', async () => {
  fakeSystemctl(
    'console.log("7 sd-gateway.service start running")',
    "console.log('Result=success\\nSubState=stop-sigterm')",
  );
  const search = searchOf();
  search.begin(bySystemd);
  await search.settled(longMs);
  expect(search.answerTo(bySystemd)).toEqual({
    job: null,
    words: 'no job: systemctl kill, during the start',
  });
});

it.each<[string, string, string, boolean | null]>([
  ['a job stops it', 'console.log("7 sd-gateway.service stop running")', '', true],
  ['its job waits for another', 'console.log("7 sd-gateway.service stop waiting")', '', false],
  ['its ExecStop= runs without a job', '', 'console.log("Result=timeout\\nSubState=stop")', true],
  // As it is after STOPPING=1, whoever has killed.
  ['it stops by itself', '', 'console.log("Result=success\\nSubState=stop-sigterm")', false],
  ['there is no answer', 'process.exit(1)', '', null],
])('asks upon a kill whether the manager stops the unit: %s', async (_what, jobs, shown, expected) => {
  fakeSystemctl(jobs, shown);
  const search = searchOf();
  expect(await search.isStoppedByManager()).toBe(expected);
  // A kill has no job, whatever the manager does besides.
  expect(search.answerTo(byKill)).toEqual({ job: null, words: null });
});

it('asks once where a kill turns out to be a planned stop', async () => {
  fakeSystemctl('console.log("7 sd-gateway.service stop running")');
  const search = searchOf();
  expect(await search.isStoppedByManager()).toBe(true);
  fakeSystemctl('process.exit(1)');
  expect(search.begin(stopByJob)).toBe(true);
  await search.settled(longMs);
  expect(search.answerTo(stopByJob).words).toBe('stop job');
});

it('can’t tell whether a process is stopped that is no unit', async () => {
  expect(await searchOf(byHand).isStoppedByManager()).toBe(null);
});

it.each<[string, StopRequest, typeof systemUnit]>([
  ['a kill by somebody else', byKill, systemUnit],
  ['a stop through the control socket', stopRequest('planned-stop', 'control-socket', null), systemUnit],
  ['a crash', stopRequest('crash', 'gateway', null), systemUnit],
  ['a process that is no unit', bySystemd, byHand],
])('asks nobody upon %s', async (_what, stop, evidence) => {
  const search = searchOf(evidence);
  expect(search.begin(stop)).toBe(false);
  await search.settled(longMs);
  expect(search.answerTo(bySystemd)).toEqual({ job: null, words: null });
});

/** A systemctl that never answers; gives its number once it runs. */
function silentSystemctl(): { readonly file: string; readonly pid: () => string | undefined } {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-stop-job-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'pid');
  const tells = `require('node:fs').writeFileSync(${JSON.stringify(file)}, process.pid + '.');`;
  fakeSystemctl(`setInterval(() => {}, 1_000); ${tells}`);
  return {
    file,
    pid: () => (existsSync(file) ? /^(\d+)\./.exec(readFileSync(file, 'utf8'))?.[1] : undefined),
  };
}

/** Returns true if a process runs. One that nobody has reaped doesn't. */
function runs(pid: string | undefined): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

it('waits no longer than it is told to, and leaves nothing running once it is closed', async () => {
  const { pid } = silentSystemctl();
  const search = searchOf();
  search.begin(bySystemd);
  await expect.poll(pid).toBeDefined();
  const before = performance.now();
  await search.settled(50);
  expect(performance.now() - before).toBeGreaterThanOrEqual(49);
  expect(search.answerTo(bySystemd)).toEqual({ job: null, words: null });
  search.close();
  // Nothing is left to wait for either.
  await search.settled(longMs);
  await expect.poll(() => runs(pid())).toBe(false);
});

/** Runs a script, with `begun()` for a search that has begun, in a process of its own; gives what it prints. */
function inProcess(script: string): string {
  const module = (path: string) => JSON.stringify(new URL(`../../../dist/${path}`, import.meta.url).href);
  const text = `
    import { existsSync, openSync, statSync } from 'node:fs';
    import { StopJobSearch } from ${module('gateway/supervisor/lifecycle-log.js')};
    import { exitAtOnce } from ${module('linux/process.js')};
    const supervision = ${JSON.stringify(supervision(systemUnit))};
    const bySystemd = ${JSON.stringify(bySystemd)};
    const begun = () => {
      const search = new StopJobSearch(supervision, { PATH: process.env.PATH });
      search.begin(bySystemd);
      return search;
    };
    ${script}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', text], {
    encoding: 'utf8',
    timeout: longMs,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

it('tells nothing, and harms nothing, without a descriptor for it', () => {
  fakeSystemctl('console.log("7 sd-gateway.service stop running")');
  const answer = inProcess(`
    const told = async () => {
      const search = begun();
      await search.settled(${longMs});
      return search.answerTo(bySystemd).job;
    };
    const before = await told();
    let full = false;
    while (!full) {
      try { openSync('/dev/null'); } catch (error) { full = error.code === 'EMFILE'; }
    }
    const after = await told();
    process.stdout.write(JSON.stringify([before?.type, after]));
  `);
  expect(JSON.parse(answer)).toEqual(['stop', null]);
});

it('takes systemctl along when the process ends before it', async () => {
  const { file, pid } = silentSystemctl();
  inProcess(`
    begun();
    const look = () => {
      if (existsSync(${JSON.stringify(file)}) && statSync(${JSON.stringify(file)}).size > 0) exitAtOnce(0);
      setTimeout(look, 10);
    };
    look();
  `);
  expect(pid()).toBeDefined();
  await expect.poll(() => runs(pid())).toBe(false);
});
