'use strict';
// Compiles the addon where no prebuilt binary fits this machine. Does nothing where there is no Linux.

const { spawnSync } = require('node:child_process');
const { copyFileSync, mkdirSync } = require('node:fs');
const { join } = require('node:path');

function fits() {
  try {
    require('node-gyp-build')(__dirname);
    return true;
  } catch {
    return false;
  }
}

function compile() {
  const source = join(__dirname, 'native');
  // npm names its own node-gyp.
  const { npm_config_node_gyp: nodeGyp } = process.env;
  const [command, ...words] = nodeGyp === undefined ? ['node-gyp'] : [process.execPath, nodeGyp];
  const { status, error } = spawnSync(command, [...words, 'rebuild'], { cwd: source, stdio: 'inherit' });
  if (status !== 0) {
    const reason = error === undefined ? 'See above.' : `${command}: ${error.message}.`;
    process.stderr.write(
      `@sd-gateway/systemd: no prebuilt binary fits this machine, and the addon could not be compiled. ${reason} ` +
        'It needs a C++ compiler, make and python3 (Debian: apt-get install build-essential python3).\n',
    );
    process.exit(1);
  }
  const built = join(__dirname, 'build', 'Release');
  mkdirSync(built, { recursive: true });
  copyFileSync(join(source, 'build', 'Release', 'sd_gateway.node'), join(built, 'sd_gateway.node'));
}

if (process.platform === 'linux' && !fits()) compile();
