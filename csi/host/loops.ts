import { Fault } from '../../proto/fault.ts';
import { forgive, isErrno } from '../../runtime/system/native/errors.ts';
import { O, sys } from '../../runtime/system/native/sys.ts';
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
const LOOP_MAJOR = 7;
/** struct loop_config: fd, block_size, struct loop_info64, reserved. */
const CONFIG_BYTES = 304;
const FD_AT = 0;
const FLAGS_AT = 60;
const LO_FLAGS_READ_ONLY = 1;
/** Other programs take loop devices too, between our asking for a free one and our taking it. */
const ATTEMPTS = 100;

export function attachLoop(path: string, readOnly: boolean): Loop {
  return orRefuse(`could not attach ${path} to a loop device`, path, () => {
    const file = sys.open(path, readOnly ? O.RDONLY : O.RDWR);
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const loop = withOpen(CONTROL, O.RDWR, (control) => toLoop(sys.ioctl(control, LOOP_CTL_GET_FREE, 0)));
        if (configure(loop, file, readOnly)) return loop;
      }
    } finally {
      sys.close(file);
    }
    throw new Fault('busy', `every loop device that was free for ${path} was taken by others; try again`, {
      fields: { path },
    });
  });
}

/** By the name of the backing file that the kernel shows, as seen from this process's root. */
export function loopsOf(path: string): Loop[] {
  return orRefuse('could not look for loop devices', '/sys/block', () => {
    const numbers = sys.readdir('/sys/block').flatMap((name) => /^loop(\d+)$/.exec(name)?.[1] ?? []);
    return numbers.map((number) => toLoop(Number(number))).filter((loop) => backingFileOf(loop) === path);
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
function configure({ path }: Loop, file: number, readOnly: boolean): boolean {
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

function backingFileOf({ minor }: Loop): string | undefined {
  // A loop device without a file has no such attribute, and one may go while we look.
  const text = forgive(['ENOENT', 'ENXIO', 'ENODEV'], undefined, () =>
    sys.readFile(`/sys/block/loop${minor}/loop/backing_file`),
  );
  return text === undefined ? undefined : sys.utf8Decode(text).replace(/\n$/, '');
}

/** Minor and number of a loop device are one: berth knows no loop.max_part, which would set them apart. */
const toLoop = (number: number): Loop => ({ path: `/dev/loop${number}`, major: LOOP_MAJOR, minor: number });

function withOpen<T>(path: string, flags: number, body: (fd: number) => T): T {
  const fd = sys.open(path, flags);
  try {
    return body(fd);
  } finally {
    sys.close(fd);
  }
}
