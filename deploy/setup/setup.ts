import { ensureGuestBase } from '../guest-image/guest-base.ts';
import { ensureToolchain } from './toolchain.ts';

export async function main(): Promise<number> {
  await ensureToolchain();
  await ensureGuestBase();
  return 0;
}
