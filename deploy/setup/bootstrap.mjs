// The way in: `node bootstrap.mjs COMMAND ARGUMENTS...`, by the scripts of package.json. It needs nothing but Node and npm,
// and brings what the rest of set-up needs: the packages of package-lock.json.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMANDS = ['setup', 'build', 'demo', 'test', 'bench', 'release'];
/** Of this file to itself, under the lock. */
const INSTALL = 'install-packages';
const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const stamp = join(repository, 'node_modules/.berth-lock-hash');

/** A sentence if berth cannot be built and run here. */
function refusal() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 20)) return `Node is ${process.versions.node}; berth needs 20.20 or later`;
  if (process.platform !== 'linux') return `this is ${process.platform}; berth needs Linux`;
  if (process.arch !== 'x64') return `this is ${process.arch}; berth needs amd64 (docs/limitations.md)`;
  if (process.getuid() !== 0) return 'berth mounts, makes network namespaces and runs VMs: run this as root';
  return undefined;
}

/** Exactly the packages of package-lock.json, unless that was done since it last changed. */
function ensurePackages() {
  if (packagesAreThere()) return true;
  // flock(1): a second command in the same checkout waits, and then finds them there.
  const argv = [join(repository, 'package-lock.json'), process.execPath, fileURLToPath(import.meta.url), INSTALL];
  return spawnSync('flock', argv, { stdio: 'inherit' }).status === 0;
}

function installPackages() {
  if (packagesAreThere()) return true;
  process.stdout.write('setup: packages of package-lock.json (npm ci) ...\n');
  // All of them, also where NODE_ENV or npm's own configuration leaves some out.
  const npm = spawnSync('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: repository,
    stdio: 'inherit',
  });
  if (npm.status === 0) writeFileSync(stamp, lockHash());
  return npm.status === 0;
}

const packagesAreThere = () => readOptional(stamp) === lockHash();

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(repository, 'package-lock.json')))
    .digest('hex');

function readOptional(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const [command, ...args] = process.argv.slice(2);
if (command === INSTALL) {
  process.exitCode = installPackages() ? 0 : 1;
} else {
  const known = COMMANDS.includes(command);
  const reason = known ? refusal() : `usage: node deploy/setup/bootstrap.mjs ${COMMANDS.join('|')} [ARGUMENT...]`;
  if (reason !== undefined) fail(reason);
  else if (!ensurePackages())
    fail('npm ci failed, as said above. It needs the package registry once, then never again.');
  else {
    const { runAndExit } = await import('./run-ts.mjs');
    await runAndExit(join(repository, `deploy/setup/${command}.ts`), args);
  }
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = 1;
}
