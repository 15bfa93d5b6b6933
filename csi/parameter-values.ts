import { invalid } from './validate.ts';

/** Values of class parameters, which are text in Kubernetes. Every refusal is `invalid` and names the key. */
export type ParseValue<Value> = (text: string, field: string) => Value;

export function oneOf<Value extends string>(values: readonly Value[]): ParseValue<Value> {
  return (text, field) => {
    const known = values.find((value) => value === text);
    if (known === undefined) throw invalid(field, `is ${JSON.stringify(text)}, not ${values.join(' or ')}`);
    return known;
  };
}

export const parseBoolean: ParseValue<boolean> = (text, field) => oneOf(['true', 'false'])(text, field) === 'true';

export function wholeNumber(maximum: number): ParseValue<number> {
  return (text, field) => {
    if (!/^\d{1,16}$/.test(text) || Number(text) > maximum) {
      throw invalid(field, `is ${JSON.stringify(text)}, not a whole number from 0 to ${maximum}`);
    }
    return Number(text);
  };
}

/** A quantity of Kubernetes' kind, in bytes: `1048576`, `1Mi`, `1M`. */
export function quantity(maximumBytes: number): ParseValue<number> {
  return (text, field) => {
    const [, digits = '', unit = ''] = /^(\d{1,16})(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(text) ?? [];
    const bytes = Number(digits) * (UNITS[unit] ?? 1);
    if (digits === '' || bytes > maximumBytes) {
      throw invalid(field, `is ${JSON.stringify(text)}, not a quantity of bytes like 100Mi, at most ${maximumBytes}`);
    }
    return bytes;
  };
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
};

/**
 * Words between blanks. None may name a file or a device: an option of mkfs that reads or writes another than the volume
 * has no place in a StorageClass. (A name without a path means nothing where mkfs is run.)
 */
export const parseWords: ParseValue<string[]> = (text, field) => {
  if (/\/|\.\.|\b(?:LABEL|UUID)=|\p{Cc}/u.test(text)) {
    throw invalid(field, `is ${JSON.stringify(text)}, but may hold neither a path or device nor control characters`);
  }
  return text.split(' ').filter((word) => word !== '');
};
