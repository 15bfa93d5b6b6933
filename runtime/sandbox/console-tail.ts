import type { System } from '../system/port.ts';

const TAIL_LINES = 20;
/** What a guest writes is as long as it likes. */
const TAIL_BYTES = 16 * 1024;

/** What the guest said last on its console, for an error message; empty if there is nothing. */
export async function readConsoleTail(system: System, path: string): Promise<string> {
  const bytes = await system.readTail(path, TAIL_BYTES).catch(() => undefined);
  return bytes === undefined ? '' : tailOf(new TextDecoder().decode(bytes));
}

/** Without the carriage returns of a serial line and the escape sequences of a terminal. */
export function tailOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what an escape sequence begins with
  const plain = text.replace(/\r/g, '').replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  return plain.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
