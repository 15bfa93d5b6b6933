import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describeError, Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { fileSha256 } from './content-hash.ts';

/** What the newest of GO_TOOLS wants. */
const MINIMUM = { major: 1, minor: 25 };

/** Go publishes its own releases as versions of this module; `sum` is what go.sum files and `go mod download` call it. */
const RELEASE = {
  module: 'golang.org/toolchain',
  version: 'v0.0.1-go1.26.8.linux-amd64',
  sum: 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=',
};

const REMEDY = `install Go ${MINIMUM.major}.${MINIMUM.minor} or newer, or set GOPROXY to a Go module proxy`;

/** The program `go`: this machine's if it is new enough, else the pinned release's. Fault `environment` without either. */
export async function ensureGo(): Promise<string> {
  const version = await execa('go', ['version'], { reject: false, env: { GOTOOLCHAIN: 'local' } });
  if (isNewEnough(version.failed ? '' : version.stdout)) return 'go';
  const proxies = planProxies(version.failed ? process.env['GOPROXY'] : await readProxySetting());
  if (proxies.length === 0) throw new Fault('environment', `there is no Go for tools of the tests; ${REMEDY}`);
  return ensureRelease(proxies);
}

/** `output` of `go version`: a release, or a development version on the way to one. */
export function isNewEnough(output: string): boolean {
  const [, major, minor] = /\bgo(\d+)\.(\d+)/.exec(output) ?? [];
  if (Number(major) !== MINIMUM.major) return Number(major) > MINIMUM.major;
  return Number(minor) >= MINIMUM.minor;
}

/** The URLs of GOPROXY, in order. It may also say `off`, which ends it, and `direct`, which is not for releases of Go. */
export function planProxies(setting: string | undefined): string[] {
  const entries = (setting ?? '').split(/[,|]/).map((entry) => entry.trim());
  const end = entries.indexOf('off');
  return entries.slice(0, end === -1 ? undefined : end).filter((entry) => /^(https?|file):\/\//.test(entry));
}

/** An older Go knows its own default and what `go env -w` has set. */
const readProxySetting = async (): Promise<string> => (await execa('go', ['env', 'GOPROXY'])).stdout;

async function ensureRelease(proxies: readonly string[]): Promise<string> {
  const directory = await ensureCached({
    name: 'go',
    title: 'Go, for tools of the tests',
    inputs: [RELEASE.module, RELEASE.version, RELEASE.sum],
    fill: async (partial) => {
      const zip = join(partial, 'go.zip');
      await download(proxies, `${RELEASE.module}/@v/${RELEASE.version}.zip`, zip);
      await execa('busybox', ['unzip', '-q', zip, '-d', join(partial, 'module')]);
      await takeRelease(join(partial, 'module'), RELEASE, join(partial, 'go'));
      await rm(zip);
    },
  });
  return join(directory, 'go/bin/go');
}

/** From the first proxy that has it (GOPROXY protocol: a URL or a directory with the same names). */
async function download(proxies: readonly string[], path: string, file: string): Promise<void> {
  const reasons: string[] = [];
  for (const proxy of proxies) {
    const url = new URL(`${proxy.replace(/\/$/, '')}/${path}`);
    const headers = takeCredentials(url);
    try {
      if (url.protocol === 'file:') return await copyFile(fileURLToPath(url), file);
      const response = await fetch(url, { headers });
      if (!response.ok || response.body === null) throw new Error(`the proxy answers ${response.status}`);
      return await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
    } catch (error) {
      reasons.push(`${url}: ${describeError(error)}`);
    }
  }
  const message = `the pinned release of Go could not be downloaded; ${REMEDY}`;
  throw new Fault('environment', message, { cause: new Error(reasons.join('; ')) });
}

/** Out of the URL, which is shown when something fails, into a header. */
function takeCredentials(url: URL): Record<string, string> {
  const words = [url.username, url.password].map(decodeURIComponent).join(':');
  url.username = '';
  url.password = '';
  return words === ':' ? {} : { authorization: `Basic ${Buffer.from(words).toString('base64')}` };
}

/** Moves the unpacked module `unpacked`/`<module>@<version>` to `directory` as a release of Go, once its sum is right. */
export async function takeRelease(
  unpacked: string,
  { module, version, sum }: typeof RELEASE,
  directory: string,
): Promise<void> {
  const files = await listFiles(unpacked);
  const found = await moduleSum(unpacked, files);
  if (found !== sum) {
    throw new Fault('malformed', `${module}@${version} has the sum ${found} in place of ${sum}; another proxy may do`);
  }
  for (const file of files) {
    const path = join(unpacked, file);
    // As `go` does after it downloaded another release: a module cannot hold other modules, nor modes.
    if (basename(file) === '_go.mod') await rename(path, join(dirname(path), 'go.mod'));
    if (/^[^@]+@[^/]+\/(bin|pkg\/tool)\//.test(file)) await chmod(path, 0o755);
  }
  await rename(join(unpacked, `${module}@${version}`), directory);
  await rm(unpacked, { recursive: true });
}

async function listFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(root.length + 1)).sort();
}

/** Go's `h1` hash of a module: sha256 over the sums and names of its files, in order of the names' bytes. */
async function moduleSum(root: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${await fileSha256(join(root, file))}  ${file}\n`);
  return `h1:${hash.digest('base64')}`;
}
