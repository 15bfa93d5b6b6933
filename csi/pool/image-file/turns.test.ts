import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

const forever = new AbortController().signal;
const settled = () => new Promise(setImmediate);

/** Asks for a turn; notes the name when it comes. */
function ask(turns: Turns, begun: string[], name: string, signal = forever): Promise<() => void> {
  return turns.take(signal).then((end) => {
    begun.push(name);
    return end;
  });
}

it('lets no more begin than it allows, and the others in their order', async () => {
  const turns = new Turns(2);
  const begun: string[] = [];
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ask(turns, begun, name));
  await settled();
  expect(begun).toEqual(['a', 'b']);
  (await b)?.();
  (await c)?.();
  (await d)?.();
  (await a)?.();
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  await ask(turns, begun, 'e');
  await ask(turns, begun, 'f');
});

it('passes over who does not wait any more', async () => {
  const turns = new Turns(1);
  const begun: string[] = [];
  const end = await ask(turns, begun, 'a');
  const impatient = new AbortController();
  const b = ask(turns, begun, 'b', impatient.signal);
  const c = ask(turns, begun, 'c');
  impatient.abort(new Error('gone'));
  await expect(b).rejects.toThrow('gone');
  end();
  await c;
  expect(begun).toEqual(['a', 'c']);
  await expect(turns.take(impatient.signal)).rejects.toThrow('gone');
});
