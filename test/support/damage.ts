import { open } from 'node:fs/promises';
import { exec } from '../../runtime/system/node/exec.ts';

const SECTOR = 512;
/** XLOG_HEADER_MAGIC_NUM of xlog_rec_header, fs/xfs/libxfs/xfs_log_format.h, and its h_lsn and h_tail_lsn. */
const RECORD = 0xfeedbabe;
const LSN = 16;
const TAIL_LSN = 24;
/** Of those to be replayed: far from the newest one, which XFS would take for a write that the crash tore. */
const BROKEN_RECORD = 2;

/** Zeroes a part of a disk that no guest has. */
export async function zero(image: string, offset: number, length: number): Promise<void> {
  const file = await open(image, 'r+');
  await file.write(new Uint8Array(length), 0, length, offset);
  await file.close();
}

/** Changes a byte of an early record in the log of an XFS that was not unmounted: it cannot be replayed any more. */
export async function breakXfsLog(image: string): Promise<void> {
  const words = ['-c', 'sb 0', '-c', 'print logstart blocksize agblocks agblklog logblocks'];
  const said = await exec('xfs_db', ['-r', ...words, image]);
  const value = (name: string): number => Number(new RegExp(`^${name} = (\\d+)$`, 'm').exec(said)?.[1]);
  const [start, agBits, blockSize] = [value('logstart'), value('agblklog'), value('blocksize')];
  const offset = (Math.floor(start / 2 ** agBits) * value('agblocks') + (start % 2 ** agBits)) * blockSize;
  const file = await open(image, 'r+');
  const { buffer: log } = await file.read({ buffer: Buffer.alloc(value('logblocks') * blockSize), position: offset });
  let records: number[] = [];
  for (let at = 0; at < log.length; at += SECTOR) if (log.readUInt32BE(at) === RECORD) records.push(at);
  records = records.sort((one, other) => Number(log.readBigUInt64BE(one + LSN) - log.readBigUInt64BE(other + LSN)));
  const tail = log.readBigUInt64BE((records.at(-1) ?? 0) + TAIL_LSN);
  const replayed = records.filter((at) => log.readBigUInt64BE(at + LSN) >= tail);
  const broken = (replayed[BROKEN_RECORD] ?? 0) + SECTOR + 300;
  await file.write(Buffer.from([~(log[broken] ?? 0)]), 0, 1, offset + broken);
  await file.close();
}
