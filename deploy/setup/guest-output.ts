import { randomBytes } from 'node:crypto';
import { access, copyFile, link, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GuestManifest, guestManifestRecord } from '../../proto/guest-manifest.ts';
import type { GuestBase } from '../guest-image/guest-base.ts';
import { packInitrd } from '../guest-image/initrd.ts';
import { fileSha256 } from './content-hash.ts';

const MANIFEST = 'manifest.json';
const CONTENT_ADDRESSED = /^(vmlinux|initrd|root)-[0-9a-f]{16}$/;
/** What a build that was killed has left: see publishInitrd and replace. */
const HALF_MADE = /^(\.initrd-[0-9a-f]{12}|.+\.[0-9a-f]{12}\.tmp)$/;

/**
 * Fills `directory` with what a pod VM boots. Files are named by their content and never written again; the manifest,
 * replaced as a whole, says which of them are current, and only then do former ones go. One at a time for a directory.
 */
export async function writeGuestOutput(base: GuestBase, agent: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const manifest: GuestManifest = {
    kernelVersion: base.kernelVersion,
    kernel: await publish(directory, 'vmlinux', base.kernelSha256, base.kernel),
    initrd: await publishInitrd(directory, base, agent),
    root: await publish(directory, 'root', base.rootSha256, base.root),
    packages: base.packages,
  };
  await replace(join(directory, MANIFEST), (path) => writeFile(path, guestManifestRecord.encode(manifest)));
  const current = [manifest.kernel.file, manifest.initrd.file, manifest.root.file];
  for (const name of await readdir(directory)) {
    const isFormer = CONTENT_ADDRESSED.test(name) && !current.includes(name);
    if (isFormer || HALF_MADE.test(name)) await rm(join(directory, name));
  }
}

async function publishInitrd(directory: string, base: GuestBase, agent: string): Promise<GuestManifest['initrd']> {
  const packed = join(directory, `.initrd-${randomBytes(6).toString('hex')}`);
  try {
    await packInitrd(agent, base, packed);
    return await publish(directory, 'initrd', await fileSha256(packed), packed);
  } finally {
    await rm(packed, { force: true });
  }
}

/** A link to the cache where it can be: VMs of all checkouts then share the pages of one file. */
async function publish(
  directory: string,
  kind: string,
  sha256: string,
  source: string,
): Promise<{ file: string; sha256: string }> {
  const file = `${kind}-${sha256.slice(0, 16)}`;
  const path = join(directory, file);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere) await replace(path, (temporary) => link(source, temporary).catch(() => copyFile(source, temporary)));
  return { file, sha256 };
}

async function replace(path: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
