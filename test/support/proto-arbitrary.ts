import type { MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { anyText } from './fuzz.ts';

/** google.protobuf.DescriptorProto, as far as it is looked at. */
interface Descriptor {
  readonly name: string;
  readonly field: readonly FieldDescriptor[];
  readonly nestedType: readonly Descriptor[];
  readonly enumType: readonly EnumDescriptor[];
  readonly options: { readonly mapEntry?: boolean } | null;
}
interface EnumDescriptor {
  readonly name: string;
  readonly value: readonly { readonly name: string }[];
}
interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

/** Values that mean something, by the name of the field; of a map, also by `<field>.key` and `<field>.value`. */
export type Vocabulary = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** `csi.v1.VolumeCapability` -> its definition; of enums too. */
export type Messages = Readonly<Record<string, MessageTypeDefinition<object, object>>>;

/**
 * Requests of a message type, from its descriptor alone: a field is one of the vocabulary, seldom missing, and seldom
 * any value of its type, so that some requests get far. A new field of the .proto file needs no change here.
 */
export function requestArbitrary(type: object, messages: Messages, vocabulary: Vocabulary): fc.Arbitrary<object> {
  return messageArbitrary([type as Descriptor], messages, vocabulary);
}

/** `scopes`: the message, then those that it is nested in. */
function messageArbitrary(
  scopes: readonly Descriptor[],
  messages: Messages,
  vocabulary: Vocabulary,
): fc.Arbitrary<object> {
  const [own] = scopes;
  const fields = Object.fromEntries(
    (own?.field ?? []).map((field) => {
      const value = fieldArbitrary(field, scopes, messages, vocabulary);
      return [field.name, fc.option(value, { nil: undefined, freq: 15 })];
    }),
  );
  return fc.record(fields);
}

function fieldArbitrary(
  field: FieldDescriptor,
  scopes: readonly Descriptor[],
  messages: Messages,
  vocabulary: Vocabulary,
): fc.Arbitrary<unknown> {
  const known = vocabulary[field.name];
  const entry = scopes[0]?.nestedType.find(
    ({ name, options }) => name === field.typeName && options?.mapEntry === true,
  );
  if (entry !== undefined) {
    const part = (name: string) => either(vocabulary[`${field.name}.${name}`], anyText());
    return either(known, fc.array(fc.tuple(part('key'), part('value')), { maxLength: 3 }).map(Object.fromEntries));
  }
  const single = valueArbitrary(field, scopes, messages, vocabulary);
  return either(known, field.label === 'LABEL_REPEATED' ? fc.array(single, { maxLength: 3 }) : single);
}

function valueArbitrary(
  { type, typeName }: FieldDescriptor,
  scopes: readonly Descriptor[],
  messages: Messages,
  vocabulary: Vocabulary,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'TYPE_STRING':
      return anyText();
    case 'TYPE_BOOL':
      return fc.boolean();
    case 'TYPE_INT32':
      return fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1));
    case 'TYPE_INT64':
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
        fc.constantFrom('0', '1', '-1', '16777216', '1073741824', '9223372036854775807', '-9223372036854775808'),
      );
    case 'TYPE_ENUM': {
      const nested = scopes.flatMap(({ enumType }) => enumType).find(({ name }) => name === typeName);
      const { value } = nested ?? (findType(typeName, messages) as EnumDescriptor);
      return fc.oneof(fc.constantFrom(...value.map(({ name }) => name)), fc.integer({ min: -1, max: 99 }));
    }
    case 'TYPE_MESSAGE': {
      const nested = scopes.flatMap(({ nestedType }) => nestedType).find(({ name }) => name === typeName);
      if (nested !== undefined) return messageArbitrary([nested, ...scopes], messages, vocabulary);
      return messageArbitrary([findType(typeName, messages) as Descriptor], messages, vocabulary);
    }
    default:
      throw new Error(`no arbitrary for ${type}`);
  }
}

/** A type of the package, or of one that it imports. */
function findType(name: string, messages: Messages): object {
  const found = messages[`csi.v1.${name}`] ?? messages[name];
  if (found === undefined) throw new Error(`csi.proto has no type ${name}`);
  return found.type;
}

const either = (known: fc.Arbitrary<unknown> | undefined, any: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  known === undefined ? any : fc.oneof({ weight: 15, arbitrary: known }, { weight: 1, arbitrary: any });
