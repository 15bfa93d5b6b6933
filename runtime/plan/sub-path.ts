import { Fault } from '../../proto/fault.ts';

/** Parts of a path below a volume's root, joined in the shortest way; empty for the root. Throws if they climb. */
export function joinSubPath(...parts: readonly string[]): string {
  const names = parts.flatMap((part) => part.split('/')).filter((name) => name !== '' && name !== '.');
  if (!names.includes('..')) return names.join('/');
  const message = `sub path ${JSON.stringify(parts.filter(Boolean).join('/'))} must lie in its volume, without ".."`;
  throw new Fault('invalid', message, { fields: { field: 'subPath' } });
}
