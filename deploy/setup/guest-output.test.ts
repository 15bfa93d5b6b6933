import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import type { GuestBase } from '../guest-image/guest-base.ts';
import { contentHash, fileSha256 } from './content-hash.ts';
import { writeGuestOutput } from './guest-output.ts';

let scratch: string;
let output: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-guest-'));
  output = join(scratch, 'dist/guest');
});
afterEach(() => rmSync(scratch, { recursive: true }));

const put = (name: string, content: string): string => {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
};

async function base(rootContent: string): Promise<GuestBase> {
  mkdirSync(join(scratch, 'modules'), { recursive: true });
  put('modules/erofs.ko', 'module');
  const [kernel, root] = [put('vmlinux', 'kernel'), put(`root-${contentHash([rootContent])}`, rootContent)];
  return {
    directory: scratch,
    kernel,
    root,
    kernelVersion: '6.12',
    kernelSha256: await fileSha256(kernel),
    rootSha256: await fileSha256(root),
    bootModules: ['erofs.ko'],
    packages: ['crun=1.21-1'],
  };
}

const manifest = () => guestManifestRecord.decode(readFileSync(join(output, 'manifest.json'), 'utf8'), 'manifest');

describe('guest output', () => {
  it('names files by their content, and the manifest says which', async () => {
    await writeGuestOutput(await base('one'), put('agent', 'agent'), output);
    for (const { file, sha256 } of [manifest().kernel, manifest().initrd, manifest().root]) {
      expect(file).toMatch(new RegExp(`^\\w+-${sha256.slice(0, 16)}$`));
      expect(await fileSha256(join(output, file))).toBe(sha256);
    }
    expect(readdirSync(output)).toHaveLength(4);
  });

  it('packs the agent as /init and lists the modules in their order', async () => {
    await writeGuestOutput(await base('one'), put('agent', 'the agent'), output);
    const initrd = readFileSync(join(output, manifest().initrd.file), 'latin1');
    expect(initrd).toContain('init\0');
    expect(initrd).toContain('the agent');
    expect(initrd).toContain('/modules/erofs.ko\n');
  });

  it('removes what a build that was killed has left', async () => {
    mkdirSync(output, { recursive: true });
    for (const name of ['.initrd-0123456789ab', `root-${'0'.repeat(16)}.0123456789ab.tmp`, 'notes.tmp']) {
      writeFileSync(join(output, name), 'half');
    }
    await writeGuestOutput(await base('one'), put('agent', 'agent'), output);
    const { kernel, initrd, root } = manifest();
    expect(readdirSync(output).sort()).toEqual([initrd.file, 'manifest.json', 'notes.tmp', root.file, kernel.file]);
  });

  it('leaves files alone that did not change, and removes those that no manifest names', async () => {
    const agent = put('agent', 'agent');
    await writeGuestOutput(await base('one'), agent, output);
    const former = manifest();
    const inode = (file: string): number => statSync(join(output, file)).ino;
    const initrd = inode(former.initrd.file);
    await writeGuestOutput(await base('two'), agent, output);
    expect(manifest().root).not.toEqual(former.root);
    expect(manifest().initrd).toEqual(former.initrd);
    expect(inode(former.initrd.file)).toBe(initrd);
    expect(readdirSync(output)).not.toContain(former.root.file);
    expect(readdirSync(output)).toHaveLength(4);
  });
});
