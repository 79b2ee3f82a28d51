import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A program that nobody here wrote. */
export interface RealAgent {
  readonly name: string;
  /** Of npm, with the version. */
  readonly packages: Readonly<Record<string, string>>;
  /** Its part for this machine is an optional package. */
  readonly hasPlatformPackage: boolean;
  /** The version of Node.js that it needs; null: the one here. */
  readonly nodeVersion: string | null;
  /** The program below node_modules, and its arguments. */
  readonly program: readonly [path: string, ...words: string[]];
  /** True if the program is no script of Node.js. */
  readonly isBinary?: true;
  /** The mode in which it asks for permission, if that is not the one it begins in. */
  readonly mode?: string;
  /** Its settings, by their paths below HOME. */
  readonly files: (model: string) => Readonly<Record<string, string | object>>;
  /** `model`: the origin of the model's server. */
  readonly environment: (model: string) => Readonly<Record<string, string>>;
}

const qwen: RealAgent = {
  name: 'Qwen Code',
  packages: { '@qwen-code/qwen-code': '0.15.10' },
  hasPlatformPackage: false,
  nodeVersion: null,
  program: ['@qwen-code/qwen-code/cli.js', '--acp'],
  files: () => ({
    '.qwen/settings.json': {
      security: { auth: { selectedType: 'openai' } },
      privacy: { usageStatisticsEnabled: false },
      general: { disableAutoUpdate: true, enableAutoUpdate: false },
      telemetry: { enabled: false },
    },
  }),
  environment: (model) => ({
    OPENAI_API_KEY: 'none',
    OPENAI_BASE_URL: `${model}/v1`,
    OPENAI_MODEL: 'mock',
  }),
};

const gemini: RealAgent = {
  name: 'Gemini CLI',
  packages: { '@google/gemini-cli': '0.61.0' },
  hasPlatformPackage: false,
  nodeVersion: null,
  program: ['@google/gemini-cli/bundle/gemini.js', '--acp'],
  files: () => ({
    '.gemini/settings.json': {
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
      general: { enableAutoUpdate: false },
      telemetry: { enabled: false },
    },
  }),
  environment: (model) => ({
    GEMINI_API_KEY: 'none',
    GEMINI_MODEL: 'gemini-2.5-flash',
    GOOGLE_GEMINI_BASE_URL: model,
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    GEMINI_CLI_NO_RELAUNCH: 'true',
  }),
};

const claude: RealAgent = {
  name: 'Claude Code',
  packages: { '@agentclientprotocol/claude-agent-acp': '0.101.0' },
  hasPlatformPackage: true,
  nodeVersion: '22.23.3',
  program: ['@agentclientprotocol/claude-agent-acp/dist/index.js'],
  mode: 'default',
  files: () => ({}),
  environment: (model) => ({
    ANTHROPIC_API_KEY: 'none',
    ANTHROPIC_BASE_URL: model,
    ANTHROPIC_MODEL: 'mock',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_ERROR_REPORTING: '1',
  }),
};

const codex: RealAgent = {
  name: 'Codex',
  packages: { '@zed-industries/codex-acp': '0.16.0' },
  hasPlatformPackage: true,
  nodeVersion: null,
  program: ['@zed-industries/codex-acp/bin/codex-acp.js'],
  files: (model) => ({
    '.codex/config.toml': [
      // Of an unknown one it warns in each reply.
      'model = "gpt-5.5"',
      'model_provider = "local"',
      'approval_policy = "untrusted"',
      'check_for_update_on_startup = false',
      '[model_providers.local]',
      'name = "local"',
      `base_url = "${model}/v1"`,
      'env_key = "MODEL_KEY"',
      'wire_api = "responses"',
      'supports_websockets = false',
      'request_max_retries = 0',
      'stream_max_retries = 0',
      '[analytics]',
      'enabled = false',
      '[feedback]',
      'enabled = false',
    ].join('\n'),
  }),
  environment: () => ({ MODEL_KEY: 'none', NO_BROWSER: '1' }),
};

const opencode: RealAgent = {
  name: 'opencode',
  packages: { 'opencode-ai': '1.18.33' },
  hasPlatformPackage: true,
  nodeVersion: null,
  // The package's own script would link to it at the installation.
  program: ['opencode-linux-x64/bin/opencode', 'acp'],
  isBinary: true,
  files: (model) => ({
    '.config/opencode/opencode.json': {
      autoupdate: false,
      share: 'disabled',
      enabled_providers: ['local'],
      model: 'local/mock',
      small_model: 'local/mock',
      permission: { bash: 'ask', edit: 'ask' },
      provider: {
        local: {
          npm: '@ai-sdk/openai-compatible',
          name: 'local',
          options: { baseURL: `${model}/v1`, apiKey: 'none' },
          models: { mock: { name: 'mock', tool_call: true } },
        },
      },
    },
  }),
  environment: () => ({
    OPENCODE_SERVER_PASSWORD: 'secret',
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
  }),
};

export const realAgents = { qwen, gemini, claude, codex, opencode };

/** Writes an agent's settings below its HOME. */
export function writeFiles(home: string, files: Readonly<Record<string, string | object>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
}
