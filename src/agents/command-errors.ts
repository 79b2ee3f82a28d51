import { writtenSize } from '../config/values.js';
import { AgentError } from './agent.js';

/** Errors of execve(2) and fork(2) that pass by themselves. */
const passing: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETXTBSY', 'EINTR']);

const mends: Readonly<Record<string, string>> = {
  ENOENT:
    'check that {setting} names a program that exists (an absolute path is safest), that its interpreter exists, and that the working directory does',
  ENOTDIR: 'check the path in {setting}: a part of it is not a directory',
  EACCES:
    'check that {setting} names a file that this user may execute, on a file system that is not mounted noexec, and that the unit’s sandbox shows it (ProtectHome=yes hides /root, /home and /run/user)',
  EPERM: 'check whether the sandbox of the unit (systemd.exec(5)) lets it run',
  ENOEXEC: 'check that it is a program for this machine or begins with a "#!" line',
  E2BIG: 'the arguments and the environment are too large together',
  EAGAIN: 'the limit of processes is reached (TasksMax= of the unit, or RLIMIT_NPROC)',
  ENOMEM: 'memory is short (MemoryMax= of the unit)',
  EMFILE: 'the limit of open files is reached (LimitNOFILE= of the unit)',
};

/** Says that a signal ended a program, such as "was killed by SIGTERM". */
export function killedBy(signal: NodeJS.Signals): string {
  const hint = signal === 'SIGKILL' ? ' (the kernel does that when memory runs out: journalctl --dmesg)' : '';
  return `was killed by ${signal}${hint}`;
}

/** The error of a program that the kernel has killed at its limit. */
export function tookTooMuchMemory(what: 'command' | 'agent', memoryMax: number | null): AgentError {
  return new AgentError(
    'killed',
    `the ${what} used more memory than agent.memory_max (${writtenSize(memoryMax ?? 0)}) and was killed by the kernel`,
    true,
  );
}

/** The error of a program that the shell which enters the control group could not become. */
export function notExecuted(said: string): AgentError {
  return new AgentError('unavailable', `the program of the agent could not be started: ${said}`, true);
}

/** The error of a command that could not be started; says what to check. `setting` names the program. */
export function notStarted(
  error: unknown,
  program: string,
  workingDirectory: string,
  setting = 'agent.command',
): AgentError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const mend = mends[code]?.replace('{setting}', setting);
  return new AgentError(
    'unavailable',
    `the command "${program}" could not be started in ${workingDirectory}: ${code === '' ? message : code}${mend === undefined ? '' : `; ${mend}`}`,
    passing.has(code),
    { cause: error },
  );
}
