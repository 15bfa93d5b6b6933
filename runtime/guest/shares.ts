import { asFault, Fault } from '../../proto/fault.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import { ensureNoDirectory } from './files.ts';
import { MS } from './mount-flags.ts';

const DIRECTORY = '/run/berth/shares';
/** virtio's 9p transport moves at most 128 pages at once. The share is read-only, so the guest may cache all it saw. */
const OPTIONS = 'trans=virtio,version=9p2000.L,msize=512000,cache=loose';

/**
 * The host directories that the pod's containers have below their roots. A 9p share can be mounted only once at a time,
 * so each is mounted for the first container that wants it, and stays for the life of the VM.
 */
export class Shares {
  private readonly mounted = new Set<string>();

  /** Mounts the share with this tag, unless it is; answers where. */
  ensure(tag: string): string {
    if (!/^[a-zA-Z0-9_.-]+$/.test(tag) || /^\.+$/.test(tag)) {
      throw new Fault('invalid', `share tag ${JSON.stringify(tag)} is not letters, digits, "_", "." and "-"`);
    }
    const path = `${DIRECTORY}/${tag}`;
    if (this.mounted.has(tag)) return path;
    ensureDirectory(path, 0o755);
    try {
      sys.mount(tag, path, '9p', MS.RDONLY | MS.NODEV, OPTIONS);
    } catch (error) {
      ensureNoDirectory(path);
      throw asFault(error, 'io', `the share ${tag} does not mount; is there a 9p device with this tag?`, { tag });
    }
    this.mounted.add(tag);
    return path;
  }
}
