import { Fault } from '../../../proto/fault.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What differs from one attachment to the next. */
export interface Placeholders {
  readonly containerId: string;
  readonly netns: string;
  /** 1, 2, ... in the order of pods: for names and addresses that must differ. */
  readonly number: number;
}

/** Puts values in place of `{{containerId}}`, `{{netns}}` and `{{number}}` in every text of a configuration. */
export function fillTemplate<T extends Json>(template: T, values: Placeholders): T {
  return fill(template, values) as T;
}

function fill(template: Json, values: Placeholders): Json {
  if (typeof template === 'string') return fillText(template, values);
  if (template === null || typeof template !== 'object') return template;
  if (isList(template)) return template.map((each) => fill(each, values));
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fill(value, values)]));
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** Throws `invalid` for a placeholder that there is not. */
export function fillText(text: string, values: Placeholders): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => {
    if (name in values) return String(values[name as keyof Placeholders]);
    throw new Fault('invalid', `${whole} is no placeholder; there are ${Object.keys(values).join(', ')}`);
  });
}
