type Serialize = (message: object) => Buffer;

/**
 * Serializes a message whose repeated `field` is most of it, each element of it once for as long as it is the same object,
 * which nobody changes: messages that are put one behind the other are one, with the elements of all
 * (protobuf.dev/programming-guides/encoding, "Last One Wins"). A page of a listing is otherwise encoded for longer than
 * everything else of the verb takes.
 */
export function serializeOnce(serialize: Serialize, field: string): Serialize {
  const known = new WeakMap<object, Buffer>();
  const toBytes = (element: object): Buffer => {
    const bytes = known.get(element) ?? serialize({ [field]: [element] });
    known.set(element, bytes);
    return bytes;
  };
  return (message) => {
    const elements: readonly object[] = (message as Record<string, readonly object[]>)[field] ?? [];
    return Buffer.concat([...elements.map(toBytes), serialize({ ...message, [field]: [] })]);
  };
}
