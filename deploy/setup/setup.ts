import { ensureToolchain } from './toolchain.ts';

export async function main(): Promise<number> {
  await ensureToolchain();
  return 0;
}
