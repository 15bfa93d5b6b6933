import { Fault } from '../../../proto/fault.ts';
import { hasErrno } from './connection.ts';
import { MessageBuilder } from './message-builder.ts';

/** struct tcmsg: u8 family, three pad bytes, i32 interface, u32 handle, u32 parent, u32 info. */
export const TCMSG_BYTES = 20;
export const TCA_KIND = 1;
export const TCA_OPTIONS = 2;

export function tcHeader(index: number, handle: number, parent: number, info: number): MessageBuilder {
  return new MessageBuilder().u8(0, 0, 0, 0).u32(index, handle, parent, info);
}

/** ENOENT of an addition means that the kernel does not know the kind: says what brings it. */
export function needingModule<T>(module: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (!hasErrno(cause, 'ENOENT')) throw cause;
    throw new Fault('environment', `the kernel lacks ${module}; Debian has it in its linux-image package`, { cause });
  }
}
