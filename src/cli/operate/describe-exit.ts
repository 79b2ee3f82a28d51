import { constants } from 'node:os';
import type { FailedCommand, UnitState } from './unit.js';

/** Meanings of exit statuses, systemd's own included (systemd.exec(5), sysexits.h). */
const exitWords: Readonly<Record<number, string>> = {
  1: 'a failed start or a crash',
  75: 'a restart was asked for',
  78: 'unusable configuration or store',
  200: 'CHDIR: the working directory can’t be entered',
  203: 'EXEC: the program of ExecStart= can’t be executed',
  208: 'STDIN: standard input can’t be set up',
  209: 'STDOUT: standard output can’t be set up',
  216: 'GROUP: the group is not known',
  217: 'USER: the user is not known',
  218: 'CAPABILITIES: the capabilities can’t be set',
  226: 'NAMESPACE: the sandbox can’t be set up; a path that the unit names may be missing',
  228: 'SECCOMP: the system call filter can’t be set up',
  233: 'RUNTIME_DIRECTORY: the runtime directory can’t be made',
  238: 'STATE_DIRECTORY: the state directory can’t be made',
  241: 'CONFIGURATION_DIRECTORY: the configuration directory can’t be made',
  243: 'CREDENTIALS: a credential can’t be loaded',
};

function signalName(number: number): string {
  const entry = Object.entries(constants.signals).find(([, value]) => value === number);
  return entry === undefined ? `signal ${number}` : entry[0];
}

/** Describes the end of the main process: "exit status 78 (unusable configuration or store)", "killed by SIGKILL". */
export function describeExit(exit: Pick<NonNullable<UnitState['exit']>, 'how' | 'status'>): string {
  if (exit.how === 'exited') {
    const words = exitWords[exit.status];
    return `exit status ${exit.status}${words === undefined ? '' : ` (${words})`}`;
  }
  return `${exit.how === 'dumped' ? 'ended with a core dump by' : 'killed by'} ${signalName(exit.status)}`;
}

/** Describes the end of a command beside the main process. */
export function describeCommand({ directive, command, how, status }: FailedCommand): string {
  // Its exit statuses are its own, and have none of the gateway's meanings.
  const end = how === 'exited' ? `exit status ${status}` : describeExit({ how, status });
  return `${directive}= failed ("${command}": ${end})`;
}
