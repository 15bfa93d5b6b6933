import { Fault } from '../../proto/fault.ts';
import { forgive, isErrno } from '../../runtime/system/native/errors.ts';
import { O, sys } from '../../runtime/system/native/sys.ts';
import { withOpen } from '../../runtime/system/native/with-open.ts';
import { orRefuse } from './refusal.ts';

interface Loop {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

const CONTROL = '/dev/loop-control';
/** linux/loop.h. LOOP_CONFIGURE, since Linux 5.8, sets file and flags in one step: nobody sees a writable device first. */
const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CLR_FD = 0x4c01;
/** struct loop_config: fd, block_size, struct loop_info64, reserved. */
const CONFIG_BYTES = 304;
const FD_AT = 0;
const FLAGS_AT = 60;
const LO_FLAGS_READ_ONLY = 1;
/** Other programs take loop devices too, between our asking for a free one and our taking it. */
const ATTEMPTS = 100;

/** No device nodes, or no driver: what a container lacks that has a /dev of its own. */
const LACKING = { ENOENT: 'environment', ENXIO: 'environment', ENODEV: 'environment' } as const;

export function attachLoop(path: string, readOnly: boolean): Loop {
  const file = orRefuse(`could not open ${path}`, path, () => sys.open(path, readOnly ? O.RDONLY : O.RDWR));
  const message = `could not attach ${path} to a loop device; that takes the host's /dev and the kernel's module loop`;
  const attach = (): Loop => {
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const index = withOpen(CONTROL, O.RDWR, (control) => sys.ioctl(control, LOOP_CTL_GET_FREE, 0));
        if (configure(deviceOf(index), file, readOnly)) return readLoop(index);
      }
    } finally {
      sys.close(file);
    }
    throw new Fault('busy', `every loop device that was free for ${path} was taken by others; try again`, {
      fields: { path },
    });
  };
  return orRefuse(message, path, attach, LACKING);
}

/** By the name of the backing file that the kernel shows, as seen from this process's root. */
export function loopsOf(path: string): Loop[] {
  return orRefuse('could not look for loop devices', '/sys/block', () => {
    const indexes = sys.readdir('/sys/block').flatMap((name) => /^loop(\d+)$/.exec(name)?.[1] ?? []);
    return indexes
      .map(Number)
      .filter((index) => readAttribute(index, 'loop/backing_file') === path)
      .map(readLoop);
  });
}

/** One that has no file any more is no failure. While others have it open, the kernel detaches it when the last closes. */
export function detachLoop({ path }: Loop): void {
  orRefuse(`could not detach ${path}`, path, () =>
    forgive(['ENXIO', 'ENOENT'], undefined, () =>
      withOpen(path, O.RDONLY, (device) => sys.ioctl(device, LOOP_CLR_FD, 0)),
    ),
  );
}

/** False if somebody else was quicker. */
function configure(path: string, file: number, readOnly: boolean): boolean {
  const config = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(config.buffer);
  view.setUint32(FD_AT, file, true);
  view.setUint32(FLAGS_AT, readOnly ? LO_FLAGS_READ_ONLY : 0, true);
  try {
    withOpen(path, readOnly ? O.RDONLY : O.RDWR, (device) => sys.ioctl(device, LOOP_CONFIGURE, config));
    return true;
  } catch (error) {
    if (isErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

/** The number is not the index where partitions of loop devices are on (loop.max_part). */
function readLoop(index: number): Loop {
  const number = readAttribute(index, 'dev');
  const [, major, minor] = /^(\d+):(\d+)$/.exec(number ?? '') ?? [];
  if (major === undefined) throw new Fault('internal', `${deviceOf(index)} has the number ${number}`);
  return { path: deviceOf(index), major: Number(major), minor: Number(minor) };
}

/** Undefined if there is none: a device without a file has no backing_file, and one may go while we look. */
function readAttribute(index: number, name: string): string | undefined {
  const text = forgive(['ENOENT', 'ENXIO', 'ENODEV'], undefined, () => sys.readFile(`/sys/block/loop${index}/${name}`));
  return text === undefined ? undefined : sys.utf8Decode(text).replace(/\n$/, '');
}

const deviceOf = (index: number): string => `/dev/loop${index}`;
