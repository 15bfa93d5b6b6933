/** google.protobuf.FileDescriptorProto and its parts as proto-loader decodes them, without defaults. */
export interface FileDescriptor {
  readonly package: string;
  readonly syntax: string;
  readonly message_type?: readonly MessageDescriptor[];
  readonly enum_type?: readonly EnumDescriptor[];
  readonly service?: readonly ServiceDescriptor[];
}
interface MessageDescriptor {
  readonly name: string;
  readonly field?: readonly FieldDescriptor[];
  readonly nested_type?: readonly MessageDescriptor[];
  readonly enum_type?: readonly EnumDescriptor[];
  readonly oneof_decl?: readonly { readonly name: string }[];
  readonly reserved_range?: readonly { readonly start: number; readonly end: number }[];
  readonly reserved_name?: readonly string[];
  readonly options?: { readonly map_entry?: boolean; readonly deprecated?: boolean };
}
interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly type_name?: string;
  readonly oneof_index?: number;
  readonly proto3_optional?: boolean;
  readonly options?: Readonly<Record<string, unknown>>;
}
interface EnumDescriptor {
  readonly name: string;
  readonly value?: readonly { readonly name: string; readonly number: number }[];
}
interface ServiceDescriptor {
  readonly name: string;
  readonly method?: readonly {
    readonly name: string;
    readonly input_type: string;
    readonly output_type: string;
    readonly client_streaming?: boolean;
    readonly server_streaming?: boolean;
  }[];
}

/**
 * All that decides what is on the wire and what a program sees of it, a line each, sorted: two files with the same
 * lines are the same contract. Names of types are resolved, because compilers differ in how much of them they write.
 */
export function describeContract(file: FileDescriptor): string[] {
  const scope = `.${file.package}`;
  const declared = new Set(declaredNames(scope, file.message_type, file.enum_type));
  const lines = [
    `syntax ${file.syntax}`,
    ...describeTypes(scope, file.message_type, file.enum_type, declared),
    ...(file.service ?? []).flatMap(({ name, method = [] }) => [
      `service ${scope}.${name}`,
      ...method.map((each) => {
        const type = (streams: boolean | undefined, typeName: string): string =>
          `${streams === true ? 'stream ' : ''}${resolve(typeName, scope, declared)}`;
        const [input, output] = [
          type(each.client_streaming, each.input_type),
          type(each.server_streaming, each.output_type),
        ];
        return `rpc ${scope}.${name}.${each.name}(${input}) returns (${output})`;
      }),
    ]),
  ];
  return lines.sort();
}

/** `.csi.v1.CreateVolumeRequest.secrets` for every field that has the option, by its full name, set. */
export function fieldsWithOption(file: FileDescriptor, option: string): string[] {
  const inMessage = (scope: string, { name, field = [], nested_type = [] }: MessageDescriptor): string[] => [
    ...field.filter(({ options = {} }) => options[option] === true).map((each) => `${scope}.${name}.${each.name}`),
    ...nested_type.flatMap((nested) => inMessage(`${scope}.${name}`, nested)),
  ];
  return (file.message_type ?? []).flatMap((message) => inMessage(`.${file.package}`, message)).sort();
}

function describeTypes(
  scope: string,
  messages: readonly MessageDescriptor[] = [],
  enums: readonly EnumDescriptor[] = [],
  declared: ReadonlySet<string>,
): string[] {
  return [
    ...messages
      .filter((message) => !isMapEntry(message))
      .flatMap((message) => describeMessage(scope, message, declared)),
    ...enums.flatMap(({ name, value = [] }) =>
      value.map((each) => `enum ${scope}.${name}: ${each.name} = ${each.number}`),
    ),
  ];
}

function describeMessage(scope: string, message: MessageDescriptor, declared: ReadonlySet<string>): string[] {
  const name = `${scope}.${message.name}`;
  const reserved = [
    ...(message.reserved_range ?? []).map(({ start, end }) => `${start} to ${end}`),
    ...(message.reserved_name ?? []),
  ];
  return [
    `message ${name}${message.options?.deprecated === true ? ', deprecated' : ''}`,
    ...reserved.map((each) => `message ${name}: reserved ${each}`),
    ...(message.field ?? []).map((field) => {
      const { oneof_index: index, label } = field;
      const marks = [
        ...(index === undefined ? [] : [`oneof ${message.oneof_decl?.[index]?.name}`]),
        ...(field.proto3_optional === true ? ['optional'] : []),
        ...(field.options?.['deprecated'] === true ? ['deprecated'] : []),
      ];
      const type = describeType(field, message, name, declared);
      return [`message ${name}: ${field.name} = ${field.number}, ${label} ${type}`, ...marks].join(', ');
    }),
    ...describeTypes(name, message.nested_type, message.enum_type, declared),
  ];
}

/** A map is a repeated message of two fields, whose name compilers invent. */
function describeType(
  field: FieldDescriptor,
  message: MessageDescriptor,
  scope: string,
  declared: ReadonlySet<string>,
): string {
  if (field.type_name === undefined) return field.type;
  const resolved = resolve(field.type_name, scope, declared);
  const entry = message.nested_type?.find((each) => isMapEntry(each) && resolved === `${scope}.${each.name}`);
  if (entry === undefined) return `${field.type} ${resolved}`;
  return `map<${entry.field?.map((part) => describeType(part, entry, resolved, declared)).join(', ')}>`;
}

function declaredNames(
  scope: string,
  messages: readonly MessageDescriptor[] = [],
  enums: readonly EnumDescriptor[] = [],
): string[] {
  return [
    ...enums.map(({ name }) => `${scope}.${name}`),
    ...messages.flatMap(({ name, nested_type, enum_type }) => [
      `${scope}.${name}`,
      ...declaredNames(`${scope}.${name}`, nested_type, enum_type),
    ]),
  ];
}

/** By the language's rule: the innermost scope that has the name. What no scope has is another file's. */
function resolve(name: string, scope: string, declared: ReadonlySet<string>): string {
  if (name.startsWith('.')) return name;
  const parts = scope.split('.');
  const candidates = parts.map((_part, index) => `${parts.slice(0, parts.length - index).join('.')}.${name}`);
  return candidates.find((candidate) => declared.has(candidate)) ?? `.${name}`;
}

const isMapEntry = ({ options }: MessageDescriptor): boolean => options?.map_entry === true;
