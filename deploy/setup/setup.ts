import { ensureGuestBase, type GuestBase } from '../guest-image/guest-base.ts';
import { ensureHostPackages } from './host-packages.ts';
import { ensureToolchain } from './toolchain.ts';

/** What this machine needs beside the checkout to build and run berth. Made once; idempotent. */
export async function setUp(): Promise<{ toolchain: string; guestBase: GuestBase }> {
  await ensureHostPackages();
  const toolchain = await ensureToolchain();
  return { toolchain, guestBase: await ensureGuestBase() };
}

/** `npm run setup` */
export async function main(): Promise<number> {
  await setUp();
  return 0;
}
