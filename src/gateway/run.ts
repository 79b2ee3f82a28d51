import { homedir } from 'node:os';
import { isatty } from 'node:tty';
import { configurationFile, directories, scopeOfUser } from '../config/directories.js';
import { ConfigurationError, type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import { statusLine } from '../lifecycle/status-line.js';
import { exitStatus } from '../lifecycle/stop-cause.js';
import { describeSupervision, judgeSupervision } from '../lifecycle/supervision.js';
import { exitAtOnce } from '../linux/process.js';
import { type AdjustableLog, createLog, destinationFor } from '../log/create-log.js';
import { identifier } from '../log/log.js';
import { booted, readSupervisionEvidence } from '../systemd/evidence.js';
import { journalFlush, journalStreamMatches } from '../systemd/journal.js';
import { notify } from '../systemd/notify.js';
import { ownCommand } from '../text/own-command.js';
import { Service } from './service.js';

export interface RunOptions {
  /** `--config`; null for the default place. */
  readonly configurationFile: string | null;
  readonly instance: string | null;
  /** True if a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  readonly environment: NodeJS.ProcessEnv;
  /** True if a terminal may get colours. */
  readonly colour: boolean;
}

const standardError = 2;

/** Longest wait for journald to take the last records. */
const journalFlushTimeoutMs = 1_000;

/** The one place where a gateway's process ends. */
function leave(status: number, log: AdjustableLog): never {
  log.settle();
  journalFlush(journalFlushTimeoutMs);
  return exitAtOnce(status);
}

/** Reports in the journal and the unit's status why the configuration can't be used, and ends. */
function refuse(error: ConfigurationError, log: AdjustableLog): never {
  for (const { where, message } of error.problems) log.crit(`${where}: ${message}`);
  const [first] = error.problems;
  const more = error.problems.length > 1 ? ` (and ${error.problems.length - 1} more, see the journal)` : '';
  const reason = `unusable configuration: ${first?.where}: ${first?.message}${more}`;
  log.crit(
    `The configuration can’t be used; the gateway is not started. Mend it, and check it with "${ownCommand('check-config')}".`,
  );
  notify({ status: statusLine({ state: 'failed', reason }) });
  return leave(exitStatus.configuration, log);
}

/** Runs a gateway until it ends, and the process with it. */
export async function runGateway(options: RunOptions): Promise<never> {
  const { environment, instance } = options;
  // Nothing that the gateway makes is for anybody else.
  process.umask(0o077);
  const evidence = readSupervisionEvidence(environment, booted());
  const isTerminal = isatty(standardError);
  const log = createLog({
    destination: destinationFor({ journal: journalStreamMatches(standardError, environment), isTerminal }),
    colour: options.colour && isTerminal,
    level: 'info',
    standardError,
    identifier,
  });
  const load = (): LoadedConfiguration => {
    const { configuration } = directories({
      instance,
      environment,
      scope: scopeOfUser(evidence.uid),
      home: homedir(),
    });
    return loadConfiguration({
      file: options.configurationFile ?? configurationFile(configuration, instance),
      required: options.configurationFile !== null,
      environment,
    });
  };
  let loaded: LoadedConfiguration;
  try {
    loaded = load();
  } catch (error) {
    if (error instanceof ConfigurationError) return refuse(error, log);
    throw error;
  }
  log.configure(loaded.configuration.log);
  for (const warning of loaded.warnings) log.warning(warning);
  const supervision = judgeSupervision(evidence, loaded.configuration.supervisor);
  log.info(`Starting, ${describeSupervision(supervision)}`, {
    SD_GATEWAY_SUPERVISION: supervision.origin,
  });
  for (const { text } of supervision.warnings) log.warning(text);

  const service = new Service({
    log,
    supervision,
    configuration: loaded.configuration,
    instance,
    takeover: options.takeover,
    configurationFile: loaded.file,
    environment,
    warnings: loaded.warnings,
    reload: load,
  });
  return leave(await service.run(), log);
}
