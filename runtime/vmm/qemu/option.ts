type Value = string | number | boolean;

/**
 * An option of QEMU's command line, `head,key=value,...`; without a head, the pairs alone. A comma inside a value is
 * doubled, as QEMU's parser wants it, so that no path can add a property.
 */
export function option(head: string, properties: Readonly<Record<string, Value>>): string {
  const pairs = Object.entries(properties).map(([key, value]) => `${key}=${toText(value).replaceAll(',', ',,')}`);
  return [...(head === '' ? [] : [head]), ...pairs].join(',');
}

function toText(value: Value): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}
